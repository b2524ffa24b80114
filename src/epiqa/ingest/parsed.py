"""What a format's `parse` returns, and the builder that puts it together.

The builder normalises each piece before it counts an offset, and parts pieces by signs that compose with nothing:
the whole is then normalised, too, and pages and sections begin where they say.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from epiqa.types import DocumentDate

MAX_LABEL_CHARACTERS = 200

# Left over in the text of programs, such as U+FFFE for a hyphen in a PDF; a space, so that nothing else composes.
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Parsed:
    """The text of a document and what the file says of it; `types.Document` says what the fields mean.

    `date` and `title` are None unless the file states them apart from its text. `member` names a part of a
    container, by what follows the file's path: "/inner.txt" or "#12". `is_named_by_file` says that
    no line of the text is a title.
    """

    text: str
    title: str | None = None
    date: DocumentDate | None = None
    pages: tuple[int, ...] = ()
    sections: tuple[tuple[int, str], ...] = ()
    language: str | None = None
    note: str | None = None
    member: str = ""
    is_named_by_file: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part of a container that is no document, and why."""

    member: str
    reason: str


Parts: TypeAlias = Iterable[Parsed | Unreadable]
# Takes a file's bytes and its name, which is for messages; raises IngestError.
Parse = Callable[[bytes, str], Parsed | Parts]


def normalise(text: str) -> str:
    """Returns the text in the form all offsets refer to: Unicode NFC, line feeds, no byte order mark.

    A lone surrogate, which no UTF-8 text can hold, becomes a question mark.
    """
    text = text.encode("utf-8", "replace").decode("utf-8").lstrip("\ufeff")
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


class Builder:
    """Collects the pieces of a document; a piece without a word adds nothing."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._pages: list[int] = []
        self._sections: dict[int, str] = {}
        self._label: str | None = None
        self._new_pages = 0

    def page(self) -> None:
        """Begins a page with the next piece."""
        self._new_pages += 1

    def section(self, label: str) -> None:
        """Begins a section with the next piece: a heading, a row."""
        self._label = label_of(label)

    def add(self, text: str, *, gap: str = "\n\n") -> None:
        """Adds a piece, trimmed, after a gap."""
        piece = _NO_TEXT.sub(" ", normalise(text)).strip()
        if not piece:
            return
        if self._pieces:
            self._pieces.append(gap)
            self._length += len(gap)
        self._pages += [self._length] * self._new_pages
        self._new_pages = 0
        if self._label:
            self._sections[self._length] = self._label
            self._label = None
        self._pieces.append(piece)
        self._length += len(piece)

    def build(
        self,
        *,
        title: str | None = None,
        date: DocumentDate | None = None,
        language: str | None = None,
        note: str | None = None,
    ) -> Parsed:
        """Returns the document."""
        return Parsed(
            text="".join(self._pieces),
            title=label_of(title or "") or None,
            date=date,
            pages=(*self._pages, *[self._length] * self._new_pages),
            sections=tuple(self._sections.items()),
            language=language_of(language),
            note=note,
        )


def label_of(text: str) -> str:
    """Returns a heading on one line, cut where it is too long for one."""
    words = " ".join(_NO_TEXT.sub(" ", normalise(text)).split())
    return words if len(words) <= MAX_LABEL_CHARACTERS else f"{words[: MAX_LABEL_CHARACTERS - 1]}…"


def language_of(tag: str | None) -> str | None:
    """Returns a language tag as it is, if it looks like one: "en", "zh-Hans"."""
    tag = (tag or "").strip().replace("_", "-")
    return tag if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}", tag) else None
