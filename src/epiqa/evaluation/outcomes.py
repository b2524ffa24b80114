"""What became of each question: the values that the measures, the report and the exports are made of.

`per_question` gives them as JSON has them: what a later run is compared with is read from these rows alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from epiqa.assistant import TOP_K
from epiqa.evaluation import metrics
from epiqa.evaluation.questions import Question
from epiqa.types import Answer


@dataclass(frozen=True, slots=True)
class RankedPassage:
    """The place of a passage that a search returned, and its score."""

    path: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question.

    `retrieved` are the first passages that a search for it returns, best first, more of them than were read; `hits`
    says for each whether it holds a gold answer; None where that is unknown.
    """

    question: Question
    answer: Answer
    exact_match: float
    f1: float
    forced_f1: float
    verbatim: tuple[bool, ...]
    hits: tuple[bool, ...] | None
    latency_ms: float
    retrieved: tuple[RankedPassage, ...] = ()

    @property
    def is_right(self) -> bool:
        """The best candidate, held back or not, has an F1 of at least 0.5."""
        return self.forced_f1 >= metrics.RIGHT_F1

    @property
    def first_hit(self) -> int | None:
        """The rank of the first passage that holds a gold answer, 0 when none does; None when not known."""
        if self.hits is None:
            return None
        return self.hits.index(True) + 1 if True in self.hits else 0

    @property
    def is_document_right(self) -> bool | None:
        """The first citation is in the document that the question names; None without an answer, or such a name."""
        if self.hits is None or not self.answer.citations or self.question.document is None:
            return None
        return is_in(self.answer.citations[0].path, self.question.document)


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


def is_in(path: str, document: str | None) -> bool:
    """Returns whether a document's path is the one a question names, by path or by file name."""
    return document is not None and document in (path, PurePath(path).name)


def verdict(outcome: Outcome) -> str:
    """Returns in a few words what went right or wrong with a question, and so what to mend.

    A wrong best candidate, held back or not, is "not retrieved" when none of the passages that were read holds a
    gold answer, else "misread"; where nobody knows which passages do, it is "misread". A right one that was held
    back is "wrongly abstained".
    """
    if not outcome.question.is_answerable:
        return "answered the unanswerable" if outcome.answer.is_answered else "right to abstain"
    if outcome.is_right:
        return "right" if outcome.answer.is_answered else "wrongly abstained"
    if outcome.hits is not None and not any(outcome.hits[:TOP_K]):
        return "not retrieved"
    return "misread"


def per_question(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Returns a row of JSON for each question, or query of a retrieval set."""
    return [*map(_answer_row, evaluation.outcomes), *map(_query_row, evaluation.queries)]


def _answer_row(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": outcome.question.id,
        "question": outcome.question.question,
        "is_answerable": outcome.question.is_answerable,
        "answer": outcome.answer.text,
        "confidence": outcome.answer.confidence,
        "exact_match": outcome.exact_match,
        "f1": outcome.f1,
        "has_answer_f1": outcome.forced_f1 if outcome.question.is_answerable else None,
        "is_right": outcome.is_right,
        "is_document_right": outcome.is_document_right,
        "verdict": verdict(outcome),
        "first_hit": outcome.first_hit,
        "latency_ms": round(outcome.latency_ms, 3),
    }


def _query_row(query: QueryOutcome) -> dict[str, Any]:
    return {
        "id": query.id,
        "query": query.query,
        **query.measures,
        "latency_ms": round(query.latency_ms, 3),
    }
