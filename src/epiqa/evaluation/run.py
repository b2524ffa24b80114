"""Asks a question set and takes the measures; every question's outcome is kept for the report and the exports."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from epiqa.answering.answer import normalise_answer
from epiqa.answering.calibration import bundled_calibration
from epiqa.assistant import TOP_K, EpiQA
from epiqa.errors import QuestionSetError
from epiqa.evaluation import metrics
from epiqa.evaluation.measures import CUTOFFS, answer_measures, query_measures, ranking_measures
from epiqa.evaluation.outcomes import (
    Evaluation,
    Outcome,
    QueryOutcome,
    RankedPassage,
    is_in,
    per_question,
    verdict,
)
from epiqa.evaluation.questions import Question, QuestionSet, RetrievalSet, read_questions
from epiqa.evaluation.sampling import confidence_intervals
from epiqa.evaluation.settings import calibration_settings, index_settings, question_set_settings, versions
from epiqa.search.retriever import Method
from epiqa.sync.operations import add_documents
from epiqa.sync.options import UpdateOptions
from epiqa.text_qa import TextQA
from epiqa.types import Answer, Document, Embedder, Passage, Reader

__all__ = [
    "Evaluation",
    "Mode",
    "Outcome",
    "QueryOutcome",
    "RankedPassage",
    "evaluate",
    "holds_answer",
    "retrieval_measures",
    "verdict",
]

Mode = Literal["open", "reader"]
OnProgress = Callable[[int, int], None]

# Enough that 20 different documents are among them, long ones included.
PASSAGES_PER_QUERY = 100
SEARCH: Mapping[str, Any] = {"method": "fused", "rewrite": True}


def evaluate(
    path: Path,
    *,
    index: Path = Path("index"),
    mode: Mode = "open",
    distraction: Sequence[Document] = (),
    embedder: Embedder | str | None = None,
    reader: Reader | str | None = None,
    search: Mapping[str, Any] = SEARCH,
    skip_invalid: bool = False,
    check: Callable[[QuestionSet | RetrievalSet], None] | None = None,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Evaluates a question set.

    Questions without documents of their own are asked against `index`; SQuAD is asked paragraph by paragraph in
    mode "reader", and in mode "open" against an index of its own articles, as BEIR is against one of its corpus.
    Both are made in a temporary folder; `distraction` are distractors to index beside a SQuAD set's own documents.
    `search` are arguments of `EpiQA.ask`: method, rewrite. `check` is called with the set before anything is asked,
    and may raise. Raises QuestionSetError, and what `EpiQA.open` raises.
    """
    begun = time.perf_counter()
    questions = read_questions(path, skip_invalid=skip_invalid)
    if mode == "reader":
        _check_paragraphs(questions, path)
    if check:
        check(questions)
    settings: dict[str, Any] = {"questions": question_set_settings(path), "mode": mode}
    outcomes: list[Outcome] = []
    queries: list[QueryOutcome] = []
    if mode == "reader" and isinstance(questions, QuestionSet):
        text_qa = TextQA(reader=reader)
        outcomes = _read_given(questions, text_qa, on_progress)
        settings["reader"] = text_qa.reader.fingerprint
        settings["calibration"] = calibration_settings(bundled_calibration())
    else:
        with _index(questions, distraction, index, embedder, reader) as qa:
            if isinstance(questions, RetrievalSet):
                queries = _search_all(questions, qa, on_progress, search)
                settings["top_k"] = PASSAGES_PER_QUERY
            else:
                outcomes = _ask_all(questions, qa, on_progress, search)
                settings |= {"top_k": TOP_K, "reader": qa.reader.fingerprint}
                settings["calibration"] = calibration_settings(qa.calibration)
            settings |= {"search": dict(search), "embedder": qa.embedder.fingerprint, "index": index_settings(qa)}
    settings["versions"] = versions()
    intervals = confidence_intervals(per_question(Evaluation({}, tuple(outcomes), tuple(queries))))
    measures = query_measures(queries) if queries else answer_measures(outcomes)
    measures["seconds"] = round(time.perf_counter() - begun, 2)
    return Evaluation(measures, tuple(outcomes), tuple(queries), settings, intervals, questions.skipped)


def retrieval_measures(
    questions: RetrievalSet, qa: EpiQA, on_progress: OnProgress | None = None, *, method: Method = "fused"
) -> dict[str, Any]:
    """Returns the measures of retrieval by document: a document ranks where its first passage does."""
    return query_measures(_search_all(questions, qa, on_progress, {**SEARCH, "method": method}))


def _check_paragraphs(questions: QuestionSet | RetrievalSet, path: Path) -> None:
    """Raises QuestionSetError for a set that mode "reader" cannot ask."""
    if isinstance(questions, RetrievalSet):
        raise QuestionSetError(f"{path}: a BEIR folder has no paragraphs to read: leave --mode reader out")
    if any(question.context is None for question in questions.questions):
        raise QuestionSetError(f"{path}: --mode reader needs SQuAD JSON, where each question has a paragraph")


@contextmanager
def _index(
    questions: QuestionSet | RetrievalSet,
    distraction: Sequence[Document],
    index: Path,
    embedder: Embedder | str | None,
    reader: Reader | str | None,
) -> Iterator[EpiQA]:
    """Opens `index`, or one of the set's own documents, made for as long as it is used."""
    if not questions.documents:
        yield EpiQA.open(index, embedder=embedder, reader=reader, is_pinned=True)
        return
    with tempfile.TemporaryDirectory(prefix="epiqa-") as folder:
        add_documents((*questions.documents, *distraction), folder, UpdateOptions(embedder=embedder))
        yield EpiQA.open(folder, embedder=embedder, reader=reader)


def _ask_all(
    questions: QuestionSet, qa: EpiQA, on_progress: OnProgress | None, search: Mapping[str, Any]
) -> list[Outcome]:
    """Asks every question with nothing but itself given."""
    outcomes = []
    for done, question in enumerate(questions.questions):
        _tell(on_progress, done, len(questions.questions))
        begun = time.perf_counter()
        answer = qa.ask(question.question, top_k=TOP_K, **search)
        latency_ms = _milliseconds_since(begun)
        passages = qa.search(question.question, top_k=max(CUTOFFS), **search)
        hits = None
        if question.is_answerable:
            hits = tuple(holds_answer(passage, question) for passage in passages)
        verbatim = tuple(
            (qa.document_text(c.document_id) or "")[c.start : c.end] == c.quote for c in answer.citations
        )
        outcomes.append(_outcome(question, answer, verbatim, hits, latency_ms, passages))
    _tell(on_progress, len(questions.questions), len(questions.questions))
    return outcomes


def _read_given(questions: QuestionSet, qa: TextQA, on_progress: OnProgress | None) -> list[Outcome]:
    """Asks every question about the paragraph given with it."""
    outcomes = []
    for done, question in enumerate(questions.questions):
        _tell(on_progress, done, len(questions.questions))
        context = question.context or ""
        begun = time.perf_counter()
        answer = qa.ask(question.question, context, title=question.title)
        latency_ms = _milliseconds_since(begun)
        verbatim = tuple(context[c.start : c.end] == c.quote for c in answer.citations)
        outcomes.append(_outcome(question, answer, verbatim, None, latency_ms))
    _tell(on_progress, len(questions.questions), len(questions.questions))
    return outcomes


def _search_all(
    questions: RetrievalSet, qa: EpiQA, on_progress: OnProgress | None, search: Mapping[str, Any]
) -> list[QueryOutcome]:
    """Searches for every query; a document ranks where its first passage does, and has its score."""
    queries = []
    for done, (query_id, text) in enumerate(questions.queries.items()):
        _tell(on_progress, done, len(questions.queries))
        begun = time.perf_counter()
        passages = qa.search(text, top_k=PASSAGES_PER_QUERY, **search)
        latency_ms = _milliseconds_since(begun)
        scores: dict[str, float] = {}
        for passage in passages:
            scores.setdefault(passage.path, passage.score)
        grades = questions.qrels[query_id]
        measures = ranking_measures(list(scores), grades)
        queries.append(QueryOutcome(query_id, text, tuple(scores.items()), grades, measures, latency_ms))
    _tell(on_progress, len(questions.queries), len(questions.queries))
    return queries


def _outcome(
    question: Question,
    answer: Answer,
    verbatim: tuple[bool, ...],
    hits: tuple[bool, ...] | None,
    latency_ms: float,
    passages: Sequence[Passage] = (),
) -> Outcome:
    forced = answer.candidates[0].text if answer.candidates else None
    return Outcome(
        question=question,
        answer=answer,
        exact_match=metrics.best(metrics.exact_match, answer.text, question.answers),
        f1=metrics.best(metrics.f1_score, answer.text, question.answers),
        forced_f1=metrics.best(metrics.f1_score, forced, question.answers) if question.is_answerable else 0.0,
        verbatim=verbatim,
        hits=hits,
        latency_ms=latency_ms,
        retrieved=tuple(RankedPassage(p.path, p.start, p.end, p.score) for p in passages),
    )


def holds_answer(passage: Passage, question: Question) -> bool:
    """Returns whether a passage overlaps a gold answer; without places, whether it holds its words.

    Where the set names no document, any that has the words of a gold answer in a row, compared as SQuAD's scoring
    does, counts: Chen et al. 2017, section 5; Karpukhin et al. 2020, section 5.
    """
    if question.document is None:
        text = f" {normalise_answer(passage.quote)} "
        return any(f" {words} " in text for words in filter(None, map(normalise_answer, question.answers)))
    if not is_in(passage.path, question.document):
        return False
    if question.places:
        return any(passage.start < end and start < passage.end for start, end in question.places)
    return any(answer in passage.quote for answer in question.answers)


def _tell(on_progress: OnProgress | None, done: int, total: int) -> None:
    if on_progress:
        on_progress(done, total)


def _milliseconds_since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000
