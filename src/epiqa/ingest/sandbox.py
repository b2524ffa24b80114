"""Parses files in a process of its own, with limits on memory, time and output.

A file that breaks a limit, or its parser, costs that file alone: it is named with the reason, and the process is
started anew for the next one.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from epiqa.errors import IngestError
from epiqa.ingest.formats import format_of, parts_of
from epiqa.ingest.parsed import Parsed, Unreadable
from epiqa.ingest.recognition import VARIABLE
from epiqa.types import DocumentDate

MAX_MEMORY_BYTES = 2 << 30
MAX_TEXT_CHARACTERS = 50_000_000
MAX_OUTPUT_BYTES = 1 << 30
TIMEOUT_S = 60.0
RECOGNITION_FACTOR = 60  # a page takes some seconds, and a book has hundreds

# Text is parsed in one pass, without a library: in this process. Beyond ASCII, though, normalising takes quadratic
# time on long runs of combining marks, so only little of it is.
_IN_PROCESS = ("plain", "markdown")
_IN_PROCESS_BYTES, _IN_PROCESS_ASCII_BYTES = 1 << 16, 1 << 24
_PIECE_BYTES = 1 << 20
_BROKE = "broke the process that reads it"


class Sandbox:
    """Parses one file after the other; a context that ends its process, which it starts when first needed.

    `timeout_s` is for each document, and sixty times as long with `tesseract`, the program that recognises text on
    pages without any. `command` is what it runs, for tests.
    """

    def __init__(
        self,
        *,
        timeout_s: float = TIMEOUT_S,
        command: Sequence[str] | None = None,
        tesseract: str | None = None,
    ) -> None:
        timeout_s *= RECOGNITION_FACTOR if tesseract else 1
        self._tesseract = tesseract
        self._timeout_s = timeout_s
        limits = (MAX_MEMORY_BYTES, int(timeout_s) + 1, MAX_TEXT_CHARACTERS)
        self._command = command or [sys.executable, "-m", "epiqa.ingest.worker", *map(str, limits)]
        self._process: subprocess.Popen[bytes] | None = None
        self._received = bytearray()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # and what it started
            self._process.communicate()
            self._process = None
        self._received.clear()

    def parse(self, data: bytes, name: str) -> Iterator[Parsed | Unreadable]:
        """Yields what a file of a known format holds; raises IngestError."""
        if _is_harmless(data, name):
            yield from parts_of(data, name)
            return
        is_done = False
        try:
            self._send(data, name)
            size = 0
            while True:
                line = self._line(name)
                size += len(line)
                if size > MAX_OUTPUT_BYTES:
                    raise IngestError(name, f"holds more than {MAX_OUTPUT_BYTES >> 20:,} MB of text: split it")
                message = self._message(line, name)
                if "part" in message or "unreadable" in message:
                    yield _part(message, name)
                    continue
                if "memory" in message:
                    raise IngestError(name, f"needs more than {MAX_MEMORY_BYTES >> 20:,} MB of memory to be read")
                if "error" not in message and "end" not in message:
                    raise IngestError(name, _BROKE)
                is_done = True
                if "error" in message:
                    raise IngestError(name, str(message["error"]))
                return
        finally:
            if not is_done:
                self.close()

    def _send(self, data: bytes, name: str) -> None:
        if self._process is None:
            paths = [str(Path(path).absolute()) for path in sys.path if path]
            # Started in the root: in the folder that is read, a module could lie in wait.
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,  # Ctrl-C in the terminal is for this process alone
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), VARIABLE: self._tesseract or ""},
            )
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"name": name, "size": len(data)}).encode() + b"\n")
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except BrokenPipeError:
            self._fail(name)

    def _line(self, name: str) -> bytes:
        """Returns the next line of the process; the time it may take is that of waiting for it."""
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor, deadline = self._process.stdout.fileno(), time.monotonic() + self._timeout_s
        searched = 0
        while (end := self._received.find(b"\n", searched)) < 0:
            searched = len(self._received)
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise IngestError(name, f"takes more than {self._timeout_s:g} seconds to be read", may_pass=True)
            piece = os.read(descriptor, _PIECE_BYTES)
            if not piece:
                self._fail(name)
            self._received += piece
            if len(self._received) > MAX_OUTPUT_BYTES:
                raise IngestError(name, f"holds more than {MAX_OUTPUT_BYTES >> 20:,} MB of text: split it")
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line

    def _message(self, line: bytes, name: str) -> dict[str, Any]:
        try:
            return dict(json.loads(line))
        except (ValueError, TypeError) as error:
            raise IngestError(name, _BROKE) from error

    def _fail(self, name: str) -> NoReturn:
        """Raises the error that says how the process ended."""
        assert self._process is not None
        code = self._process.wait()
        if code == -signal.SIGXCPU:
            raise IngestError(name, f"takes more than {self._timeout_s:g} seconds to be read", may_pass=True)
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        raise IngestError(name, f"{_BROKE} ({how})", may_pass=-code in (signal.SIGKILL, signal.SIGTERM))


def _is_harmless(data: bytes, name: str) -> bool:
    format_ = format_of(name)
    if format_ is None or format_.module not in _IN_PROCESS:
        return False
    return len(data) <= (_IN_PROCESS_ASCII_BYTES if data.isascii() else _IN_PROCESS_BYTES)


def _part(message: dict[str, Any], name: str) -> Parsed | Unreadable:
    """Makes the value again that the worker sent."""
    try:
        if "unreadable" in message:
            return Unreadable(**message["unreadable"])
        fields = message["part"]
        date = fields["date"]
        sections = tuple((int(start), str(label)) for start, label in fields["sections"])
        return Parsed(
            **fields
            | {
                "date": None if date is None else DocumentDate(**date),
                "pages": tuple(fields["pages"]),
                "sections": sections,
            }
        )
    except (TypeError, ValueError, KeyError) as error:
        raise IngestError(name, _BROKE) from error
