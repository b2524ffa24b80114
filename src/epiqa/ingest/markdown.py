"""Markdown: headings are the sections, the first is the title. The text stays as written."""

from __future__ import annotations

import re

from epiqa.ingest.encodings import decode
from epiqa.ingest.parsed import Parsed, label_of, normalise

# Each is matched against one line, and so that no line, however long, takes more than one pass.
_ATX_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(?=\S)")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-{2,})[ \t]*")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def parse(data: bytes, name: str) -> Parsed:
    """Reads a file."""
    text = normalise(decode(data, name))
    sections = find_headings(text)
    return Parsed(text=text, title=sections[0][1] if sections else None, sections=sections)


def find_headings(text: str) -> tuple[tuple[int, str], ...]:
    """Returns offset and text of each heading, with signs or underlined; none inside a block of code."""
    found: list[tuple[int, str]] = []
    position, fence = 0, ""
    above, above_position = "", 0
    for line in text.split("\n"):
        opening = _FENCE.match(line)
        if fence:
            if opening and opening[1].startswith(fence):
                fence = ""
            above = ""
        elif opening:
            fence, above = opening[1], ""
        elif heading := _ATX_HEADING.match(line):
            found.append((position, label_of(_without_closing(line[heading.end() :]))))
            above = ""
        elif above and _UNDERLINE.fullmatch(line):
            found.append((above_position, label_of(above)))
            above = ""
        else:
            above, above_position = line.strip(), position
        position += len(line) + 1
    return tuple((offset, label) for offset, label in found if label)


def _without_closing(heading: str) -> str:
    """Returns a heading without the signs that may close it, "# Like this #"."""
    heading = heading.rstrip()
    bare = heading.rstrip("#")
    return bare if bare[-1:] in ("", " ", "\t") else heading
