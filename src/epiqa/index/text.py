"""The catalogue of an index, and its text, in SQLite: tables, and how values become rows.

The catalogue has all but the text and the words: documents with their metadata, where each chunk begins and ends,
and which numbers are no longer in use. It is small, and copied for each generation. The text lies in the segments,
which never change; the catalogue has its SHA-256, and no text that differs is given to anyone.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from epiqa.filters import Day, Filter
from epiqa.index.sources import digest
from epiqa.index.words import SCHEMA as WORDS
from epiqa.index.words import Mask, damage_translated
from epiqa.types import Chunk, Document, DocumentDate, DocumentInfo, Passage, Place

# The chunks of a document have the numbers from `first` on; they count on from one segment to the next.
CATALOGUE = """
CREATE TABLE documents (
    key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, title TEXT NOT NULL, path TEXT NOT NULL,
    location TEXT NOT NULL UNIQUE, date TEXT, pages TEXT NOT NULL, language TEXT, note TEXT, digest TEXT NOT NULL,
    segment INTEGER NOT NULL, first INTEGER NOT NULL, chunks INTEGER NOT NULL,
    characters INTEGER NOT NULL, sha256 TEXT NOT NULL
);
CREATE TABLE sections (
    document_id TEXT NOT NULL REFERENCES documents (id), start INTEGER NOT NULL, label TEXT NOT NULL,
    PRIMARY KEY (document_id, start)
) WITHOUT ROWID;
CREATE TABLE unread (location TEXT NOT NULL, path TEXT NOT NULL, reason TEXT NOT NULL);
CREATE INDEX unread_by_location ON unread (location);
CREATE TABLE chunks (
    number INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents (key),
    start INTEGER NOT NULL, end INTEGER NOT NULL
);
CREATE TABLE removed (first INTEGER PRIMARY KEY, chunks INTEGER NOT NULL);
"""
SEGMENT = f"CREATE TABLE texts (document INTEGER PRIMARY KEY, text TEXT NOT NULL);{WORDS}"
# SQLite has no function for what follows the last slash: all up to it is what is left by trimming the other signs.
_FILE_NAME = "replace(path, rtrim(path, replace(path, '/', '')), '')"
# A stored date is [written, month, day, year]; NULL, which no comparison holds for, where a part is missing.
_DAY_WITHOUT_YEAR = "(json_extract(date, '$[1]') * 100 + json_extract(date, '$[2]'))"
_DAY = f"(json_extract(date, '$[3]') * 10000 + {_DAY_WITHOUT_YEAR})"
_PER_QUERY = 500  # below SQLite's limit of variables in one statement


@dataclass(frozen=True, slots=True)
class Stored:
    """Where the text of a document is, and its SHA-256."""

    id: str
    key: int
    segment: int
    sha256: str


def create(path: Path, schema: str) -> sqlite3.Connection:
    """Makes an empty database for writing."""
    connection = open_for_writing(path)
    connection.executescript(schema)
    return connection


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Opens a database that is not live yet: a crash costs the file, so no journal is kept."""
    connection = sqlite3.connect(path)
    connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Opens a live database, which never changes, for any thread of this process."""
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    return sqlite3.connect(uri, uri=True, check_same_thread=False)


def insert(
    connection: sqlite3.Connection, document: Document, chunks: Sequence[Chunk], *, segment: int, first: int
) -> int:
    """Stores a document with its chunks, under the numbers from `first` on, and returns its key."""
    date = document.date and json.dumps(
        [document.date.written, document.date.month, document.date.day, document.date.year]
    )
    values = {
        "id": document.id,
        "title": document.title,
        "path": document.path,
        "location": document.location,
        "date": date,
        "pages": json.dumps(document.pages),
        "language": document.language,
        "note": document.note,
        "digest": digest(document),
        "segment": segment,
        "first": first,
        "chunks": len(chunks),
        "characters": len(document.text),
        "sha256": sha256(document.text),
    }
    columns, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    key = connection.execute(f"INSERT INTO documents ({columns}) VALUES ({places})", values).lastrowid
    assert key is not None
    connection.executemany(
        "INSERT OR REPLACE INTO sections (document_id, start, label) VALUES (?, ?, ?)",
        ((document.id, start, label) for start, label in document.sections),
    )
    connection.executemany(
        "INSERT INTO chunks (number, document, start, end) VALUES (?, ?, ?, ?)",
        ((number, key, chunk.start, chunk.end) for number, chunk in enumerate(chunks, first)),
    )
    return key


def delete(connection: sqlite3.Connection, document_id: str) -> None:
    """Removes a document; the numbers of its chunks are not used again before its segment is written anew."""
    key, first, chunks = connection.execute(
        "SELECT key, first, chunks FROM documents WHERE id = ?", (document_id,)
    ).fetchone()
    if chunks:
        connection.execute("INSERT INTO removed (first, chunks) VALUES (?, ?)", (first, chunks))
    connection.execute("DELETE FROM chunks WHERE number >= ? AND number < ?", (first, first + chunks))
    connection.execute("DELETE FROM sections WHERE document_id = ?", (document_id,))
    connection.execute("DELETE FROM documents WHERE key = ?", (key,))


def sha256(text: str) -> str:
    """Returns the SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def put_texts(connection: sqlite3.Connection, texts: Iterable[tuple[int, str]]) -> None:
    """Stores the texts of documents, by their keys, in a segment."""
    connection.executemany("INSERT INTO texts (document, text) VALUES (?, ?)", texts)


def texts(connection: sqlite3.Connection, keys: frozenset[int]) -> Iterator[tuple[int, str]]:
    """Yields key and text of each of these documents that is in a segment, in the order of the keys."""
    rows = connection.execute("SELECT document, text FROM texts ORDER BY document")
    return ((key, text) for key, text in rows if key in keys)


def read_text(connection: sqlite3.Connection, stored: Stored) -> str:
    """Returns the text of a document from its segment, or raises sqlite3.DatabaseError if it is not as written."""
    with damage_translated(f"the text of document {stored.id}"):
        row = connection.execute("SELECT text FROM texts WHERE document = ?", (stored.key,)).fetchone()
        if row is None or sha256(str(row[0])) != stored.sha256:
            raise ValueError("it is not the one that was written")
    return str(row[0])


def are_there(connection: sqlite3.Connection, count: int) -> Mask:
    """Tells of each of the first `count` numbers whether a chunk has it that was not removed."""
    mask = np.ones(count, dtype=bool)
    for first, chunks in connection.execute("SELECT first, chunks FROM removed"):
        mask[first : first + chunks] = False
    return mask


def merge_segments(connection: sqlite3.Connection, segment: int, first: int) -> None:
    """Notes that this segment, whose numbers begin with `first`, and all after it were written anew as one.

    What was removed from them is gone, and what follows has moved up.
    """
    connection.execute("CREATE TEMP TABLE shifts (start INTEGER PRIMARY KEY, shift INTEGER NOT NULL)")
    rows = connection.execute(
        "SELECT first, chunks FROM removed WHERE first >= ? ORDER BY first", (first,)
    ).fetchall()
    shift = 0
    for start, chunks in rows:
        shift += chunks
        connection.execute("INSERT OR REPLACE INTO shifts VALUES (?, ?)", (start + chunks, shift))
    if rows:
        below = "(SELECT shift FROM shifts WHERE start <= {} ORDER BY start DESC LIMIT 1)"
        for table, column in (("chunks", "number"), ("documents", "first")):
            connection.execute(
                f"UPDATE {table} SET {column} = {column} - ifnull({below.format(column)}, 0) WHERE {column} > ?",
                (rows[0][0],),
            )
        connection.execute("DELETE FROM removed WHERE first >= ?", (first,))
    connection.execute("DROP TABLE shifts")
    connection.execute("UPDATE documents SET segment = ? WHERE segment > ?", (segment, segment))


def keys_from(connection: sqlite3.Connection, segment: int) -> frozenset[int]:
    """Returns the keys of the documents in this segment and those after it."""
    rows = connection.execute("SELECT key FROM documents WHERE segment >= ?", (segment,))
    return frozenset(int(key) for (key,) in rows)


def counts(connection: sqlite3.Connection) -> tuple[int, int]:
    """Returns the numbers of documents and chunks."""
    documents, chunks = connection.execute(
        "SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM chunks)"
    ).fetchone()
    return int(documents), int(chunks)


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
    for row in connection.execute(f"SELECT id, path, {_FILE_NAME} FROM documents WHERE {condition}", values):
        known.update(row)
    return [name for name in names if known.isdisjoint(_spellings(name, is_pattern=False))]


def _condition(within: Filter) -> tuple[str, list[str | int]]:
    """Returns a filter as a condition on the rows of `documents`, with the values of its variables.

    Names and patterns go in as one JSON value each, for SQLite limits how many variables and terms there may be.
    """
    conditions, values = ["TRUE"], list[str | int]()
    if within.documents:
        names = _all_spellings(within.documents, are_patterns=False)
        places = ("id", "path", _FILE_NAME)
        conditions.append(" OR ".join(f"{place} IN (SELECT value FROM json_each(?))" for place in places))
        values += [names] * len(places)
    if within.paths:
        fits = "documents.path GLOB value OR documents.path GLOB '*/' || value"  # json_each has a `path`, too
        conditions.append(f"EXISTS (SELECT 1 FROM json_each(?) WHERE {fits})")
        values.append(_all_spellings(within.paths, are_patterns=True))
    for day, comparison in ((within.first_day, ">="), (within.last_day, "<=")):
        if day is not None:
            conditions.append(f"{_DAY_WITHOUT_YEAR if day[0] is None else _DAY} {comparison} ?")
            values.append(_day_number(day))
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


def fetch(
    connection: sqlite3.Connection, numbers: Sequence[int], read: Callable[[Stored], str]
) -> dict[int, Passage]:
    """Returns the chunks of the given numbers as passages without scores; `read` gives the text of a document."""
    found = {}
    for first in range(0, len(numbers), _PER_QUERY):
        some = numbers[first : first + _PER_QUERY]
        rows = connection.execute(
            "SELECT key, segment, sha256, number, id, title, path, date, pages, start, end FROM chunks"
            f" JOIN documents ON key = document WHERE number IN ({','.join('?' * len(some))})",
            some,
        ).fetchall()
        texts: dict[int, str] = {}
        for key, segment, digest_, number, id_, title, path, date, pages, start, end in rows:
            if key not in texts:
                texts[key] = read(Stored(id_, key, segment, digest_))
            here, *turns = _places(connection, id_, json.loads(pages), start, end)
            found[int(number)] = Passage(
                document_id=id_,
                title=title,
                path=path,
                date=_date(date),
                page=here.page,
                start=start,
                end=end,
                quote=texts[key][start:end],
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
        "SELECT id, title, path, date, characters, chunks, language, note FROM documents ORDER BY path, id"
    )
    return [
        DocumentInfo(
            id=id_,
            title=title,
            path=path,
            date=_date(date),
            characters=characters,
            chunks=chunks,
            language=language,
            note=note,
        )
        for id_, title, path, date, characters, chunks, language, note in rows
    ]


def has_document(connection: sqlite3.Connection, document_id: str) -> bool:
    return connection.execute("SELECT 1 FROM documents WHERE id = ?", (document_id,)).fetchone() is not None


def find_document(connection: sqlite3.Connection, document_id: str) -> Stored | None:
    """Returns where a document is, or None when there is none of that id."""
    return next(_stored(connection, "WHERE id = ?", (document_id,)), None)


def documents_of(connection: sqlite3.Connection, segment: int) -> Iterator[Stored]:
    """Yields where each document of a segment is."""
    return _stored(connection, "WHERE segment = ? ORDER BY key", (segment,))


def _stored(connection: sqlite3.Connection, which: str, values: tuple[str | int, ...]) -> Iterator[Stored]:
    rows = connection.execute(f"SELECT id, key, segment, sha256 FROM documents {which}", values)
    return (Stored(*row) for row in rows)


def offsets(connection: sqlite3.Connection, key: int) -> list[tuple[int, int, int]]:
    """Returns number, start and end of each chunk of a document."""
    return connection.execute(
        "SELECT number, start, end FROM chunks JOIN documents ON key = document"
        " WHERE key = ? AND number >= first AND number < first + documents.chunks",
        (key,),
    ).fetchall()


def _date(stored: str | None) -> DocumentDate | None:
    if stored is None:
        return None
    written, month, day, year = json.loads(stored)
    return DocumentDate(written=written, month=month, day=day, year=year)
