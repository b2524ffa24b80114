"""What a store must offer: the two protocols that all other code uses, and the values that cross them.

A store keeps documents with their chunks, vectors and words, and what is known of the files they came from. What is
read is one generation, whole; what is written becomes the next one in a single step. `tests/store/test_contract.py`
says what every store must do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeAlias

from epiqa.filters import EVERYTHING, Filter
from epiqa.types import Chunk, Chunking, Document, DocumentInfo, Embedder, IndexInfo, Passage, Vectors

# Names a chunk to the reader that returned it, and to no other: numbers change between generations.
ChunkId: TypeAlias = int
Scored: TypeAlias = list[tuple[ChunkId, float]]


@dataclass(frozen=True, slots=True)
class QueryTerm:
    """A word to search for, or several words as a phrase.

    `variant_of` is None for a word of the question itself. Otherwise the term is another way to write those words:
    a chunk is credited with the better of the two, never with both. `is_stem`: it is already a stem of the store.
    """

    text: str
    variant_of: tuple[str, ...] | None = None
    is_stem: bool = False


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that documents were read from.

    `location` is its absolute path as text, `path` as the user gave it, `name` its absolute path in the file
    system's own bytes. `content` identifies its bytes and what read them; None until all of it is stored.
    """

    location: str
    path: str
    name: bytes
    content: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentLocation:
    """A document's location: a file, or a part of one ("/abs/old.zip//a.txt"). Copies have several."""

    location: str
    path: str
    document_id: str


class IndexReader(Protocol):
    """One generation, open for searching. It never changes. Safe for several threads."""

    @property
    def info(self) -> IndexInfo:
        """What the generation holds; `info.embedder` is the fingerprint of the embedder that made it."""

    @property
    def embedder_name(self) -> str:
        """What `load_embedder` takes to load that embedder again."""

    def search_vector(self, vector: Vectors, top_k: int, within: Filter = EVERYTHING) -> Scored:
        """Returns up to `top_k` (chunk, cosine), nearest first; `vector` has shape (dimensions,)."""

    def search_words(self, terms: Sequence[QueryTerm], top_k: int, within: Filter = EVERYTHING) -> Scored:
        """Returns up to `top_k` (chunk, BM25 score) of chunks with any of the terms, best first."""

    def fetch(self, chunks: Sequence[ChunkId]) -> dict[ChunkId, Passage]:
        """Returns the chunks as passages without scores."""

    def has_word(self, word: str) -> bool:
        """Returns whether a chunk has the word, or another with its stem; several words are a phrase."""

    def stem(self, word: str) -> str:
        """Returns the stem under which the word is indexed."""

    def stems(self, initial: str) -> list[str]:
        """Returns the indexed stems that begin with a character, sorted."""

    def count_documents(self, within: Filter) -> int:
        """Returns how many documents meet a filter."""

    def unknown_documents(self, names: Sequence[str]) -> list[str]:
        """Returns the names that are no document's id, path or file name."""

    def documents(self) -> list[DocumentInfo]:
        """Returns all documents, by path."""

    def unread(self) -> list[tuple[str, str]]:
        """Returns path and reason of each file that could not be read, by path."""

    def text(self, document_id: str) -> str | None:
        """Returns the whole text of a document, None for an unknown id."""

    def files_of(self, document_id: str) -> list[bytes]:
        """Returns the absolute names of the files that hold a document, in the file system's own bytes."""


class Sources(Protocol):
    """What a writer knows of the files that documents were read from. Changes count from the next commit on."""

    def file(self, location: str) -> SourceFile | None:
        """Returns the file at a location."""

    def files(self) -> Iterator[SourceFile]:
        """Yields all files."""

    def files_with(self, content: str) -> list[SourceFile]:
        """Returns the files with this content."""

    def locations_in(self, location: str) -> list[DocumentLocation]:
        """Returns the locations of the documents that are this file, or parts of it."""

    def notes(self, location: str) -> list[tuple[str, str]]:
        """Returns path and note of each document of a file that has a note."""

    def unread(self, location: str) -> list[tuple[str, str]]:
        """Returns path and reason of what could not be read of a file."""

    def find_same(self, digest: str) -> str | None:
        """Returns the id of a document with this `content_digest`, wherever it lies."""

    def free_id(self, document: Document) -> str:
        """Returns the id under which to store a new document.

        A document with the same text at the same location alone passes its id on, so that citations stay valid.
        """

    def put(self, location: str, path: str, document_id: str) -> str | None:
        """Gives a document a location; returns the id of the document that was there."""

    def clear(self, locations: Iterable[DocumentLocation]) -> None:
        """Takes locations away; a document without any is removed with the next commit."""

    def set_file(self, file: SourceFile) -> None:
        """Stores what is known of a file."""

    def drop_file(self, location: str) -> None:
        """Forgets a file whose locations were cleared."""

    def set_unread(self, location: str, reasons: Sequence[tuple[str, str]]) -> None:
        """Stores path and reason of what could not be read of a file."""

    def forget_unread(self, path: str) -> bool:
        """Takes a path off the list of what could not be read; returns whether it was on it."""


class IndexWriter(Protocol):
    """A context that makes the next generation, in one process at a time; without `commit` nothing changes."""

    @property
    def fingerprint(self) -> str | None:
        """Fingerprint of the embedder that made the vectors; None for a new index."""

    @property
    def embedder(self) -> str:
        """Name of that embedder; "" for a new index."""

    @property
    def chunking(self) -> Chunking:
        """How documents are cut."""

    @property
    def info(self) -> IndexInfo | None:
        """What the live generation holds; None where there is none."""

    @property
    def set_aside(self) -> Path | None:
        """The folder in which a rebuild left the old index."""

    def __enter__(self) -> IndexWriter:
        """Takes the lock. Raises IndexBusyError where another writer holds it for too long."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Lets another writer in; what was not committed is gone."""

    @property
    def sources(self) -> Sources:
        """What is known of the files."""

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to commit."""

    def translated(self) -> AbstractContextManager[None]:
        """Turns a full disk, a missing right or the like into an EpiQAError."""

    def set_embedder(self, embedder: Embedder, chunking: Chunking) -> None:
        """Says what makes the vectors and chunks of a new index; called before the first `add`."""

    def add(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> str | None:
        """Stores a document at its location; `vectors` has shape (chunks, dimensions), rows of length 1.

        Returns the id of the document that was there before; it is removed unless it has another location.
        """

    def remove(self, document_id: str) -> bool:
        """Removes a document; returns whether there was one."""

    def path_of(self, document_id: str) -> str:
        """Returns the path under which a document will be shown."""

    def count_documents(self) -> int:
        """Returns how many documents the index will hold."""

    def commit(self) -> None:
        """Makes this generation the live one. Ends the writer's work."""

    def checkpoint(self) -> None:
        """Commits and goes on with the next generation, without letting another writer in."""


OnWait: TypeAlias = Callable[[], None]


def content_digest(document: Document) -> str:
    """Returns a hash of all that was read from a file, apart from where it lies and what it is called."""
    content = (
        document.text,
        None if document.is_named_by_file else document.title,
        document.date and asdict(document.date),
        document.pages,
        document.sections,
        document.language,
        document.note,
    )
    return text_digest(json.dumps(content))


def text_digest(text: str) -> str:
    """Returns the SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()
