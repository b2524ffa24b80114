"""Passages and what a reader found in them -> their order.

The search's score says how well a passage fits the question, a reader's best margin over "no answer" whether
something in it answers it. Their weighted sum orders passages better than either; the weights were chosen by
`training/reranking.py`, and `benchmarks/README.md` has what they do elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from epiqa.types import Passage, Span

# A passage's document and start.
PlaceOf = tuple[str, int]

# Of a reader's margin, in logits, against the score of the fused search.
READER_WEIGHT = 0.04


def place_of(passage: Passage) -> PlaceOf:
    """Returns what tells a passage from all others of an index."""
    return passage.document_id, passage.start


def best_margins(spans: Iterable[Span]) -> dict[PlaceOf, float]:
    """Returns the best score less that of "no answer" of each passage's spans."""
    margins: dict[PlaceOf, float] = {}
    for span in spans:
        place, margin = place_of(span.passage), span.score - span.null_score
        margins[place] = max(margin, margins.get(place, margin))
    return margins


def reranked(
    passages: Sequence[Passage], margins: Mapping[PlaceOf, float], weight: float = READER_WEIGHT
) -> list[Passage]:
    """Returns the passages by their score and a reader's best margin in them.

    One in which no span was found counts as the worst of them. Each keeps its margin as `reader`, and gets the
    sum as its score.
    """
    worst = min(margins.values(), default=0.0)
    scored = []
    for passage in passages:
        margin = margins.get(place_of(passage), worst)
        scored.append(replace(passage, score=passage.score + weight * margin, reader=margin))
    return sorted(scored, key=lambda passage: -passage.score)


def stacked(first: Sequence[Passage], rest: Sequence[Passage]) -> list[Passage]:
    """Returns both in one list; the first scores are raised alike where they would not be above the rest's."""
    lift = max(0.0, rest[0].score - first[-1].score) if first and rest else 0.0
    return [replace(passage, score=passage.score + lift) for passage in first] + list(rest)
