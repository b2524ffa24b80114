"""Which file each document was read from, whether it is the same still, and which files could not be read."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict

from epiqa.types import Document


def digest(document: Document) -> str:
    """Returns a hash of all that is read from a file, apart from where that lies."""
    content = (
        document.text,
        document.title,
        document.date and asdict(document.date),
        document.pages,
        document.sections,
        document.language,
        document.note,
    )
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def find_by_location(connection: sqlite3.Connection, location: str) -> str | None:
    """Returns the id of the document read from that absolute path."""
    row = connection.execute("SELECT id FROM documents WHERE location = ?", (location,)).fetchone()
    return None if row is None else str(row[0])


def has_same(connection: sqlite3.Connection, document: Document) -> bool:
    """Tells whether this text, with this metadata, is stored under this id, or as read from this file."""
    row = connection.execute(
        "SELECT 1 FROM documents WHERE (id = ? OR location = ?) AND digest = ?",
        (document.id, document.location, digest(document)),
    ).fetchone()
    return row is not None


def list_unread(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Returns path and reason of each file that could not be read, by path."""
    return [
        (str(path), str(reason))
        for path, reason in connection.execute("SELECT path, reason FROM unread ORDER BY path, rowid")
    ]


def count_unread(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM unread").fetchone()[0])


def set_unread(connection: sqlite3.Connection, location: str, reasons: Sequence[tuple[str, str]]) -> bool:
    """Notes path and reason of what of a file could not be read, in place of the last; tells if that is news."""
    before = connection.execute("SELECT path, reason FROM unread WHERE location = ?", (location,)).fetchall()
    if before == list(reasons):
        return False
    connection.execute("DELETE FROM unread WHERE location = ?", (location,))
    connection.executemany(
        "INSERT INTO unread (location, path, reason) VALUES (?, ?, ?)",
        ((location, path, reason) for path, reason in reasons),
    )
    return True


def read_from(connection: sqlite3.Connection, location: str) -> list[tuple[str, str, str]]:
    """Returns id, path and location of each document that is this file, or a part of it."""
    # A part's location goes on with "//", and "0" is the sign after "/".
    rows = connection.execute(
        "SELECT id, path, location FROM documents WHERE location = ? OR (location >= ? AND location < ?)",
        (location, f"{location}//", f"{location}/0"),
    )
    return [(str(id_), str(path), str(place)) for id_, path, place in rows]
