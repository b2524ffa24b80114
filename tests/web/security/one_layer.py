"""A small application behind one layer of the security stack, for the tests of that layer."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

ORIGIN = "http://127.0.0.1:7860"


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
