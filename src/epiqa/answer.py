"""Spans -> Answer: confidence, grouping of equal answers, abstention, citations.

Confidence is a logistic model over a span's signals, fitted on questions by `training/calibrate.py` (after
Kamath, Jia & Liang 2020) and stored in `models/calibration.json`, with the threshold below which the
documents are said not to answer. Nothing here is set by hand.
"""

from __future__ import annotations

import json
import math
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from epiqa.models import read_bundled
from epiqa.sentences import sentence_offsets
from epiqa.types import Answer, Candidate, Citation, Passage, Span

NO_ANSWER = "The documents don't answer this."
MAX_CANDIDATES = 5
# A further candidate less likely than this is noise to a reader.
MIN_FURTHER_CONFIDENCE = 0.05
# The signals that the confidence is made of.
FEATURES = ("margin", "log_probability", "log_rank")

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Calibration:
    """The weights of the confidence, by feature name, and the threshold of abstention."""

    intercept: float
    weights: dict[str, float]
    threshold: float

    def confidence(self, values: Mapping[str, float]) -> float:
        """Returns the probability that a span with these features is right (SQuAD F1 of at least 0.5)."""
        logit = self.intercept + sum(weight * values[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))


@cache
def bundled_calibration() -> Calibration:
    """Returns the calibration that belongs to the bundled reader."""
    stored = json.loads(read_bundled("calibration.json"))
    assert set(stored["weights"]) == set(FEATURES), "calibrated with other features: run training/calibrate.py"
    return Calibration(stored["intercept"], stored["weights"], stored["threshold"])


def features(span: Span, rank: int) -> dict[str, float]:
    """Returns the values of `FEATURES`; `rank` counts the passages from 0, as retrieved."""
    return {
        "margin": span.score - span.null_score,
        "log_probability": math.log(max(span.probability, 1e-6)),
        "log_rank": math.log1p(rank),
    }


def _sentence(span: Span) -> tuple[int, int]:
    """Returns the offsets in the passage of the sentence, or sentences, a span stands in."""
    left, right = span.start - span.passage.start, span.end - span.passage.start
    quote, title = span.passage.quote, span.passage.title
    sentences = sentence_offsets(quote, has_title=bool(title) and quote.startswith(title))
    begin = max((start for start, _ in sentences if start <= left), default=left)
    finish = min((end for _, end in sentences if end >= right), default=right)
    return begin, finish


def normalise_answer(text: str) -> str:
    """Returns the text as SQuAD's scoring compares it: lower case, without punctuation and articles."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def cite(span: Span) -> Citation:
    """Returns the citation of a span with the rest of the sentence, or sentences, it stands in."""
    passage = span.passage
    left, right = span.start - passage.start, span.end - passage.start
    begin, finish = _sentence(span)
    return Citation(
        document_id=passage.document_id,
        title=passage.title,
        path=passage.path,
        date=passage.date,
        page=passage.page,
        start=span.start,
        end=span.end,
        quote=span.quote,
        before=passage.quote[begin:left],
        after=passage.quote[right:finish],
    )


def answer(question: str, spans: Sequence[Span], passages: Sequence[Passage], calibration: Calibration) -> Answer:
    """Returns the answer to a question out of the reader's spans, or the statement that there is none.

    Of spans that overlap in a document, the most confident stays. Those with the same words, as SQuAD
    compares them, are one candidate with several citations.
    """
    ranks = {_place(passage): rank for rank, passage in enumerate(passages)}
    ranked = sorted(
        ((calibration.confidence(features(span, ranks[_place(span.passage)])), span) for span in spans),
        key=lambda pair: (-pair[0], -pair[1].score, pair[1].passage.path, pair[1].start),
    )
    groups: dict[str, list[tuple[float, Span]]] = {}
    kept: list[Span] = []
    for confidence, span in ranked:
        text = normalise_answer(span.quote)
        if any(map(str.isalnum, text)) and not any(_overlap(span, other) for other in kept):
            kept.append(span)
            groups.setdefault(text, []).append((confidence, span))
    candidates = tuple(
        Candidate(
            text=group[0][1].quote,
            confidence=group[0][0],
            citations=tuple(cite(span) for _, span in group),
        )
        for group in list(groups.values())[:MAX_CANDIDATES]
    )
    candidates = candidates[:1] + tuple(c for c in candidates[1:] if c.confidence >= MIN_FURTHER_CONFIDENCE)
    best = candidates[0] if candidates else None
    is_answered = best is not None and best.confidence >= calibration.threshold
    return Answer(
        question=question,
        is_answered=is_answered,
        text=best.text if best and is_answered else None,
        confidence=best.confidence if best else 0.0,
        citations=best.citations if best and is_answered else (),
        candidates=candidates,
        passages=tuple(passages),
    )


def _place(passage: Passage) -> tuple[str, int]:
    return passage.document_id, passage.start


def _overlap(one: Span, other: Span) -> bool:
    return one.passage.document_id == other.passage.document_id and one.start < other.end and other.start < one.end
