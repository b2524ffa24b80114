"""JSON Lines: each line is an object and a document, told apart as "file.jsonl#12" by the line's number.

The text is under "text", "content", "contents" or "body"; a title, a date and a language are taken where there are
such.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from epiqa.ingest.dates import parse_date
from epiqa.ingest.encodings import decode
from epiqa.ingest.parsed import Parsed, Unreadable, label_of, language_of, normalise

_TEXTS = ("text", "content", "contents", "body")
_TITLES = ("title", "headline", "subject")
_DATES = ("date", "published", "published_at", "created", "created_at")
_LANGUAGES = ("language", "lang")


def parse(data: bytes, name: str) -> Iterator[Parsed | Unreadable]:
    """Yields a document for each line, and at the end what was wrong with others, each reason once."""
    wrong: dict[str, list[int]] = {}
    for number, line in enumerate(decode(data, name).lstrip("\ufeff").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            wrong.setdefault("is not JSON", []).append(number)
            continue
        text = _first(value, _TEXTS)
        if text is None or not text.strip() or "\0" in text:
            wrong.setdefault(f"has no {', '.join(_TEXTS[:-1])} or {_TEXTS[-1]}", []).append(number)
            continue
        yield Parsed(
            text=normalise(text),
            title=label_of(_first(value, _TITLES) or "") or None,
            date=parse_date(_first(value, _DATES) or ""),
            language=language_of(_first(value, _LANGUAGES)),
            member=f"#{number}",
        )
    for reason, numbers in wrong.items():
        more = f", and so it is with {len(numbers) - 1} more lines" if len(numbers) > 1 else ""
        yield Unreadable(f"#{numbers[0]}", f"the line {reason}{more}")


def _first(value: Any, keys: tuple[str, ...]) -> str | None:
    """Returns the first of these fields that is a text."""
    fields = value if isinstance(value, dict) else {}
    return next((fields[key] for key in keys if isinstance(fields.get(key), str)), None)
