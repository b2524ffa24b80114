"""Plain text: the title is the first line, the text stays as written."""

from __future__ import annotations

from epiqa.ingest.encodings import decode
from epiqa.ingest.parsed import Parsed, normalise


def parse(data: bytes, name: str) -> Parsed:
    """Reads a file."""
    return Parsed(text=normalise(decode(data, name)))


def find_title(text: str) -> str | None:
    """Returns the first line that is not blank."""
    return next((line.strip() for line in text.splitlines() if line.strip()), None)
