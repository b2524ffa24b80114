"""The values that travel between the stages, and the two protocols a model must meet.

All are frozen. Offsets count code points of `Document.text`, end exclusive: `document.text[start:end] == quote`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from epiqa.errors import EpiQAError

Vectors = NDArray[np.float32]

MIN_CHUNK_WORDS, MAX_CHUNK_WORDS = 20, 1000


@dataclass(frozen=True, slots=True)
class DocumentDate:
    """A date as a document writes it; `year` is None where the document gives none.

    `written` is a piece of the document, to the letter ("2022-05-11 13:00", "February 3").
    """

    written: str
    month: int
    day: int
    year: int | None = None

    @property
    def iso(self) -> str:
        """ISO 8601: "2022-05-11", or without a year "--02-03"."""
        year = "-" if self.year is None else f"{self.year:04d}"
        return f"{year}-{self.month:02d}-{self.day:02d}"


@dataclass(frozen=True, slots=True)
class Document:
    """One source file, or part of a container: its normalised text (Unicode NFC, line feeds) and its metadata.

    `path` is as the user gave it, `location` absolute with links resolved; of a part of a container,
    "old.zip/a.txt" or "notes.jsonl#12", and "/abs/old.zip//a.txt" or "/abs/notes.jsonl//#12". `pages` holds the
    offset at which each page begins, and is empty for formats without pages. `sections` holds where each heading or
    row begins, with its label, in rising order. `note` says what of the file could not be read.
    `is_named_by_file`: the title is the file's name.
    """

    id: str
    title: str
    path: str
    location: str
    text: str
    date: DocumentDate | None = None
    pages: tuple[int, ...] = ()
    sections: tuple[tuple[int, str], ...] = ()
    language: str | None = None
    note: str | None = None
    is_named_by_file: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of whole sentences of one document."""

    document_id: str
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Chunking:
    """How the documents of an index are cut, and whether a chunk is searched together with its document's title.

    Raises EpiQAError unless a chunk can hold a sentence.
    """

    min_words: int = 120
    max_words: int = 180
    with_title: bool = True

    def __post_init__(self) -> None:
        for name, kind in (("min_words", int), ("max_words", int), ("with_title", bool)):
            if type(getattr(self, name)) is not kind:
                raise EpiQAError(f"{name} is {getattr(self, name)!r}: it must be of the type {kind.__name__}")
        if not MIN_CHUNK_WORDS <= self.min_words <= self.max_words <= MAX_CHUNK_WORDS:
            raise EpiQAError(
                f"min_words is {self.min_words} and max_words {self.max_words}: chunks need two numbers from"
                f" {MIN_CHUNK_WORDS} to {MAX_CHUNK_WORDS}, the lower first"
            )

    def __str__(self) -> str:
        """Says it as the shell takes it."""
        titles = "--titles" if self.with_title else "--no-titles"
        return f"--chunk-words {self.min_words}-{self.max_words} {titles}"


DEFAULT_CHUNKING = Chunking()


@dataclass(frozen=True, slots=True)
class Place:
    """From `start` on, a document is on this page, and under this heading or in this row."""

    start: int
    page: int | None
    section: str | None


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that retrieval returned, with the metadata that a citation needs.

    `score` orders them, higher is better. Its parts: `dense` is the cosine of question and chunk, `lexical` the
    BM25 score, `fused` what both make together, `reader` the reader's best margin over "no answer", in logits. A
    part is None where the passage was not returned, or the part not asked for.
    `page` and `section` (a heading, a row) are those at `start`; `turns` are where one of them changes inside.
    """

    document_id: str
    title: str
    path: str
    date: DocumentDate | None
    page: int | None
    start: int
    end: int
    quote: str
    score: float
    dense: float | None = None
    lexical: float | None = None
    fused: float | None = None
    reader: float | None = None
    section: str | None = None
    turns: tuple[Place, ...] = ()

    def place(self, offset: int) -> Place:
        """Returns the page and section in force at an offset of the document inside this passage."""
        passed = bisect_right(self.turns, offset, key=lambda turn: turn.start)
        return self.turns[passed - 1] if passed else Place(self.start, self.page, self.section)


@dataclass(frozen=True, slots=True)
class Span:
    """A reader's candidate answer inside `passage`; `start` and `end` are offsets in the document.

    `score` is the sum of the start and end logits, `null_score` the same sum for "no answer" in that
    passage; `probability` in [0, 1] is the span's share of the passage's probability mass. `first_margin` is the
    best score less `null_score` that the first of two readers gave a span of the passage, where there are two.
    """

    passage: Passage
    start: int
    end: int
    quote: str
    score: float
    null_score: float
    probability: float
    first_margin: float | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """Where an answer stands. `before + quote + after` is the sentence around it, to the letter.

    `section` is the heading, the row or the like in force at `start`, where the document has such.
    """

    document_id: str
    title: str
    path: str
    date: DocumentDate | None
    page: int | None
    start: int
    end: int
    quote: str
    before: str
    after: str
    section: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One possible answer with every place that gives it; the first citation's quote is `text`."""

    text: str
    confidence: float
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What `EpiQA.ask` returns.

    `text` is None and `citations` empty when the documents do not answer the question; `confidence` in
    [0, 1] is then that of the best candidate that was held back. `candidates` are in falling confidence,
    the answer first, and without those that are hardly likely; `passages` are those that were read, best first.
    """

    question: str
    is_answered: bool
    text: str | None
    confidence: float
    citations: tuple[Citation, ...]
    candidates: tuple[Candidate, ...]
    passages: tuple[Passage, ...]
    timings_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """Which generation of the index is open, what it holds, and what made it.

    `unread` counts the files that were to be indexed and could not be read. `vectors` names the kinds of FAISS
    index that its parts have, as `index_factory` does: "Flat" is exact.
    """

    generation: str
    documents: int
    chunks: int
    embedder: str
    dimensions: int
    unread: int = 0
    vectors: str = "Flat"


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """A document as the index lists it, without its text.

    `note` says what of the file could not be read; `also` are the further paths at which the same content lies;
    `pages` is 0 for formats without pages.
    """

    id: str
    title: str
    path: str
    date: DocumentDate | None
    characters: int
    chunks: int
    language: str | None = None
    note: str | None = None
    also: tuple[str, ...] = ()
    pages: int = 0


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What became of each document that `build` or `add` was to read; paths as the user gave them.

    `added` are new documents or further copies; `replaced` have new content. `skipped` pairs a path with the
    reason, `notes` a path that was read with a remark. `removed` are gone from their folder or container; `moved`
    pairs the old path with the new one. `left` counts the files not reached because `add_paths` was told to stop.
    `index` is what the index then holds, None without one. `set_aside` is where a rebuild left the old index.
    """

    added: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    removed: tuple[str, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    moved: tuple[tuple[str, str], ...] = ()
    left: int = 0
    index: IndexInfo | None = None
    set_aside: str | None = None


class Embedder(Protocol):
    """Turns texts into vectors whose inner product is their cosine."""

    @property
    def name(self) -> str:
        """What `load_embedder` takes to load it again."""

    @property
    def fingerprint(self) -> str:
        """Name and content hash: two embedders with the same fingerprint give the same vectors."""

    @property
    def dimensions(self) -> int:
        """Length of one vector."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Returns float32, shape (texts, dimensions), each row of length 1."""


class Reader(Protocol):
    """Finds candidate answers to a question in passages."""

    @property
    def fingerprint(self) -> str:
        """Kind and hash of the weights: a calibration belongs to the reader of its fingerprint."""

    def read(self, question: str, passages: Sequence[Passage]) -> list[Span]:
        """Returns the best few spans of each passage, in any order."""
