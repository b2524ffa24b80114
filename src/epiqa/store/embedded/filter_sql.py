"""Which documents meet a filter: conditions on the catalogue of an index (see `text`)."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import unicodedata
from collections.abc import Sequence

import numpy as np

from epiqa.filters import Day, Filter
from epiqa.store.embedded.inverted_index import Mask

# SQLite has no function for what follows the last slash: all up to it is what is left by trimming the other signs.
_FILE_NAME = "replace(path, rtrim(path, replace(path, '/', '')), '')"
# A stored date is [written, month, day, year]; NULL, which no comparison holds for, where a part is missing.
_DAY_WITHOUT_YEAR = "(json_extract(date, '$[1]') * 100 + json_extract(date, '$[2]'))"
_DAY = f"(json_extract(date, '$[3]') * 10000 + {_DAY_WITHOUT_YEAR})"


def chunks_within(connection: sqlite3.Connection, within: Filter, count: int) -> Mask:
    """Tells of each of the first `count` numbers whether it is of a chunk whose document meets a filter."""
    condition, values = _condition(within)
    mask = np.zeros(count, dtype=bool)
    for first, chunks in connection.execute(f"SELECT first, chunks FROM documents WHERE {condition}", values):
        mask[first : first + chunks] = True
    return mask


def count_documents(connection: sqlite3.Connection, within: Filter) -> int:
    """Returns how many documents meet a filter."""
    condition, values = _condition(within)
    return int(connection.execute(f"SELECT count(*) FROM documents WHERE {condition}", values).fetchone()[0])


def unknown_documents(connection: sqlite3.Connection, names: Sequence[str]) -> list[str]:
    """Returns those of the names that no document has for its id, path, or file name."""
    condition, values = _condition(Filter(documents=tuple(names)))
    known: set[str] = set()
    rows = f"SELECT document_id, path, {_FILE_NAME} FROM places WHERE document_id IN"
    for row in connection.execute(f"{rows} (SELECT id FROM documents WHERE {condition})", values):
        known.update(row)
    return [name for name in names if known.isdisjoint(_spellings(name, is_pattern=False))]


def _condition(within: Filter) -> tuple[str, list[str | int]]:
    """Returns a filter as a condition on the rows of `documents`, with the values of its variables.

    Names and patterns go in as one JSON value each, for SQLite limits how many variables and terms there may be.
    """
    conditions, values = ["TRUE"], list[str | int]()
    if within.documents:
        names = _all_spellings(within.documents, are_patterns=False)
        ways = ("document_id", "path", _FILE_NAME)
        fits = " OR ".join(f"{way} IN (SELECT value FROM json_each(?))" for way in ways)
        conditions.append(f"id IN (SELECT document_id FROM places WHERE {fits})")
        values += [names] * len(ways)
    if within.paths:
        fits = "places.path GLOB value OR places.path GLOB '*/' || value"  # json_each has a `path`, too
        conditions.append(f"id IN (SELECT document_id FROM places, json_each(?) WHERE {fits})")
        values.append(_all_spellings(within.paths, are_patterns=True))
    days = []
    for day, comparison in ((within.first_day, ">="), (within.last_day, "<=")):
        if day is not None:
            days.append(f"{_DAY_WITHOUT_YEAR if day[0] is None else _DAY} {comparison} ?")
            values.append(_day_number(day))
    conditions += [" OR ".join(days)] if within.is_over_new_year else days
    return " AND ".join(f"({condition})" for condition in conditions), values


def _all_spellings(names: Sequence[str], *, are_patterns: bool) -> str:
    """Returns the spellings of all names as a JSON array."""
    return json.dumps([form for name in names for form in sorted(_spellings(name, is_pattern=are_patterns))])


def _spellings(name: str, *, is_pattern: bool) -> set[str]:
    """Returns the ways in which the name or pattern may be stored.

    Paths are stored as the file system has them: with accents composed or apart, and with backslash escapes for
    bytes that are not UTF-8 (see `ingest.printable`).
    """
    name = re.sub("[\0\ud800-\udfff]", lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", name)
    ways = {name, name.removeprefix("./") if is_pattern else os.path.normpath(name)}
    return ways | {unicodedata.normalize(form, way) for way in ways for form in ("NFC", "NFD")}


def _day_number(day: Day) -> int:
    year, month, number = day
    return (year or 0) * 10_000 + month * 100 + number
