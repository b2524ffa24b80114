"""Weighted measures against plain ones on repeated questions, and intervals against known distributions."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from epiqa.evaluation.measures import SHARES, flat_values
from epiqa.evaluation.outcomes import Evaluation, Outcome, per_question
from epiqa.evaluation.sampling import confidence_intervals, figures, weighted_measures
from fake_outcomes import make_evaluation, make_outcome, make_query, make_retrieval


def random_outcomes(number: int) -> list[Outcome]:
    """Makes outcomes of all kinds, with equal confidences among them."""
    draw = np.random.default_rng(7)
    return [
        make_outcome(
            position,
            float(draw.choice([0.0, 0.4, 2 / 3, 1.0])),
            golds=("Ann",) if draw.random() < 0.6 else (),
            confidence=float(draw.integers(0, 21)) / 20,
            is_answered=bool(draw.random() < 0.7),
            first_hit=(None, 0, 1, 4, 12)[draw.integers(5)],
            path=str(draw.choice(["a.txt", "b.txt"])),
        )
        for position in range(number)
    ]


def rows_of(evaluation: Evaluation) -> list[dict[str, Any]]:
    return per_question(evaluation)


def test_a_weight_counts_a_question_as_often() -> None:
    outcomes = random_outcomes(60)
    of = figures(rows_of(make_evaluation(outcomes)))
    counts = np.random.default_rng(3).integers(0, 4, size=(5, 60))
    weighted = weighted_measures(of, counts.astype(np.float64))
    for sample, count in enumerate(counts):
        repeated = [outcome for outcome, times in zip(outcomes, count, strict=True) for _ in range(times)]
        expected = flat_values(make_evaluation(repeated).measures)
        found = {name: values[sample] for name, values in weighted.items()}
        assert found == pytest.approx({name: expected[name] for name in found})
    assert list(weighted) == [name for name in SHARES if name not in ("ndcg@10", "citation.verbatim")]


def test_a_measure_without_questions_is_not_a_number() -> None:
    outcomes = [make_outcome(0, confidence=0.8), make_outcome(1, golds=(), confidence=0.4)]
    weighted = weighted_measures(figures(rows_of(make_evaluation(outcomes))), np.array([[2.0, 0.0]]))
    is_known = {name: bool(np.isfinite(values[0])) for name, values in weighted.items()}
    unknown = {"no_answer_accuracy", "abstention.false_answer_rate", "abstention.auroc"}
    assert {name for name, known in is_known.items() if not known} == unknown
    assert weighted["calibration.ece"][0] == pytest.approx(0.2)


def test_the_interval_of_a_share_is_that_of_the_binomial_distribution() -> None:
    # Of 100 draws that are right every other time, 95 % have from 40 to 60 right.
    outcomes = [make_outcome(number, float(number % 2), confidence=0.5) for number in range(100)]
    intervals = confidence_intervals(rows_of(make_evaluation(outcomes)))
    assert intervals["f1"] == pytest.approx((0.40, 0.60), abs=0.015)
    assert intervals["recall@1"] == (1.0, 1.0)
    assert intervals["abstention.auroc"] == (0.5, 0.5)  # all confidences are equal


def test_what_fewer_than_two_questions_count_for_has_no_interval() -> None:
    outcomes = [make_outcome(0), make_outcome(1, golds=(), is_answered=False, confidence=0.1)]
    intervals = confidence_intervals(rows_of(make_evaluation(outcomes)))
    assert {"has_answer_f1", "no_answer_accuracy", "recall@1", "citation.document_accuracy"} & set(
        intervals
    ) == set()
    assert intervals["f1"] == (1.0, 1.0)
    assert confidence_intervals([]) == {}


def test_queries_have_the_intervals_of_retrieval() -> None:
    queries = [make_query(str(number), [("d", 1.0)], {"d": 1.0, "e": 1.0}) for number in range(5)]
    intervals = confidence_intervals(rows_of(make_retrieval(queries)))
    assert intervals["recall@20"] == (0.5, 0.5)
    assert set(intervals) == {"recall@1", "recall@5", "recall@20", "mrr@10", "ndcg@10"}


def test_intervals_are_the_same_each_time_and_quick() -> None:
    rows = rows_of(make_evaluation(random_outcomes(1500)))
    begun = time.process_time()
    first = confidence_intervals(rows)
    assert time.process_time() - begun < 2
    assert confidence_intervals(rows) == first
    for name, (low, high) in first.items():
        assert 0 <= low <= high <= 1, name


@pytest.mark.parametrize("missing", ["confidence", "f1", "first_hit", "is_answerable"])
def test_rows_that_lack_something_are_refused(missing: str) -> None:
    (row,) = rows_of(make_evaluation([make_outcome(0)]))
    with pytest.raises(KeyError):
        figures([{name: value for name, value in row.items() if name != missing}])


def test_a_row_without_a_confidence_is_refused() -> None:
    (row,) = rows_of(make_evaluation([make_outcome(0)]))
    with pytest.raises(ValueError, match="confidence"):
        figures([row | {"confidence": None}])
