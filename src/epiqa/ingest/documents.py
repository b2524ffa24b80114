"""A file -> its documents: the file is opened and checked here, parsed by its format, and made a Document."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePath

from epiqa.errors import IngestError
from epiqa.ingest.dates import find_date
from epiqa.ingest.find import printable
from epiqa.ingest.formats import format_of, not_read
from epiqa.ingest.parsed import Parsed, Unreadable
from epiqa.ingest.plain import find_title
from epiqa.ingest.sandbox import Sandbox
from epiqa.types import Document

MAX_TITLE_CHARACTERS = 200
MAX_FILE_BYTES = 256 << 20


def document_id(path: str, text: str) -> str:
    """Returns 16 hexadecimal digits that depend on path and content alone."""
    return hashlib.sha256(f"{path}\0{text}".encode()).hexdigest()[:16]


def make_document(text: str, *, path: str, location: str, title: str | None = None) -> Document:
    """Makes a Document of normalised text; the title is its first line unless given."""
    return _document(Parsed(text=text, title=title), path, location)


def read_document(path: Path) -> Document:
    """Reads a file that holds one document.

    Raises IngestError when it cannot be read, is empty, or holds several.
    """
    first, *more = read_documents(path)
    if isinstance(first, IngestError):
        raise first
    if more:
        raise IngestError(printable(path), f"holds {1 + len(more)} documents, not one")
    return first


def read_documents(path: Path, sandbox: Sandbox | None = None) -> Iterator[Document | IngestError]:
    """Yields the documents of a file, in place of one that cannot be read the reason.

    `sandbox` parses it; None is one for this file alone. Raises IngestError when the whole file cannot be read.
    """
    if sandbox is None:
        with Sandbox() as own:
            yield from read_documents(path, own)
        return
    name = printable(path)
    if format_of(name) is None:
        raise IngestError(name, not_read(name))
    data, location = _opened(path, name)
    shown, is_empty = os.path.normpath(name), True
    for part in sandbox.parse(data, name):
        is_empty = False
        if isinstance(part, Unreadable):
            yield IngestError(shown + part.member, part.reason)
        elif not part.text.strip():
            if not part.member:
                raise IngestError(name, "is empty")
            yield IngestError(shown + part.member, "is empty")
        else:
            place = f"{location}//{part.member.removeprefix('/')}" if part.member else location
            yield _document(part, shown + part.member, place)
    if is_empty:  # a container that holds nothing was read all the same
        yield IngestError(name, "is empty")


def location_of(path: Path) -> str:
    """Returns the absolute path, links resolved, under which a file's documents are stored."""
    return printable(os.path.realpath(path))


def _opened(path: Path, name: str) -> tuple[bytes, str]:
    """Returns content and location of a regular file; opening another kind of file does not wait for it."""
    try:
        with open(path, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise IngestError(name, "is not a regular file")
            data = b"" if status.st_size > MAX_FILE_BYTES else file.read(MAX_FILE_BYTES + 1)
        if max(status.st_size, len(data)) > MAX_FILE_BYTES:
            raise IngestError(name, f"is larger than {MAX_FILE_BYTES >> 20} MB: split it")
        return data, location_of(path)
    except (OSError, ValueError) as error:
        raise IngestError(name, getattr(error, "strerror", None) or str(error)) from error


def _document(parsed: Parsed, path: str, location: str) -> Document:
    title = parsed.title or find_title(parsed.text)
    if title is None or len(title) > MAX_TITLE_CHARACTERS:
        title = PurePath(path).stem
    return Document(
        id=document_id(path, parsed.text),
        title=title,
        path=path,
        location=location,
        text=parsed.text,
        date=parsed.date or find_date(parsed.text),
        pages=parsed.pages,
        sections=parsed.sections,
        language=parsed.language,
        note=parsed.note,
    )
