"""Words -> chunks: an inverted index with positions, at any size.

SQLite's FTS5 finds the words and stems them (Porter, accents removed). For each stem, a segment holds the rows of
the chunks that have it, in rising order, how often each has it, and where.
"""

from __future__ import annotations

import hashlib
import heapq
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

SCHEMA = """
CREATE TABLE terms (term TEXT PRIMARY KEY, rows BLOB NOT NULL, counts BLOB NOT NULL, positions BLOB NOT NULL);
CREATE TABLE lengths (lengths BLOB NOT NULL);
"""
# Positions of the title come before those of the text, so that no phrase runs from the one into the other.
FIRST_OF_TEXT = 4096
LAST_POSITION = 2**16 - 1  # all that follow have this one
MOST_COUNTED = 255  # of a stem in one chunk; BM25 hardly distinguishes higher counts

ROW, _COUNT, _POSITION, _LENGTH = np.dtype("<i4"), np.dtype("u1"), np.dtype("<u2"), np.dtype("<u4")
_TOKENS_AT_ONCE = 100_000
_TOKENIZER = """
CREATE VIRTUAL TABLE words USING fts5(
    title, text, content='', tokenize="porter unicode61 remove_diacritics 2"
);
CREATE VIRTUAL TABLE tokens USING fts5vocab(words, instance);
"""
_EACH = f"SELECT term, doc, min(offset + (col = 'text') * {FIRST_OF_TEXT}, {LAST_POSITION}) FROM tokens"

Mask: TypeAlias = NDArray[np.bool_]
# A stem, with its rows, counts and positions as they are stored.
Entry: TypeAlias = tuple[str, bytes, bytes, bytes]


def clean(text: str) -> str:
    """Replaces what SQLite takes for the end of a text, or cannot store: NUL and lone surrogates."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


@contextmanager
def damage_translated(what: str) -> Iterator[None]:
    """Turns what reading a damaged segment raises, which nobody may have hashed, into a sqlite3.DatabaseError."""
    try:
        yield
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise sqlite3.DatabaseError(f"{what} cannot be read: {error}") from error


def _tokenizer(texts: Sequence[tuple[str, str]]) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(_TOKENIZER)
    rows = ((row, clean(title), clean(text)) for row, (title, text) in enumerate(texts))
    connection.executemany("INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)", rows)
    return connection


def stems(texts: Sequence[str]) -> list[tuple[str, ...]]:
    """Returns the stems of each text, in order."""
    found: list[list[str]] = [[] for _ in texts]
    with closing(_tokenizer([("", text) for text in texts])) as connection:
        for term, row, _ in connection.execute(f"{_EACH} ORDER BY doc, offset"):
            found[row].append(term)
    return [tuple(terms) for terms in found]


def entries(texts: Sequence[tuple[str, str]], first_row: int) -> tuple[list[Entry], NDArray[np.uint32]]:
    """Returns the entries for titles and texts of consecutive chunks, by stem, and the length of each chunk."""
    made: list[Entry] = []
    lengths = np.zeros(len(texts), dtype=_LENGTH)
    with closing(_tokenizer(texts)) as connection:
        tokens = connection.execute(_EACH)  # in the order of stem, chunk, position
        rest: list[tuple[str, int, int]] = []
        while some := tokens.fetchmany(_TOKENS_AT_ONCE):
            rest += some
            last = rest[-1][0]
            if rest[0][0] == last:
                continue
            end = next(i for i in range(len(rest) - 1, -1, -1) if rest[i][0] != last) + 1
            made += _entries(rest[:end], first_row, lengths)
            rest = rest[end:]
        if rest:
            made += _entries(rest, first_row, lengths)
    return made, lengths


def _entries(
    tokens: Sequence[tuple[str, int, int]], first_row: int, lengths: NDArray[np.uint32]
) -> Iterator[Entry]:
    """Yields the entries of all tokens of some stems; adds to the chunks' lengths."""
    terms, rows_, positions_ = zip(*tokens, strict=True)
    rows, positions = np.array(rows_, dtype=ROW), np.array(positions_, dtype=_POSITION)
    lengths += np.bincount(rows, minlength=len(lengths)).astype(_LENGTH)
    ends = [i for i in range(1, len(terms)) if terms[i] != terms[i - 1]]
    for start, end in zip([0, *ends], [*ends, len(terms)], strict=True):
        distinct, counts = np.unique(rows[start:end], return_counts=True)
        places = positions[start:end]
        if counts.max() > MOST_COUNTED:
            order = np.arange(end - start) - np.repeat(np.cumsum(counts) - counts, counts)
            places, counts = places[order < MOST_COUNTED], np.minimum(counts, MOST_COUNTED)
        yield (
            terms[start],
            (distinct + first_row).astype(ROW).tobytes(),
            counts.astype(_COUNT).tobytes(),
            places.tobytes(),
        )


def read_entries(connection: sqlite3.Connection) -> Iterator[Entry]:
    """Yields the entries of a segment, by stem."""
    return connection.execute("SELECT term, rows, counts, positions FROM terms ORDER BY term")


def fingerprints(found: Iterable[Entry], count: int) -> NDArray[np.uint64]:
    """Returns for each of `count` rows a hash of all stems that it has, with their positions.

    Raises ValueError where an entry is of other rows, or of none.
    """
    hashes = np.zeros(count, dtype=np.uint64)
    for term, rows_, counts_, positions_ in found:
        rows, counts = np.frombuffer(rows_, dtype=ROW), np.frombuffer(counts_, dtype=_COUNT)
        positions = np.frombuffer(positions_, dtype=_POSITION).astype(np.uint64)
        is_rising = len(rows) > 0 and rows[0] >= 0 and rows[-1] < count and bool((np.diff(rows) > 0).all())
        if not is_rising or len(counts) != len(rows) or counts.sum() != len(positions):
            raise ValueError(f"the entry of {term!r} is not one of {count} chunks")
        factor = np.frombuffer(hashlib.blake2b(term.encode(), digest_size=8).digest(), dtype=np.uint64)
        np.add.at(hashes, np.repeat(rows, counts), factor * (2 * positions + 1))
    return hashes


def moved(parts: Iterator[Entry], rows_to: NDArray[np.int64]) -> Iterator[Entry]:
    """Yields entries with other rows: `rows_to` has the new row of each, in rising order, -1 for those that go."""
    for term, rows_, counts_, positions_ in parts:
        rows, counts = rows_to[np.frombuffer(rows_, dtype=ROW)], np.frombuffer(counts_, dtype=_COUNT)
        kept = rows >= 0
        if kept.all():
            yield term, rows.astype(ROW).tobytes(), counts_, positions_
        elif kept.any():
            positions = np.frombuffer(positions_, dtype=_POSITION)[np.repeat(kept, counts)]
            yield term, rows[kept].astype(ROW).tobytes(), counts[kept].tobytes(), positions.tobytes()


def write_entries(connection: sqlite3.Connection, sources: Sequence[Iterator[Entry]]) -> None:
    """Stores what several sources have, each by stem, the rows of one before those of the next."""

    def joined() -> Iterator[Entry]:
        merged = heapq.merge(*sources, key=itemgetter(0))
        for term, parts in groupby(merged, key=itemgetter(0)):
            _, rows, counts, positions = zip(*parts, strict=True)
            yield term, b"".join(rows), b"".join(counts), b"".join(positions)

    connection.executemany("INSERT INTO terms VALUES (?, ?, ?, ?)", joined())


def write_lengths(connection: sqlite3.Connection, lengths: NDArray[np.uint32]) -> None:
    """Stores how many tokens each chunk has."""
    connection.execute("INSERT INTO lengths VALUES (?)", (lengths.astype(_LENGTH).tobytes(),))


def read_lengths(connection: sqlite3.Connection) -> NDArray[np.uint32]:
    """Returns how many tokens each chunk has."""
    return np.frombuffer(connection.execute("SELECT lengths FROM lengths").fetchone()[0], dtype=_LENGTH)


def find(connection: sqlite3.Connection, phrase: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.integer]]:
    """Returns the rows of the chunks of a segment that have some stems in a row, and how often each has them."""
    if len(phrase) == 1:
        row = connection.execute("SELECT rows, counts FROM terms WHERE term = ?", phrase).fetchone() or (b"", b"")
        return np.frombuffer(row[0], dtype=ROW), np.frombuffer(row[1], dtype=_COUNT)
    found = []
    for term in phrase:
        row = connection.execute("SELECT rows, counts, positions FROM terms WHERE term = ?", (term,)).fetchone()
        if row is None:
            return np.empty(0, dtype=ROW), np.empty(0, dtype=_COUNT)
        found.append(row)
    rarest = min((np.frombuffer(row[0], dtype=ROW) for row in found), key=len)
    places: NDArray[np.int64] | None = None
    for offset, (rows_, counts_, positions_) in enumerate(found):
        rows, counts = np.frombuffer(rows_, dtype=ROW), np.frombuffer(counts_, dtype=_COUNT)
        near = np.minimum(np.searchsorted(rarest, rows), len(rarest) - 1)
        kept = rarest[near] == rows
        positions = np.frombuffer(positions_, dtype=_POSITION)[np.repeat(kept, counts)].astype(np.int64)
        here = np.repeat(rows[kept].astype(np.int64), counts[kept]) * 2**20 + positions - offset
        places = here if places is None else np.intersect1d(places, here)
    distinct, times = np.unique(np.asarray(places) // 2**20, return_counts=True)
    return distinct.astype(ROW), times
