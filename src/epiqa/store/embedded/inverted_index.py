"""Words -> chunks: an inverted index with positions, and BM25 over it (Robertson & Zaragoza 2009), at any size.

SQLite's FTS5 finds the words and stems them (Porter, accents removed), and the scores are equal to its own. But its
search looks one by one at each chunk that has a word of the question, of which a common word in a large index has
hundreds of thousands; here, arrays are added up.

A segment of the index holds, for each stem, the rows of the chunks that have it, in rising order, how often each
has it, and where. Statistics are taken over all segments, without what was removed.
"""

from __future__ import annotations

import hashlib
import heapq
import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

SCHEMA = """
CREATE TABLE terms (term TEXT PRIMARY KEY, rows BLOB NOT NULL, counts BLOB NOT NULL, positions BLOB NOT NULL);
CREATE TABLE lengths (lengths BLOB NOT NULL);
"""
K1, B = 1.2, 0.75  # FTS5's
MIN_IDF = 1e-6  # of a word that more than half of the chunks have
# Positions of the title come before those of the text, so that no phrase runs from the one into the other.
FIRST_OF_TEXT = 4096
LAST_POSITION = 2**16 - 1  # all that follow have this one
MOST_COUNTED = 255  # of a stem in one chunk; BM25 hardly tells more of them apart

_ROW, _COUNT, _POSITION, _LENGTH = np.dtype("<i4"), np.dtype("u1"), np.dtype("<u2"), np.dtype("<u4")
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


class Stem(str):
    """A stem that the index has, to be searched as it is: stemmed again, it may be another ("abus", "abu")."""

    __slots__ = ()


class Form(str):
    """Another way to write some of the words that are searched: it counts in their stead, not beside them."""

    __slots__ = ("of",)

    of: tuple[str, ...]

    def __new__(cls, text: str, of: Sequence[str]) -> Form:
        form = super().__new__(cls, text)
        form.of = tuple(of)
        return form


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
    rows, positions = np.array(rows_, dtype=_ROW), np.array(positions_, dtype=_POSITION)
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
            (distinct + first_row).astype(_ROW).tobytes(),
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
        rows, counts = np.frombuffer(rows_, dtype=_ROW), np.frombuffer(counts_, dtype=_COUNT)
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
        rows, counts = rows_to[np.frombuffer(rows_, dtype=_ROW)], np.frombuffer(counts_, dtype=_COUNT)
        kept = rows >= 0
        if kept.all():
            yield term, rows.astype(_ROW).tobytes(), counts_, positions_
        elif kept.any():
            positions = np.frombuffer(positions_, dtype=_POSITION)[np.repeat(kept, counts)]
            yield term, rows[kept].astype(_ROW).tobytes(), counts[kept].tobytes(), positions.tobytes()


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
        return np.frombuffer(row[0], dtype=_ROW), np.frombuffer(row[1], dtype=_COUNT)
    found = []
    for term in phrase:
        row = connection.execute("SELECT rows, counts, positions FROM terms WHERE term = ?", (term,)).fetchone()
        if row is None:
            return np.empty(0, dtype=_ROW), np.empty(0, dtype=_COUNT)
        found.append(row)
    rarest = min((np.frombuffer(row[0], dtype=_ROW) for row in found), key=len)
    places: NDArray[np.int64] | None = None
    for offset, (rows_, counts_, positions_) in enumerate(found):
        rows, counts = np.frombuffer(rows_, dtype=_ROW), np.frombuffer(counts_, dtype=_COUNT)
        near = np.minimum(np.searchsorted(rarest, rows), len(rarest) - 1)
        kept = rarest[near] == rows
        positions = np.frombuffer(positions_, dtype=_POSITION)[np.repeat(kept, counts)].astype(np.int64)
        here = np.repeat(rows[kept].astype(np.int64), counts[kept]) * 2**20 + positions - offset
        places = here if places is None else np.intersect1d(places, here)
    distinct, times = np.unique(np.asarray(places) // 2**20, return_counts=True)
    return distinct.astype(_ROW), times


@dataclass(frozen=True, slots=True)
class _Found:
    """The numbers of the chunks that have a word, in rising order, what it adds to their scores, and its weight."""

    numbers: NDArray[np.integer]
    scores: NDArray[np.float32]
    idf: float

    def at(self, numbers: NDArray[np.integer]) -> NDArray[np.float32]:
        """Returns what the word adds to the scores of some chunks: 0 where they do not have it."""
        if not len(self.numbers):
            return np.zeros(len(numbers), dtype=np.float32)
        places = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        return np.where(self.numbers[places] == numbers, self.scores[places], np.float32(0))


class WordSearch:
    """BM25 over the chunks of all segments that are there still. Not safe for several threads."""

    def __init__(self, segments: Sequence[sqlite3.Connection], firsts: Sequence[int], is_there: Mask) -> None:
        """A segment has the numbers from its first to that of the next; the last of `firsts` is their count.

        Raises sqlite3.DatabaseError where a segment is not of so many chunks.
        """
        self._parts = list(zip(segments, firsts, strict=False))
        self._is_there = None if is_there.all() else is_there
        self._count = int(is_there.sum())
        with damage_translated("the lengths of chunks"):
            lengths = np.concatenate([np.empty(0), *map(read_lengths, segments)])
            if len(lengths) != len(is_there):
                raise ValueError(f"there are {len(lengths)}, not {len(is_there)}")
        mean = float(lengths[is_there].mean()) if self._count else 1.0
        self._norms = (K1 * (1 - B + B * lengths / max(mean, 1.0))).astype(np.float32)

    def search(self, words: Sequence[str], top_k: int, among: Mask | None = None) -> list[tuple[int, float]]:
        """Returns up to `top_k` (chunk number, BM25) of chunks with any of the words, best first.

        Several words in one text are a phrase, a Stem is one. A Form is worth no more than the words that it stands
        for are together, and counts in a chunk as far as that is more than what these have; of several forms of the
        same words, that which counts most. `among` tells of each number whether it is searched.
        """
        scores = np.zeros(len(self._norms), dtype=np.float32)
        phrases = [
            (str(word),) if isinstance(word, Stem) else made for word, made in zip(words, stems(words), strict=True)
        ]
        found: dict[str, _Found] = {}
        gains: defaultdict[tuple[str, ...], list[tuple[NDArray[np.integer], NDArray[np.float32]]]] = defaultdict(
            list
        )
        unknown = _Found(np.empty(0, dtype=_ROW), np.empty(0, dtype=np.float32), self._idf(0))
        for word, phrase in zip(words, phrases, strict=True):
            if not phrase:
                continue
            these = self._found(phrase)
            if not isinstance(word, Form):
                found[word] = these
                scores[these.numbers] += these.scores
                continue
            stood_for = [found.get(own, unknown) for own in word.of]
            worth = sum(own.idf for own in stood_for) if stood_for else these.idf
            gain = these.scores * min(1.0, worth / these.idf)
            for own in stood_for:
                gain -= own.at(these.numbers)
            gains[word.of].append((these.numbers, gain))
        for of_same in gains.values():
            numbers, gain = (np.concatenate(parts) for parts in zip(*of_same, strict=True))
            numbers, gain = numbers[gain > 0], gain[gain > 0]
            distinct, places = np.unique(numbers, return_inverse=True)
            most = np.zeros(len(distinct), dtype=np.float32)
            np.maximum.at(most, places, gain)
            scores[distinct] += most
        if among is not None:
            scores[~among] = 0
        return best(scores, top_k)

    def _idf(self, chunks: int) -> float:
        return max(math.log((self._count - chunks + 0.5) / (chunks + 0.5)), MIN_IDF)

    def _found(self, phrase: Sequence[str]) -> _Found:
        parts = [self._find(connection, first, phrase) for connection, first in self._parts]
        numbers = np.concatenate([np.empty(0, dtype=_ROW), *(numbers for numbers, _ in parts)])
        frequencies = np.concatenate([np.empty(0), *(counts for _, counts in parts)]).astype(np.float32)
        idf = self._idf(len(numbers))
        return _Found(numbers, idf * (K1 + 1) * frequencies / (frequencies + self._norms[numbers]), idf)

    def has_any(self, phrase: str) -> bool:
        """Tells whether a chunk has the word or phrase."""
        (found,) = stems([phrase])
        return bool(found) and any(len(self._find(*part, found)[0]) for part in self._parts)

    def stems(self, initial: str) -> list[str]:
        """Returns the stems that begin with a character; also of chunks that were removed not long ago."""
        query = "SELECT term FROM terms WHERE term >= ? AND term < ?"
        bounds = (initial, chr(ord(initial) + 1))
        with damage_translated(f"the stems from {initial!r} on"):
            return sorted({str(term) for segment, _ in self._parts for (term,) in segment.execute(query, bounds)})

    def _find(
        self, segment: sqlite3.Connection, first: int, phrase: Sequence[str]
    ) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """Returns the numbers of the chunks that have a phrase and are there still, and how often each has it."""
        with damage_translated(f"where {' '.join(phrase)!r} stands"):
            rows, counts = find(segment, phrase)
            numbers = rows + first
            if len(rows) != len(counts) or (len(rows) and (rows.min() < 0 or numbers.max() >= len(self._norms))):
                raise ValueError("there are no such chunks")
            if self._is_there is not None:
                kept = self._is_there[numbers]
                numbers, counts = numbers[kept], counts[kept]
        return numbers, counts


def best(scores: NDArray[np.float32], top_k: int) -> list[tuple[int, float]]:
    """Returns up to `top_k` (position, score) of those above 0, best first, of equal ones the first."""
    found = np.flatnonzero(scores)
    values = scores[found]
    if 0 < top_k < len(found):
        least = np.partition(values, len(values) - top_k)[len(values) - top_k]
        found = found[values >= least]
        values = scores[found]
    order = np.argsort(-values, kind="stable")[: max(top_k, 0)]
    return list(zip(found[order].tolist(), values[order].tolist(), strict=True))
