"""The password in front of the page: sessions, guessing, and the accounts."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from epiqa.errors import EpiQAError
from epiqa.web.security.login import Login, Sessions, parse_accounts, read_accounts
from web.security.one_layer import ORIGIN, Clock, client

ACCOUNTS = {"ann": "correct horse", "bob": "päss:wörd"}


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


def test_the_right_password_opens_a_session_and_logging_out_ends_it() -> None:
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


def test_a_request_by_script_does_not_open_the_browsers_log_in_window() -> None:
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
def test_an_invalid_account_is_refused_and_not_shown(text: str, tmp_path: Path) -> None:
    with pytest.raises(EpiQAError, match=r"^here") as raised:
        parse_accounts(text, "here")
    assert "secret" not in str(raised.value)
    (tmp_path / "accounts").write_bytes(b"a:\xff")
    with pytest.raises(EpiQAError, match="cannot be read"):
        read_accounts(tmp_path / "accounts")
