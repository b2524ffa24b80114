"""Limits what may be sent to the page: sizes, numbers of files, and no URLs for the server to fetch.

Gradio limits the size of a single file only: not the number of files, not their total size, not the size of a JSON
body, which it reads whole. It also fetches any URL that a JSON body gives as a file
(`{"path": "http://…", "meta": {"_type": "gradio.FileData"}}`).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from epiqa.web.security.rate_limit import TokenBuckets, client_of
from epiqa.web.security.same_site import Hosts

UPLOAD: Final = "/gradio_api/upload"
MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of requests and uploads; sizes in bytes."""

    file: int = 256 * MIB
    files: int = 100  # a request
    files_an_hour: int = 2_000  # a client
    uploads: int = 4096 * MIB  # in the upload folder, together
    kept_files: int = 20_000
    keep_hours: float = 6.0  # after which an upload is removed
    body: int = 8 * MIB  # of a request other than an upload
    requests: int = 800  # at once


class UploadFolder:
    """Gradio's folder for uploads: old files are removed, and its size is limited."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits

    def room(self) -> int:
        """Removes old files; returns how many bytes are still allowed."""
        oldest = time.time() - self._limits.keep_hours * 3600
        held = files = 0
        for file in self._files():
            try:
                status = file.lstat()
                if status.st_mtime < oldest:
                    file.unlink()
                else:
                    held += status.st_size
                    files += 1
            except FileNotFoundError:
                continue
        self._remove_folders(oldest)
        return 0 if files >= self._limits.kept_files else max(0, self._limits.uploads - held)

    def _remove_folders(self, oldest: float) -> None:
        """Removes old empty folders; Gradio makes one for each file."""
        folders = [path for path in self._path.rglob("*") if path.is_dir() and not path.is_symlink()]
        for folder in sorted(folders, reverse=True):  # inner folders first
            with suppress(OSError):  # the folder is not empty
                if folder.lstat().st_mtime < oldest:
                    folder.rmdir()

    def _files(self) -> Iterator[Path]:
        return (path for path in self._path.rglob("*") if path.is_symlink() or path.is_file())


class BodyLimits:
    """ASGI middleware: limits bodies while they arrive, and refuses JSON with URLs to fetch."""

    def __init__(self, app: ASGIApp, *, limits: Limits, folder: Path, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts
        self._limits = limits
        self._folder = UploadFolder(folder, limits)
        self._sent_files = TokenBuckets(limits.files_an_hour, limits.files_an_hour / 3600)
        self._incoming = 0  # bytes of the uploads under way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self._app(scope, receive, send)
        if scope["path"] == UPLOAD:
            return await self._upload(scope, receive, send)
        body = await _read(receive, self._limits.body)
        if body is None:
            return await _too_large(self._limits.body)(scope, receive, send)
        refusal = self._json_refusal(Headers(scope=scope), body)
        if refusal:
            return await refusal(scope, receive, send)
        return await self._app(scope, _replay(body, receive), send)

    def _json_refusal(self, headers: Headers, body: bytes) -> Response | None:
        """Returns the refusal of a body that is not JSON, or that gives a foreign URL as a file; else None."""
        if not body:
            return None
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return PlainTextResponse("A request is application/json.", 415)
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            return PlainTextResponse("The request is not JSON.", 400)
        for file in _files(content):
            url = file.get("url") or ""
            if _is_address(file["path"]) or (_is_address(url) and not self._hosts.has_file(url)):
                return PlainTextResponse("A file is sent to the server, not fetched by it.", 400)
        return None

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        room = await asyncio.to_thread(self._folder.room)
        boundary = _boundary(Headers(scope=scope))
        if boundary is None:
            await PlainTextResponse("An upload is multipart/form-data.", 400)(scope, receive, send)
            return
        counter = _PartCounter(boundary)
        client = client_of(scope)
        refusal: Response | None = None
        size = 0

        def refuse(response: Response) -> MultiPartException:
            nonlocal refusal
            refusal = response
            return MultiPartException("refused")  # at which Gradio's parser deletes what it has written

        async def bounded_receive() -> Message:
            nonlocal size
            message = await receive()
            chunk = message.get("body", b"")
            size += len(chunk)
            self._incoming += len(chunk)
            before = counter.parts
            counter.feed(chunk)
            if counter.parts > self._limits.files:
                raise refuse(PlainTextResponse(f"At most {self._limits.files} files may be sent at once.", 413))
            if wait := self._sent_files.wait(client, counter.parts - before):
                busy = f"At most {self._limits.files_an_hour} files an hour may be sent."
                raise refuse(PlainTextResponse(busy, 429, {"Retry-After": str(int(wait) + 1)}))
            self._sent_files.take(client, counter.parts - before)
            if self._incoming > room:
                raise refuse(
                    PlainTextResponse("The server has no room for more files just now: try again later.", 507)
                )
            return message

        async def send_unless_refused(message: Message) -> None:
            if refusal is None:
                await send(message)

        try:
            await self._app(scope, bounded_receive, send_unless_refused)
        finally:
            self._incoming -= size
        if refusal is not None:
            await refusal(scope, receive, send)


class _PartCounter:
    """Counts the parts of a multipart body that arrives in chunks: one less than its delimiters."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"--" + boundary
        self._tail = b""
        self._delimiters = 0

    @property
    def parts(self) -> int:
        """The number of complete parts."""
        return max(0, self._delimiters - 1)

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the body."""
        *before, rest = (self._tail + chunk).split(self._delimiter)
        self._delimiters += len(before)
        self._tail = rest[-(len(self._delimiter) - 1) :]


def _boundary(headers: Headers) -> bytes | None:
    kind, options = parse_options_header(headers.get("content-type", ""))
    return options.get(b"boundary") or None if kind == b"multipart/form-data" else None


async def _read(receive: Receive, most: int) -> bytes | None:
    """Returns the body, None if it is longer than `most` bytes."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > most:
            return None
        if not message.get("more_body"):
            return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Replays the body that was read, then passes on further messages."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return first.pop() if first else await receive()

    return replayed


def _files(content: Any) -> Iterator[dict[str, Any]]:
    """Yields every object in JSON content that has a "path", as Gradio's files have."""
    pending = [content]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if "path" in value:
                yield value
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)


def _is_address(path: object) -> bool:
    text = str(path).strip().lower()
    return "://" in text or text.startswith(("//", "http:", "https:", "file:", "data:"))


def _too_large(most: int) -> Response:
    return PlainTextResponse(f"A request has at most {most:,} bytes.", 413)
