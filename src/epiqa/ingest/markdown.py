"""Markdown: the title is the first heading. The text stays as written, so that quotes are verbatim."""

from __future__ import annotations

import re

from epiqa.ingest import plain

_ATX_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(?P<title>.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
_SETEXT_HEADING = re.compile(r"^(?P<title>[^\n]*\S[^\n]*)\n {0,3}(?:=+|-{2,})[ \t]*$", re.MULTILINE)


def find_title(text: str) -> str | None:
    """Returns the first heading of either kind, or the first line where there is none."""
    headings = [m for m in (_ATX_HEADING.search(text), _SETEXT_HEADING.search(text)) if m]
    if not headings:
        return plain.find_title(text)
    return min(headings, key=lambda match: match.start())["title"].strip()
