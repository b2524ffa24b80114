"""The security stack between the network and Gradio: ASGI middleware, outermost first.

`SecurityHeaders`, `SameSite` (names and origins), `Login` (if a password is set), `AllowedRoutes` (which paths are
open) and `BodyLimits` (how much may be sent). Each is independent of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import gradio as gr
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from epiqa.web.security.headers import FILE, SecurityHeaders
from epiqa.web.security.login import STARTUP, Login
from epiqa.web.security.request_limits import UPLOAD, BodyLimits, Limits
from epiqa.web.security.same_site import Hosts, SameSite

# All paths that the page, gradio_client and curl need. Gradio's other routes, also those of later versions, are
# closed: its reverse proxy, recordings, run history, monitoring, deep links, live reload, code by a language model.
_PATHS: Final = frozenset(
    {
        *("/", "/config", "/theme.css", "/manifest.json", "/favicon.ico", "/robots.txt"),
        *(f"/gradio_api/{name}" for name in ("info", "openapi.json", "app_id", "user", "login_check", "theme.css")),
        *(f"/gradio_api/{name}" for name in ("queue/join", "queue/data", "queue/status", "cancel", "reset")),
        "/gradio_api/run/predict",  # what needs no queue; Gradio refuses it for what does
        "/gradio_api/component_server",
        STARTUP,
    }
)
_PREFIXES: Final = ("/assets/", "/static/", "/gradio_api/call/", "/gradio_api/heartbeat/")
_UPLOAD_PATHS: Final = frozenset({UPLOAD, "/gradio_api/upload_progress"})


def guard(
    page: gr.Blocks,
    *,
    hosts: Hosts,
    accounts: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    routes: Sequence[BaseRoute] = (),
) -> list[Middleware]:
    """Returns the middleware in front of `page` and `routes`, outermost first."""
    limits = limits or Limits()
    login = [Middleware(Login, accounts=accounts)] if accounts else []
    return [
        Middleware(SecurityHeaders),
        Middleware(SameSite, hosts=hosts),
        *login,
        Middleware(AllowedRoutes, paths=paths_of(page), routes=routes, requests=limits.requests),
        Middleware(BodyLimits, limits=limits, folder=Path(get_upload_folder()), hosts=hosts),
    ]


def paths_of(page: gr.Blocks) -> frozenset[str]:
    """Returns the open paths, apart from `_PREFIXES`. Uploads are open only if the page takes files."""
    takes_files = any(
        isinstance(block, (gr.File, gr.UploadButton, gr.MultimodalTextbox)) for block in page.blocks.values()
    )
    own = {f"/{name}" for name, *_ in page.pages if name}
    return _PATHS | own | (_UPLOAD_PATHS if takes_files else frozenset())


class AllowedRoutes:
    """ASGI middleware: passes on the page's own paths, at most `requests` at once; other paths get 404."""

    def __init__(
        self, app: ASGIApp, *, paths: Iterable[str], requests: int, routes: Sequence[BaseRoute] = ()
    ) -> None:
        self._app = app
        self._paths = frozenset(paths)
        self._routes = tuple(routes)
        self._requests = requests
        self._now = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if scope["method"] not in ("GET", "HEAD", "POST", "OPTIONS"):
            return await PlainTextResponse("Method Not Allowed", 405)(scope, receive, send)
        is_ours = any(route.matches(scope)[0] is Match.FULL for route in self._routes)
        if not is_ours and not self._is_open(scope["path"]):
            return await PlainTextResponse("Not Found", 404)(scope, receive, send)
        if self._now >= self._requests:
            return await _BUSY(scope, receive, _with_retry(send))
        self._now += 1
        try:
            return await self._app(_without_range(scope), receive, _with_retry(send))
        finally:
            self._now -= 1

    def _is_open(self, path: str) -> bool:
        if path.startswith(FILE):  # a local file, not a URL, which Gradio would fetch
            return path.startswith(f"{FILE}/") and not path.startswith(f"{FILE}//") and "://" not in path
        return path in self._paths or path.rstrip("/") in self._paths or path.startswith(_PREFIXES)


_BUSY: Final = PlainTextResponse("The server is busy: try again in a few seconds.", 503)
_RETRY_SECONDS: Final = b"5"


def _with_retry(send: Send) -> Send:
    """Adds `Retry-After` to every 503, such as Gradio's when its queue is full."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 503:
            message["headers"] = [*message["headers"], (b"retry-after", _RETRY_SECONDS)]
        await send(message)

    return sending


def _without_range(scope: Scope) -> Scope:
    """Drops `Range`: Gradio answers a partial request with the headers of the request, cookies included."""
    return {**scope, "headers": [header for header in scope["headers"] if header[0] != b"range"]}
