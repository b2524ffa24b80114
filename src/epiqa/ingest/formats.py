"""The formats that are read, one row each; a format's module is imported when a file of it is met."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePath
from typing import cast

from epiqa.errors import IngestError
from epiqa.ingest.parsed import Parse, Parsed, Parts

# To be raised with every change of what is read from a file: files that an older version read are read again.
PARSER_VERSION = 2
MAX_REASON_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Format:
    """What people call it, the suffixes of its files, and the module whose `parse` reads it."""

    name: str
    suffixes: tuple[str, ...]
    module: str

    def parser(self) -> Parse:
        """Imports the module."""
        return cast(Parse, import_module(f"epiqa.ingest.{self.module}").parse)


FORMATS = (
    Format("plain text", (".txt",), "plain"),
    Format("Markdown", (".md", ".markdown"), "markdown"),
    Format("HTML", (".html", ".htm", ".xhtml"), "webpage"),
    Format("a table", (".csv", ".tsv"), "table"),
    Format("JSON Lines", (".jsonl", ".ndjson"), "jsonl"),
    Format("a mail", (".eml",), "mail"),
    Format("PDF", (".pdf",), "pdf"),
    Format("DOCX", (".docx",), "docx"),
    Format("ODT", (".odt",), "odt"),
    Format("a ZIP archive", (".zip",), "archive"),
)
BY_SUFFIX = {suffix: format_ for format_ in FORMATS for suffix in format_.suffixes}


def format_of(name: str) -> Format | None:
    """Returns the format of a file by its name, or None."""
    return BY_SUFFIX.get(PurePath(name).suffix.lower())


def is_read(name: str) -> bool:
    """Returns whether a file of that name is of a known format."""
    return format_of(name) is not None


def parts_of(data: bytes, name: str) -> Parts:
    """Yields what a file of a known format holds; raises IngestError, whatever its library raised."""
    format_ = BY_SUFFIX[PurePath(name).suffix.lower()]
    try:
        found = format_.parser()(data, name)
        yield from (found,) if isinstance(found, Parsed) else found
    except (IngestError, MemoryError):
        raise
    except Exception as error:  # a file that its library trips over costs that file alone
        reason = f"cannot be read as {format_.name} ({type(error).__name__}: {error})"
        raise IngestError(name, reason[:MAX_REASON_CHARACTERS]) from error


def not_read(name: str) -> str:
    """Returns why a file of no known format is skipped."""
    suffix = PurePath(name).suffix or "no suffix"
    return f"files of this kind ({suffix}) are not read, only {', '.join(BY_SUFFIX)}"
