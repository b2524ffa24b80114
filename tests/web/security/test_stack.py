"""Each layer of the guard in front of a small application: who may ask what, how much, and how often."""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from epiqa.errors import EpiQAError
from epiqa.web.security.headers import SecurityHeaders
from epiqa.web.security.login import Login, Sessions, parse_accounts, read_accounts
from epiqa.web.security.rate_limit import Buckets, client_of
from epiqa.web.security.request_limits import Bodies, Limits, UploadFolder, _PartCounter
from epiqa.web.security.same_site import Hosts, SameSite, host_name, hosts_of, is_loopback
from epiqa.web.security.stack import Routes

ORIGIN = "http://127.0.0.1:7860"
ACCOUNTS = {"ann": "correct horse", "bob": "päss:wörd"}


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def echo(request: Request) -> Response:
    """Says what it was sent."""
    return JSONResponse({"path": request.url.path, "body": (await request.body()).decode("utf-8")})


async def upload(request: Request) -> Response:
    """Takes an upload as Gradio does: a MultiPartException ends it with 400."""
    async with request.form() as form:
        return JSONResponse(len(form.getlist("files")))


async def page(request: Request) -> Response:
    return HTMLResponse("<script>a</script><SCRIPT>b</SCRIPT><scripture><script src=x></script>")


async def attachment(request: Request) -> Response:
    return PlainTextResponse(
        request.headers.get("range", "whole"), headers={"content-disposition": 'inline; filename="a b.svg"'}
    )


async def full(request: Request) -> Response:
    return PlainTextResponse("Queue is full.", 503)


def client(layer: Any, /, *, address: str = "10.0.0.1", raises: bool = True, **options: Any) -> TestClient:
    """Returns a client of the small application behind one layer."""
    application = Starlette(
        routes=[
            Route("/", page),
            Route("/gradio_api/upload", upload, methods=["POST"]),
            Route("/gradio_api/queue/join", full, methods=["GET"]),
            Route("/gradio_api/file={name:path}", attachment),
            Route("/{path:path}", echo, methods=["GET", "POST", "DELETE"]),
        ],
        middleware=[Middleware(layer, **options)],
    )
    return TestClient(
        application,
        base_url=ORIGIN,
        client=(address, 50000),
        follow_redirects=False,
        raise_server_exceptions=raises,
    )


# Names and origins


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
def test_a_host_name_is_taken_apart_from_its_port_and_nothing_else(netloc: str, name: str) -> None:
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


# The password


def basic(user: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def log_in(tab: TestClient, user: str = "ann", password: str = ACCOUNTS["ann"], **headers: str) -> Any:
    return tab.post("/login", data={"username": user, "password": password}, headers=headers)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/config"),
        ("GET", "/gradio_api/info"),
        ("POST", "/gradio_api/queue/join"),
        ("GET", "/login"),
        ("GET", "/assets/x.js"),
        ("POST", "/gradio_api/startup-events"),
        ("GET", "//gradio_api/startup-events"),
        ("GET", "/gradio_api/startup-events/"),
        ("POST", "/login/"),
        ("DELETE", "/"),
        ("POST", "/gradio_api/upload"),
    ],
)
def test_nothing_is_answered_without_the_password(method: str, path: str) -> None:
    answer = client(Login, accounts=ACCOUNTS).request(method, path)
    assert (answer.status_code, answer.text) == (401, "A name and a password are needed.")
    assert answer.headers["www-authenticate"].startswith("Basic ")


def test_gradio_may_start_before_anyone_is_logged_in() -> None:
    assert client(Login, accounts=ACCOUNTS).get("/gradio_api/startup-events").status_code == 200


def test_a_right_password_opens_a_session_and_logging_out_ends_it() -> None:
    tab = client(Login, accounts=ACCOUNTS)
    answer = log_in(tab)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie and "path=/" in cookie and "secure" not in cookie
    assert tab.get("/config").status_code == 200
    held = f"epiqa-7860={tab.cookies['epiqa-7860']}"
    assert tab.get("/logout").status_code == 303
    assert tab.get("/config", headers={"cookie": held}).status_code == 401
    assert "secure" in log_in(tab, **{"x-forwarded-proto": "https"}).headers["set-cookie"].lower()


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("ann", "wrong"),
        ("ann", ""),
        ("ann", "correct horse "),
        ("Ann", "correct horse"),
        ("", "correct horse"),
        ("bob", "correct horse"),
        ("nobody", "wrong"),
        ("", ""),
    ],
)
def test_a_wrong_name_or_password_is_refused(user: str, password: str) -> None:
    tab = client(Login, accounts=ACCOUNTS)
    answer = log_in(tab, user, password)
    assert (answer.status_code, answer.text) == (401, "The name or the password is wrong.")
    assert "set-cookie" not in answer.headers
    assert tab.get("/config", headers=basic(user, password)).status_code == 401


def test_a_password_may_be_sent_with_each_request() -> None:
    tab = client(Login, accounts=ACCOUNTS)
    assert tab.get("/config", headers=basic("bob", "päss:wörd")).status_code == 200
    for header in ("Basic", "Basic !", "Basic YQ==", "Bearer YQ=="):
        assert client(Login, accounts=ACCOUNTS).get("/config", headers={"authorization": header}).status_code == 401


@pytest.mark.parametrize(
    "cookie", ["epiqa-7860=", "epiqa-7860=x", "epiqa-7860", ";;;=", "\x7f", "epiqa-7861={token}", "a={token}"]
)
def test_another_cookie_is_no_session(cookie: str) -> None:
    tab = client(Login, accounts=ACCOUNTS)
    log_in(tab)
    token = tab.cookies["epiqa-7860"]
    tab.cookies.clear()
    assert tab.get("/config", headers={"cookie": cookie.format(token=token)}).status_code == 401
    assert tab.get("/config", headers={"cookie": f"epiqa-7860={token}"}).status_code == 200


def test_a_browser_gets_a_page_to_log_in_in_its_language() -> None:
    tab = client(Login, accounts=ACCOUNTS)
    wants_page = {"accept": "text/html", "sec-fetch-mode": "navigate"}
    answer = tab.get("/", headers=wants_page)
    assert answer.status_code == 401 and "www-authenticate" not in answer.headers
    assert 'lang="en"' in answer.text and "<button>Log in</button>" in answer.text and "window." not in answer.text
    assert "<button>登录</button>" in tab.get("/", headers={**wants_page, "accept-language": "zh-CN,zh"}).text
    refused = log_in(tab, "ann", "<b>", **wants_page)
    assert refused.status_code == 401 and "The name or the password is wrong." in refused.text
    entered = log_in(tab, **wants_page)
    assert (entered.status_code, entered.headers["location"]) == (303, "./")
    assert tab.get("/", headers=wants_page).status_code == 200


def test_a_script_of_the_page_does_not_open_the_browsers_own_window() -> None:
    answer = client(Login, accounts=ACCOUNTS).get("/gradio_api/info", headers={"sec-fetch-mode": "cors"})
    assert answer.status_code == 401 and "www-authenticate" not in answer.headers


def test_guessing_is_slowed_for_a_client_and_the_right_password_is_not_looked_at() -> None:
    clock = Clock()
    tab = client(Login, accounts=ACCOUNTS, clock=clock)
    assert [log_in(tab, "ann", f"guess {n}").status_code for n in range(7)] == [401] * 5 + [429] * 2
    blocked = log_in(tab)
    assert (blocked.status_code, blocked.headers["retry-after"]) == (429, "12")
    assert tab.get("/config", headers=basic("ann", ACCOUNTS["ann"])).status_code == 429
    assert "12 seconds" in log_in(tab, accept="text/html").text
    clock.now += 12
    assert log_in(tab, "ann", "guess").status_code == 401
    assert log_in(tab).status_code == 429
    clock.now += 12
    assert log_in(tab).status_code == 200
    assert tab.get("/config", headers=basic("ann", "wrong")).status_code == 200  # who is in is not held up


def test_guessing_is_slowed_for_all_clients_together() -> None:
    clock = Clock()
    layer = Login(Starlette(), accounts=ACCOUNTS, clock=clock)

    def guess(number: int) -> int:
        tab = TestClient(layer, base_url=ORIGIN, client=(f"10.0.{number}.1", 5))
        return int(log_in(tab, "ann", "guess").status_code)

    assert [guess(number) for number in range(52)] == [401] * 50 + [429] * 2
    clock.now += 1
    assert [guess(number) for number in range(100, 102)] == [401, 429]


def test_a_session_ends_after_its_time_and_the_oldest_is_forgotten_first() -> None:
    clock = Clock()
    sessions = Sessions(seconds=60, most=2, clock=clock)
    first, second, third = (sessions.begin() for _ in range(3))
    assert [sessions.has(token) for token in (first, second, third, "")] == [False, True, True, False]
    clock.now += 60
    assert not sessions.has(third)


def test_a_log_in_is_short() -> None:
    tab = client(Login, accounts=ACCOUNTS)
    assert log_in(tab, "ann", "x" * 10_000).status_code == 401
    assert tab.post("/login", content=b"\xff" * 100).status_code == 401


@pytest.mark.parametrize(
    ("text", "accounts"),
    [("ann:pw", {"ann": "pw"}), ("ann:p:w\n\n bob : x", {"ann": "p:w", "bob": " x"})],
)
def test_accounts_are_lines_of_name_and_password(text: str, accounts: dict[str, str]) -> None:
    assert parse_accounts(text, "here") == accounts


@pytest.mark.parametrize("text", ["", "\n", "secret", "secret:", ":secret", "a:b\nsecret"])
def test_what_is_no_account_is_refused_and_not_repeated(text: str, tmp_path: Path) -> None:
    with pytest.raises(EpiQAError, match=r"^here") as raised:
        parse_accounts(text, "here")
    assert "secret" not in str(raised.value)
    (tmp_path / "accounts").write_bytes(b"a:\xff")
    with pytest.raises(EpiQAError, match="cannot be read"):
        read_accounts(tmp_path / "accounts")


def test_a_bucket_refills_and_no_more_keys_are_kept_than_said() -> None:
    clock = Clock()
    buckets = Buckets(2, 0.5, keys=3, clock=clock)
    buckets.take("a", 2)
    assert (buckets.wait("a"), buckets.wait("b"), buckets.wait("b", 3)) == (2.0, 0.0, 2.0)
    clock.now += 1
    assert buckets.wait("a") == 1.0
    clock.now += 100
    assert buckets.wait("a", 2) == 0.0 and buckets.wait("a", 2.5) == 1.0
    for key in "bcdef":
        buckets.take(key)
    assert len(buckets) == 3


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("testclient", "testclient"),
        (None, ""),
    ],
)
def test_a_client_is_an_address_or_a_whole_network_of_addresses(address: str | None, client: str) -> None:
    assert client_of({"client": (address, 1) if address else None}) == client


# What may be asked


def test_what_is_not_listed_is_not_there() -> None:
    beside = Route("/original/{name}", echo)
    tab = client(Routes, paths={"/config", "/gradio_api/queue/join"}, routes=[beside], requests=9)
    assert [tab.get(path).status_code for path in ("/original/a", "/original", "/original/a/b")] == [200, 404, 404]
    assert tab.post("/original/a").status_code == 404
    for path in ("/config", "/config/", "/assets/a.js", "/gradio_api/call/ask", "/gradio_api/file=/a/b"):
        assert tab.get(path).status_code == 200
    for path in ("/monitoring", "/gradio_api/proxy=http://a.invalid/", "/gradio_api/file=http://a.invalid/b"):
        assert tab.get(path).status_code == 404
    for path in ("/gradio_api/file=//a.invalid/b", "/gradio_api/file=https%3A//a.invalid/b", "/gradio_api/file=a"):
        assert tab.get(path).status_code == 404
    assert tab.delete("/config").status_code == 405


def test_busy_says_when_to_come_again_and_files_are_whole() -> None:
    tab = client(Routes, paths={"/gradio_api/queue/join"}, requests=1)
    full = tab.get("/gradio_api/queue/join")
    assert (full.status_code, full.headers["retry-after"]) == (503, "5")
    assert tab.get("/gradio_api/file=/a", headers={"range": "bytes=0-1"}).text == "whole"
    full = client(Routes, paths={"/config"}, requests=0).get("/config")
    assert (full.status_code, full.headers["retry-after"]) == (503, "5")


# What is said about a response


def test_only_the_scripts_of_the_page_as_it_was_sent_may_run() -> None:
    tab = client(SecurityHeaders)
    answers = [tab.get("/") for _ in range(2)]
    nonces = [re.findall(r"'nonce-([^']+)'", answer.headers["content-security-policy"]) for answer in answers]
    assert nonces[0] != nonces[1]
    (nonce,) = nonces[0]
    mark = f' nonce="{nonce}"'
    assert answers[0].text == (
        f"<script{mark}>a</script><SCRIPT>b</SCRIPT><scripture><script{mark} src=x></script>"
    )
    assert "script-src 'self' 'nonce-" in answers[0].headers["content-security-policy"]
    assert tab.head("/").headers["content-security-policy"]


def test_every_response_tells_the_browser_what_it_may_do() -> None:
    for path in ("/", "/config", "/nowhere"):
        headers = client(SecurityHeaders).get(path).headers
        policy = headers["content-security-policy"]
        assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
        for part in ("default-src 'self'", "frame-ancestors 'none'", "object-src 'none'", "base-uri 'self'"):
            assert part in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "camera=()" in headers["permissions-policy"]
    assert "cache-control" not in client(SecurityHeaders).get("/assets/a.js").headers


def test_a_file_is_a_download_and_can_do_nothing() -> None:
    headers = client(SecurityHeaders).get("/gradio_api/file=/a.svg").headers
    assert headers["content-disposition"] == 'attachment; filename="a b.svg"'
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")


# What may be sent


def bodies(tmp_path: Path, **limits: Any) -> TestClient:
    return client(Bodies, limits=Limits(**limits), folder=tmp_path, hosts=Hosts(frozenset({"127.0.0.1"})))


def files(count: int, size: int = 10) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (f"{number}.txt", b"x" * size)) for number in range(count)]


def test_a_body_is_bounded_while_it_comes(tmp_path: Path) -> None:
    sent = 0

    def endless() -> Any:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b'"' + b"x" * 998 + b'"'

    tab = bodies(tmp_path, body=2000)
    fits = json.dumps("x" * 1990).encode()
    kind = {"content-type": "application/json"}
    assert tab.post("/a", content=fits, headers=kind).json()["body"] == fits.decode()
    assert tab.post("/a", content=b'"' + b"x" * 2000 + b'"', headers=kind).status_code == 413
    assert tab.post("/a", content=endless(), headers=kind).status_code == 413


@pytest.mark.parametrize(
    ("file", "is_taken"),
    [
        ({"path": "/tmp/x", "meta": {"_type": "gradio.FileData"}}, True),
        ({"path": "/tmp/x", "url": "http://127.0.0.1:7860/gradio_api/file=/tmp/x"}, True),
        ({"path": "/tmp/x", "url": None}, True),
        ({"url": "http://a.invalid"}, True),  # no file
        ({"path": "http://a.invalid/x", "meta": {"_type": "gradio.FileData"}}, False),
        ({"path": " HTTPS://a.invalid/x"}, False),
        ({"path": "//a.invalid/x"}, False),
        ({"path": "data:text/html,x"}, False),
        ({"path": ["http://a.invalid"]}, False),
        ({"path": "/tmp/x", "url": "http://a.invalid/gradio_api/file=/tmp/x"}, False),
        ({"path": "/tmp/x", "url": "http://127.0.0.1:7860/logout"}, False),
        ({"path": "/tmp/x", "url": "http://127.0.0.1:7860@a.invalid/gradio_api/file=/x"}, False),
    ],
)
@pytest.mark.parametrize("wrap", [lambda file: file, lambda file: {"data": [1, [{"deep": file}]]}])
def test_a_file_that_is_named_by_an_address_is_refused(
    tmp_path: Path, file: dict[str, Any], is_taken: bool, wrap: Callable[[Any], Any]
) -> None:
    answer = bodies(tmp_path).post("/a", json=wrap(file))
    assert answer.status_code == (200 if is_taken else 400)
    escaped = json.dumps(wrap(file)).replace("path", "p\\u0061th")
    again = bodies(tmp_path).post("/a", content=escaped, headers={"content-type": "application/json"})
    assert again.status_code == answer.status_code


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json; charset=utf-8", b"{}", 200),
        ("application/json", b"{", 400),
        ("application/json", b"[" * 100_000, 400),
        ("application/json", b"\xff", 400),
        ("text/plain", b"{}", 415),
        ("application/x-www-form-urlencoded", b"a=b", 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("", b"{}", 415),
        ("", b"", 200),
    ],
)
def test_a_request_is_json(tmp_path: Path, kind: str, body: bytes, status: int) -> None:
    answer = bodies(tmp_path).post("/a", content=body, headers={"content-type": kind})
    assert answer.status_code == status


def test_the_files_of_a_request_are_counted(tmp_path: Path) -> None:
    tab = bodies(tmp_path, files=3)
    assert tab.post("/gradio_api/upload", files=files(3)).json() == 3
    answer = tab.post("/gradio_api/upload", files=files(4))
    assert (answer.status_code, answer.text) == (413, "At most 3 files may be sent at once.")
    assert tab.post("/gradio_api/upload", content=b"x").status_code == 400
    assert tab.post("/gradio_api/upload", json={}).status_code == 400


def test_the_files_of_an_hour_are_counted(tmp_path: Path) -> None:
    tab = bodies(tmp_path, files_an_hour=5)
    assert [tab.post("/gradio_api/upload", files=files(2)).status_code for _ in range(3)] == [200, 200, 429]
    assert 600 < int(tab.post("/gradio_api/upload", files=files(2)).headers["retry-after"]) <= 1440


def test_the_upload_folder_is_bounded(tmp_path: Path) -> None:
    tab = bodies(tmp_path, uploads=3000)
    assert tab.post("/gradio_api/upload", files=files(2, 1000)).status_code == 200
    (tmp_path / "held").write_bytes(b"x" * 1500)
    answer = tab.post("/gradio_api/upload", files=files(2, 1000))
    assert answer.status_code == 507 and "no room" in answer.text
    (tmp_path / "held").unlink()
    assert tab.post("/gradio_api/upload", files=files(2, 1000)).status_code == 200


def test_old_files_are_removed_from_the_upload_folder(tmp_path: Path) -> None:
    outside = tmp_path.parent / "outside"
    outside.write_bytes(b"x" * 50)
    held = tmp_path / "held"
    (held / "hash").mkdir(parents=True)
    for name, hours in (("old", 2.1), ("new", 1.9)):
        path = held / "hash" / name
        path.write_bytes(b"x" * 100)
        then = time.time() - hours * 3600
        os.utime(path, (then, then))
    (held / "link").symlink_to(outside)
    for name, hours in (("left", 2.1), ("made", 1.9)):
        (held / name / "inside").mkdir(parents=True)
        then = time.time() - hours * 3600
        for path in (held / name / "inside", held / name):
            os.utime(path, (then, then))
    folder = UploadFolder(held, Limits(uploads=1000, keep_hours=2))
    assert 1000 - 100 - 200 < folder.room() < 900
    left = [str(path.relative_to(held)) for path in sorted(held.rglob("*"))]
    assert left == ["hash", "hash/new", "left", "link", "made", "made/inside"]  # "left" was just changed
    assert UploadFolder(held, Limits(kept_files=2)).room() == 0
    assert UploadFolder(tmp_path / "none", Limits(uploads=7)).room() == 7


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_parts_are_counted_in_chunks_of_any_size(size: int) -> None:
    body = b"".join(b"--bound\r\n\r\n--boun--boundless --bo\r\n" for _ in range(5)) + b"--bound--\r\n"
    counter = _PartCounter(b"bound")
    for start in range(0, len(body), size):
        counter.feed(body[start : start + size])
    assert counter.parts == body.count(b"--bound") - 1 == 10
