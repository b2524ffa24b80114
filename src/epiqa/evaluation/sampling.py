"""Measures of weighted questions, many weightings at once: what chance does to a measure.

A bootstrap sample (Efron 1979) weighs each question by how often it was drawn, a randomisation test (Smucker,
Allan & Carterette 2007) each question of two runs by whether it is dealt to the one or to the other. Seeds are
fixed, so that the same outcomes give the same figures; these are rounded, because the last digits of a matrix
product depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epiqa.evaluation.measures import QUERY_MEASURES, RANKING_MEASURES, SHARES, of_first_hit
from epiqa.evaluation.metrics import ECE_BINS

Array = NDArray[np.float64]
Samples = dict[str, Array]

RESAMPLES = 1000
SEED = 1
DIGITS = 6
PERCENTILES = (2.5, 97.5)
# Weights in memory at a time: 16 MB of them, and a few times that of what is made of them.
_WEIGHTS_AT_A_TIME = 2_000_000


@dataclass(frozen=True, slots=True)
class Figures:
    """What each question of a run gives to the measures; all arrays have shape (questions,).

    `means` are by flat names the values that a measure is the mean of, NaN where a question does not count.
    `confidences` and `right` are those of the best candidates, both empty for a retrieval set.
    """

    means: dict[str, Array]
    confidences: Array
    right: Array


def figures(rows: Sequence[Mapping[str, Any]]) -> Figures:
    """Makes them of the rows of `per_question`.

    Raises KeyError, TypeError or ValueError for rows that are no such rows.
    """
    if "query" in rows[0]:
        means = {name: _array(row[name] for row in rows) for name in QUERY_MEASURES}
        return Figures(means, np.empty(0), np.empty(0))
    confidences, right = _array(row["confidence"] for row in rows), _array(row["is_right"] for row in rows)
    abstained = [None if row["is_answerable"] else row["answer"] is None for row in rows]
    means = {name: _array(row[name] for row in rows) for name in ("exact_match", "f1", "has_answer_f1")}
    means["no_answer_accuracy"] = _array(abstained)
    ranks = [row["first_hit"] for row in rows]
    for name in RANKING_MEASURES:
        means[name] = _array(None if rank is None else of_first_hit(name, rank) for rank in ranks)
    means["citation.document_accuracy"] = _array(row["is_document_right"] for row in rows)
    means["abstention.false_answer_rate"] = 1 - means["no_answer_accuracy"]
    means["calibration.brier"] = (confidences - right) ** 2
    if not np.isfinite([confidences, right]).all():
        raise ValueError("a confidence is missing")
    return Figures(means, confidences, right)


def joined(first: Figures, second: Figures) -> Figures:
    """Returns the questions of both, the first's first; of the means, those that both have."""
    means = {
        name: np.concatenate([values, second.means[name]])
        for name, values in first.means.items()
        if name in second.means
    }
    return Figures(
        means,
        np.concatenate([first.confidences, second.confidences]),
        np.concatenate([first.right, second.right]),
    )


def weighted_means(of: Figures, weights: Array) -> Samples:
    """Returns each measure that is a mean, shape (samples,); `weights` has shape (samples, questions)."""
    values = np.column_stack(list(of.means.values()))
    counts = np.isfinite(values)
    means = _ratio(weights @ np.where(counts, values, 0.0), weights @ counts)
    return dict(zip(of.means, means.T, strict=True))


def weighted_by_confidence(of: Figures, weights: Array) -> Samples:
    """Returns AUROC, coverage and calibration error, as `metrics` defines them; shapes as in `weighted_means`."""
    if not len(of.confidences):
        return {}
    order = np.argsort(-of.confidences, kind="stable")
    is_last_of_ties = np.diff(of.confidences[order], append=-np.inf) != 0
    sorted_weights = weights[:, order]
    answered = np.cumsum(sorted_weights, axis=1)[:, is_last_of_ties]
    right = np.cumsum(sorted_weights * of.right[order], axis=1)[:, is_last_of_ties]
    wrong = answered - right
    right_here, wrong_here = np.diff(right, prepend=0.0, axis=1), np.diff(wrong, prepend=0.0, axis=1)
    wrong_below = wrong[:, -1:] - wrong + wrong_here / 2
    samples = {"abstention.auroc": _ratio((right_here * wrong_below).sum(axis=1), right[:, -1] * wrong[:, -1])}
    accuracies, shares = _ratio(right, answered), answered / answered[:, -1:]
    for percent in (80, 90):
        is_reached = accuracies >= percent / 100 - 1e-12
        samples[f"abstention.coverage@{percent}"] = np.where(is_reached, shares, 0.0).max(axis=1)
    bins = np.minimum((of.confidences * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = (of.confidences - of.right)[:, np.newaxis] * (bins[:, np.newaxis] == np.arange(ECE_BINS))
    samples["calibration.ece"] = np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1)
    return samples


def weighted_measures(of: Figures, weights: Array) -> Samples:
    """Returns all measures, in the order of `SHARES`; shapes as in `weighted_means`."""
    samples = weighted_means(of, weights) | weighted_by_confidence(of, weights)
    return {name: samples[name] for name in SHARES if name in samples}


def bootstrap_weights(questions: int) -> Iterator[Array]:
    """Yields how often each sample of questions holds each, shape (some samples, questions)."""
    generator = np.random.default_rng(SEED)
    for samples in in_parts(RESAMPLES, questions):
        drawn = generator.integers(0, questions, size=(samples, questions))
        drawn += questions * np.arange(samples)[:, np.newaxis]
        counts = np.bincount(drawn.ravel(), minlength=samples * questions)
        yield counts.reshape(samples, questions).astype(np.float64)


def in_parts(samples: int, questions: int) -> Iterator[int]:
    """Yields the numbers of samples to take at a time."""
    at_a_time = max(1, _WEIGHTS_AT_A_TIME // questions)
    for first in range(0, samples, at_a_time):
        yield min(at_a_time, samples - first)


def sampled(measure: Callable[[Array], Samples], weights: Iterable[Array]) -> Samples:
    """Returns the measures of all samples."""
    parts = [measure(some) for some in weights]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def bounds(samples: Array) -> tuple[float, float] | None:
    """Returns what 95 % of the samples lie between, those left out where the measure does not apply."""
    finite = samples[np.isfinite(samples)]
    if not len(finite):
        return None
    low, high = (np.percentile(finite, PERCENTILES).round(DIGITS) + 0.0).tolist()  # -0.0 becomes 0.0
    return low, high


def confidence_intervals(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """Returns the 95 % percentile bootstrap interval of each measure over the rows of `per_question`.

    A measure that fewer than two questions count for has none. Of few questions, the calibration error is too high,
    and that of a sample, which has fewer different ones, is more so: its interval may lie above it.
    """
    if not rows:
        return {}
    of = figures(rows)
    samples = sampled(lambda weights: weighted_measures(of, weights), bootstrap_weights(len(rows)))
    found = {}
    for name, values in samples.items():
        counted = np.isfinite(of.means[name]).sum() if name in of.means else len(of.confidences)
        interval = bounds(values)
        if counted > 1 and interval is not None:
            found[name] = interval
    return found


def _array(values: Iterable[float | bool | None]) -> Array:
    return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)


def _ratio(numerators: Array, denominators: Array) -> Array:
    """Divides; NaN where there is nothing to divide by."""
    quotients = np.full(numerators.shape, np.nan)
    np.divide(numerators, denominators, out=quotients, where=denominators > 0)
    return quotients
