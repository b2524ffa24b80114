"""Serving the page: its address, its end, and messages for impossible addresses."""

from __future__ import annotations

import gc
import http.client
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from epiqa.errors import EpiQAError
from epiqa.web import Assistant, build_page, launch, serve
from web.visits import GRADIOS_WARNINGS, free_port, served

pytestmark = GRADIOS_WARNINGS


@pytest.fixture(scope="module")
def address(qa: Assistant) -> Iterator[str]:
    yield from served(qa)


def test_serve_says_where_it_is_and_ends_on_ctrl_c(qa: Assistant, capsys: pytest.CaptureFixture[str]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
    port = free_port()
    seen: list[int] = []

    def interrupt_once_open() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not capsys_says():
            time.sleep(0.05)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/")
        seen.append(connection.getresponse().status)
        connection.close()
        os.kill(os.getpid(), signal.SIGINT)

    printed = ""

    def capsys_says() -> bool:
        nonlocal printed
        printed += capsys.readouterr().out
        return "\n" in printed

    watcher = threading.Thread(target=interrupt_once_open)
    watcher.start()
    serve(qa, port=port)
    watcher.join()
    assert printed == f"EpiQA is at http://127.0.0.1:{port}\n"
    assert seen == [200]
    gc.collect()


def test_a_proxy_in_the_environment_is_not_asked_for_the_page(
    qa: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "intranet.invalid")
    monkeypatch.delenv("NO_PROXY", raising=False)
    page = build_page(qa)
    port = free_port()
    assert launch(page, port=port) == f"http://127.0.0.1:{port}"
    page.close(verbose=False)
    assert (os.environ["no_proxy"], os.environ.get("NO_PROXY")) == ("intranet.invalid", None)
    del page
    gc.collect()


def test_a_port_in_use_is_named_with_the_way_out(qa: Assistant, address: str) -> None:
    port = int(address.rpartition(":")[2])
    with pytest.raises(EpiQAError, match=rf"127\.0\.0\.1 port {port} .*--port"):
        serve(qa, port=port)
    gc.collect()


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("127.0.0.1", 0, "Port 0 .*--port"),
        ("127.0.0.1", 65536, "Port 65536 .*--port"),
        ("no such host", 7860, "'no such host'.*--host"),
    ],
)
def test_an_impossible_address_is_named(qa: Assistant, host: str, port: int, message: str) -> None:
    with pytest.raises(EpiQAError, match=message):
        serve(qa, host=host, port=port)
    gc.collect()
