"""How the page is served: on one address, to one host, with nothing recorded and nothing fetched."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import gradio as gr
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from epiqa.errors import EpiQAError
from epiqa.web.answerer import QuestionAnswerer
from epiqa.web.library import MAX_FILE_BYTES
from epiqa.web.page import build_page
from epiqa.web.sources import originals_route
from epiqa.web.style import CSS, theme
from epiqa.web.texts import I18N

# The browser refuses to reach another host, whatever Gradio's own script or a slip of ours asks for.
# Gradio starts from inline scripts and compiles its templates in the browser, hence the two "unsafe-".
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-src 'none'; "
    "object-src 'none'; form-action 'self'; frame-ancestors 'self'"
)


class _SecurityHeaders:
    """ASGI middleware that adds the page's security headers to every HTTP response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
                    (b"referrer-policy", b"no-referrer"),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def serve(qa: QuestionAnswerer, *, host: str = "127.0.0.1", port: int = 7860) -> None:
    """Serves the chat page for `qa` and blocks until it is interrupted (Ctrl-C).

    Prints the page's address on standard output once it accepts connections. Raises EpiQAError when
    `host` and `port` cannot be listened on.
    """
    page = build_page(qa)
    address = launch(page, host=host, port=port, routes=[originals_route(qa)])
    print(f"EpiQA is at {address}", flush=True)
    threading.Thread(target=qa.load_models, name="epiqa-models", daemon=True).start()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        page.close(verbose=False)


def launch(page: gr.Blocks, *, host: str = "127.0.0.1", port: int = 7860, routes: Sequence[BaseRoute] = ()) -> str:
    """Starts serving `page` in the background and returns its address; `page.close()` ends it.

    `routes` are served beside the page's own, such as `sources.originals_route`.
    Raises EpiQAError when `host` and `port` cannot be listened on.
    """
    _check_address(host, port)
    with _past_proxies(host):
        _launch(page, host, port, routes)
    return f"http://{_url_host(host)}:{port}"


def _launch(page: gr.Blocks, host: str, port: int, routes: Sequence[BaseRoute]) -> None:
    page.launch(
        server_name=f"[{host}]" if ":" in host else host,
        server_port=port,
        theme=theme(),
        css=CSS,
        footer_links=[],
        prevent_thread_lock=True,
        quiet=True,
        inline=False,
        share=False,
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        pwa=False,
        ssr_mode=False,
        mcp_server=False,
        max_file_size=MAX_FILE_BYTES,
        i18n=I18N,
        app_kwargs={"middleware": [Middleware(_SecurityHeaders)], "routes": list(routes)},
    )


@contextmanager
def _past_proxies(host: str) -> Iterator[None]:
    """Lets Gradio reach its own server, as it does at launch, where the environment names a proxy."""
    names = ("no_proxy", "NO_PROXY")
    before = {name: os.environ.get(name) for name in names}
    for name in names:
        os.environ[name] = ",".join(filter(None, [before[name], "localhost", "127.0.0.1", host]))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _url_host(host: str) -> str:
    if host in ("0.0.0.0", "::", ""):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _check_address(host: str, port: int) -> None:
    if not 1 <= port <= 65535:
        raise EpiQAError(f"Port {port} is not one: choose another with --port, from 1 to 65535.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise EpiQAError(f"{host!r} is not an address of this machine: choose another with --host.") from error
    try:
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        raise EpiQAError(
            f"Cannot listen on {host} port {port} ({error.strerror}): choose another with --port or --host."
        ) from error
