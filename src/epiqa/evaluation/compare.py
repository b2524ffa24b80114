"""Two runs on the same questions: the differences of their measures, and how far chance alone would go.

The test is the paired randomisation test (Smucker, Allan & Carterette 2007): were both runs equally good, each
question's two outcomes could as well be the other way round. They are swapped at random, and `p_value` is how
often the difference is then at least as large. Of a mean, that is to flip the signs of the questions'
differences; measures of the confidence are taken anew of the outcomes as they are dealt, fewer times, for it
takes longer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from epiqa.errors import EpiQAError
from epiqa.evaluation import sampling
from epiqa.evaluation.measures import flat_values
from epiqa.evaluation.outcomes import Evaluation, per_question
from epiqa.evaluation.questions import QuestionSet, RetrievalSet
from epiqa.evaluation.sampling import Array, Figures, Samples

Row = Mapping[str, Any]
Key = tuple[str, str, str]

PERMUTATIONS = 10_000
PERMUTATIONS_BY_CONFIDENCE = 1_000
# Fewer shared questions than this are compared only when they are all that were asked.
MIN_SHARED = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """A measure of two runs over the same questions.

    `low` and `high` bound the difference `after - before` with 95 % confidence (paired bootstrap); `p_value` is
    that of a two-sided paired randomisation test.
    """

    name: str
    before: float
    after: float
    low: float
    high: float
    p_value: float


def read_baseline(path: Path) -> dict[str, Any]:
    """Reads what `epiqa evaluate --json` wrote; raises EpiQAError when it cannot be compared with."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise EpiQAError(f"the baseline {path} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise EpiQAError(
            f"the baseline {path} is not JSON ({error}): give what epiqa evaluate --json FILE wrote"
        ) from error
    try:
        _rows(content)
    except EpiQAError as error:
        raise EpiQAError(f"{path}: {error}") from error
    return dict(content)


def compare(evaluation: Evaluation, baseline: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Returns the differences from a baseline, over the questions that both share by id and text.

    `baseline` is what `epiqa evaluate --json` wrote. Raises EpiQAError when that holds no rows of questions, or
    they are other questions.
    """
    old_rows, new_rows = shared_rows(evaluation, baseline)
    before, after, questions = sampling.figures(old_rows), sampling.figures(new_rows), len(new_rows)
    both = sampling.joined(before, after)
    resampled = sampling.sampled(_differences(before, after), sampling.bootstrap_weights(questions))
    swapped = _swapped(sampling.weighted_means, both, questions, PERMUTATIONS)
    swapped |= _swapped(sampling.weighted_by_confidence, both, questions, PERMUTATIONS_BY_CONFIDENCE)
    each_once = np.ones((1, questions))
    old, new = (sampling.weighted_measures(of, each_once) for of in (before, after))
    found = []
    for name in (name for name in new if name in old):
        interval = sampling.bounds(resampled[name])
        if interval is None or not np.isfinite([old[name][0], new[name][0]]).all():
            continue
        p_value = _p_value(new[name][0] - old[name][0], swapped[name])
        found.append(Difference(name, _rounded(old[name][0]), _rounded(new[name][0]), *interval, p_value))
    return tuple(found)


def shared_rows(evaluation: Evaluation, baseline: Mapping[str, Any]) -> tuple[list[Row], list[Row]]:
    """Returns the baseline's rows and the evaluation's, of the shared questions, in the evaluation's order."""
    before = {_key(row): row for row in _rows(baseline)}
    after = {_key(row): row for row in per_question(evaluation)}
    shared = _shared(list(after), before)
    return [before[key] for key in shared], [after[key] for key in shared]


def check_baseline(questions: QuestionSet | RetrievalSet, baseline: Mapping[str, Any]) -> None:
    """Raises EpiQAError when a baseline has too few of the questions, which can be known before they are asked."""
    if isinstance(questions, RetrievalSet):
        keys = [("query", query, text) for query, text in questions.queries.items()]
    else:
        keys = [("question", question.id, question.question) for question in questions.questions]
    _shared(keys, {_key(row): row for row in _rows(baseline)})


def changed_settings(evaluation: Evaluation, baseline: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Returns by flat name the settings that are not those of the baseline, with the baseline's value first."""
    settings = baseline.get("settings")
    before, after = flat_values(settings if isinstance(settings, Mapping) else {}), flat_values(evaluation.settings)
    names = list(dict.fromkeys([*after, *before]))
    pairs = [(name, str(before.get(name, "none")), str(after.get(name, "none"))) for name in names]
    return [(name, old, new) for name, old, new in pairs if old != new]


def _rows(content: object) -> list[Row]:
    """Returns the rows of the questions; raises EpiQAError for anything else."""
    rows = content.get("per_question") if isinstance(content, Mapping) else None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, Mapping) for row in rows):
        raise EpiQAError(
            'the baseline has no rows of questions ("per_question"): make it anew with epiqa evaluate --json FILE'
        )
    try:
        sampling.figures(rows)
        _ = [_key(row) for row in rows]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EpiQAError(
            f"the baseline's rows of questions are not as this version writes them ({type(error).__name__}:"
            f" {error}): make it anew with epiqa evaluate --json FILE"
        ) from error
    return rows


def _key(row: Row) -> Key:
    kind = "query" if "query" in row else "question"
    return kind, str(row["id"]), str(row[kind])


def _shared(keys: Sequence[Key], baseline: Mapping[Key, Row]) -> list[Key]:
    """Returns the keys that the baseline has; raises EpiQAError when they are too few to compare."""
    shared = [key for key in keys if key in baseline]
    if len(shared) < min(MIN_SHARED, len(keys)):
        raise EpiQAError(
            f"the baseline is of other questions: of the {len(keys)} asked here, {len(shared)} are among its"
            f" {len(baseline)} by id and text, and at least {min(MIN_SHARED, len(keys))} must be: make a baseline"
            " of this question set with epiqa evaluate --json FILE"
        )
    return shared


def _differences(before: Figures, after: Figures) -> Callable[[Array], Samples]:
    """Returns the function that gives the differences of samples of the questions."""

    def differences(weights: Array) -> Samples:
        old, new = sampling.weighted_measures(before, weights), sampling.weighted_measures(after, weights)
        return {name: new[name] - old[name] for name in new if name in old}

    return differences


def _swapped(
    measure: Callable[[Figures, Array], Samples], both: Figures, questions: int, permutations: int
) -> Samples:
    """Returns the differences when each question's two outcomes are dealt to the two runs at random.

    `both` holds the questions of the one run and then those of the other, so that a run is a choice of them.
    """

    def differences(weights: Array) -> Samples:
        one, other = measure(both, weights), measure(both, 1 - weights)
        return {name: other[name] - one[name] for name in one}

    return sampling.sampled(differences, _deals(questions, permutations))


def _deals(questions: int, permutations: int) -> Iterator[Array]:
    generator = np.random.default_rng(sampling.SEED)
    for samples in sampling.in_parts(permutations, 2 * questions):
        is_swapped = generator.integers(0, 2, size=(samples, questions))
        yield np.hstack([1 - is_swapped, is_swapped]).astype(np.float64)


def _p_value(observed: float, swapped: Array) -> float:
    """Returns how often the difference is as large by chance; the observed deal counts as one of them."""
    known = np.abs(swapped[np.isfinite(swapped)])
    as_large = int((known >= abs(observed) - 1e-9).sum())
    return (as_large + 1) / (len(known) + 1)


def _rounded(value: float) -> float:
    return round(float(value), sampling.DIGITS)
