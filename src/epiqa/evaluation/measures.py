"""Outcomes -> measures, under the names of `epiqa evaluate --json`, nested ones by their flat names, too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from epiqa.evaluation import metrics
from epiqa.evaluation.outcomes import Outcome, QueryOutcome

CUTOFFS = (1, 5, 20)
RANK_CUTOFF = 10

RANKING_MEASURES = (*(f"recall@{k}" for k in CUTOFFS), f"mrr@{RANK_CUTOFF}")
QUERY_MEASURES = (*RANKING_MEASURES, f"ndcg@{RANK_CUTOFF}")
# The shares among the measures: their values are from 0 to 1, and they are taken over questions.
SHARES = (
    *("exact_match", "f1", "has_answer_f1", "no_answer_accuracy", *QUERY_MEASURES),
    *("citation.verbatim", "citation.document_accuracy", "abstention.auroc"),
    *("abstention.coverage@80", "abstention.coverage@90", "abstention.false_answer_rate"),
    *("calibration.ece", "calibration.brier"),
)
TIMES = ("latency_ms.p50", "latency_ms.p95", "seconds")
ALL_MEASURES = ("questions", "answerable", *SHARES, *TIMES)
LOWER_IS_BETTER = frozenset({"abstention.false_answer_rate", "calibration.ece", "calibration.brier", *TIMES})


def flat_values(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested measures or settings by flat names: those inside of others are joined by a dot."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= flat_values(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


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
    ranks = [outcome.first_hit for outcome in outcomes if outcome.first_hit is not None]
    for name in RANKING_MEASURES:
        measures[name] = _mean(of_first_hit(name, rank) for rank in ranks)
    cited = [outcome.is_document_right for outcome in outcomes if outcome.is_document_right is not None]
    citation = {
        "verbatim": _mean(is_verbatim for outcome in outcomes for is_verbatim in outcome.verbatim),
        "document_accuracy": _mean(cited),
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


def of_first_hit(name: str, rank: int) -> float:
    """Returns a question's share in a measure of `RANKING_MEASURES`; rank 0 stands for no hit."""
    if name.startswith("recall@"):
        return float(0 < rank <= int(name.removeprefix("recall@")))
    return 1 / rank if 0 < rank <= RANK_CUTOFF else 0.0


def ranking_measures(ranking: Sequence[str], grades: Mapping[str, float]) -> dict[str, float]:
    """Returns one query's measures; `ranking` are documents, best first, `grades` those of the relevant ones."""
    measures = {f"recall@{k}": metrics.recall(ranking, set(grades), k) for k in CUTOFFS}
    hits = [document in grades for document in ranking]
    measures[f"mrr@{RANK_CUTOFF}"] = metrics.reciprocal_rank(hits, RANK_CUTOFF)
    gains = [grades.get(document, 0.0) for document in ranking]
    measures[f"ndcg@{RANK_CUTOFF}"] = metrics.ndcg(gains, list(grades.values()), RANK_CUTOFF)
    return measures


def query_measures(queries: Sequence[QueryOutcome]) -> dict[str, Any]:
    """Returns the measures of retrieval: the means over the queries."""
    means = {name: _mean(query.measures[name] for query in queries) for name in QUERY_MEASURES}
    return {"questions": len(queries)} | means | {"latency_ms": _latency([query.latency_ms for query in queries])}


def _mean(values: Iterable[float]) -> float | None:
    collected = list(values)
    return float(np.mean(collected)) if collected else None


def _applicable(measures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in measures.items() if value is not None and value != {}}


def _latency(milliseconds: Sequence[float]) -> dict[str, float]:
    return {f"p{percent}": round(float(np.percentile(milliseconds, percent)), 1) for percent in (50, 95)}
