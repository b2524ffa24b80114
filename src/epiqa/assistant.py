"""EpiQA: the one place where the stages meet; the shell, the page and the evaluation call it, nothing below.

It adds no logic of its own to an answer: it opens things, orders the calls, and takes the time.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Lock

from epiqa.answering.answer import answer
from epiqa.answering.calibration import Calibration, bundled_calibration, read_calibration, write_calibration
from epiqa.errors import EpiQAError, QuestionError
from epiqa.filters import EVERYTHING, Filter
from epiqa.ingest import make_document, normalise
from epiqa.models.lazy import Once
from epiqa.models.reader import RERANKED, load_reader, rerank_by_reading
from epiqa.search.retriever import Method, Retrieval, retrieve
from epiqa.store.opening import open_reader
from epiqa.store.protocol import IndexReader
from epiqa.sync.operations import (
    CALIBRATION,
    AnyPath,
    add_documents,
    add_paths,
    matching_embedder,
    remove_document,
    verify_index,
)
from epiqa.sync.updater import OnProgress
from epiqa.text.chunker import chunk
from epiqa.types import (
    Answer,
    Chunking,
    DocumentInfo,
    Embedder,
    IndexInfo,
    IndexReport,
    Passage,
    Reader,
    Span,
)

TOP_K = 6
MAX_TOP_K = 1000
MAX_QUESTION_CHARACTERS = 1000

__all__ = [
    "CALIBRATION",
    "EpiQA",
    "Filter",
    "Method",
    "TextQA",
    "add_documents",
    "add_paths",
    "check_question",
    "remove_document",
    "verify_index",
]

_log = logging.getLogger("epiqa")


def check_question(question: str) -> str:
    """Returns the question, trimmed and normalised.

    Raises QuestionError when it is empty, without a word, or too long.
    """
    question = normalise(question).strip()
    if not question:
        raise QuestionError("the question is empty: ask one in a few words, such as Who presided over the meeting?")
    if len(question) > MAX_QUESTION_CHARACTERS:
        raise QuestionError(
            f"the question has {len(question)} characters, more than {MAX_QUESTION_CHARACTERS}: shorten it"
        )
    if not re.search(r"\w", question):
        raise QuestionError(f"the question {question!r} has no words: ask one in a few words")
    return question


class EpiQA:
    """An index with the models to question it. Models are loaded when first needed.

    `reader` is the bundled one for None, else a local folder (see `read.load_reader`) or an object that
    meets the `Reader` protocol; `embedder` likewise (see `embed.load_embedder`), and for None the one that
    made the index. A running question sees one generation of the index, whole. Safe for several threads.
    """

    def __init__(
        self,
        directory: Path,
        index: IndexReader,
        *,
        embedder: Embedder | str | None = None,
        reader: Reader | str | None = None,
    ) -> None:
        self.directory = directory
        self._index = index
        self._embedder = Once(
            lambda: matching_embedder(embedder, index.embedder_name, index.info.embedder, directory)
        )
        self._reader = Once(lambda: _reader(reader))
        self._reopening = Lock()

    @classmethod
    def build(
        cls,
        paths: AnyPath | Iterable[AnyPath],
        index: AnyPath = "index",
        *,
        embedder: Embedder | str | None = None,
        reader: Reader | str | None = None,
        chunking: Chunking | None = None,
        prune: bool = False,
        ocr: bool = False,
        rebuild: bool = False,
        on_progress: OnProgress | None = None,
    ) -> EpiQA:
        """Indexes files and folders and opens the index; what an index there already held stays.

        `chunking` says how documents are cut; None is the index's own, or the default where there is none.
        `prune`, `ocr`, `rebuild`, `on_progress` and what is raised are as in `indexing.add_paths`; and what
        `open` raises. Files that cannot be read are logged as warnings with the reason, and the rest goes on.
        """
        report = add_paths(
            paths,
            index,
            embedder=embedder,
            chunking=chunking,
            prune=prune,
            ocr=ocr,
            rebuild=rebuild,
            on_progress=on_progress,
        )
        for kind, remarks in (("skipped", report.skipped), ("note", report.notes)):
            for path, remark in remarks:
                _log.warning("%s %s: %s", kind, path, remark)
        if report.set_aside:
            _log.warning("the index that was there lies in %s", report.set_aside)
        return cls.open(index, embedder=embedder, reader=reader)

    @classmethod
    def open(
        cls,
        index: AnyPath = "index",
        *,
        embedder: Embedder | str | None = None,
        reader: Reader | str | None = None,
    ) -> EpiQA:
        """Opens an index after checking its files' SHA-256.

        Raises IndexMissingError, IndexDamagedError, or EmbedderMismatchError.
        """
        directory = Path(index)
        qa = cls(directory, open_reader(directory), embedder=embedder, reader=reader)
        if embedder is not None:
            _ = qa.embedder
        read_calibration(directory / CALIBRATION)  # a bad one is better found now than at the first question
        return qa

    def preload(self) -> None:
        """Begins to load the models while other things go on, so that the first question waits less."""
        self._embedder.begin()
        self._reader.begin()

    @property
    def embedder(self) -> Embedder:
        """The embedder of the index; raises EmbedderMismatchError when the given one is another."""
        return self._embedder.get()

    @property
    def reader(self) -> Reader:
        """The reader."""
        return self._reader.get()

    @cached_property
    def calibration(self) -> Calibration:
        """The index's own, where `calibrate` made one for this reader, else the bundled one.

        Raises IndexDamagedError when the index's own cannot be read.
        """
        own = read_calibration(self.directory / CALIBRATION)
        if own is None:
            return bundled_calibration()
        if own.reader != self.reader.fingerprint:
            _log.warning(
                "%s belongs to another reader and is not used: run epiqa calibrate again",
                self.directory / CALIBRATION,
            )
            return bundled_calibration()
        return own

    def use_calibration(self, calibration: Calibration) -> None:
        """Stores a calibration in the index, in the place of the last one, and goes on with it."""
        write_calibration(calibration, self.directory / CALIBRATION)
        self.calibration = calibration

    @property
    def info(self) -> IndexInfo:
        """What the open generation holds."""
        return self._index.info

    def documents(self) -> list[DocumentInfo]:
        """Returns all documents, by path."""
        return self._index.documents()

    def unread(self) -> list[tuple[str, str]]:
        """Returns path and reason of each file that was to be indexed and could not be read, by path."""
        return self._index.unread()

    def count_documents(self, within: Filter = EVERYTHING) -> int:
        """Returns how many documents meet a filter."""
        return self._index.count_documents(within)

    def document_text(self, document_id: str) -> str | None:
        """Returns the normalised text that the offsets of citations refer to, or None for an unknown id."""
        return self._index.text(document_id)

    def original(self, document_id: str) -> Path | None:
        """Returns a file that a document was read from, or that holds it; None if there is none, or no such id."""
        files = (Path(os.fsdecode(name)) for name in self._index.files_of(document_id))
        return next((file for file in files if file.is_file()), None)

    def add(
        self,
        paths: AnyPath | Iterable[AnyPath],
        *,
        prune: bool = False,
        ocr: bool = False,
        on_progress: OnProgress | None = None,
    ) -> IndexReport:
        """Adds or updates documents, as `build` does, and goes on with the new generation.

        Questions go on meanwhile, with the generation that is open.
        """
        try:
            return add_paths(
                paths, self.directory, embedder=self.embedder, prune=prune, ocr=ocr, on_progress=on_progress
            )
        finally:  # what could not be read was noted, even where nothing was indexed
            self._reopen()

    def remove(self, name: str) -> None:
        """Removes a document, by its id, or a file that could not be read, by its path, from the list of these.

        Raises EpiQAError when there is neither.
        """
        remove_document(name, self.directory)
        self._reopen()

    def _reopen(self) -> None:
        with self._reopening:  # else one thread's older generation could take the place of another's newer one
            self._index = open_reader(self.directory)
            self.__dict__.pop("calibration", None)  # read again when needed

    def search(
        self,
        query: str,
        *,
        top_k: int = 10,
        within: Filter = EVERYTHING,
        method: Method = "fused",
        rewrite: bool = True,
        rerank: bool = False,
    ) -> list[Passage]:
        """Returns up to `top_k` passages, best first.

        `within` confines the search to some documents; `method` and `rewrite` are as in
        `retrieve.Retrieval`. `rerank` lets the reader read the first passages, and what it finds in them count for
        their order (`read.rerank_by_reading`). Raises QuestionError for an unusable query, FilterError when no
        document meets the filter.
        """
        query, top_k = check_question(query), _checked_top_k(top_k)
        how = Retrieval(method=method, rewrite=rewrite, within=within)
        if not rerank:
            return retrieve(query, self._index, self.embedder, top_k=top_k, how=how)
        passages = retrieve(query, self._index, self.embedder, top_k=max(top_k, RERANKED), how=how)
        return rerank_by_reading(query, passages, self.reader)[:top_k]

    def ask(
        self,
        question: str,
        *,
        top_k: int = TOP_K,
        min_confidence: float | None = None,
        within: Filter = EVERYTHING,
        method: Method = "fused",
        rewrite: bool = True,
    ) -> Answer:
        """Answers a question from the `top_k` best passages, or says that the documents don't.

        An answer less sure than `min_confidence` is held back; None stands for the calibration's threshold. The
        rest is as in `search`. Raises QuestionError for an unusable question, FilterError when no document meets
        the filter.
        """
        question, top_k = check_question(question), _checked_top_k(top_k)
        _check_min_confidence(min_confidence)
        how = Retrieval(method=method, rewrite=rewrite, within=within)
        embedder = self.embedder  # before the time is taken, like the reader below
        begun = time.perf_counter()
        passages = retrieve(question, self._index, embedder, top_k=top_k, how=how)
        seconds = time.perf_counter() - begun
        return _read_and_answer(question, passages, self.reader, self.calibration, seconds, min_confidence)

    def read(self, question: str, passages: Sequence[Passage]) -> list[Span]:
        """Returns the reader's spans, without deciding between them: what a calibration is fitted on."""
        return self.reader.read(check_question(question), passages)


class TextQA:
    """Answers questions from a text given with each, without an index; `reader` is as in `EpiQA`."""

    def __init__(self, *, reader: Reader | str | None = None) -> None:
        self.reader = _reader(reader)

    def ask(self, question: str, text: str, *, title: str = "") -> Answer:
        """Answers a question from one text alone; offsets refer to `text`.

        Raises QuestionError for an unusable question, EpiQAError when `text` is not normalised (NFC, line
        feeds), for then offsets could not refer to it.
        """
        question = check_question(question)
        if normalise(text) != text:
            raise EpiQAError("the text is not normalised: give the result of epiqa.ingest.normalise")
        begun = time.perf_counter()
        document = make_document(text, path="text", location="text", title=title or None)
        passages = [
            Passage(
                document_id=document.id,
                title=document.title,
                path=document.path,
                date=document.date,
                page=None,
                start=piece.start,
                end=piece.end,
                quote=piece.quote,
                score=0.0,
            )
            for piece in chunk(document)
        ]
        seconds = time.perf_counter() - begun
        return _read_and_answer(question, passages, self.reader, bundled_calibration(), seconds)


def _read_and_answer(
    question: str,
    passages: Sequence[Passage],
    reader: Reader,
    calibration: Calibration,
    retrieve_s: float,
    min_confidence: float | None = None,
) -> Answer:
    """Runs the last two stages and notes the time that each stage took; the first took `retrieve_s`."""
    begun = time.perf_counter()
    spans = reader.read(question, passages)
    read = time.perf_counter()
    result = answer(question, spans, passages, calibration, min_confidence=min_confidence)
    done = time.perf_counter()
    seconds = {
        "retrieve": retrieve_s,
        "read": read - begun,
        "answer": done - read,
        "total": retrieve_s + done - begun,
    }
    return replace(result, timings_ms={name: round(value * 1000, 3) for name, value in seconds.items()})


def _reader(given: Reader | str | None) -> Reader:
    return load_reader(given) if given is None or isinstance(given, str) else given


def _check_min_confidence(value: float | None) -> None:
    if value is not None and not 0 <= value <= 1:
        raise EpiQAError(f"min_confidence is {value}: it must be from 0 to 1")


def _checked_top_k(top_k: int) -> int:
    if not 1 <= top_k <= MAX_TOP_K:
        raise EpiQAError(f"top_k is {top_k}: it must be from 1 to {MAX_TOP_K}")
    return top_k
