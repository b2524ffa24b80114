"""Fits confidence and threshold to a question set, asked in the open setting, and says what it changes.

The figures of "after" are cross-validated: each question is judged by a calibration fitted without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from epiqa.answering.calibration import (
    FEATURES,
    MAX_FALSE_ANSWERS,
    Array,
    Calibration,
    bundled_calibration,
    choose_threshold,
    features,
    fit,
)
from epiqa.assistant import TOP_K, EpiQA
from epiqa.errors import EpiQAError, QuestionSetError
from epiqa.evaluation import metrics
from epiqa.evaluation.questions import QuestionSet, read_questions
from epiqa.ingest import normalise
from epiqa.types import Passage, Span

OnProgress = Callable[[int, int], None]

FOLDS = 5
SPANS_PER_QUESTION = 5  # learned from: those that can become the answer
MIN_QUESTIONS = 20
MIN_UNANSWERABLE = 10
MIN_RIGHT = 5
# The weight of the bundled calibration: that of some fifty questions.
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
    """A calibration fitted to a question set, and the figures with the bundled one and with it."""

    calibration: Calibration
    before: dict[str, float]
    after: dict[str, float]


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
    skip_invalid: bool = False,
    on_progress: OnProgress | None = None,
) -> Recalibration:
    """Asks `qa` a question set and fits a calibration to it, which is returned and not yet used.

    The questions are asked of the whole index, those of SQuAD JSON, too: its articles must be documents of the
    index, under their paths, as in the feedback that the page saves.
    With fewer questions the fit stays closer to the bundled one. The
    threshold is the lowest at which at most `max_false_answers` of the unanswerable questions are answered.
    Raises QuestionSetError when the set is of no use for this.
    """
    if not 0 <= max_false_answers <= 1:
        raise EpiQAError(f"max_false_answers is {max_false_answers}: it must be from 0 to 1")
    questions = read_questions(path, skip_invalid=skip_invalid)
    if not isinstance(questions, QuestionSet) or not _is_about(questions, qa):
        raise QuestionSetError(
            f"{path}: brings its own documents: give JSONL or CSV, with questions about those of the index"
        )
    unanswerable = sum(not question.is_answerable for question in questions.questions)
    if len(questions.questions) < MIN_QUESTIONS or unanswerable < MIN_UNANSWERABLE:
        raise QuestionSetError(
            f"{path}: {len(questions.questions)} questions, {unanswerable} of them unanswerable: a calibration"
            f" needs at least {MIN_QUESTIONS}, and {MIN_UNANSWERABLE} unanswerable ones among them"
        )
    asked = []
    for done, question in enumerate(questions.questions):
        if on_progress:
            on_progress(done, len(questions.questions))
        passages = qa.search(question.question, top_k=TOP_K)
        asked.append(judge(qa.read(question.question, passages), passages, question.answers))
    if on_progress:
        on_progress(len(asked), len(asked))
    right = sum(question.best(bundled_calibration())[1] for question in asked)
    if right < MIN_RIGHT:
        raise QuestionSetError(
            f"{path}: the best candidate is right on {right} questions, a calibration needs at least {MIN_RIGHT}:"
            " are they about the documents of this index?"
        )
    return recalibrate(asked, qa.reader.fingerprint, max_false_answers)


def _is_about(questions: QuestionSet, qa: EpiQA) -> bool:
    """Returns whether the documents that a set brings, if any, are in the index."""
    known = {
        normalise(document.path).replace("_", " ") for document in qa.documents()
    }  # as SQuAD's titles are read
    return not questions.documents or all(question.title in known for question in questions.questions)


def recalibrate(asked: Sequence[Asked], reader: str, max_false_answers: float = MAX_FALSE_ANSWERS) -> Recalibration:
    """Fits a calibration to questions that were asked; each is judged by a fit that did not see it."""
    folds = _folds(asked)

    def fitted(some: Sequence[Asked]) -> Calibration:
        start = bundled_calibration()
        weights = [1 / max(1, min(SPANS_PER_QUESTION, len(question.values))) for question in some]
        return fit_questions(some, weights, reader=reader, threshold=start.threshold, start=start, prior=PRIOR)

    held_out = [(0.0, False)] * len(asked)
    for fold in range(FOLDS):
        without = fitted([question for question, of in zip(asked, folds, strict=True) if of != fold])
        for position, question in enumerate(asked):
            if folds[position] == fold:
                held_out[position] = question.best(without)

    def threshold(left_out: int | None) -> float:
        """Chooses by the unanswerable questions outside of a fold."""
        confidences = [
            confidence
            for question, of, (confidence, _) in zip(asked, folds, held_out, strict=True)
            if of != left_out and not question.is_answerable
        ]
        return choose_threshold(confidences, max_false_answers=max_false_answers)

    thresholds = [threshold(fold) for fold in range(FOLDS)]
    bundled = bundled_calibration()
    before = [question.best(bundled) for question in asked]
    calibration = replace(fitted(asked), threshold=threshold(None))
    return Recalibration(
        calibration,
        {"threshold": bundled.threshold} | _figures(asked, before, [bundled.threshold] * len(asked)),
        {"threshold": calibration.threshold} | _figures(asked, held_out, [thresholds[fold] for fold in folds]),
    )


def _folds(asked: Sequence[Asked]) -> list[int]:
    """Deals the answerable and the unanswerable questions out to the folds, each in turn."""
    counts = {True: 0, False: 0}
    folds = []
    for question in asked:
        folds.append(counts[question.is_answerable] % FOLDS)
        counts[question.is_answerable] += 1
    return folds


def _figures(
    asked: Sequence[Asked], outcomes: Sequence[tuple[float, bool]], thresholds: Sequence[float]
) -> dict[str, float]:
    """Returns the shares answered at each question's threshold, and measures of (confidence, right) outcomes."""
    confidences, right = [confidence for confidence, _ in outcomes], [is_right for _, is_right in outcomes]
    answered = [confidence >= threshold for confidence, threshold in zip(confidences, thresholds, strict=True)]
    kinds = [question.is_answerable for question in asked]
    figures = {
        "answerable_right": float(
            np.mean([a and r for a, r, kind in zip(answered, right, kinds, strict=True) if kind])
        ),
        "false_answer_rate": float(np.mean([a for a, kind in zip(answered, kinds, strict=True) if not kind])),
        "auroc": metrics.auroc(confidences, right),
        "coverage@80": metrics.coverage(confidences, right, 0.8),
        "ece": metrics.expected_calibration_error(confidences, right),
        "brier": metrics.brier(confidences, right),
    }
    return {name: value for name, value in figures.items() if value is not None}
