"""The text of an index in SQLite: tables, the word index (FTS5), and how values become rows.

The word index stores no text of its own; rows leave it by giving it their old words again.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from epiqa.filters import EVERYTHING, Day, Filter
from epiqa.index import sources
from epiqa.types import Chunk, Document, DocumentDate, DocumentInfo, Passage, Place

TOKENIZER = "porter unicode61 remove_diacritics 2"
SCHEMA = f"""
CREATE TABLE documents (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, is_named_by_file INTEGER NOT NULL, path TEXT NOT NULL,
    date TEXT, pages TEXT NOT NULL, language TEXT, note TEXT, digest TEXT NOT NULL, text TEXT NOT NULL
);
CREATE INDEX documents_by_digest ON documents (digest);
CREATE TABLE sections (
    document_id TEXT NOT NULL REFERENCES documents (id), start INTEGER NOT NULL, label TEXT NOT NULL,
    PRIMARY KEY (document_id, start)
) WITHOUT ROWID;
CREATE TABLE chunks (
    number INTEGER PRIMARY KEY, document_id TEXT NOT NULL REFERENCES documents (id),
    start INTEGER NOT NULL, end INTEGER NOT NULL, quote TEXT NOT NULL
);
CREATE INDEX chunks_by_document ON chunks (document_id);
CREATE VIRTUAL TABLE words USING fts5(
    title, quote, content='', tokenize="{TOKENIZER}"
);
{sources.SCHEMA}"""
# SQLite has no function for what follows the last slash: all up to it is what is left by trimming the other signs.
_FILE_NAME = "replace(path, rtrim(path, replace(path, '/', '')), '')"
# A stored date is [written, month, day, year]; NULL, which no comparison holds for, where a part is missing.
_DAY_WITHOUT_YEAR = "(json_extract(date, '$[1]') * 100 + json_extract(date, '$[2]'))"
_DAY = f"(json_extract(date, '$[3]') * 10000 + {_DAY_WITHOUT_YEAR})"
_PER_QUERY = 500  # below SQLite's limit of variables in one statement


def create(path: Path) -> sqlite3.Connection:
    """Makes an empty database for writing."""
    connection = open_for_writing(path)
    connection.executescript(SCHEMA)
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


def insert(connection: sqlite3.Connection, document: Document, chunks: Sequence[Chunk]) -> list[int]:
    """Stores a document with its chunks and returns the chunks' numbers."""
    date = document.date and json.dumps(
        [document.date.written, document.date.month, document.date.day, document.date.year]
    )
    connection.execute(
        "INSERT INTO documents (id, title, is_named_by_file, path, date, pages, language, note, digest, text)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            document.id,
            document.title,
            document.is_named_by_file,
            document.path,
            date,
            json.dumps(document.pages),
            document.language,
            document.note,
            sources.digest(document),
            document.text,
        ),
    )
    connection.executemany(
        "INSERT OR REPLACE INTO sections (document_id, start, label) VALUES (?, ?, ?)",
        ((document.id, start, label) for start, label in document.sections),
    )
    numbers = []
    for chunk in chunks:
        cursor = connection.execute(
            "INSERT INTO chunks (document_id, start, end, quote) VALUES (?, ?, ?, ?)",
            (chunk.document_id, chunk.start, chunk.end, chunk.quote),
        )
        number = int(cursor.lastrowid or 0)
        connection.execute(
            "INSERT INTO words (rowid, title, quote) VALUES (?, ?, ?)", (number, document.title, chunk.quote)
        )
        numbers.append(number)
    return numbers


def delete(connection: sqlite3.Connection, document_id: str) -> list[int]:
    """Removes a document and returns the numbers its chunks had."""
    rows = connection.execute(
        "SELECT number, title, quote FROM chunks JOIN documents ON id = document_id WHERE document_id = ?",
        (document_id,),
    ).fetchall()
    connection.executemany("INSERT INTO words (words, rowid, title, quote) VALUES ('delete', ?, ?, ?)", rows)
    connection.execute("DELETE FROM chunks WHERE document_id = ?", (document_id,))
    connection.execute("DELETE FROM sections WHERE document_id = ?", (document_id,))
    connection.execute("DELETE FROM documents WHERE id = ?", (document_id,))
    return [number for number, _, _ in rows]


def path_of(connection: sqlite3.Connection, document_id: str) -> str:
    """Returns the path under which a document is shown."""
    return str(connection.execute("SELECT path FROM documents WHERE id = ?", (document_id,)).fetchone()[0])


def rename(connection: sqlite3.Connection, document_id: str, path: str) -> None:
    """Shows a document under another path, and under another title if it is named by its file.

    Its vectors stay as they were, with the old name in them.
    """
    title = PurePath(path).stem
    connection.execute("UPDATE documents SET path = ? WHERE id = ?", (path, document_id))
    rows = connection.execute(
        "SELECT number, title, quote FROM chunks JOIN documents ON id = document_id"
        " WHERE id = ? AND is_named_by_file AND title <> ?",
        (document_id, title),
    ).fetchall()
    connection.executemany("INSERT INTO words (words, rowid, title, quote) VALUES ('delete', ?, ?, ?)", rows)
    connection.executemany(
        "INSERT INTO words (rowid, title, quote) VALUES (?, ?, ?)",
        ((number, title, quote) for number, _, quote in rows),
    )
    connection.execute("UPDATE documents SET title = ? WHERE id = ? AND is_named_by_file", (title, document_id))


def counts(connection: sqlite3.Connection) -> tuple[int, int]:
    """Returns the numbers of documents and chunks."""
    documents, chunks = connection.execute(
        "SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM chunks)"
    ).fetchone()
    return int(documents), int(chunks)


def search(
    connection: sqlite3.Connection,
    words: Sequence[str],
    top_k: int,
    within: Filter = EVERYTHING,
    *,
    with_title: bool = True,
) -> list[tuple[int, float]]:
    """Returns up to `top_k` (chunk number, BM25) of chunks with any of the words, best first.

    Several words in one text are a phrase. A word may hold any characters: it is quoted, so nothing in it is query
    syntax.
    """
    query = " OR ".join(map(_quoted, words))
    if not query:
        return []
    if not with_title:
        query = f"quote : ({query})"
    selection, values = _numbers(within) if within else ("", [])
    # Without the plus sign, FTS5 would run the whole query again for each of these numbers.
    among = f" AND +rowid IN ({selection})" if within else ""
    rows = connection.execute(
        f"SELECT rowid, -rank FROM words WHERE words MATCH ?{among} ORDER BY rank LIMIT ?",
        (query, *values, top_k),
    )
    return [(int(number), float(score)) for number, score in rows]


def has_word(connection: sqlite3.Connection, word: str) -> bool:
    """Tells whether a chunk has the word, or another with its stem; several words in one text are a phrase."""
    row = connection.execute("SELECT 1 FROM words WHERE words MATCH ? LIMIT 1", (_quoted(word),)).fetchone()
    return row is not None


def stem(word: str) -> str:
    """Returns the stem under which the word index has a word; of what is no word there, itself."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(
            f'CREATE VIRTUAL TABLE one USING fts5(word, tokenize="{TOKENIZER}");'
            "CREATE VIRTUAL TABLE stems USING fts5vocab(one, row);"
        )
        connection.execute("INSERT INTO one VALUES (?)", (_clean(word),))
        found = connection.execute("SELECT term FROM stems").fetchone()
    finally:
        connection.close()
    return str(found[0]) if found else word


def stems(connection: sqlite3.Connection, initial: str) -> list[str]:
    """Returns the stems of the word index that begin with a character."""
    connection.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.stems USING fts5vocab(main, words, row)")
    rows = connection.execute(
        "SELECT term FROM temp.stems WHERE term >= ? AND term < ?", (initial, chr(ord(initial) + 1))
    )
    return [str(term) for (term,) in rows]


def numbers(connection: sqlite3.Connection, within: Filter) -> list[int]:
    """Returns the numbers of the chunks whose documents meet a filter."""
    return [int(number) for (number,) in connection.execute(*_numbers(within))]


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


def _numbers(within: Filter) -> tuple[str, list[str | int]]:
    """Returns the query for the numbers of the chunks whose documents meet a filter, with its values."""
    condition, values = _condition(within)
    return (
        f"SELECT number FROM chunks WHERE document_id IN (SELECT id FROM documents WHERE {condition})",
        values,
    )


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


def fetch(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Passage]:
    """Returns the chunks of the given numbers as passages without scores."""
    found = {}
    for first in range(0, len(numbers), _PER_QUERY):
        some = numbers[first : first + _PER_QUERY]
        rows = connection.execute(
            "SELECT number, document_id, title, path, date, pages, start, end, quote FROM chunks"
            f" JOIN documents ON id = document_id WHERE number IN ({','.join('?' * len(some))})",
            some,
        )
        for number, document_id, title, path, date, pages, start, end, quote in rows:
            here, *turns = _places(connection, document_id, json.loads(pages), start, end)
            found[int(number)] = Passage(
                document_id=document_id,
                title=title,
                path=path,
                date=_date(date),
                page=here.page,
                start=start,
                end=end,
                quote=quote,
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
        "SELECT id, title, path, date, length(text),"
        " (SELECT count(*) FROM chunks WHERE document_id = id), language, note, json_array_length(pages)"
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
            date=_date(date),
            characters=characters,
            chunks=chunks,
            language=language,
            note=note,
            also=tuple(also.get(id_, ())),
            pages=pages,
        )
        for id_, title, path, date, characters, chunks, language, note, pages in rows
    ]


def has_document(connection: sqlite3.Connection, document_id: str) -> bool:
    return connection.execute("SELECT 1 FROM documents WHERE id = ?", (document_id,)).fetchone() is not None


def document_text(connection: sqlite3.Connection, document_id: str) -> str | None:
    """Returns the whole text of a document, or None when there is none of that id."""
    row = connection.execute("SELECT text FROM documents WHERE id = ?", (document_id,)).fetchone()
    return None if row is None else str(row[0])


def iterate_chunks(connection: sqlite3.Connection) -> Iterator[tuple[int, Chunk]]:
    """Yields every chunk with its number, document by document."""
    rows = connection.execute(
        "SELECT number, document_id, start, end, quote FROM chunks ORDER BY document_id, number"
    )
    for number, document_id, start, end, quote in rows:
        yield int(number), Chunk(document_id=document_id, start=start, end=end, quote=quote)


def iterate_documents(connection: sqlite3.Connection) -> Iterator[tuple[Document, str]]:
    """Yields every document, as it was stored, with its digest; without its location, for it may have several."""
    rows = connection.execute(
        "SELECT id, title, is_named_by_file, path, text, date, pages, language, note, digest FROM documents"
        " ORDER BY id"
    )
    for id_, title, is_named_by_file, path, whole, date, pages, language, note, digest_ in rows:
        sections = connection.execute(
            "SELECT start, label FROM sections WHERE document_id = ? ORDER BY start", (id_,)
        ).fetchall()
        yield (
            Document(
                id=id_,
                title=title,
                path=path,
                location="",
                text=whole,
                date=_date(date),
                pages=tuple(json.loads(pages)),
                sections=tuple((start, label) for start, label in sections),
                language=language,
                note=note,
                is_named_by_file=bool(is_named_by_file),
            ),
            digest_,
        )


def _quoted(word: str) -> str:
    return '"' + _clean(word).replace('"', '""') + '"'


def _clean(word: str) -> str:
    """Replaces what SQLite takes for the end of a text, or cannot store: NUL and lone surrogates."""
    return word.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def _date(stored: str | None) -> DocumentDate | None:
    if stored is None:
        return None
    written, month, day, year = json.loads(stored)
    return DocumentDate(written=written, month=month, day=day, year=year)
