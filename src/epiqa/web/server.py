"""Serves the page on one address, behind the security stack. Nothing is recorded, nothing is fetched."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import gradio as gr
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from epiqa.errors import EpiQAError
from epiqa.web.gradio_openapi import openapi_route
from epiqa.web.page import build_page
from epiqa.web.security.login import VARIABLE, accounts_of_environment
from epiqa.web.security.request_limits import Limits
from epiqa.web.security.same_site import hosts_of, is_loopback
from epiqa.web.security.stack import guard
from epiqa.web.services.assistant import Assistant, DocumentReader
from epiqa.web.services.uploads import MAX_FILE_BYTES, MAX_FILES
from epiqa.web.texts import I18N
from epiqa.web.theme import CSS, theme
from epiqa.web.views.source_panel import ORIGINALS

SESSIONS: Final = 1000  # sessions whose state Gradio keeps


def serve(
    qa: Assistant,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    auth: Mapping[str, str] | None = None,
    allowed_hosts: Iterable[str] = (),
) -> None:
    """Serves the chat page for `qa` and blocks until it is interrupted (Ctrl-C) or terminated.

    `auth` and `allowed_hosts` are as in `launch`. Prints the page's address on standard output once it accepts
    connections. Raises EpiQAError if `host` and `port` cannot be used, or need a password.
    """
    page = build_page(qa)
    address = launch(
        page,
        host=host,
        port=port,
        auth=auth,
        allowed_hosts=allowed_hosts,
        limits=Limits(file=MAX_FILE_BYTES, files=MAX_FILES),
        routes=routes_of(qa),
    )
    with suppress(KeyboardInterrupt), _ended_by_sigterm():
        print(f"EpiQA is at {address}", flush=True)
        qa.preload()
        threading.Event().wait()
    page.close(verbose=False)


def routes_of(qa: DocumentReader) -> list[BaseRoute]:
    """Returns the routes beside Gradio's page: original files to download, and the OpenAPI document."""

    def download(request: Request) -> Response:
        try:
            path = qa.original(request.path_params["document_id"])
        except EpiQAError as error:
            return PlainTextResponse(str(error), status_code=500)
        if path is None:
            return PlainTextResponse("There is no such file.", status_code=404)
        return FileResponse(
            path,
            media_type="application/octet-stream",  # the browser saves it and never displays it
            filename=path.name.encode("utf-8", "replace").decode(),
            content_disposition_type="attachment",
        )

    return [Route(f"/{ORIGINALS}/{{document_id}}", download, methods=["GET"]), openapi_route()]


def launch(
    page: gr.Blocks,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    auth: Mapping[str, str] | None = None,
    allowed_hosts: Iterable[str] = (),
    limits: Limits | None = None,
    routes: Sequence[BaseRoute] = (),
) -> str:
    """Starts serving `page` in the background and returns its address; `page.close()` ends it.

    `auth` maps names to passwords; None takes those of EPIQA_AUTH. Without passwords the page is open to everyone
    on this machine, and `host` must be unreachable from other machines. `allowed_hosts` are the names under which a
    reverse proxy forwards requests. `routes` are served beside the page's own, behind the same security stack.
    Raises EpiQAError if `host` and `port` cannot be used, or need a password.
    """
    _check_address(host, port)
    accounts = accounts_of_environment() if auth is None else auth
    if not accounts and not is_loopback(host):
        raise EpiQAError(
            f"{host} can be reached from other machines, so the page needs a password: set {VARIABLE} to"
            " USER:PASSWORD, or give --auth-file FILE with such a line. (--auth USER:PASSWORD does it, too, but is"
            " shown to every user of this machine, in `ps`.)"
        )
    limits = limits or Limits()
    hosts = hosts_of(host, allowed_hosts)
    middleware = guard(page, hosts=hosts, accounts=accounts, limits=limits, routes=routes)
    with _past_proxies(host):
        _launch(page, host, port, limits, {"middleware": middleware, "routes": list(routes)})
    return f"http://{_url_host(host)}:{port}"


def _launch(page: gr.Blocks, host: str, port: int, limits: Limits, app_kwargs: dict[str, Any]) -> None:
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
        state_session_capacity=SESSIONS,
        max_file_size=limits.file,
        i18n=I18N,
        app_kwargs=app_kwargs,
    )


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Makes SIGTERM, which service managers send, end the page like Ctrl-C, so that uploads are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _past_proxies(host: str) -> Iterator[None]:
    """Keeps Gradio's requests to its own server at launch away from any proxy of the environment."""
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
        raise EpiQAError(f"Port {port} is not valid: choose another with --port, from 1 to 65535.")
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
