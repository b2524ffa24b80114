"""One generation of an index, open for searching. It never changes while it is open."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from epiqa.filters import EVERYTHING, Filter
from epiqa.store.embedded import catalogue, filter_sql, inverted_index, listing, provenance
from epiqa.store.embedded import generations as files
from epiqa.store.embedded.bm25 import BM25
from epiqa.store.embedded.catalogue import Stored
from epiqa.store.embedded.inverted_index import Mask
from epiqa.store.embedded.segments import Segment
from epiqa.store.protocol import QueryTerm, Scored
from epiqa.types import DocumentInfo, Passage, Vectors

# Filters whose selections are kept, each a byte for a chunk.
KEPT_SELECTIONS = 8


class EmbeddedReader:
    """Searches by vector and by words, and gives text by number. Safe for several threads.

    Each method raises IndexDamagedError where it meets damage.
    """

    def __init__(
        self,
        directory: Path,
        manifest: files.Manifest,
        connection: sqlite3.Connection,
        segments: Sequence[Segment],
    ) -> None:
        self.info = manifest.info
        self.embedder_name = manifest.embedder
        self.chunking = manifest.chunking
        self._directory = directory
        self._connection = connection
        self._segments = segments
        self._firsts = np.cumsum([0, *(segment.chunks for segment in manifest.segments)]).tolist()
        self._is_there = catalogue.are_there(connection, self._firsts[-1])
        self._words = BM25([segment.connection for segment in segments], self._firsts, self._is_there)
        self._lock = threading.Lock()
        self._stems: dict[str, list[str]] = {}
        self._selections: dict[Filter, filter_sql.Selection] = {}
        # Closed at the latest with the last reference.
        self.close = weakref.finalize(self, _close, [connection, *(segment.connection for segment in segments)])

    @classmethod
    def open(cls, directory: Path) -> EmbeddedReader:
        """Opens the live generation after checking its files, but for large ones with text.

        What is read from these later is checked then: see `text`. Raises IndexMissingError or IndexDamagedError.
        """
        return files.settled(directory, lambda: cls._open_current(directory))

    @classmethod
    def _open_current(cls, directory: Path) -> EmbeddedReader:
        generation, manifest = files.current(directory)
        numbers = range(len(manifest.segments))
        files.check_files(directory, generation, manifest, but=list(map(files.vectors_name, numbers)))
        segments = [Segment.open(directory, generation, number, manifest.files) for number in numbers]
        try:
            return cls(directory, manifest, catalogue.open_for_reading(generation / files.CATALOGUE), segments)
        except sqlite3.DatabaseError as error:
            files.check_all(directory, generation, manifest)  # which will name the file
            raise files.damaged(directory, f"{generation.name}: {error}") from error

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Holds the lock, and turns what damaged files raise into an IndexDamagedError."""
        with self._lock:
            try:
                yield
            except sqlite3.ProgrammingError:  # of ours, such as a closed index
                raise
            except sqlite3.DatabaseError as error:
                raise files.damaged(self._directory, f"{self.info.generation}: {error}") from error

    def search_vector(self, vector: Vectors, top_k: int, within: Filter = EVERYTHING) -> Scored:
        """Returns up to `top_k` (chunk number, cosine), nearest first; `vector` has shape (dimensions,)."""
        among = self._among(within)
        found: list[tuple[int, float]] = []
        for segment, first, end in zip(self._segments, self._firsts, self._firsts[1:], strict=False):
            here = None if among is None else among[first:end]
            found += ((first + row, score) for row, score in segment.vectors.search(vector, top_k, here))
        return sorted(found, key=lambda pair: -pair[1])[: max(top_k, 0)]

    def search_words(self, terms: Sequence[QueryTerm], top_k: int, within: Filter = EVERYTHING) -> Scored:
        """Returns up to `top_k` (chunk number, BM25) of chunks with any of the terms, best first."""
        among = self._among(within)
        with self._reading():
            return self._words.search(terms, top_k, among)

    def _among(self, within: Filter) -> Mask | None:
        """Returns a boolean mask of the searchable chunks, None if all are."""
        if not within:
            return None if self._is_there.all() else self._is_there
        return self._selection(within).mask

    def _selection(self, within: Filter) -> filter_sql.Selection:
        """Returns what a filter selects; the last ones are kept, since a question asks several times."""
        with self._reading():
            found = self._selections.pop(within, None)
            if found is None:
                found = filter_sql.select(self._connection, within, len(self._is_there))
            self._selections[within] = found
            while len(self._selections) > KEPT_SELECTIONS:
                del self._selections[next(iter(self._selections))]
            return found

    def has_word(self, word: str) -> bool:
        """Returns whether a chunk has the word, or another with its stem; several words are a phrase."""
        with self._reading():
            return self._words.has_any(word)

    def stem(self, word: str) -> str:
        """Returns the stem under which chunks with the word, or another form of it, are found."""
        (found,) = inverted_index.stems([word])
        return found[0] if found else word

    def stems(self, initial: str) -> list[str]:
        """Returns the stems that begin with a character; also of chunks that were removed not long ago."""
        with self._reading():
            if initial not in self._stems:
                self._stems[initial] = self._words.stems(initial)
            return self._stems[initial]

    def count_documents(self, within: Filter) -> int:
        """Returns how many documents meet a filter."""
        return self._selection(within).documents

    def unknown_documents(self, names: Sequence[str]) -> list[str]:
        """Returns the names that are no document's id, path or file name."""
        return list(self._selection(Filter(documents=tuple(names))).unknown)

    def fetch(self, numbers: Sequence[int]) -> dict[int, Passage]:
        """Returns the chunks of the given numbers as passages without scores."""
        with self._reading():
            return listing.fetch(self._connection, numbers, self._text)

    def documents(self) -> list[DocumentInfo]:
        """Returns all documents, by path."""
        with self._reading():
            return listing.list_documents(self._connection)

    def unread(self) -> list[tuple[str, str]]:
        """Returns path and reason of each file that could not be read, by path."""
        with self._reading():
            return provenance.list_unread(self._connection)

    def text(self, document_id: str) -> str | None:
        """Returns the whole text of a document, or None for an unknown id."""
        with self._reading():
            stored = catalogue.find_document(self._connection, document_id)
            return None if stored is None else self._text(stored)

    def files_of(self, document_id: str) -> list[bytes]:
        """Returns the absolute names of the files that hold a document, in the file system's own bytes."""
        with self._reading():
            return provenance.files_of(self._connection, document_id)

    def _text(self, stored: Stored) -> str:
        """Returns a text that is to the letter what was indexed, or raises sqlite3.DatabaseError."""
        return catalogue.read_text(self._segments[stored.segment].connection, stored)


def _close(connections: Sequence[sqlite3.Connection]) -> None:
    for connection in connections:
        connection.close()
