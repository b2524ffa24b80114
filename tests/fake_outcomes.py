"""Outcomes of questions that were never asked, with the figures that a test needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from epiqa.evaluation.measures import answer_measures, query_measures, ranking_measures
from epiqa.evaluation.outcomes import Evaluation, Outcome, QueryOutcome, RankedPassage
from epiqa.evaluation.questions import Question
from epiqa.types import Answer, Candidate, Citation


def make_outcome(
    number: int,
    f1: float = 1.0,
    *,
    question: str = "Who?",
    golds: tuple[str, ...] = ("Ann",),
    text: str = "Ann",
    confidence: float = 0.9,
    is_answered: bool = True,
    first_hit: int | None = 1,
    path: str = "a.txt",
    retrieved: tuple[RankedPassage, ...] = (),
) -> Outcome:
    """Makes the outcome of a question whose id is its number; the F1 is that of the best candidate.

    The answer is in a.txt and cites `path`; without gold answers the question is unanswerable.
    """
    citation = Citation(
        document_id=path,
        title="A title",
        path=path,
        date=None,
        page=None,
        start=3,
        end=3 + len(text),
        quote=text,
        before="",
        after=".",
    )
    answer = Answer(
        question=question,
        is_answered=is_answered,
        text=text if is_answered else None,
        confidence=confidence,
        citations=(citation,) if is_answered else (),
        candidates=(Candidate(text, confidence, (citation,)),),
        passages=(),
    )
    score = (f1 if is_answered else 0.0) if golds else float(not is_answered)
    is_searched = bool(golds) and first_hit is not None
    return Outcome(
        question=Question(question, golds, document="a.txt" if golds else None, id=str(number)),
        answer=answer,
        exact_match=float(score == 1.0),
        f1=score,
        forced_f1=f1 if golds else 0.0,
        verbatim=(True,) if is_answered else (),
        hits=tuple(rank == first_hit for rank in range(1, 21)) if is_searched else None,
        latency_ms=12.5,
        retrieved=retrieved,
    )


def make_evaluation(outcomes: Sequence[Outcome]) -> Evaluation:
    """Makes an evaluation of answered questions with its measures."""
    return Evaluation(answer_measures(outcomes), tuple(outcomes), settings={"questions": {"name": "set.jsonl"}})


def make_query(
    query_id: str, ranking: Sequence[tuple[str, float]], relevant: Mapping[str, float], *, query: str = "harbour"
) -> QueryOutcome:
    measures = ranking_measures([document for document, _ in ranking], relevant)
    return QueryOutcome(query_id, query, tuple(ranking), relevant, measures, 12.5)


def make_retrieval(queries: Sequence[QueryOutcome]) -> Evaluation:
    return Evaluation(query_measures(queries), queries=tuple(queries), settings={"questions": {"name": "beir"}})
