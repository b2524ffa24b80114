"""The names under which the server answers, and the pages whose requests it takes."""

from __future__ import annotations

import pytest
from starlette.websockets import WebSocketDisconnect

from epiqa.errors import EpiQAError
from epiqa.web.security.same_site import SameSite, host_name, hosts_of, is_loopback
from web.security.one_layer import client


@pytest.mark.parametrize(
    ("netloc", "name"),
    [
        ("127.0.0.1:7860", "127.0.0.1"),
        ("LocalHost", "localhost"),
        ("[::1]:7860", "::1"),
        ("docs.example.org:443", "docs.example.org"),
        ("", ""),
        ("evil.invalid@localhost", ""),
        ("localhost:7860@evil.invalid", ""),
        ("localhost/evil.invalid", ""),
        ("localhost:port", ""),
        ("localhost, evil.invalid", ""),
        ("lo\tcalhost", ""),
    ],
)
def test_a_host_name_is_split_from_its_port_and_nothing_else(netloc: str, name: str) -> None:
    assert host_name(netloc) == name


@pytest.mark.parametrize(
    ("listened_on", "allowed", "host", "is_ours"),
    [
        ("127.0.0.1", [], "127.0.0.1:7860", True),
        ("127.0.0.1", [], "localhost:8080", True),  # through a tunnel
        ("127.0.0.1", [], "[::1]:7860", True),
        ("127.0.0.1", [], "evil.invalid:7860", False),
        ("127.0.0.1", [], "127.0.0.1.evil.invalid", False),
        ("127.0.0.1", [], "localhost.", False),
        ("127.0.0.1", [], "192.168.0.7", False),
        ("192.168.0.7", [], "192.168.0.7:7860", True),
        ("::", [], "[2001:db8::1]:7860", True),
        ("0.0.0.0", [], "192.168.0.7:7860", True),
        ("0.0.0.0", [], "evil.invalid", False),
        ("0.0.0.0", ["Docs.Example.org"], "docs.example.org", True),
        ("127.0.0.1", ["docs.example.org"], "docs.example.org:8443", True),
        ("127.0.0.1", ["docs.example.org"], "www.docs.example.org", False),
    ],
)
def test_a_request_is_answered_under_the_servers_own_names(
    listened_on: str, allowed: list[str], host: str, is_ours: bool
) -> None:
    answer = client(SameSite, hosts=hosts_of(listened_on, allowed)).get("/a", headers={"host": host})
    assert answer.status_code == (200 if is_ours else 421)
    assert is_ours or (host_name(host) in answer.text and "--allowed-host" in answer.text)


def test_several_hosts_or_none_are_refused() -> None:
    browser = client(SameSite, hosts=hosts_of("127.0.0.1"))
    assert browser.get("/a", headers=[("host", "localhost"), ("host", "localhost")]).status_code == 421
    assert browser.get("/a", headers={"host": ""}).status_code == 421


@pytest.mark.parametrize(
    ("origin", "host", "is_ours"),
    [
        (None, "127.0.0.1:7860", True),
        ("http://127.0.0.1:7860", "127.0.0.1:7860", True),
        ("http://[::1]:7860", "[::1]:7860", True),
        ("http://localhost:7860", "127.0.0.1:7860", False),
        ("http://127.0.0.1:9999", "127.0.0.1:7860", False),  # another program on this machine
        ("http://evil.invalid", "127.0.0.1:7860", False),
        ("null", "127.0.0.1:7860", False),
        ("", "127.0.0.1:7860", False),
        ("file://", "127.0.0.1:7860", False),
        ("https://docs.example.org", "docs.example.org", True),
        ("https://docs.example.org", "127.0.0.1:7860", True),  # the proxy rewrites Host
        ("https://docs.example.org.evil.invalid", "127.0.0.1:7860", False),
        ("chrome-extension://docs.example.org", "127.0.0.1:7860", False),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_of_another_origin_is_refused(origin: str | None, host: str, is_ours: bool, method: str) -> None:
    headers = {"host": host} | ({} if origin is None else {"origin": origin})
    asked = client(SameSite, hosts=hosts_of("127.0.0.1", ["docs.example.org"])).request(
        method, "/a", headers=headers
    )
    assert asked.status_code == (200 if is_ours else 403)


@pytest.mark.parametrize(
    ("site", "mode", "destination", "method", "path", "status"),
    [
        ("same-origin", "cors", "empty", "POST", "/gradio_api/queue/data", 200),
        ("none", "navigate", "document", "GET", "/", 200),
        ("cross-site", "navigate", "document", "GET", "/", 200),  # a link
        ("cross-site", "navigate", "document", "POST", "/a", 403),
        ("cross-site", "navigate", "iframe", "GET", "/", 403),
        ("cross-site", "no-cors", "image", "GET", "/gradio_api/heartbeat/x", 403),
        ("cross-site", "cors", "empty", "GET", "/gradio_api/queue/data", 403),
        ("same-site", "no-cors", "script", "GET", "/config", 403),  # another port of this host
        ("cross-site", "navigate", "document", "GET", "/gradio_api/file=/a", 403),
    ],
)
def test_only_a_link_leads_here_from_another_site(
    site: str, mode: str, destination: str, method: str, path: str, status: int
) -> None:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": destination}
    assert (
        client(SameSite, hosts=hosts_of("127.0.0.1")).request(method, path, headers=headers).status_code == status
    )


def test_a_websocket_is_refused() -> None:
    tab = client(SameSite, hosts=hosts_of("127.0.0.1"))
    with pytest.raises(WebSocketDisconnect), tab.websocket_connect("/gradio_api/queue/join"):
        pass


@pytest.mark.parametrize("name", ["https://docs.example.org", "docs.example.org:443", "a b", "", "*.example.org"])
def test_an_allowed_host_is_a_plain_name(name: str) -> None:
    with pytest.raises(EpiQAError, match="without scheme and port"):
        hosts_of("127.0.0.1", [name])


@pytest.mark.parametrize(
    ("host", "is_it"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.168.0.7", False),
        ("8.8.8.8", False),
        ("no such host", False),
    ],
)
def test_loopback_is_what_no_other_machine_reaches(host: str, is_it: bool) -> None:
    assert is_loopback(host) == is_it
