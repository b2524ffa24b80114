"""A file -> its documents: the file is opened and checked here, parsed by its format, and made a Document."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from epiqa.errors import IngestError
from epiqa.ingest.dates import find_date
from epiqa.ingest.find import printable
from epiqa.ingest.formats import PARSER_VERSION, format_of, not_read
from epiqa.ingest.parsed import Parsed, Unreadable
from epiqa.ingest.plain import find_title
from epiqa.ingest.sandbox import Sandbox
from epiqa.types import Document

MAX_TITLE_CHARACTERS = 200
_WITH_PDF = ("pdf", "archive", "mail")
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
    file = open_file(path)
    if sandbox is not None:
        yield from documents_in(file, sandbox)
        return
    with Sandbox() as own:
        yield from documents_in(file, own)


@dataclass(frozen=True, slots=True)
class OpenFile:
    """The bytes of a file of a known format, read once, and where it lies.

    `path` is as the user gave it, `location` absolute with links resolved, both printable; `name` is the latter in
    the file system's own bytes.
    """

    path: str
    location: str
    name: bytes
    data: bytes

    def contents(self, *, is_recognising: bool) -> tuple[str, ...]:
        """Returns hashes of the bytes together with what reads them: files with the same hold the same documents.

        The first is of what reads them now; what was read with text recognition need not be read without it.
        """
        format_ = format_of(self.path)
        assert format_ is not None
        digest = hashlib.sha256(self.data).hexdigest()
        plain, recognised = f"{format_.module}-{PARSER_VERSION}-{digest}", f"ocr-{PARSER_VERSION}-{digest}"
        if format_.module not in _WITH_PDF:
            return (plain,)
        return (recognised,) if is_recognising else (plain, recognised)


def open_file(path: Path) -> OpenFile:
    """Reads a file; raises IngestError."""
    name = printable(path)
    if format_of(name) is None:
        raise IngestError(name, not_read(name))
    return OpenFile(
        path=os.path.normpath(name),
        location=location_of(path),
        name=os.fsencode(os.path.realpath(path)),
        data=_bytes(path, name),
    )


def documents_in(file: OpenFile, sandbox: Sandbox) -> Iterator[Document | IngestError]:
    """Yields the documents of a file, in place of one that cannot be read the reason.

    Raises IngestError when the whole file cannot be read.
    """
    is_empty = True
    for part in sandbox.parse(file.data, file.path):
        is_empty = False
        if isinstance(part, Unreadable):
            yield IngestError(file.path + part.member, part.reason)
        elif not part.text.strip():
            yield IngestError(file.path + part.member, "is empty")
        else:
            member = f"//{part.member.removeprefix('/')}" if part.member else ""
            yield _document(part, file.path + part.member, file.location + member)
    if is_empty:  # a container that holds nothing was read all the same
        yield IngestError(file.path, "is empty")


def location_of(path: Path) -> str:
    """Returns the absolute path, links resolved, under which a file's documents are stored."""
    return printable(os.path.realpath(path))


def _bytes(path: Path, name: str) -> bytes:
    """Returns the content of a regular file; opening another kind of file does not wait for it."""
    try:
        with open(path, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise IngestError(name, "is not a regular file")
            data = b"" if status.st_size > MAX_FILE_BYTES else file.read(MAX_FILE_BYTES + 1)
        if max(status.st_size, len(data)) > MAX_FILE_BYTES:
            raise IngestError(name, f"is larger than {MAX_FILE_BYTES >> 20} MB: split it")
        return data
    except (OSError, ValueError) as error:
        raise IngestError(name, getattr(error, "strerror", None) or str(error), may_pass=True) from error


def _document(parsed: Parsed, path: str, location: str) -> Document:
    title = None if parsed.is_named_by_file else parsed.title or find_title(parsed.text)
    is_named_by_file = title is None or len(title) > MAX_TITLE_CHARACTERS
    return Document(
        id=document_id(path, parsed.text),
        title=PurePath(path).stem if title is None or is_named_by_file else title,
        path=path,
        location=location,
        text=parsed.text,
        date=parsed.date or find_date(parsed.text),
        pages=parsed.pages,
        sections=parsed.sections,
        language=parsed.language,
        note=parsed.note,
        is_named_by_file=is_named_by_file,
    )
