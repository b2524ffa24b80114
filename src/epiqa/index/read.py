"""One generation of an index, open for searching. It never changes while it is open."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from epiqa.filters import EVERYTHING, Filter
from epiqa.index import generation as files
from epiqa.index import sources, text
from epiqa.index.vectors import VectorIndex, read_vectors
from epiqa.types import DocumentInfo, Passage, Vectors


class Index:
    """Searches by vector and by words, and gives text by number. Safe for several threads."""

    def __init__(
        self, directory: Path, manifest: files.Manifest, vectors: VectorIndex, connection: sqlite3.Connection
    ) -> None:
        self._directory = directory
        self.info = manifest.info
        self.embedder_name = manifest.embedder
        self.chunking = manifest.chunking
        self._vectors = vectors
        self._connection = connection
        self._lock = threading.Lock()
        self._stems: dict[str, list[str]] = {}
        self.close = weakref.finalize(self, connection.close)  # closed at the latest with the last reference

    @classmethod
    def open(cls, directory: Path) -> Index:
        """Opens the live generation after checking every file's SHA-256.

        Raises IndexMissingError or IndexDamagedError.
        """
        return files.settled(directory, lambda: cls._open_current(directory))

    @classmethod
    def _open_current(cls, directory: Path) -> Index:
        generation, manifest = files.current(directory)
        files.check_file(directory, generation, files.TEXT, manifest.files[files.TEXT])
        files.check_file(directory, generation, files.VECTORS, manifest.files[files.VECTORS])
        vectors = read_vectors(directory, generation)
        try:
            connection = text.open_for_reading(generation / files.TEXT)
        except sqlite3.Error as error:
            raise files.damaged(directory, f"{generation.name}/{files.TEXT}: {error}") from error
        return cls(directory, manifest, vectors, connection)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Lets one thread at a time read the text; a disk that fails after the checksums held is damage, too."""
        with self._lock:
            try:
                yield
            except sqlite3.ProgrammingError:  # such as a call after `close`
                raise
            except sqlite3.DatabaseError as error:
                raise files.damaged(self._directory, f"{self.info.generation}/{files.TEXT}: {error}") from error

    def search_vector(self, vector: Vectors, top_k: int, within: Filter = EVERYTHING) -> list[tuple[int, float]]:
        """Returns up to `top_k` (chunk number, cosine), nearest first; `vector` has shape (dimensions,)."""
        if not within:
            return self._vectors.search(vector, top_k)
        with self._reading():
            numbers = text.numbers(self._connection, within)
        return self._vectors.search(vector, top_k, numbers)

    def search_words(
        self, words: Sequence[str], top_k: int, within: Filter = EVERYTHING
    ) -> list[tuple[int, float]]:
        """Returns up to `top_k` (chunk number, BM25) of chunks with any of the words or phrases, best first."""
        with self._reading():
            return text.search(self._connection, words, top_k, within, with_title=self.chunking.with_title)

    def has_word(self, word: str) -> bool:
        """Tells whether a chunk has the word, or another with its stem; several words in one text are a phrase."""
        with self._reading():
            return text.has_word(self._connection, word)

    def stem(self, word: str) -> str:
        """Returns the stem under which chunks with the word, or another form of it, are found."""
        return text.stem(word)

    def stems(self, initial: str) -> list[str]:
        """Returns the stems of all words that begin with a character."""
        with self._reading():
            if initial not in self._stems:  # kept: to list them, SQLite reads where each of them stands
                self._stems[initial] = text.stems(self._connection, initial)
            return self._stems[initial]

    def count_documents(self, within: Filter) -> int:
        """Returns how many documents meet a filter."""
        with self._reading():
            return text.count_documents(self._connection, within)

    def unknown_documents(self, names: Sequence[str]) -> list[str]:
        """Returns those of the names that no document has for its id, path, or file name."""
        with self._reading():
            return text.unknown_documents(self._connection, names)

    def fetch(self, numbers: Sequence[int]) -> dict[int, Passage]:
        """Returns the chunks of the given numbers as passages without scores."""
        with self._reading():
            return text.fetch(self._connection, numbers)

    def documents(self) -> list[DocumentInfo]:
        """Returns all documents, by path."""
        with self._reading():
            return text.list_documents(self._connection)

    def unread(self) -> list[tuple[str, str]]:
        """Returns path and reason of each file that could not be read, by path."""
        with self._reading():
            return sources.list_unread(self._connection)

    def text(self, document_id: str) -> str | None:
        """Returns the whole text of a document, or None when there is none of that id."""
        with self._reading():
            return text.document_text(self._connection, document_id)

    def files_of(self, document_id: str) -> list[bytes]:
        """Returns the absolute names of the files that hold a document, in the file system's own bytes."""
        with self._lock:
            return sources.files_of(self._connection, document_id)
