"""Asks a question set and takes the measures; every question's outcome is kept for the report."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Literal, TypeVar

import numpy as np

from epiqa.errors import QuestionSetError
from epiqa.evaluation import metrics
from epiqa.evaluation.questions import Question, QuestionSet, RetrievalSet, read_questions
from epiqa.pipeline import EpiQA, Method, TextQA, add_documents
from epiqa.types import Answer, Document, Embedder, Passage, Reader

Mode = Literal["open", "reader"]
OnProgress = Callable[[int, int], None]

T = TypeVar("T")

CUTOFFS = (1, 5, 20)
RANK_CUTOFF = 10
# Enough that 20 different documents are among them, long ones included.
PASSAGES_PER_QUERY = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question. `hits` tells of each passage retrieved whether it holds a gold answer."""

    question: Question
    answer: Answer
    exact_match: float
    f1: float
    forced_f1: float
    verbatim: tuple[bool, ...]
    hits: tuple[bool, ...] | None
    latency_ms: float

    @property
    def is_right(self) -> bool:
        """The best candidate, held back or not, has an F1 of at least 0.5."""
        return self.forced_f1 >= metrics.RIGHT_F1


@dataclass(frozen=True, slots=True)
class QueryOutcome:
    """What became of one query of a retrieval set: its documents, best first, with their scores, and its measures.

    `relevant` are the grades of the documents that were judged relevant, by corpus id.
    """

    id: str
    query: str
    ranking: tuple[tuple[str, float], ...]
    relevant: Mapping[str, float]
    measures: Mapping[str, float]
    latency_ms: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The measures under the names of `epiqa evaluate --json`, and the outcomes they were taken from.

    Of answered questions there are `outcomes`, of a retrieval set `queries`. `settings` tell what was asked how, on
    what, and with which versions; `intervals` are 95 % bootstrap confidence intervals of measures, (low, high), by
    their flat names; `skipped` are the messages about invalid lines that were left out.
    """

    measures: dict[str, Any]
    outcomes: tuple[Outcome, ...] = ()
    queries: tuple[QueryOutcome, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()


def evaluate(
    path: Path,
    *,
    index: Path = Path("index"),
    mode: Mode = "open",
    distraction: Sequence[Document] = (),
    embedder: Embedder | str | None = None,
    reader: Reader | str | None = None,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Evaluates a question set.

    JSONL is asked against `index`; SQuAD is asked paragraph by paragraph in mode "reader", and in mode "open"
    against an index of its own articles, as BEIR is against one of its corpus. Both are made in a temporary
    folder; `distraction` are documents to index beside a SQuAD set's own. `embedder` and `reader` are as in
    `EpiQA`. Raises QuestionSetError, and what `EpiQA.open` raises.
    """
    begun = time.perf_counter()
    questions = read_questions(path)
    if isinstance(questions, RetrievalSet):
        if mode == "reader":
            raise QuestionSetError(f"{path}: a BEIR folder has no paragraphs to read: leave --mode reader out")
        measures: dict[str, Any] = _with_index(
            questions.documents, embedder, reader, lambda qa: retrieval_measures(questions, qa, on_progress)
        )
        return Evaluation(measures | {"seconds": _seconds_since(begun)})
    if mode == "reader":
        outcomes = _read_given(questions, path, TextQA(reader=reader), on_progress)
    elif questions.documents:
        outcomes = _with_index(
            (*questions.documents, *distraction), embedder, reader, lambda qa: _ask_all(questions, qa, on_progress)
        )
    else:
        outcomes = _ask_all(questions, EpiQA.open(index, embedder=embedder, reader=reader), on_progress)
    return Evaluation(answer_measures(outcomes) | {"seconds": _seconds_since(begun)}, tuple(outcomes))


def _with_index(
    documents: Sequence[Document],
    embedder: Embedder | str | None,
    reader: Reader | str | None,
    use: Callable[[EpiQA], T],
) -> T:
    """Makes an index of the documents for as long as `use` runs."""
    with tempfile.TemporaryDirectory(prefix="epiqa-") as folder:
        add_documents(documents, folder, embedder=embedder)
        return use(EpiQA.open(folder, embedder=embedder, reader=reader))


def _ask_all(questions: QuestionSet, qa: EpiQA, on_progress: OnProgress | None) -> list[Outcome]:
    """Asks every question with nothing but itself given."""
    outcomes = []
    for done, question in enumerate(questions.questions):
        _tell(on_progress, done, len(questions.questions))
        begun = time.perf_counter()
        answer = qa.ask(question.question)
        latency_ms = _milliseconds_since(begun)
        hits = None
        if question.is_answerable and question.document:
            passages = qa.search(question.question, top_k=max(CUTOFFS))
            hits = tuple(_holds_answer(passage, question) for passage in passages)
        verbatim = tuple(
            (qa.document_text(c.document_id) or "")[c.start : c.end] == c.quote for c in answer.citations
        )
        outcomes.append(_outcome(question, answer, verbatim, hits, latency_ms))
    _tell(on_progress, len(questions.questions), len(questions.questions))
    return outcomes


def _read_given(questions: QuestionSet, path: Path, qa: TextQA, on_progress: OnProgress | None) -> list[Outcome]:
    """Asks every question about the paragraph given with it."""
    outcomes = []
    for done, question in enumerate(questions.questions):
        _tell(on_progress, done, len(questions.questions))
        if question.context is None:
            raise QuestionSetError(f"{path}: --mode reader needs SQuAD JSON, where each question has a paragraph")
        begun = time.perf_counter()
        answer = qa.ask(question.question, question.context, title=question.title)
        latency_ms = _milliseconds_since(begun)
        verbatim = tuple(question.context[c.start : c.end] == c.quote for c in answer.citations)
        outcomes.append(_outcome(question, answer, verbatim, None, latency_ms))
    _tell(on_progress, len(questions.questions), len(questions.questions))
    return outcomes


def _outcome(
    question: Question,
    answer: Answer,
    verbatim: tuple[bool, ...],
    hits: tuple[bool, ...] | None,
    latency_ms: float,
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
    )


def _is_in(path: str, document: str | None) -> bool:
    """Tells whether a document's path is the one a question names, by path or by file name."""
    return document is not None and document in (path, PurePath(path).name)


def _holds_answer(passage: Passage, question: Question) -> bool:
    """Tells whether a passage overlaps a gold answer; without places, whether it holds its words."""
    if not _is_in(passage.path, question.document):
        return False
    if question.places:
        return any(passage.start < end and start < passage.end for start, end in question.places)
    return any(answer in passage.quote for answer in question.answers)


def answer_measures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Returns the measures of answered questions; one that does not apply is left out.

    `has_answer_f1` is that of the best candidate on answerable questions, held back or not. AUROC, coverage
    and calibration are about the best candidate's confidence, and whether it is right (F1 of at least 0.5; on
    an unanswerable question, never).
    """
    answerable = [outcome for outcome in outcomes if outcome.question.is_answerable]
    unanswerable = [outcome for outcome in outcomes if not outcome.question.is_answerable]
    confidences = [outcome.answer.confidence for outcome in outcomes]
    right = [outcome.is_right for outcome in outcomes]
    measures: dict[str, Any] = {
        "questions": len(outcomes),
        "answerable": len(answerable),
        "exact_match": _mean(outcome.exact_match for outcome in outcomes),
        "f1": _mean(outcome.f1 for outcome in outcomes),
        "has_answer_f1": _mean(outcome.forced_f1 for outcome in answerable),
        "no_answer_accuracy": _mean(not outcome.answer.is_answered for outcome in unanswerable),
    }
    searched = [outcome.hits for outcome in outcomes if outcome.hits is not None]
    for k in CUTOFFS:
        measures[f"recall@{k}"] = _mean(any(hits[:k]) for hits in searched)
    measures[f"mrr@{RANK_CUTOFF}"] = _mean(metrics.reciprocal_rank(hits, RANK_CUTOFF) for hits in searched)
    placed = [outcome for outcome in answerable if outcome.answer.is_answered and outcome.hits is not None]
    citation = {
        "verbatim": _mean(is_verbatim for outcome in outcomes for is_verbatim in outcome.verbatim),
        "document_accuracy": _mean(
            _is_in(outcome.answer.citations[0].path, outcome.question.document) for outcome in placed
        ),
    }
    abstention = {
        "auroc": metrics.auroc(confidences, right),
        "coverage@80": metrics.coverage(confidences, right, 0.8),
        "coverage@90": metrics.coverage(confidences, right, 0.9),
        "false_answer_rate": _mean(outcome.answer.is_answered for outcome in unanswerable),
    }
    measures["citation"] = _applicable(citation)
    measures["abstention"] = _applicable(abstention)
    measures["calibration"] = {
        "ece": metrics.expected_calibration_error(confidences, right),
        "brier": metrics.brier(confidences, right),
    }
    measures["latency_ms"] = _latency([outcome.latency_ms for outcome in outcomes])
    return _applicable(measures)


def retrieval_measures(
    questions: RetrievalSet, qa: EpiQA, on_progress: OnProgress | None = None, *, method: Method = "fused"
) -> dict[str, Any]:
    """Returns the measures of retrieval by document: a document ranks where its first passage does."""
    rows: list[dict[str, float]] = []
    latencies_ms = []
    for done, (query, text) in enumerate(questions.queries.items()):
        _tell(on_progress, done, len(questions.queries))
        begun = time.perf_counter()
        passages = qa.search(text, top_k=PASSAGES_PER_QUERY, method=method)
        latencies_ms.append(_milliseconds_since(begun))
        ranking = list(dict.fromkeys(passage.path for passage in passages))
        grades = questions.qrels[query]
        row = {f"recall@{k}": metrics.recall(ranking, set(grades), k) for k in CUTOFFS}
        hits = [path in grades for path in ranking]
        row[f"mrr@{RANK_CUTOFF}"] = metrics.reciprocal_rank(hits, RANK_CUTOFF)
        gains = [grades.get(path, 0.0) for path in ranking]
        row[f"ndcg@{RANK_CUTOFF}"] = metrics.ndcg(gains, list(grades.values()), RANK_CUTOFF)
        rows.append(row)
    _tell(on_progress, len(questions.queries), len(questions.queries))
    means = {name: _mean(row[name] for row in rows) for name in rows[0]}
    return {"questions": len(rows)} | means | {"latency_ms": _latency(latencies_ms)}


def _tell(on_progress: OnProgress | None, done: int, total: int) -> None:
    if on_progress:
        on_progress(done, total)


def _mean(values: Iterable[float]) -> float | None:
    collected = list(values)
    return float(np.mean(collected)) if collected else None


def _applicable(measures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in measures.items() if value is not None and value != {}}


def _latency(milliseconds: Sequence[float]) -> dict[str, float]:
    return {f"p{percent}": round(float(np.percentile(milliseconds, percent)), 1) for percent in (50, 95)}


def _milliseconds_since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000


def _seconds_since(begun: float) -> float:
    return round(time.perf_counter() - begun, 2)
