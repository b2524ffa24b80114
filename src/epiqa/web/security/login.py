"""The password in front of the page: accounts, sessions, the log-in page, and a throttle against guessing.

Without a log-in, no request reaches what is behind `Login`. Gradio's own `auth=` is not used: before log-in it
shows the page's functions (`window.gradio_api_info`) and leaves several routes open, its cookie is valid across
sites (`SameSite=None`), its timing reveals which names exist, and it allows unlimited guesses. `POST /login` works
as in Gradio, so `gradio_client.Client(auth=…)` works; so does `curl --user`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html
import math
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from epiqa.errors import EpiQAError
from epiqa.web.security.rate_limit import EVERYONE, TokenBuckets, client_of

VARIABLE: Final = "EPIQA_AUTH"
# Gradio requests this from its own server while it starts, without a log-in. The answer is only true or false.
STARTUP: Final = "/gradio_api/startup-events"
FORM_BYTES: Final = 8192


def parse_accounts(text: str, source: str) -> dict[str, str]:
    """Returns the passwords by name, from lines of the form USER:PASSWORD.

    Raises EpiQAError, which names `source` and the line but never shows its content.
    """
    accounts: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        user, _, password = line.partition(":")
        if not user.strip() or not password:
            raise EpiQAError(f"{source}, line {number}, is not USER:PASSWORD.")
        accounts[user.strip()] = password
    if not accounts:
        raise EpiQAError(f"{source} holds no USER:PASSWORD.")
    return accounts


def read_accounts(path: Path) -> dict[str, str]:
    """Returns the passwords by name, from a file with USER:PASSWORD on each line.

    Raises EpiQAError if it cannot be read or has another form.
    """
    try:
        return parse_accounts(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeError) as error:
        raise EpiQAError(f"{path} cannot be read as a file of USER:PASSWORD lines ({error}).") from error


def accounts_of_environment() -> dict[str, str] | None:
    """Returns the passwords by name from EPIQA_AUTH, None if it is unset or empty."""
    value = os.environ.get(VARIABLE, "")
    return parse_accounts(value, VARIABLE) if value else None


class Sessions:
    """Random tokens of those who are logged in: the `most` newest, each valid for `seconds`."""

    def __init__(
        self, *, seconds: float = 12 * 3600, most: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds = seconds
        self._most = most
        self._clock = clock
        self._ends: OrderedDict[str, float] = OrderedDict()

    def begin(self) -> str:
        """Returns a new token."""
        token = secrets.token_urlsafe(32)
        self._ends[token] = self._clock() + self.seconds
        while len(self._ends) > self._most:
            self._ends.popitem(last=False)
        return token

    def has(self, token: str) -> bool:
        """Whether the token is valid."""
        return self._ends.get(token, -math.inf) > self._clock()

    def end(self, token: str) -> None:
        """Forgets the token."""
        self._ends.pop(token, None)


class Login:
    """ASGI middleware: passes on requests with a session or a right password, and answers all others itself.

    After five wrong passwords a client waits 12 seconds before each further attempt; after 50 from all clients
    together, everyone waits a second. Until then no password is checked, and the answer is 429 with `Retry-After`.
    Sessions are not affected.
    """

    def __init__(
        self, app: ASGIApp, *, accounts: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._accounts = {_digest(user): _digest(password) for user, password in accounts.items()}
        self._sessions = Sessions(clock=clock)
        self._by_client = TokenBuckets(5, 1 / 12, clock=clock)
        self._by_everyone = TokenBuckets(50, 1, clock=clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        name = (
            f"epiqa-{scope['server'][1]}" if scope.get("server") else "epiqa"
        )  # cookies are shared by all ports of a host
        token = _cookie(headers.get("cookie", ""), name)
        path, method = scope["path"], scope["method"]
        response: Response
        if path == "/login" and method == "POST":
            response = await self._log_in(scope, receive, headers, name)
        elif path == "/logout":
            self._sessions.end(token)
            response = RedirectResponse("./", status_code=303)
            response.delete_cookie(name, httponly=True, samesite="lax")
        elif self._sessions.has(token) or (path == STARTUP and method == "GET"):
            return await self._app(scope, receive, send)
        else:
            credentials = _basic(headers)
            refusal = self._refusal(scope, credentials) if credentials else _Refusal(401, "")
            if refusal is None:
                return await self._app(scope, receive, send)
            response = refusal.response(headers)
        await response(scope, receive, send)
        return None

    async def _log_in(self, scope: Scope, receive: Receive, headers: Headers, name: str) -> Response:
        form = parse_qs((await _body(receive)).decode("utf-8", "replace"), keep_blank_values=True)
        credentials = form.get("username", [""])[0].strip(), form.get("password", [""])[0]
        refusal = self._refusal(scope, credentials)
        if refusal:
            return refusal.response(headers)
        response: Response
        if _wants_page(headers):
            response = RedirectResponse("./", status_code=303)
        else:
            response = JSONResponse({"success": True})
        is_https = "https" in (scope.get("scheme"), headers.get("x-forwarded-proto"))
        response.set_cookie(
            name,
            self._sessions.begin(),
            max_age=int(self._sessions.seconds),
            httponly=True,
            samesite="lax",
            secure=is_https,
        )
        return response

    def _refusal(self, scope: Scope, credentials: tuple[str, str]) -> _Refusal | None:
        """Returns why these credentials are refused, None if they are right."""
        client = client_of(scope)
        wait = max(self._by_client.wait(client), self._by_everyone.wait(EVERYONE))
        if wait:
            return _Refusal(429, "throttled", math.ceil(wait))
        if self._is_right(*credentials):
            return None
        self._by_client.take(client)
        self._by_everyone.take(EVERYONE)
        return _Refusal(401, "wrong")

    def _is_right(self, user: str, password: str) -> bool:
        """Compares with every account, in constant time."""
        given, proof = _digest(user), _digest(password)
        right = [
            hmac.compare_digest(given, name) & hmac.compare_digest(proof, secret)
            for name, secret in self._accounts.items()
        ]
        return any(right)


class _Refusal:
    """A status, its message (a key of `_TEXTS`), and the seconds to wait."""

    def __init__(self, status: int, reason: str, seconds: int = 0) -> None:
        self._status = status
        self._reason = reason
        self._seconds = seconds

    def response(self, headers: Headers) -> Response:
        extra = {"Retry-After": str(self._seconds)} if self._seconds else {}
        language = "zh" if headers.get("accept-language", "").lower().startswith("zh") else "en"
        texts = _TEXTS[language if _wants_page(headers) else "en"]
        message = texts[self._reason].format(seconds=self._seconds)
        if _wants_page(headers):
            filled = {key: html.escape(text) for key, text in texts.items()} | {"message": html.escape(message)}
            return HTMLResponse(_PAGE.substitute(filled), self._status, extra)
        if self._status == 401 and "sec-fetch-mode" not in headers:  # a browser would open its own log-in window
            extra["WWW-Authenticate"] = 'Basic realm="EpiQA", charset="UTF-8"'
        return PlainTextResponse(message or "A name and a password are needed.", self._status, extra)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _cookie(header: str, name: str) -> str:
    try:
        cookie = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return cookie.value if cookie else ""


def _basic(headers: Headers) -> tuple[str, str] | None:
    """Returns name and password of an `Authorization: Basic` header."""
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeError):
        return "", ""
    return (user, password) if colon else ("", "")


def _wants_page(headers: Headers) -> bool:
    return "text/html" in headers.get("accept", "")


async def _body(receive: Receive) -> bytes:
    """Returns the body, empty if it is longer than `FORM_BYTES`."""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > FORM_BYTES or message["type"] == "http.disconnect":
            return b""
        if not message.get("more_body"):
            return body


_TEXTS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "lang": "en",
        "user": "Name",
        "password": "Password",
        "enter": "Log in",
        "": "",
        "wrong": "The name or the password is wrong.",
        "throttled": "Too many wrong passwords. Try again in {seconds} seconds.",
    },
    "zh": {
        "lang": "zh-Hans",
        "user": "用户名",
        "password": "密码",
        "enter": "登录",
        "": "",
        "wrong": "用户名或密码不正确。",
        "throttled": "密码错误次数过多，请在 {seconds} 秒后重试。",
    },
}

_PAGE: Final = Template(Path(__file__).with_name("login.html").read_text(encoding="utf-8"))
