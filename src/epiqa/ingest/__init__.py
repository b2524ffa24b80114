"""File -> Document: finds the files under the given paths and reads each one.

Every failure comes out as an `IngestError` that names the file. A new text format is one module with a
`find_title` and one row in `TITLE_FINDERS`.
"""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

from epiqa.errors import IngestError
from epiqa.ingest import markdown, plain
from epiqa.ingest.dates import find_date
from epiqa.types import Document

TITLE_FINDERS: dict[str, Callable[[str], str | None]] = {
    ".txt": plain.find_title,
    ".md": markdown.find_title,
}
MAX_TITLE_CHARACTERS = 200


def normalise(text: str) -> str:
    """Returns the text in the form all offsets refer to: Unicode NFC, line feeds, no byte order mark.

    A lone surrogate, which no UTF-8 text can hold, becomes a question mark.
    """
    text = text.encode("utf-8", "replace").decode("utf-8").lstrip("\ufeff")
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def document_id(path: str, text: str) -> str:
    """Returns 16 hexadecimal digits that depend on path and content alone."""
    return hashlib.sha256(f"{path}\0{text}".encode()).hexdigest()[:16]


def printable(path: str | os.PathLike[str]) -> str:
    """Returns a path as valid Unicode; bytes of a file name that are not UTF-8 become backslash escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def find_files(paths: Iterable[str | os.PathLike[str]]) -> tuple[list[Path], list[IngestError]]:
    """Lists the files to read, folders in alphabetical order and searched to the bottom.

    In a folder, hidden files and folders are passed over, and links to folders are not followed. A file that
    is named twice is listed once. Returns the files and what was wrong with the rest: a missing path, a format
    that is not known.
    """
    files: list[Path] = []
    errors: list[IngestError] = []

    def note_unreadable(error: OSError) -> None:
        errors.append(IngestError(printable(error.filename), error.strerror or str(error)))

    for path in map(Path, paths):
        try:
            is_folder = stat.S_ISDIR(path.stat().st_mode)
        except FileNotFoundError:
            errors.append(IngestError(printable(path), "there is no such file or folder"))
            continue
        except OSError as error:
            errors.append(IngestError(printable(path), error.strerror or str(error)))
            continue
        if is_folder:
            before = len(files) + len(errors)
            for folder, subfolders, names in os.walk(path, onerror=note_unreadable):
                subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
                files += [Path(folder, name) for name in sorted(names) if not name.startswith(".")]
            if len(files) + len(errors) == before:
                errors.append(IngestError(printable(path), "the folder has no files"))
        else:
            files.append(path)
    unique: dict[str, Path] = {}
    for path in files:
        unique.setdefault(os.path.realpath(path), path)
    known = [path for path in unique.values() if path.suffix.lower() in TITLE_FINDERS]
    for path in unique.values():
        if path.suffix.lower() not in TITLE_FINDERS:
            kinds = ", ".join(TITLE_FINDERS)
            suffix = printable(path.suffix) or "no suffix"
            errors.append(IngestError(printable(path), f"files of this kind ({suffix}) are not read, only {kinds}"))
    return known, errors


def read_document(path: Path) -> Document:
    """Reads one UTF-8 file.

    Raises IngestError when it cannot be opened, is empty, or is not text.
    """
    name = printable(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise IngestError(name, "is not a regular file")
        data = path.read_bytes()
        location = printable(path.resolve())
    except OSError as error:
        raise IngestError(name, error.strerror or str(error)) from error
    try:
        text = normalise(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise IngestError(name, f"is not UTF-8 text (byte {error.start} is 0x{data[error.start]:02x})") from error
    if "\0" in text:
        raise IngestError(name, "is not text (it holds NUL characters)")
    if not text.strip():
        raise IngestError(name, "is empty")
    return make_document(text, path=os.path.normpath(name), location=location)


def make_document(text: str, *, path: str, location: str, title: str | None = None) -> Document:
    """Makes a Document of normalised text; the title is found in it unless given."""
    find_title = TITLE_FINDERS.get(Path(path).suffix.lower(), plain.find_title)
    title = title or find_title(text)
    if title is None or len(title) > MAX_TITLE_CHARACTERS:
        title = Path(path).stem
    return Document(
        id=document_id(path, text),
        title=title,
        path=path,
        location=location,
        text=text,
        date=find_date(text),
    )
