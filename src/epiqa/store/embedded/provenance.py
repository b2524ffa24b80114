"""Which files the documents were read from, under which paths each lies, and which files could not be read.

A document has a place for each file, or part of a container, that holds its content: one row of `places`, or
several for copies. A document without a place is removed with the next commit. A file is known by its content, the
hash of its bytes together with what read them; the content is missing while not all of the file is stored.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from epiqa.store.protocol import DocumentLocation, SourceFile, content_digest, text_digest
from epiqa.types import Document

SCHEMA = """
CREATE TABLE files (
    location TEXT PRIMARY KEY, path TEXT NOT NULL, name BLOB NOT NULL, content TEXT
) WITHOUT ROWID;
CREATE INDEX files_by_content ON files (content);
CREATE TABLE places (
    location TEXT PRIMARY KEY, path TEXT NOT NULL, document_id TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX places_by_document ON places (document_id);
CREATE TABLE unread (location TEXT NOT NULL, path TEXT NOT NULL, reason TEXT NOT NULL);
CREATE INDEX unread_by_location ON unread (location);
"""
# A part's location is that of its file, "//", and its name inside; "0" is the sign after "/".
_UNDER = "(location = :file OR (location >= :file || '//' AND location < :file || '/0'))"


class EmbeddedSources:
    """The files and places of a generation that is being made.

    `touched` are the ids of documents that may have lost a place since the last commit.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.touched: set[str] = set()
        self.is_changed = False

    def file(self, location: str) -> SourceFile | None:
        """Returns what is known of the file at that absolute path."""
        return next(self._files("location = ?", location), None)

    def files(self) -> Iterator[SourceFile]:
        """Yields all files."""
        return self._files("TRUE")

    def files_with(self, content: str) -> list[SourceFile]:
        """Returns the files that have this content."""
        return list(self._files("content = ?", content))

    def _files(self, condition: str, *values: str) -> Iterator[SourceFile]:
        rows = self._connection.execute(
            f"SELECT location, path, name, content FROM files WHERE {condition} ORDER BY location", values
        )
        return (SourceFile(*row) for row in rows)

    def locations_in(self, location: str) -> list[DocumentLocation]:
        """Returns the places of the documents that are this file, or a part of it."""
        rows = self._connection.execute(
            f"SELECT location, path, document_id FROM places WHERE {_UNDER}", {"file": location}
        )
        return [DocumentLocation(*row) for row in rows]

    def notes(self, location: str) -> list[tuple[str, str]]:
        """Returns path and note of each document of a file that has a note."""
        rows = self._connection.execute(
            "SELECT places.path, note FROM places JOIN documents ON id = document_id"
            f" WHERE note IS NOT NULL AND {_UNDER}",
            {"file": location},
        )
        return [(str(path), str(note)) for path, note in rows]

    def document_at(self, location: str) -> DocumentLocation | None:
        """Returns what is read from that location."""
        row = self._connection.execute(
            "SELECT location, path, document_id FROM places WHERE location = ?", (location,)
        ).fetchone()
        return None if row is None else DocumentLocation(*row)

    def paths_of(self, document_id: str) -> list[str]:
        """Returns the paths under which a document lies, in their order."""
        rows = self._connection.execute(
            "SELECT path FROM places WHERE document_id = ? ORDER BY path", (document_id,)
        )
        return [str(path) for (path,) in rows]

    def find_same(self, digest: str) -> str | None:
        """Returns the id of a document with that digest, wherever it lies."""
        row = self._connection.execute("SELECT id FROM documents WHERE digest = ? LIMIT 1", (digest,)).fetchone()
        return None if row is None else str(row[0])

    def free_id(self, document: Document) -> str:
        """Returns the id under which to store a new document.

        It is that of the document in its place, if the text is the same and lies nowhere else, so that citations
        stay valid; else its own, unless a document that moved away has kept that.
        """
        row = self._connection.execute(
            "SELECT id FROM documents JOIN places ON document_id = id WHERE location = ? AND sha256 = ?",
            (document.location, text_digest(document.text)),
        ).fetchone()
        if row is not None and len(self.paths_of(row[0])) == 1:
            return str(row[0])
        if not self.paths_of(document.id):
            return document.id
        return text_digest(f"{document.id}{content_digest(document)}")[: len(document.id)]

    def put(self, location: str, path: str, document_id: str) -> str | None:
        """Gives a document a location; returns the id of the document that was there."""
        earlier = self.document_at(location)
        self._connection.execute(
            "INSERT OR REPLACE INTO places (location, path, document_id) VALUES (?, ?, ?)",
            (location, path, document_id),
        )
        if earlier is None or (earlier.path, earlier.document_id) != (path, document_id):
            self.touched |= {document_id} if earlier is None else {document_id, earlier.document_id}
            self.is_changed = True
        return None if earlier is None else earlier.document_id

    def clear(self, locations: Iterable[DocumentLocation]) -> None:
        """Takes these locations away from their documents."""
        for place in locations:
            self._connection.execute("DELETE FROM places WHERE location = ?", (place.location,))
            self.touched.add(place.document_id)
            self.is_changed = True

    def forget(self, document_id: str) -> None:
        """Takes all locations away from a removed document; its files will be read again."""
        rows = self._connection.execute("SELECT location FROM places WHERE document_id = ?", (document_id,))
        files = {(str(location).partition("//")[0],) for (location,) in rows.fetchall()}
        self._connection.executemany("UPDATE files SET content = NULL WHERE location = ?", files)
        self._connection.execute("DELETE FROM places WHERE document_id = ?", (document_id,))

    def forget_unread(self, path: str) -> bool:
        """Takes a path off the list of what could not be read; returns whether it was on it.

        The file will be read again: if it is still among the given ones, the next run reports on it anew.
        """
        rows = self._connection.execute("SELECT DISTINCT location FROM unread WHERE path = ?", (path,)).fetchall()
        for (location,) in rows:
            self.set_unread(location, [row for row in self.unread(location) if row[0] != path])
            if self.locations_in(location) or self.unread(location):
                self._connection.execute("UPDATE files SET content = NULL WHERE location = ?", (location,))
            else:
                self.drop_file(location)
        return bool(rows)

    def set_file(self, file: SourceFile) -> None:
        """Stores what is known of a file, in place of the last."""
        if self.file(file.location) == file:
            return
        self._connection.execute(
            "INSERT OR REPLACE INTO files (location, path, name, content) VALUES (?, ?, ?, ?)",
            (file.location, file.path, file.name, file.content),
        )
        self.is_changed = True

    def drop_file(self, location: str) -> None:
        """Forgets a file that has no places any more."""
        self._connection.execute("DELETE FROM files WHERE location = ?", (location,))
        self.set_unread(location, ())
        self.is_changed = True

    def unread(self, location: str) -> list[tuple[str, str]]:
        """Returns path and reason of what of a file could not be read."""
        rows = self._connection.execute(
            "SELECT path, reason FROM unread WHERE location = ? ORDER BY rowid", (location,)
        )
        return [(str(path), str(reason)) for path, reason in rows]

    def set_unread(self, location: str, reasons: Sequence[tuple[str, str]]) -> None:
        """Notes path and reason of what of a file could not be read, in place of the last."""
        if self.unread(location) == list(reasons):
            return
        self._connection.execute("DELETE FROM unread WHERE location = ?", (location,))
        self._connection.executemany(
            "INSERT INTO unread (location, path, reason) VALUES (?, ?, ?)",
            ((location, path, reason) for path, reason in reasons),
        )
        self.is_changed = True


def list_unread(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Returns path and reason of each file that could not be read, by path."""
    return [
        (str(path), str(reason))
        for path, reason in connection.execute("SELECT path, reason FROM unread ORDER BY path, rowid")
    ]


def count_unread(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM unread").fetchone()[0])


def files_of(connection: sqlite3.Connection, document_id: str) -> list[bytes]:
    """Returns the names of the files that hold a document, by path; none if it was not read from files."""
    places = connection.execute("SELECT location FROM places WHERE document_id = ? ORDER BY path", (document_id,))
    files = dict.fromkeys(str(location).partition("//")[0] for (location,) in places)
    rows = (connection.execute("SELECT name FROM files WHERE location = ?", (file,)).fetchone() for file in files)
    return [bytes(row[0]) for row in rows if row is not None]
