"""Spans -> the probability of each that it is right: features, and a logistic model over them.

After Kamath, Jia & Liang 2020. The bundled weights are fitted by `training/calibrate.py`, an index's own by
`epiqa calibrate`; both call `fit` and `choose_threshold` here.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epiqa.errors import EpiQAError, IndexDamagedError
from epiqa.models import read_bundled
from epiqa.store import atomic_write
from epiqa.types import Passage, Span

Array = NDArray[np.float64]

# In the index directory: what `epiqa calibrate` fitted to the user's own questions.
CALIBRATION = "calibration.json"

# The signals that the confidence is made of: the columns of `features`.
FEATURES = ("margin", "log_probability", "log_rank", "first_margin")

MAX_FALSE_ANSWERS = 0.10
# A threshold is one of these: rounded, so that the stored one is the one that was tried.
THRESHOLDS = np.round(np.arange(0.0, 1.0025, 0.005), 3)
_NEWTON_STEPS = 100


@dataclass(frozen=True, slots=True)
class Calibration:
    """The weights of the confidence, by feature, the threshold of abstention, and the reader they belong to."""

    intercept: float
    weights: dict[str, float]
    threshold: float
    reader: str

    def confidences(self, values: Array) -> Array:
        """Returns for each row of `features` the probability that its span is right (SQuAD F1 of at least 0.5)."""
        return _logistic(values @ np.array([self.weights[name] for name in FEATURES]) + self.intercept)

    def to_json(self) -> str:
        """Returns what `from_json` reads."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Reads a calibration. Raises ValueError for another text, or for other features."""
        try:
            stored = json.loads(text)
            found = cls(
                intercept=float(stored["intercept"]),
                weights={str(name): float(weight) for name, weight in stored["weights"].items()},
                threshold=float(stored["threshold"]),
                reader=str(stored["reader"]),
            )
        except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(f"{type(error).__name__}: {str(error)[:80]}") from error
        if set(found.weights) != set(FEATURES):
            raise ValueError(f"its features are {', '.join(found.weights)}, not {', '.join(FEATURES)}")
        if not np.isfinite([found.intercept, *found.weights.values()]).all():
            raise ValueError("a number in it is not finite")
        if not 0 <= found.threshold <= 1:
            raise ValueError(f"its threshold is {found.threshold}, not from 0 to 1")
        return found


@cache
def bundled_calibration() -> Calibration:
    """Returns the calibration of the bundled reader. Raises ModelError where its file was altered."""
    return Calibration.from_json(read_bundled("calibration.json").decode("utf-8"))


def read_calibration(path: Path) -> Calibration | None:
    """Returns the calibration in a file, None when there is no file.

    Raises IndexDamagedError for any other content than `write_calibration` wrote.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        found = Calibration.from_json(text)
        if text != _sealed(found):
            raise ValueError("it is not what was written")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise IndexDamagedError(
            f"{path} is not a calibration ({error}): delete it to go back to the bundled one"
        ) from error
    return found


def write_calibration(calibration: Calibration, path: Path) -> None:
    """Stores a calibration with its SHA-256; the file is replaced in one step."""
    try:
        atomic_write.replace_file(path, _sealed(calibration).encode(), suffix=f".{uuid.uuid4().hex}")
    except OSError as error:
        raise EpiQAError(f"{path} cannot be written ({error.strerror})") from error


def _sealed(calibration: Calibration) -> str:
    digest = hashlib.sha256(calibration.to_json().encode()).hexdigest()
    return json.dumps(asdict(calibration) | {"sha256": digest}, indent=2) + "\n"


def features(spans: Sequence[Span], passages: Sequence[Passage]) -> Array:
    """Returns the signals of one question's spans, shape (spans, features).

    margin: the span's logits less those of "no answer"; log_probability: of the span in its passage; log_rank:
    of 1 + how many of `passages` have a higher score than the span's; first_margin: the first reader's, where there
    are two, else the margin.
    """
    scores = np.sort([passage.score for passage in passages])
    rows = [
        (
            span.score - span.null_score,
            np.log(max(span.probability, 1e-6)),
            np.log1p(len(scores) - np.searchsorted(scores, span.passage.score, side="right")),
            span.score - span.null_score if span.first_margin is None else span.first_margin,
        )
        for span in spans
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, len(FEATURES))


def fit(
    values: Array,
    is_right: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    start: Calibration | None = None,
    prior: float = 1e-3,
) -> tuple[float, dict[str, float]]:
    """Fits intercept and weights by maximum a posteriori, with Newton's method.

    `values` has shape (spans, features), `is_right` and `weights` (spans,). The prior is a normal distribution
    around `start`, or around zero, in units of each feature's standard deviation; `prior` is its precision, so
    that few questions leave a calibration about where it was, and many move it.
    """
    labels = np.asarray(is_right, dtype=np.float64)
    importance = np.ones(len(labels)) if weights is None else np.asarray(weights, dtype=np.float64)
    deviation = values.std(axis=0)
    scale = np.where(deviation > 1e-9, deviation, 1.0)
    design = np.column_stack([np.ones(len(values)), values / scale])
    centre = np.zeros(design.shape[1])
    if start is not None:
        centre = np.array([start.intercept, *(start.weights[name] for name in FEATURES)])
        centre[1:] *= scale

    def loss(point: Array) -> float:
        logits = design @ point
        misfit = (importance * (np.logaddexp(0.0, logits) - labels * logits)).sum()
        return float(misfit + prior / 2 * ((point - centre) ** 2).sum())

    found = centre
    for _ in range(_NEWTON_STEPS):
        chances = _logistic(design @ found)
        gradient = design.T @ (importance * (labels - chances)) - prior * (found - centre)
        hessian = (design * (importance * chances * (1 - chances))[:, np.newaxis]).T @ design
        step = np.linalg.solve(hessian + prior * np.eye(len(found)), gradient)
        while loss(found + step) > loss(found) and np.abs(step).max() > 1e-12:
            step /= 2  # far from the optimum, a whole step may overshoot
        found = found + step
        if np.abs(step).max() < 1e-8:
            break
    return float(found[0]), dict(zip(FEATURES, (found[1:] / scale).tolist(), strict=True))


def choose_threshold(*confidences: ArrayLike, max_false_answers: float = MAX_FALSE_ANSWERS) -> float:
    """Returns the lowest threshold, in steps of 0.005, at which at most this share of questions is answered.

    `confidences` are those of the best spans of unanswerable questions, shape (questions,), one array a set; all
    sets count alike.
    """
    sets = [np.asarray(values, dtype=np.float64) for values in confidences]
    rates = np.mean([(values >= THRESHOLDS[:, np.newaxis]).mean(axis=1) for values in sets], axis=0)
    fitting = THRESHOLDS[rates <= max_false_answers]
    return float(fitting[0]) if len(fitting) else 1.0


def _logistic(logits: Array) -> Array:
    return np.exp(-np.logaddexp(0.0, -logits))
