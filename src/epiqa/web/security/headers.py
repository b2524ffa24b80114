"""Security headers of every response: what the page may load and run, and that nothing is cached."""

from __future__ import annotations

import re
import secrets
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The browser contacts no other host and runs only the scripts of the page as it was sent. So `onclick=` and scripts
# in `head=` of Blocks do not run. `js=` and `js_on_load=` do: Gradio compiles them in the browser, like its
# templates, which needs "unsafe-eval".
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; script-src 'self' {nonce}'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-src 'none'; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
FILE: Final = "/gradio_api/file="
_FILE_POLICY: Final = "sandbox; default-src 'none'; frame-ancestors 'none'"
_LASTING: Final = ("/assets/", "/static/", "/favicon.ico")
_HEADERS: Final = {
    "referrer-policy": "same-origin",  # "no-referrer" would hide the Origin from the log-in
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class SecurityHeaders:
    """ASGI middleware: adds the security headers to every HTTP response, and a nonce to the scripts of a page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        nonce = secrets.token_urlsafe(16)
        start: Message = {}
        page = b""

        async def send_with_headers(message: Message) -> None:
            nonlocal start, page
            if message["type"] == "http.response.start":
                start = message
                headers = MutableHeaders(scope=message)
                _set(headers, scope["path"], nonce)
                if not _is_page(headers):
                    await send(message)
                return
            headers = MutableHeaders(scope=start)
            if _is_page(headers):
                page += message.get("body", b"")
                if message.get("more_body"):
                    return
                if scope["method"] != "HEAD":
                    page = re.sub(rb"<script(?=[\s>])", b'<script nonce="%s"' % nonce.encode(), page)
                    headers["content-length"] = str(len(page))
                await send(start)
                message = {**message, "body": page}
            await send(message)

        return await self._app(scope, receive, send_with_headers)


def _is_page(headers: MutableHeaders) -> bool:
    return headers.get("content-type", "").startswith("text/html")


def _set(headers: MutableHeaders, path: str, nonce: str) -> None:
    headers.update(_HEADERS)
    if path.startswith(FILE):  # an uploaded file is downloaded, never opened as a page
        headers["content-security-policy"] = _FILE_POLICY
        name = headers.get("content-disposition", "attachment").partition(";")[2]
        headers["content-disposition"] = f"attachment;{name}" if name else "attachment"
    else:
        allowed = f"'nonce-{nonce}' " if _is_page(headers) else ""
        headers["content-security-policy"] = CONTENT_SECURITY_POLICY.format(nonce=allowed)
    if not path.startswith(_LASTING):
        headers["cache-control"] = "no-store"
