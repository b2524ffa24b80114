"""EpiQA: the one place where the stages meet. The shell, the page and the evaluation call it and nothing below.

It adds nothing of its own to an answer: it opens things, orders the calls, and takes the time.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

from epiqa.answering.calibration import (
    CALIBRATION,
    Calibration,
    write_calibration,
)
from epiqa.arguments import (
    AnyEmbedder,
    AnyPath,
    AnyReader,
    check_choice,
    check_embedder,
    check_filter,
    check_flag,
    check_instance,
    check_passages,
    check_path,
    check_probability,
    check_question,
    check_reader,
    check_text,
    check_top_k,
    shown,
)
from epiqa.errors import EpiQAError
from epiqa.filters import EVERYTHING, Filter
from epiqa.live_index import LiveIndex
from epiqa.models.lazy import Lazy
from epiqa.search.reranker import RERANKED, rerank_by_reading
from epiqa.search.retriever import Method, Retrieval, retrieve
from epiqa.sync.operations import add_paths, remove_document
from epiqa.sync.options import DEFAULT_OPTIONS, OnProgress, UpdateOptions
from epiqa.text_qa import open_reader, read_and_answer
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

_log = logging.getLogger("epiqa")


class EpiQA:
    """An index with the models to question it; made by `EpiQA.open` or `EpiQA.build`.

    Models are opened when first needed. A question sees one generation of the index, whole; the next one sees what
    another process has committed meanwhile. Safe for several threads.
    """

    def __init__(
        self,
        live: LiveIndex,
        *more: object,
        reader: Reader | str | None = None,
    ) -> None:
        if more or not isinstance(live, LiveIndex):
            raise EpiQAError(
                f"EpiQA({shown(live)}, …) opens nothing: call EpiQA.open(index), or EpiQA.build(paths, index=…)"
            )
        self.directory = live.directory
        self._live = live
        self._reader = Lazy(lambda: open_reader(reader))

    @classmethod
    def build(
        cls,
        paths: AnyPath | Iterable[AnyPath],
        index: AnyPath = "index",
        *,
        embedder: AnyEmbedder = None,
        reader: AnyReader = None,
        chunking: Chunking | None = None,
        prune: bool = False,
        ocr: bool = False,
        rebuild: bool = False,
        on_progress: OnProgress | None = None,
    ) -> EpiQA:
        """Indexes files and folders and opens the index; what an index there already held stays.

        Args:
            paths: A file, a folder or a pattern, or several.
            embedder: A model's name or path, or an `Embedder`; None is the one that made the index, or the bundled.
            reader: A model's folder, or a `Reader`; None is the bundled one.
            chunking: How documents are cut; None is the index's own way, or the default.
            prune: Removes the documents of files that are gone from `paths`.
            ocr: Reads pages without text by tesseract.
            rebuild: Sets the old index aside and builds it anew, of `paths` alone.
            on_progress: Called with the number of files done, of all files, and the file at hand.

        Files that cannot be read are logged as warnings with the reason. Raises EpiQAError when not one document
        could be read (see `sync.operations.add_paths`), and what `open` raises.
        """
        reader = check_reader(reader)
        if chunking is not None:
            check_instance("chunking", chunking, Chunking, "Chunking(120, 180)")
        options = UpdateOptions(
            embedder=check_embedder(embedder),
            chunking=chunking,
            prune=check_flag("prune", prune),
            is_recognising=check_flag("ocr", ocr),
            rebuild=check_flag("rebuild", rebuild),
            on_progress=_checked_progress(on_progress),
        )
        report = add_paths(paths, index, options)
        for kind, remarks in (("skipped", report.skipped), ("note", report.notes)):
            for path, remark in remarks:
                _log.warning("%s %s: %s", kind, path, remark)
        if report.set_aside:
            _log.warning("the old index lies in %s", report.set_aside)
        return cls.open(index, embedder=embedder, reader=reader)

    @classmethod
    def open(
        cls,
        index: AnyPath = "index",
        *,
        embedder: AnyEmbedder = None,
        reader: AnyReader = None,
        is_pinned: bool = False,
    ) -> EpiQA:
        """Opens an index after checking its files' SHA-256; `embedder` and `reader` are as in `build`.

        With `is_pinned` it stays with the generation that is live now, as a measurement should.
        Raises IndexMissingError, IndexDamagedError, or EmbedderMismatchError.
        """
        reader = check_reader(reader)
        live = LiveIndex(
            check_path("index", index), check_embedder(embedder), is_pinned=check_flag("is_pinned", is_pinned)
        )
        qa = cls(live, reader=reader)
        if embedder is not None:
            _ = qa.embedder
        live.read_calibration()  # a bad one is better found now than at the first question
        return qa

    def preload(self) -> None:
        """Begins to open the models in threads, so that the first question waits less."""
        self._live.current().embedder.begin()
        self._reader.begin()

    @property
    def embedder(self) -> Embedder:
        """The embedder of the index. Raises EmbedderMismatchError when the given one is another."""
        return self._live.current().embedder.get()

    @property
    def reader(self) -> Reader:
        """The reader."""
        return self._reader.get()

    @property
    def calibration(self) -> Calibration:
        """The index's own, where `epiqa calibrate` made one for this reader, else the bundled one.

        Raises IndexDamagedError when the index's own cannot be read.
        """
        return self._live.calibration(self.reader.fingerprint)

    def use_calibration(self, calibration: Calibration) -> None:
        """Stores a calibration in the index directory and uses it from now on."""
        check_instance("calibration", calibration, Calibration, "what epiqa.evaluation.calibrate returns")
        write_calibration(calibration, self.directory / CALIBRATION)

    @property
    def info(self) -> IndexInfo:
        """What the live generation holds."""
        return self._live.current().index.info

    def documents(self) -> list[DocumentInfo]:
        """Returns all documents, by path."""
        return self._live.current().index.documents()

    def unread(self) -> list[tuple[str, str]]:
        """Returns path and reason of each file that could not be read, by path."""
        return self._live.current().index.unread()

    def count_documents(self, within: Filter = EVERYTHING) -> int:
        """Returns how many documents meet a filter."""
        return self._live.current().index.count_documents(check_filter(within))

    def document_text(self, document_id: str) -> str | None:
        """Returns the normalised text that the offsets of citations refer to, or None for an unknown id."""
        return self._live.current().index.text(check_text("document_id", document_id))

    def original(self, document_id: str) -> Path | None:
        """Returns a file that a document was read from, or that holds it; None where there is none."""
        names = self._live.current().index.files_of(check_text("document_id", document_id))
        return next((file for file in map(Path, map(os.fsdecode, names)) if file.is_file()), None)

    def add(
        self,
        paths: AnyPath | Iterable[AnyPath],
        *,
        prune: bool = False,
        ocr: bool = False,
        on_progress: OnProgress | None = None,
    ) -> IndexReport:
        """Adds or updates documents, as `build` does; questions go on meanwhile, on the old generation."""
        options = UpdateOptions(
            embedder=self.embedder,
            prune=check_flag("prune", prune),
            is_recognising=check_flag("ocr", ocr),
            on_progress=_checked_progress(on_progress),
        )
        return add_paths(paths, self.directory, options)

    def remove(self, name: str) -> None:
        """Removes a document by its id, or a file that could not be read, by its path, from the list of these.

        Raises EpiQAError when there is neither.
        """
        remove_document(check_text("name", name), self.directory)

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

        `within` confines the search to some documents; `method` and `rewrite` are as in `retriever.Retrieval`.
        `rerank` lets the reader read the first passages; what it finds counts for their order. Raises QuestionError
        for an unusable query, FilterError when no document meets the filter.
        """
        query, top_k = check_question(query), check_top_k(top_k)
        how, live = _retrieval(method, rewrite, within), self._live.current()
        if not check_flag("rerank", rerank):
            return retrieve(query, live.index, live.embedder.get(), top_k=top_k, how=how)
        passages = retrieve(query, live.index, live.embedder.get(), top_k=max(top_k, RERANKED), how=how)
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
        """Answers a question from the `top_k` best passages, or says that the documents do not answer it.

        An answer with less confidence than `min_confidence` is held back; None stands for the calibration's
        threshold. The rest is as in `search`. Raises QuestionError for an unusable question, FilterError when no
        document meets the filter.
        """
        question, top_k = check_question(question), check_top_k(top_k)
        min_confidence = check_probability("min_confidence", min_confidence)
        how, live = _retrieval(method, rewrite, within), self._live.current()
        embedder = live.embedder.get()  # before the time is taken, like the reader below
        begun = time.perf_counter()
        passages = retrieve(question, live.index, embedder, top_k=top_k, how=how)
        seconds = time.perf_counter() - begun
        return read_and_answer(question, passages, self.reader, self.calibration, seconds, min_confidence)

    def read(self, question: str, passages: Sequence[Passage]) -> list[Span]:
        """Returns the reader's spans without deciding between them: what a calibration is fitted on."""
        return self.reader.read(check_question(question), check_passages(passages))


def _retrieval(method: Method, rewrite: bool, within: Filter) -> Retrieval:
    check_choice("method", method, get_args(Method))
    return Retrieval(method=method, rewrite=check_flag("rewrite", rewrite), within=check_filter(within))


def _checked_progress(on_progress: OnProgress | None) -> OnProgress:
    if on_progress is None:
        return DEFAULT_OPTIONS.on_progress
    if not callable(on_progress):
        raise EpiQAError(f"on_progress is {shown(on_progress)}: give a function of (done, total, path)")
    return on_progress
