"""The measures, as pure functions over predictions and labels.

Exact match and F1 are SQuAD's (Rajpurkar et al. 2016, 2018); recall, reciprocal rank and nDCG are those of
trec_eval; coverage at an accuracy is Kamath, Jia & Liang 2020, section 3.2; the expected calibration error is Guo
et al. 2017, equation 3, with ten bins of equal width.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from epiqa.answering.answer import normalise_answer

RIGHT_F1 = 0.5
ECE_BINS = 10


def exact_match(prediction: str, gold: str) -> float:
    """Returns 1.0 when both are the same after SQuAD's normalisation, else 0.0."""
    return float(normalise_answer(prediction) == normalise_answer(gold))


def f1_score(prediction: str, gold: str) -> float:
    """Returns the F1 of the bags of words, in [0, 1]; of two empty answers, 1.0."""
    predicted, expected = normalise_answer(prediction).split(), normalise_answer(gold).split()
    if not predicted or not expected:
        return float(predicted == expected)
    common = sum((Counter(predicted) & Counter(expected)).values())
    return 2 * common / (len(predicted) + len(expected))


def best(score: Callable[[str, str], float], prediction: str | None, golds: Sequence[str]) -> float:
    """Returns the best of `exact_match` or `f1_score` over the gold answers; None is "no answer".

    A question without gold answers scores 1.0 for "no answer" and 0.0 for anything else. As SQuAD's script has
    it, an answer that normalisation empties ("the", "%") counts as no answer, predicted or gold.
    """
    worded = [gold for gold in golds if normalise_answer(gold)]
    return max(score(prediction or "", gold) for gold in worded or [""])


def recall(ranking: Sequence[str], relevant: set[str], k: int) -> float:
    """Returns the share of the relevant documents among the first `k`."""
    return len(relevant.intersection(ranking[:k])) / len(relevant)


def reciprocal_rank(hits: Sequence[bool], k: int) -> float:
    """Returns 1 / rank of the first hit among the first `k`, or 0.0."""
    return next((1 / rank for rank, hit in enumerate(hits[:k], start=1) if hit), 0.0)


def ndcg(gains: Sequence[float], all_gains: Sequence[float], k: int) -> float:
    """Returns the discounted gain of a ranking over that of the best ranking of `all_gains`."""

    def discounted(values: Sequence[float]) -> float:
        return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(values[:k], start=1))

    ideal = discounted(sorted(all_gains, reverse=True))
    return discounted(gains) / ideal if ideal else 0.0


def auroc(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """Returns the probability that a positive scores above a negative, ties half; None without both kinds."""
    values, positive = np.asarray(scores, dtype=float), np.asarray(labels, dtype=bool)
    above, below = values[positive], values[~positive]
    if not len(above) or not len(below):
        return None
    ordered = np.sort(below)
    lower = np.searchsorted(ordered, above, side="left")
    not_higher = np.searchsorted(ordered, above, side="right")
    return float((lower + not_higher).sum() / 2 / (len(above) * len(below)))


def accuracy_by_coverage(confidences: ArrayLike, right: ArrayLike) -> list[tuple[float, float]]:
    """Returns what each threshold gives: the share of questions answered, and the share of these that are right.

    The most confident first. Questions of equal confidence are taken together, for no threshold separates them.
    """
    values, correct = np.asarray(confidences, dtype=float), np.asarray(right, dtype=float)
    order = np.argsort(-values, kind="stable")
    answered = np.arange(1, len(order) + 1)
    is_last_of_ties = np.diff(values[order], append=-np.inf) != 0
    accuracies = np.cumsum(correct[order]) / answered
    return [
        (float(count / len(order)), float(accuracy))
        for count, accuracy in zip(answered[is_last_of_ties], accuracies[is_last_of_ties], strict=True)
    ]


def coverage(confidences: ArrayLike, right: ArrayLike, accuracy: float) -> float:
    """Returns the largest share of questions that can be answered at `accuracy`, the most confident first."""
    points = accuracy_by_coverage(confidences, right)
    return max((share for share, reached in points if reached >= accuracy - 1e-12), default=0.0)


def reliability(confidences: ArrayLike, right: ArrayLike) -> list[tuple[float, float, int]]:
    """Returns mean confidence, accuracy and number of questions of each of ten bins, empty ones left out."""
    values, correct = np.asarray(confidences, dtype=float), np.asarray(right, dtype=float)
    bins = np.minimum((values * ECE_BINS).astype(int), ECE_BINS - 1)
    return [
        (float(values[bins == b].mean()), float(correct[bins == b].mean()), int((bins == b).sum()))
        for b in np.unique(bins)
    ]


def expected_calibration_error(confidences: ArrayLike, right: ArrayLike) -> float:
    """Returns the mean gap between confidence and accuracy, over ten bins weighted by their questions."""
    bins = reliability(confidences, right)
    gaps = sum(count * abs(confidence - accuracy) for confidence, accuracy, count in bins)
    return gaps / sum(count for _, _, count in bins)


def brier(confidences: ArrayLike, right: ArrayLike) -> float:
    """Returns the mean squared difference of confidence and outcome."""
    return float(np.mean((np.asarray(confidences, dtype=float) - np.asarray(right, dtype=float)) ** 2))
