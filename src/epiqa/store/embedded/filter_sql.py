"""Which documents meet a filter: conditions on the catalogue of an index (see `text`)."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from epiqa.filters import Day, Filter
from epiqa.store.embedded.inverted_index import Mask

# SQLite has no function for what follows the last slash: all up to it is what is left by trimming the other signs.
_FILE_NAME = "replace(path, rtrim(path, replace(path, '/', '')), '')"
_GIVEN = "(SELECT value FROM json_each(?))"
# A stored date is [written, month, day, year]; NULL, which no comparison holds for, where a part is missing.
_DAY_WITHOUT_YEAR = "(json_extract(date, '$[1]') * 100 + json_extract(date, '$[2]'))"
_DAY = f"(json_extract(date, '$[3]') * 10000 + {_DAY_WITHOUT_YEAR})"


@dataclass(frozen=True, slots=True)
class Selection:
    """What a filter selects: a boolean mask of shape (chunks,), how many documents, and the names of none."""

    mask: Mask
    documents: int
    unknown: tuple[str, ...]


def select(connection: sqlite3.Connection, within: Filter, count: int) -> Selection:
    """Returns what a filter selects of the first `count` chunks."""
    ids, unknown = _documents_named(connection, within.documents)
    condition, values = _condition(within, ids)
    mask = np.zeros(count, dtype=bool)
    rows = connection.execute(f"SELECT first, chunks FROM documents WHERE {condition}", values).fetchall()
    for first, chunks in rows:
        mask[first : first + chunks] = True
    return Selection(mask, len(rows), unknown)


def _documents_named(connection: sqlite3.Connection, names: Sequence[str]) -> tuple[set[str], tuple[str, ...]]:
    """Returns the ids of the documents with these ids, paths or file names, and the names that are none of them.

    An id is looked up first, since that is quick; it stands for its document alone.
    """
    given = _json(names)
    known = {id_ for (id_,) in connection.execute(f"SELECT id FROM documents WHERE id IN {_GIVEN}", (given,))}
    others = {name: _spellings(name, is_pattern=False) for name in names if name not in known}
    ids, found = set(known), set[str]()
    if others:
        spellings = _json({way for ways in others.values() for way in ways})
        rows = (
            f"SELECT document_id, path, {_FILE_NAME} AS name FROM places WHERE path IN {_GIVEN} OR name IN {_GIVEN}"
        )
        for id_, *ways in connection.execute(rows, (spellings, spellings)):
            ids.add(id_)
            found.update(ways)
    return ids, tuple(name for name, ways in others.items() if found.isdisjoint(ways))


def _condition(within: Filter, ids: set[str]) -> tuple[str, list[str | int]]:
    """Returns a filter as a condition on the rows of `documents`, with the values of its variables.

    `ids` are the documents that it names. Names and patterns go in as one JSON value each, since SQLite limits the
    number of variables and terms.
    """
    conditions, values = ["TRUE"], list[str | int]()
    if within.documents:
        conditions.append(f"id IN {_GIVEN}")
        values.append(_json(ids))
    if within.paths:
        fits = "places.path GLOB value OR places.path GLOB '*/' || value"  # json_each has a `path`, too
        conditions.append(f"id IN (SELECT document_id FROM places, json_each(?) WHERE {fits})")
        values.append(_json({way for pattern in within.paths for way in _spellings(pattern, is_pattern=True)}))
    days = []
    for day, comparison in ((within.first_day, ">="), (within.last_day, "<=")):
        if day is not None:
            days.append(f"{_DAY_WITHOUT_YEAR if day[0] is None else _DAY} {comparison} ?")
            values.append(_day_number(day))
    conditions += [" OR ".join(days)] if within.is_over_new_year else days
    return " AND ".join(f"({condition})" for condition in conditions), values


def _json(names: Iterable[str]) -> str:
    return json.dumps(sorted(names))


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
