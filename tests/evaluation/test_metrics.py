"""The measures against worked examples, brute force, SQuAD's own definition of F1, and trec_eval."""

from __future__ import annotations

import random
from collections import Counter

import ir_measures
import numpy as np
import pytest
from ir_measures import RR, R, nDCG

from epiqa.answering.answer import normalise_answer
from epiqa.evaluation import metrics


@pytest.mark.parametrize(
    ("prediction", "gold", "expected"),
    [
        ("The Denver Broncos!", "denver broncos", 1.0),
        ("February 7, 2016", "february  7\n2016", 1.0),
        ("an app", "the app", 1.0),
        ("U.S.", "us", 1.0),
        ("another", "other", 0.0),  # an article counts only as a word of its own
        ("Athens", "thens", 0.0),
        ("Broncos", "Denver Broncos", 0.0),
        ("ÉCOLE Żółta", "école żółta", 1.0),
        ("大连市", "大连市", 1.0),
        ("ecole", "école", 0.0),
        ("“e-Dalian”", "e-Dalian", 0.0),  # SQuAD drops ASCII punctuation alone
        ("the", "a", 1.0),  # nothing is left of either
        ("7", "", 0.0),
    ],
)
def test_exact_match(prediction: str, gold: str, expected: float) -> None:
    assert metrics.exact_match(prediction, gold) == expected


@pytest.mark.parametrize(
    ("prediction", "gold", "expected"),
    [
        ("the Duke of York", "Duke of York in 1066", 0.75),  # precision 3/3, recall 3/5
        ("new new york", "new york york", 2 / 3),  # each word as often as both have it
        ("york new", "new york", 1.0),
        ("e-Dalian app", "The eDalian", 2 / 3),
        ("Café, noir", "CAFÉ", 2 / 3),
        ("seven", "eight", 0.0),
        ("the", "", 1.0),
        ("", "seven", 0.0),
        ("seven", "!", 0.0),
    ],
)
def test_f1(prediction: str, gold: str, expected: float) -> None:
    assert metrics.f1_score(prediction, gold) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("prediction", "golds", "exact", "f1"),
    [
        ("seven patients", ["seven", "seven new patients", "eight"], 0.0, 0.8),
        ("The seven.", ["seven patients", "seven"], 1.0, 1.0),
        ("seven", [], 0.0, 0.0),
        (None, [], 1.0, 1.0),
        (None, ["seven"], 0.0, 0.0),
    ],
)
def test_the_best_gold_answer_counts_and_no_answer_is_right_only_without_one(
    prediction: str | None, golds: list[str], exact: float, f1: float
) -> None:
    assert metrics.best(metrics.exact_match, prediction, golds) == exact
    assert metrics.best(metrics.f1_score, prediction, golds) == pytest.approx(f1, abs=1e-12)


def squad_f1(prediction: str, gold: str) -> float:
    """Returns F1 as the evaluation script of SQuAD 2.0 has it: by way of precision and recall."""
    predicted, expected = normalise_answer(prediction).split(), normalise_answer(gold).split()
    if not predicted or not expected:
        return float(predicted == expected)
    common = sum((Counter(predicted) & Counter(expected)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(predicted), common / len(expected)
    return 2 * precision * recall / (precision + recall)


def test_f1_is_that_of_squad_on_random_texts_and_an_exact_match_has_an_f1_of_one() -> None:
    words = ["the", "An", "a", "Seven", "seven,", "patients", "É", "e\u0301", "大连", "-", "\u2028", "1.5", "15"]
    draw = random.Random(1)
    matches = 0
    for _ in range(5000):
        one, other = (" ".join(draw.choices(words, k=draw.randrange(5))) for _ in range(2))
        exact, f1 = metrics.exact_match(one, other), metrics.f1_score(one, other)
        assert exact in (0.0, 1.0)
        assert 0.0 <= f1 <= 1.0
        assert exact == 0.0 or f1 == 1.0
        assert f1 == metrics.f1_score(other, one) == pytest.approx(squad_f1(one, other), abs=1e-12)
        matches += exact == 1.0 and one != other
    assert matches > 50


def test_recall_and_reciprocal_rank() -> None:
    ranking = ["d4", "d1", "d9", "d2"]
    assert [metrics.recall(ranking, {"d1", "d2", "d3"}, k) for k in (1, 2, 3, 4, 20)] == [
        0,
        1 / 3,
        1 / 3,
        2 / 3,
        2 / 3,
    ]
    assert metrics.reciprocal_rank([False, False, True, True], 10) == 1 / 3
    assert metrics.reciprocal_rank([False, False, True, True], 2) == 0.0
    assert metrics.reciprocal_rank([], 10) == 0.0


def test_ndcg_of_a_worked_example() -> None:
    # Järvelin & Kekäläinen's linear gains over log2(rank + 1): 6.861 of an ideal 8.740.
    gains, all_gains = [3, 2, 3, 0, 1, 2], [3, 2, 3, 0, 1, 2, 3, 2]
    assert metrics.ndcg(gains, all_gains, 6) == pytest.approx(6.861127 / 8.740263, abs=1e-6)
    assert metrics.ndcg([3, 3, 2], [2, 3, 3], 10) == 1.0
    assert metrics.ndcg([0.0, 0.0], [], 10) == 0.0


def test_retrieval_measures_are_those_of_trec_eval_on_random_rankings() -> None:
    draw = random.Random(2)
    for number in range(200):
        query, corpus = str(number), [f"d{i}" for i in range(40)]
        judged = draw.sample(corpus, draw.randrange(2, 25))
        grades = {document: draw.randrange(4) for document in judged} | {judged[0]: 1}
        ranking = draw.sample(corpus, draw.randrange(1, 40))
        expected = ir_measures.calc_aggregate(
            [nDCG @ 10, R @ 5, R @ 20, RR @ 10],
            [ir_measures.Qrel(query, document, grade) for document, grade in grades.items()],
            [ir_measures.ScoredDoc(query, document, -rank) for rank, document in enumerate(ranking)],
        )
        relevant = {document for document, grade in grades.items() if grade > 0}
        gains = [float(grades.get(document, 0)) for document in ranking]
        assert {
            nDCG @ 10: metrics.ndcg(gains, list(grades.values()), 10),
            R @ 5: metrics.recall(ranking, relevant, 5),
            R @ 20: metrics.recall(ranking, relevant, 20),
            RR @ 10: metrics.reciprocal_rank([document in relevant for document in ranking], 10),
        } == pytest.approx(expected, abs=1e-6)


def test_auroc_of_a_worked_example() -> None:
    assert metrics.auroc([0.9, 0.8, 0.8, 0.1], [True, False, True, False]) == 3.5 / 4
    assert metrics.auroc([0.1, 0.9], [True, False]) == 0.0
    assert metrics.auroc([0.5, 0.5, 0.5], [True, False, False]) == 0.5
    assert metrics.auroc([0.1, 0.9], [True, True]) is None
    assert metrics.auroc([0.1, 0.9], [False, False]) is None


def test_auroc_counts_the_pairs_ties_half() -> None:
    draw = random.Random(3)
    for _ in range(200):
        rows = [(draw.randrange(6) / 5, draw.random() < 0.4) for _ in range(30)] + [(0.4, True), (0.4, False)]
        above = [score for score, label in rows if label]
        below = [score for score, label in rows if not label]
        pairs = [(one > other) + (one == other) / 2 for one in above for other in below]
        scores, labels = zip(*rows, strict=True)
        assert metrics.auroc(scores, labels) == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)


@pytest.mark.parametrize(("accuracy", "expected"), [(0.95, 0.4), (0.8, 0.4), (0.75, 0.8), (0.6, 1.0), (0.0, 1.0)])
def test_coverage_is_the_largest_share_at_that_accuracy(accuracy: float, expected: float) -> None:
    # The accuracy of the first one, two, ... five is 1, 1, 2/3, 3/4, 3/5: it may fall below and come back.
    confidences, right = [0.5, 0.9, 0.6, 0.8, 0.7], [False, True, True, True, False]
    assert metrics.coverage(confidences, right, accuracy) == expected


def test_coverage_takes_ties_together_in_any_order() -> None:
    for right in ([True, False, True], [False, True, True]):
        assert metrics.coverage([0.9, 0.9, 0.5], right, 0.8) == 0.0
        assert metrics.coverage([0.9, 0.9, 0.5], right, 0.5) == 1.0
    assert metrics.coverage([0.3] * 5, [True] * 4 + [False], 0.8) == 1.0
    assert metrics.coverage([0.3], [False], 0.8) == 0.0


def test_coverage_is_the_best_of_all_thresholds() -> None:
    draw = random.Random(4)
    for _ in range(200):
        rows = [(draw.randrange(8) / 7, draw.random() < 0.7) for _ in range(25)]
        shares = [0.0]
        for threshold in {confidence for confidence, _ in rows}:
            kept = [is_right for confidence, is_right in rows if confidence >= threshold]
            if sum(kept) >= 0.8 * len(kept):
                shares.append(len(kept) / len(rows))
        confidences, right = zip(*rows, strict=True)
        assert metrics.coverage(confidences, right, 0.8) == max(shares)


def test_accuracy_by_coverage_by_hand() -> None:
    confidences, right = [0.5, 0.9, 0.6, 0.8, 0.7], [False, True, True, True, False]
    shares = [0.2, 0.4, 0.6, 0.8, 1.0]
    accuracies = [1, 1, 2 / 3, 3 / 4, 3 / 5]
    assert metrics.accuracy_by_coverage(confidences, right) == list(zip(shares, accuracies, strict=True))
    assert metrics.accuracy_by_coverage([0.0], [False]) == [(1.0, 0.0)]
    assert metrics.accuracy_by_coverage([], []) == []
    assert metrics.coverage([], [], 0.8) == 0.0


def test_accuracy_by_coverage_takes_ties_together_in_any_order() -> None:
    for right in ([True, False, True, True], [False, True, True, True]):
        assert metrics.accuracy_by_coverage([0.9, 0.9, 0.5, 0.1], right) == [(0.5, 0.5), (0.75, 2 / 3), (1.0, 0.75)]
    assert metrics.accuracy_by_coverage([0.3] * 5, [True] * 4 + [False]) == [(1.0, 0.8)]
    assert metrics.accuracy_by_coverage([0.2, 0.7, 0.2], [True, False, False]) == [(1 / 3, 0.0), (1.0, 1 / 3)]


def test_reliability_by_hand() -> None:
    # 0.92, 0.98 and 1 share the last bin; 0.2 begins the third, and the bins without questions are left out.
    bins = metrics.reliability([0.92, 0.15, 1.0, 0.2, 0.98, 0.0], [True, False, False, True, False, False])
    means = [(0.0, 0.0), (0.15, 0.0), (0.2, 1.0), (2.9 / 3, 1 / 3)]
    assert [each[:2] for each in bins] == [pytest.approx(each, abs=1e-12) for each in means]
    assert [count for _, _, count in bins] == [1, 1, 1, 3]
    assert metrics.reliability([0.5] * 4, [True, False, False, True]) == [(0.5, 0.5, 4)]
    assert metrics.reliability([], []) == []


def test_calibration_error_is_the_gap_of_the_reliability_bins() -> None:
    draw = random.Random(6)
    for _ in range(100):
        rows = [(draw.randrange(41) / 40, draw.random() < 0.6) for _ in range(30)]
        gaps = [0.0] * 10
        for confidence, is_right in rows:
            gaps[min(int(confidence * 10), 9)] += confidence - is_right
        confidences, right = zip(*rows, strict=True)
        expected = sum(map(abs, gaps)) / len(rows)
        assert metrics.expected_calibration_error(confidences, right) == pytest.approx(expected, abs=1e-12)
        assert sum(count for _, _, count in metrics.reliability(confidences, right)) == len(rows)


def test_calibration_error_by_hand() -> None:
    # 0.92 and 0.98 share a bin: |1.90 - 1| = 0.9; then |0.15 - 0| and |0.55 - 1|: 1.5 over four questions.
    right = [True, False, False, True]
    assert metrics.expected_calibration_error([0.92, 0.98, 0.15, 0.55], right) == pytest.approx(0.375, abs=1e-12)
    assert metrics.expected_calibration_error([0.5, 0.5], [True, False]) == 0.0
    # A confidence of 1 shares the last bin: |1.00 + 0.90 - 1| over two questions.
    assert metrics.expected_calibration_error([1.0, 0.9], [False, True]) == pytest.approx(0.45, abs=1e-12)
    assert metrics.expected_calibration_error([0.0, 1.0], [False, True]) == 0.0


def test_brier_score_by_hand() -> None:
    assert metrics.brier([1.0, 0.5, 0.2], [True, False, False]) == pytest.approx(0.29 / 3, abs=1e-12)
    assert metrics.brier(np.array([0.0]), np.array([True])) == 1.0
