"""The catalogue of an index, and its text, in SQLite: tables, and how values become rows.

The catalogue has all but the text and the words: documents with their metadata, the files they lie in, where each
chunk begins and ends, and which numbers are no longer in use. It is small, and copied for each generation. The text
lies in the segments, which never change; the catalogue has its SHA-256, and no other text is given to anyone.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from epiqa.store.embedded import inverted_index, provenance
from epiqa.store.embedded.inverted_index import Mask, damage_translated
from epiqa.store.protocol import content_digest, text_digest
from epiqa.types import Chunk, Document, DocumentDate

# The chunks of a document have the numbers from `first` on; they count on from one segment to the next.
CATALOGUE = f"""
CREATE TABLE documents (
    key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, title TEXT NOT NULL,
    is_named_by_file INTEGER NOT NULL, path TEXT NOT NULL, date TEXT, pages TEXT NOT NULL, language TEXT, note TEXT,
    digest TEXT NOT NULL, segment INTEGER NOT NULL, first INTEGER NOT NULL, chunks INTEGER NOT NULL,
    characters INTEGER NOT NULL, sha256 TEXT NOT NULL
);
CREATE INDEX documents_by_digest ON documents (digest);
CREATE TABLE sections (
    document_id TEXT NOT NULL REFERENCES documents (id), start INTEGER NOT NULL, label TEXT NOT NULL,
    PRIMARY KEY (document_id, start)
) WITHOUT ROWID;
CREATE TABLE chunks (
    number INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents (key),
    start INTEGER NOT NULL, end INTEGER NOT NULL
);
CREATE TABLE removed (first INTEGER PRIMARY KEY, chunks INTEGER NOT NULL);
{provenance.SCHEMA}"""
SEGMENT = f"CREATE TABLE texts (document INTEGER PRIMARY KEY, text TEXT NOT NULL);{inverted_index.SCHEMA}"
STORED = "id, key, segment, first, documents.chunks, sha256, digest"


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a document's text and chunks are, the SHA-256 of the text, and the digest of all that was read."""

    id: str
    key: int
    segment: int
    first: int
    chunks: int
    sha256: str
    digest: str


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
        "is_named_by_file": document.is_named_by_file,
        "path": document.path,
        "date": date,
        "pages": json.dumps(document.pages),
        "language": document.language,
        "note": document.note,
        "digest": content_digest(document),
        "segment": segment,
        "first": first,
        "chunks": len(chunks),
        "characters": len(document.text),
        "sha256": text_digest(document.text),
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


def delete(connection: sqlite3.Connection, document_id: str) -> bool:
    """Removes a document; returns False for an unknown id.

    The numbers of its chunks are not used again before its segment is written anew.
    """
    stored = find_document(connection, document_id)
    if stored is None:
        return False
    if stored.chunks:
        connection.execute("INSERT INTO removed (first, chunks) VALUES (?, ?)", (stored.first, stored.chunks))
    connection.execute(
        "DELETE FROM chunks WHERE number >= ? AND number < ?", (stored.first, stored.first + stored.chunks)
    )
    connection.execute("DELETE FROM sections WHERE document_id = ?", (document_id,))
    connection.execute("DELETE FROM documents WHERE key = ?", (stored.key,))
    return True


def path_of(connection: sqlite3.Connection, document_id: str) -> str:
    """Returns the path under which a document is shown."""
    return str(connection.execute("SELECT path FROM documents WHERE id = ?", (document_id,)).fetchone()[0])


def rename(connection: sqlite3.Connection, document_id: str, path: str) -> None:
    """Shows a document under another path."""
    connection.execute("UPDATE documents SET path = ? WHERE id = ?", (path, document_id))


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
        if row is None or text_digest(str(row[0])) != stored.sha256:
            raise ValueError("it is not the one that was written")
    return str(row[0])


def are_there(connection: sqlite3.Connection, count: int) -> Mask:
    """Returns a boolean mask of the first `count` numbers whether a chunk has it that was not removed."""
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


def find_document(connection: sqlite3.Connection, document_id: str) -> Stored | None:
    """Returns where a document is, or None for an unknown id."""
    return next(_stored(connection, "id = ?", document_id), None)


def find_named_by_file(connection: sqlite3.Connection, document_id: str, *, other_than: str) -> Stored | None:
    """Returns where a document is if it is named by its file, and otherwise than that."""
    return next(_stored(connection, "id = ? AND is_named_by_file AND title <> ?", document_id, other_than), None)


def documents_of(connection: sqlite3.Connection, segment: int) -> Iterator[Stored]:
    """Yields where each document of a segment is, in the order of their chunks."""
    return _stored(connection, "segment = ? ORDER BY first, key", segment)


def _stored(connection: sqlite3.Connection, which: str, *values: str | int) -> Iterator[Stored]:
    rows = connection.execute(f"SELECT {STORED} FROM documents WHERE {which}", values)
    return (Stored(*row) for row in rows)


def read_document(connection: sqlite3.Connection, stored: Stored, text: str) -> Document:
    """Returns a document as it was stored; without its location, since it may have several."""
    title, path, is_named_by_file, date, pages, language, note = connection.execute(
        "SELECT title, path, is_named_by_file, date, pages, language, note FROM documents WHERE key = ?",
        (stored.key,),
    ).fetchone()
    sections = connection.execute(
        "SELECT start, label FROM sections WHERE document_id = ? ORDER BY start", (stored.id,)
    )
    return Document(
        id=stored.id,
        title=title,
        path=path,
        location="",
        text=text,
        date=date_of(date),
        pages=tuple(json.loads(pages)),
        sections=tuple((start, label) for start, label in sections),
        language=language,
        note=note,
        is_named_by_file=bool(is_named_by_file),
    )


def offsets(connection: sqlite3.Connection, stored: Stored) -> list[tuple[int, int, int]]:
    """Returns number, start and end of each chunk of a document."""
    return connection.execute(
        "SELECT number, start, end FROM chunks WHERE number >= ? AND number < ? AND document = ? ORDER BY number",
        (stored.first, stored.first + stored.chunks, stored.key),
    ).fetchall()


def date_of(stored: str | None) -> DocumentDate | None:
    if stored is None:
        return None
    written, month, day, year = json.loads(stored)
    return DocumentDate(written=written, month=month, day=day, year=year)
