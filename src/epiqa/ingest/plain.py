"""Plain text: the title is the first line."""

from __future__ import annotations


def find_title(text: str) -> str | None:
    """Returns the first line that is not blank."""
    return next((line.strip() for line in text.splitlines() if line.strip()), None)
