"""The chat page as it is served: over HTTP, as docs/http.md says, and behind a password."""

from __future__ import annotations

import gc
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import httpx
import pytest

from epiqa import EpiQA
from epiqa.errors import EpiQAError
from epiqa.web import Assistant, launch
from paths import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser
from web.visits import ANSWERED, GRADIOS_WARNINGS, NO_PROXY, free_port, served

pytestmark = GRADIOS_WARNINGS


ACCOUNTS = {"ann": "correct horse"}


@pytest.fixture(scope="module")
def locked(qa: Assistant) -> Iterator[str]:
    """The chat page behind a password."""
    yield from served(qa, auth=ACCOUNTS)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    qa = EpiQA.build([ROOT / "seeds"], index=tmp_path_factory.mktemp("index"))
    yield from served(qa)


def documented(language: str, containing: str) -> str:
    blocks = re.findall(
        rf"^```{language}\n(.*?)^```", (ROOT / "docs" / "http.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    (block,) = (block for block in blocks if containing in block)
    return str(block)


def test_the_documented_python_asks_over_http(
    asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("gradio_client")
    shutil.copy(ROOT / "tests" / "data" / "formats" / "chromium.pdf", tmp_path / "notice.pdf")
    monkeypatch.chdir(tmp_path)
    code = documented("python", "gradio_client").replace("http://127.0.0.1:7860", asked)
    exec(compile(code, "http.md", "exec"), {})
    assert "\nTan Zuojun [{'text': 'Tan Zuojun', " in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl is installed")
def test_the_documented_curl_asks_over_http(asked: str) -> None:
    script = documented("sh", "curl").replace("http://127.0.0.1:7860", asked)
    ran = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=True, env=NO_PROXY)
    assert "event: complete\ndata: [{" in ran.stdout and '"text": "Tan Zuojun"' in ran.stdout


def test_the_functions_are_described(asked: str) -> None:
    described = httpx.get(f"{asked}/gradio_api/openapi.json").json()
    assert described["openapi"].startswith("3.")
    ask = described["paths"]["/gradio_api/call/v2/ask"]["post"]
    assert ask["summary"].startswith("Answers one question ")
    properties = ask["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert properties["question"] == {"type": "string", "description": "The question, in English."}


def test_nothing_of_gradio_is_seen_without_the_password(locked: str) -> None:
    for path in (
        "/",
        "/config",
        "/theme.css",
        "/gradio_api/info",
        "/gradio_api/openapi.json",
        "/static/img/logo.svg",
    ):
        answer = httpx.get(f"{locked}{path}", headers={"accept": "text/html"})
        assert answer.status_code == 401 and "api_name" not in answer.text and "gradio" not in answer.text.lower()
    assert httpx.post(f"{locked}/gradio_api/call/ask", json={"data": [ANSWERED]}).status_code == 401


def test_gradio_client_logs_in(locked: str) -> None:
    gradio_client = pytest.importorskip("gradio_client")
    client = gradio_client.Client(locked, auth=("ann", "correct horse"), verbose=False, analytics_enabled=False)
    assert client.predict(ANSWERED, api_name="/ask")["text"] == "Tan Zuojun"
    with pytest.raises(gradio_client.exceptions.AuthenticationError, match="Invalid credentials"):
        gradio_client.Client(locked, auth=("ann", "wrong"), verbose=False)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl is installed")
def test_curl_logs_in(locked: str) -> None:
    def curl(*arguments: str) -> str:
        command = ["curl", "--silent", "--noproxy", "*", "--max-time", "20", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    body = ("--json", '{"question": "' + ANSWERED + '"}')
    assert curl(f"{locked}/gradio_api/call/v2/ask", *body) == "A name and a password are needed."
    begun = curl("--user", "ann:correct horse", f"{locked}/gradio_api/call/v2/ask", *body)
    (event,) = re.findall(r'"event_id":"(\w+)"', begun)
    answer = curl("--user", "ann:correct horse", f"{locked}/gradio_api/call/ask/{event}")
    assert answer.startswith("event: complete\ndata: [{") and '"Tan Zuojun"' in answer


def test_a_person_logs_in(browser: Browser, locked: str) -> None:
    page = browser.new_page(locale="en-US")
    complaints: list[str] = []
    page.goto(locked)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.get_by_label("Name").fill("ann")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("The name or the password is wrong.").wait_for()
    assert [complaint for complaint in complaints if "401" not in complaint] == []
    page.get_by_label("Name").fill("ann")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Log in").click()
    page.locator("#epiqa-question textarea").fill(ANSWERED)
    page.locator("#epiqa-question textarea").press("Enter")
    page.locator("[data-testid=bot]").get_by_text("Tan Zuojun").first.wait_for()
    assert [complaint for complaint in complaints if "401" not in complaint] == []
    page.close()


def test_a_service_manager_ends_the_page_and_its_uploads_are_gone(tmp_path: Path) -> None:
    code = (
        "from web.conftest import FakeAnswerer, read_seeds; from epiqa.web import serve;"
        f"serve(FakeAnswerer(read_seeds(), {{}}), port={free_port()})"
    )
    environment = {**NO_PROXY, "PYTHONPATH": os.pathsep.join(sys.path), "GRADIO_TEMP_DIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("EpiQA is at http://127.0.0.1:")
        assert [path.name.startswith("epiqa-") for path in tmp_path.iterdir()] == [True]
        server.terminate()
        assert server.wait(60) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_are_let_in_only_with_a_password(
    qa: Assistant, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.delenv("EPIQA_AUTH", raising=False)
    nothing: tuple[dict[str, Any], ...] = ({}, {"auth": {}})
    for how in nothing:
        with pytest.raises(EpiQAError, match=r"needs a password: set EPIQA_AUTH .*--auth-file.*ps") as raised:
            launch(gr.Blocks(analytics_enabled=False), host=host, port=free_port(), **how)
        assert raised.value.exit_code == 2
    monkeypatch.setenv("EPIQA_AUTH", "no colon")
    with pytest.raises(EpiQAError, match=r"^EPIQA_AUTH, line 1, is not USER:PASSWORD\.$"):
        launch(gr.Blocks(analytics_enabled=False), host=host, port=free_port())
    gc.collect()
