"""Spans -> Answer: confidence, grouping of equal answers, abstention, citations.

Below a threshold of confidence, which the calibration holds, the documents are said not to answer.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from epiqa.answering.calibration import Calibration, features
from epiqa.text.sentences import sentence_offsets
from epiqa.types import Answer, Candidate, Citation, Passage, Span

NO_ANSWER = "The documents don't answer this."
MAX_CANDIDATES = 5
# A further candidate less likely than this is noise to a reader.
MIN_FURTHER_CONFIDENCE = 0.05
# A candidate that was held back is shown, and said to be held back, from here on.
MIN_SHOWN_CONFIDENCE = 0.2

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def _sentence(span: Span) -> tuple[int, int]:
    """Returns the offsets in the passage of the sentence, or sentences, a span stands in."""
    left, right = span.start - span.passage.start, span.end - span.passage.start
    quote, title = span.passage.quote, span.passage.title
    sentences = sentence_offsets(quote, has_title=bool(title) and quote.startswith(title))
    begin = max((start for start, _ in sentences if start <= left), default=left)
    finish = min((end for _, end in sentences if end >= right), default=right)
    return begin, finish


def held_back(answer: Answer) -> Candidate | None:
    """Returns the best candidate of an unanswered question, if it is likely enough to be worth a look."""
    best = answer.candidates[0] if answer.candidates and not answer.is_answered else None
    return best if best and best.confidence >= MIN_SHOWN_CONFIDENCE else None


def normalise_answer(text: str) -> str:
    """Returns the text as SQuAD's scoring compares it: lower case, without punctuation and articles."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def cite(span: Span) -> Citation:
    """Returns the citation of a span with the rest of the sentence, or sentences, it stands in."""
    passage = span.passage
    left, right = span.start - passage.start, span.end - passage.start
    begin, finish = _sentence(span)
    place = passage.place(span.start)
    return Citation(
        document_id=passage.document_id,
        title=passage.title,
        path=passage.path,
        date=passage.date,
        page=place.page,
        start=span.start,
        end=span.end,
        quote=span.quote,
        before=passage.quote[begin:left],
        after=passage.quote[right:finish],
        section=place.section,
    )


def answer(
    question: str,
    spans: Sequence[Span],
    passages: Sequence[Passage],
    calibration: Calibration,
    *,
    min_confidence: float | None = None,
) -> Answer:
    """Returns the answer made of the reader's spans, or the statement that the documents do not answer.

    The answer must have `min_confidence`, or the calibration's threshold for None. Of spans that overlap in a
    document, the most confident stays. Those with the same words, as SQuAD compares them, are one candidate
    with several citations.
    """
    threshold = calibration.threshold if min_confidence is None else min_confidence
    confidences = calibration.confidences(features(spans, passages)).tolist()
    ranked = sorted(
        zip(confidences, spans, strict=True),
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
    is_answered = best is not None and best.confidence >= threshold
    return Answer(
        question=question,
        is_answered=is_answered,
        text=best.text if best and is_answered else None,
        confidence=best.confidence if best else 0.0,
        citations=best.citations if best and is_answered else (),
        candidates=candidates,
        passages=tuple(passages),
    )


def _overlap(one: Span, other: Span) -> bool:
    return one.passage.document_id == other.passage.document_id and one.start < other.end and other.start < one.end
