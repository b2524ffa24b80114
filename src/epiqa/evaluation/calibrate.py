"""Fits confidence and threshold to a question set, asked in the open setting, and says what it changes.

The figures of "after" are cross-validated: each question is judged by a calibration fitted without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from epiqa.confidence import (
    FEATURES,
    MAX_FALSE_ANSWERS,
    Array,
    Calibration,
    choose_threshold,
    features,
    fit,
)
from epiqa.errors import QuestionSetError
from epiqa.evaluation import metrics
from epiqa.evaluation.questions import QuestionSet, read_questions
from epiqa.pipeline import TOP_K, EpiQA
from epiqa.types import Passage, Span

OnProgress = Callable[[int, int], None]

FOLDS = 5
SPANS_PER_QUESTION = 5  # learned from: those that can become the answer
MIN_QUESTIONS = 20
MIN_UNANSWERABLE = 10
# The weight of the calibration started from: that of some forty questions.
PRIOR = 10.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One question as it was asked: its spans' features, shape (spans, features), and which are right, (spans,)."""

    is_answerable: bool
    values: Array
    is_right: NDArray[np.bool_]

    def best(self, calibration: Calibration) -> tuple[float, bool]:
        """Returns the confidence of the most confident span, and whether it is right; without spans, 0."""
        if not len(self.values):
            return 0.0, False
        confidences = calibration.confidences(self.values)
        return float(confidences.max()), bool(self.is_right[confidences.argmax()])


@dataclass(frozen=True, slots=True)
class Recalibration:
    """A calibration fitted to a question set, and the figures with the one started from and with it."""

    calibration: Calibration
    before: dict[str, float]
    after: dict[str, float]
    keeps_threshold: bool


def judge(spans: Sequence[Span], passages: Sequence[Passage], answers: Sequence[str]) -> Asked:
    """Returns a question's features, and which spans have an F1 of at least 0.5 with a gold answer."""
    right = [bool(answers) and metrics.best(metrics.f1_score, s.quote, answers) >= metrics.RIGHT_F1 for s in spans]
    return Asked(bool(answers), features(spans, passages), np.array(right, dtype=np.bool_))


def fit_questions(
    asked: Sequence[Asked],
    weights: Sequence[float] | None = None,
    *,
    reader: str,
    threshold: float,
    start: Calibration | None = None,
    prior: float = 1e-3,
) -> Calibration:
    """Fits the confidence on the questions' leading spans; `weights` are the questions'. The threshold is given."""
    values, right, importance = [], [], []
    for number, question in enumerate(asked):
        leading = np.argsort(-question.values[:, FEATURES.index("margin")], kind="stable")[:SPANS_PER_QUESTION]
        values.append(question.values[leading])
        right.append(question.is_right[leading])
        importance.append(np.full(len(leading), 1.0 if weights is None else weights[number]))
    intercept, found = fit(
        np.concatenate(values), np.concatenate(right), np.concatenate(importance), start=start, prior=prior
    )
    return Calibration(intercept, found, threshold, reader)


def calibrate(
    path: Path,
    qa: EpiQA,
    *,
    max_false_answers: float = MAX_FALSE_ANSWERS,
    on_progress: OnProgress | None = None,
) -> Recalibration:
    """Asks the questions of a JSONL or SQuAD file, each alone, and fits the calibration of `qa` to them.

    The fit starts from the calibration that `qa` has, and leaves it the less the more questions there are. The
    threshold is the lowest at which at most `max_false_answers` of the unanswerable questions are answered; with
    fewer than ten of them, it stays. Raises QuestionSetError when the set is of no use for this.
    """
    questions = read_questions(path)
    if not isinstance(questions, QuestionSet):
        raise QuestionSetError(f"{path}: a BEIR folder has no answers to calibrate with: give JSONL or SQuAD JSON")
    asked = []
    for done, question in enumerate(questions.questions):
        if on_progress:
            on_progress(done, len(questions.questions))
        passages = qa.search(question.question, top_k=TOP_K)
        asked.append(judge(qa.read(question.question, passages), passages, question.answers))
    old = qa.calibration
    outcomes = [question.best(old) for question in asked]
    right = sum(is_right for _, is_right in outcomes)
    if len(asked) < MIN_QUESTIONS or not 0 < right < len(asked):
        raise QuestionSetError(
            f"{path}: {len(asked)} questions, the best candidate right on {right}: a calibration needs at least"
            f" {MIN_QUESTIONS}, some right and some wrong"
        )
    keeps_threshold = sum(not question.is_answerable for question in asked) < MIN_UNANSWERABLE

    def fitted(some: Sequence[Asked]) -> Calibration:
        found = fit_questions(some, reader=qa.reader.fingerprint, threshold=old.threshold, start=old, prior=PRIOR)
        if keeps_threshold:
            return found
        unanswerable = [question.best(found)[0] for question in some if not question.is_answerable]
        return Calibration(
            found.intercept, found.weights, choose_threshold(unanswerable, max_false_answers), found.reader
        )

    held_out: list[tuple[float, bool, bool]] = [(0.0, False, False)] * len(asked)
    for fold in range(FOLDS):
        without = fitted([question for number, question in enumerate(asked) if number % FOLDS != fold])
        for number in range(fold, len(asked), FOLDS):
            confidence, is_right = asked[number].best(without)
            held_out[number] = confidence, is_right, confidence >= without.threshold
    before = [(confidence, is_right, confidence >= old.threshold) for confidence, is_right in outcomes]
    calibration = fitted(asked)
    return Recalibration(
        calibration,
        {"threshold": old.threshold, **_figures(asked, before)},
        {"threshold": calibration.threshold, **_figures(asked, held_out)},
        keeps_threshold,
    )


def _figures(asked: Sequence[Asked], outcomes: Sequence[tuple[float, bool, bool]]) -> dict[str, float]:
    """Returns the measures of (confidence, right, answered) outcomes under the names of `epiqa evaluate --json`."""
    confidences = [confidence for confidence, _, _ in outcomes]
    right = [is_right for _, is_right, _ in outcomes]
    answered_right = [is_right and answered for _, is_right, answered in outcomes]
    false = [
        answered for question, (_, _, answered) in zip(asked, outcomes, strict=True) if not question.is_answerable
    ]
    figures = {
        "answered_right": sum(answered_right) / len(outcomes),
        "false_answer_rate": sum(false) / len(false) if false else None,
        "auroc": metrics.auroc(confidences, right),
        "coverage@80": metrics.coverage(confidences, right, 0.8),
        "ece": metrics.expected_calibration_error(confidences, right),
        "brier": metrics.brier(confidences, right),
    }
    return {name: value for name, value in figures.items() if value is not None}
