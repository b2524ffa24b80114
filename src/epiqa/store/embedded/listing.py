"""What readers take from a catalogue: chunks as passages, and the list of documents."""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from epiqa.store.embedded.catalogue import STORED, Stored, date_of
from epiqa.types import DocumentInfo, Passage, Place

_PER_QUERY = 500  # below SQLite's limit of variables in one statement


def fetch(
    connection: sqlite3.Connection, numbers: Sequence[int], read: Callable[[Stored], str]
) -> dict[int, Passage]:
    """Returns the chunks of the given numbers as passages without scores; `read` gives the text of a document."""
    found = {}
    for first in range(0, len(numbers), _PER_QUERY):
        some = numbers[first : first + _PER_QUERY]
        rows = connection.execute(
            f"SELECT {STORED}, number, title, path, date, pages, start, end FROM chunks"
            f" JOIN documents ON key = document WHERE number IN ({','.join('?' * len(some))})",
            some,
        ).fetchall()
        texts: dict[str, str] = {}
        for *where, number, title, path, date, pages, start, end in rows:
            stored = Stored(*where)
            if stored.id not in texts:
                texts[stored.id] = read(stored)
            here, *turns = _places(connection, stored.id, json.loads(pages), start, end)
            found[int(number)] = Passage(
                document_id=stored.id,
                title=title,
                path=path,
                date=date_of(date),
                page=here.page,
                start=start,
                end=end,
                quote=texts[stored.id][start:end],
                score=0.0,
                section=here.section,
                turns=tuple(turns),
            )
    return found


def _places(
    connection: sqlite3.Connection, document_id: str, pages: Sequence[int], start: int, end: int
) -> list[Place]:
    """Returns where the page or the section changes between two offsets, first what is in force at `start`."""
    first = connection.execute(
        "SELECT label FROM sections WHERE document_id = ? AND start <= ? ORDER BY start DESC LIMIT 1",
        (document_id, start),
    ).fetchone()
    label = None if first is None else str(first[0])
    labels = dict(
        connection.execute(
            "SELECT start, label FROM sections WHERE document_id = ? AND start > ? AND start < ?",
            (document_id, start, end),
        ).fetchall()
    )
    inside = pages[bisect_right(pages, start) : bisect_left(pages, end)]
    places = []
    for offset in sorted({start, *labels, *inside}):
        label = labels.get(offset, label)
        places.append(Place(start=offset, page=bisect_right(pages, offset) or None, section=label))
    return places


def list_documents(connection: sqlite3.Connection) -> list[DocumentInfo]:
    """Returns all documents, by path."""
    rows = connection.execute(
        "SELECT id, title, path, date, characters, chunks, language, note, json_array_length(pages)"
        " FROM documents ORDER BY path, id"
    )
    also: dict[str, list[str]] = {}
    for document_id, path in connection.execute(
        "SELECT document_id, places.path FROM places JOIN documents ON id = document_id"
        " WHERE places.path <> documents.path ORDER BY places.path"
    ):
        also.setdefault(document_id, []).append(path)
    return [
        DocumentInfo(
            id=id_,
            title=title,
            path=path,
            date=date_of(date),
            characters=characters,
            chunks=chunks,
            language=language,
            note=note,
            also=tuple(also.get(id_, ())),
            pages=pages,
        )
        for id_, title, path, date, characters, chunks, language, note, pages in rows
    ]
