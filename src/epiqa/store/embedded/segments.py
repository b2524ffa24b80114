"""Segments: parts of an index that never change once they are written, and how several become one.

What is added to an index is a new segment; the others are linked into the next generation as they are, so that a
few documents more do not cost as much as all of them. What is removed is noted in the catalogue, and passed over.
Segments that are small against those after them are merged with them, as in Lucene and other log-structured indexes
(O'Neil et al. 1996): there are few, and all work is done a few times at most.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from epiqa.store.embedded import catalogue, inverted_index
from epiqa.store.embedded import generations as files
from epiqa.store.embedded.inverted_index import Mask
from epiqa.store.embedded.vector_index import Blocks, VectorIndex, write_vectors
from epiqa.types import Chunk, Document, Vectors

ONE_UP_TO = 20_000  # chunks: a smaller index is one segment, with nothing in it that was removed
MOST_TIMES = 4  # of those after it, in chunks: a larger segment is left as it is
MOST_REMOVED = 0.25  # of a segment, else it is written anew
_CHUNKS_PER_RUN = 32_768
_VECTORS_AT_ONCE = 16_384
# Of a segment that is being written.
_TEXT, _RUNS, _VECTORS = "new.sqlite", "runs.sqlite", "vectors.f32"
_RUNS_SCHEMA = """
CREATE TABLE runs (
    term TEXT NOT NULL, run INTEGER NOT NULL, rows BLOB NOT NULL, counts BLOB NOT NULL, positions BLOB NOT NULL,
    PRIMARY KEY (term, run)
);
"""


def kept(written: Sequence[int], there: Sequence[int], *, is_last_new: bool) -> int:
    """Returns how many segments, from the first on, are left as they are; the others become one.

    `written` and `there` are how many chunks each had, and has. A new segment is never left.
    """
    first = len(written) - is_last_new
    for number, (before, now) in enumerate(zip(written, there, strict=True)):
        if before - now > (0 if sum(written) <= ONE_UP_TO else MOST_REMOVED * before):
            first = min(first, number)
    after = sum(there[first:])
    while 0 < first < len(written) and there[first - 1] <= max(ONE_UP_TO - after, MOST_TIMES * after):
        first -= 1
        after += there[first]
    return first


class Part(Protocol):
    """A segment, written or not: its text, its words, its vectors, and how many tokens each of its chunks has."""

    @property
    def connection(self) -> sqlite3.Connection:
        """Has the text."""

    def entries(self) -> Iterator[inverted_index.Entry]:
        """Yields the entries of all words, by stem and row."""

    def lengths(self) -> NDArray[np.uint32]:
        """Returns how many tokens each chunk has."""

    def blocks(self) -> Blocks:
        """Yields all rows and their vectors."""

    def take(self, first: int, count: int) -> Vectors:
        """Returns the vectors of `count` rows."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment that is written, open for reading."""

    connection: sqlite3.Connection
    vectors: VectorIndex

    @classmethod
    def open(cls, directory: Path, generation: Path, number: int, hashes: Mapping[str, str]) -> Segment:
        """Opens a segment of a generation; `hashes` has the SHA-256 of the file with the vectors, which is checked.

        Raises IndexDamagedError.
        """
        name = files.vectors_name(number)
        try:
            vectors = VectorIndex.read(generation / name, hashes[name])
            name = files.text_name(number)
            connection = catalogue.open_for_reading(generation / name)
        except ValueError as error:
            raise files.damaged(directory, f"{generation.name}/{name} {error}") from error
        except (OSError, sqlite3.Error) as error:
            raise files.damaged(directory, f"{generation.name}/{name} cannot be read ({error})") from error
        return cls(connection, vectors)

    def entries(self) -> Iterator[inverted_index.Entry]:
        return inverted_index.read_entries(self.connection)

    def lengths(self) -> NDArray[np.uint32]:
        return inverted_index.read_lengths(self.connection)

    def blocks(self) -> Blocks:
        return self.vectors.blocks()

    def take(self, first: int, count: int) -> Vectors:
        return self.vectors.take(first, count)

    def close(self) -> None:
        self.connection.close()


class NewSegment:
    """A segment that is being written, document by document."""

    def __init__(self, folder: Path, dimensions: int) -> None:
        self._folder, self._dimensions = folder, dimensions
        self.connection = catalogue.create(folder / _TEXT, catalogue.SEGMENT)
        self._runs = catalogue.create(folder / _RUNS, _RUNS_SCHEMA)
        self._vectors = (folder / _VECTORS).open("wb")
        self._waiting: list[tuple[str, str]] = []  # titles and texts of chunks
        self._lengths: list[NDArray[np.uint32]] = []
        self.chunks = 0

    def add(
        self, key: int, document: Document, chunks: Sequence[Chunk], vectors: Vectors, *, with_title: bool
    ) -> None:
        """Stores the text, the words and the vectors of a document."""
        catalogue.put_texts(self.connection, [(key, document.text)])
        title = document.title if with_title else ""
        self._waiting += ((title, chunk.quote) for chunk in chunks)
        self._vectors.write(np.ascontiguousarray(vectors, dtype="<f4").data)
        self.chunks += len(chunks)
        if len(self._waiting) >= _CHUNKS_PER_RUN:
            self._run()

    def _run(self) -> None:
        first = self.chunks - len(self._waiting)
        entries, lengths = inverted_index.entries(self._waiting, first)
        self._runs.executemany(
            "INSERT INTO runs VALUES (?, ?, ?, ?, ?)", ((term, first, *rest) for term, *rest in entries)
        )
        self._lengths.append(lengths)
        self._waiting.clear()

    def lengths(self) -> NDArray[np.uint32]:
        return np.concatenate([np.empty(0, dtype=np.uint32), *self._lengths])

    def entries(self) -> Iterator[inverted_index.Entry]:
        return self._runs.execute("SELECT term, rows, counts, positions FROM runs ORDER BY term, run")

    def blocks(self) -> Blocks:
        for first in range(0, self.chunks, _VECTORS_AT_ONCE):
            count = min(_VECTORS_AT_ONCE, self.chunks - first)
            yield np.arange(first, first + count), self.take(first, count)

    def take(self, first: int, count: int) -> Vectors:
        self._vectors.flush()
        offset = first * self._dimensions * 4
        values = np.fromfile(self._folder / _VECTORS, "<f4", count * self._dimensions, offset=offset)
        return values.reshape(count, self._dimensions)

    def prepare(self) -> None:
        """Ends the adding: from now on, `lengths` and `entries` give all."""
        self._run()

    def finish(self, number: int) -> files.Segment:
        """Writes all as the segment of that number, after `prepare`."""
        inverted_index.write_entries(self.connection, [self.entries()])
        inverted_index.write_lengths(self.connection, self.lengths())
        self.connection.commit()
        self.connection.close()
        (self._folder / _TEXT).rename(self._folder / files.text_name(number))
        path = self._folder / files.vectors_name(number)
        return files.Segment(self.chunks, write_vectors(path, self._dimensions, self.chunks, self.blocks))

    def close(self) -> None:
        """Removes what was there for the time of writing alone."""
        self.connection.close()
        self._runs.close()
        with suppress(OSError):  # what a full disk does not take is not missed
            self._vectors.close()
        for name in (_TEXT, _RUNS, _VECTORS):
            (self._folder / name).unlink(missing_ok=True)


def write_merged(
    folder: Path, number: int, dimensions: int, parts: Sequence[tuple[Part, Mask]], keys: frozenset[int]
) -> files.Segment:
    """Writes several segments as one, of that number.

    With each comes which of its chunks are there still. `keys` are of the documents that are.
    """
    ends = np.cumsum([0, *(mask.sum() for _, mask in parts)])
    rows_to = [np.where(mask, np.cumsum(mask) - 1 + end, -1) for (_, mask), end in zip(parts, ends, strict=False)]
    with closing(catalogue.create(folder / files.text_name(number), catalogue.SEGMENT)) as connection:
        for part, _ in parts:
            catalogue.put_texts(connection, catalogue.texts(part.connection, keys))
        entries = [inverted_index.moved(part.entries(), to) for (part, _), to in zip(parts, rows_to, strict=True)]
        inverted_index.write_entries(connection, entries)
        inverted_index.write_lengths(connection, np.concatenate([part.lengths()[mask] for part, mask in parts]))
        connection.commit()

    def blocks() -> Blocks:
        for (part, _), to in zip(parts, rows_to, strict=True):
            for rows, vectors in part.blocks():
                yield to[rows][to[rows] >= 0], vectors[to[rows] >= 0]

    count = int(ends[-1])
    return files.Segment(count, write_vectors(folder / files.vectors_name(number), dimensions, count, blocks))
