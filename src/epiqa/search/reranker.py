"""Passages and what a reader found in them -> their order.

The search's score says how well a passage fits the question, a reader's best margin over "no answer" whether
something in it answers it. Their weighted sum orders passages better than either. `training/reranking.py` chose the
weights; `benchmarks/README.md` has their effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from epiqa.models.cascade import PassageKey, ReaderCascade, best_margins, passage_key
from epiqa.types import Passage, Reader

# Of a reader's margin, in logits, against the score of the fused search; of the second reader's, against the order
# that the search and the first reader make.
READER_WEIGHT, SECOND_WEIGHT = 0.04, 0.06
# The passages that the first reader reads, and the second.
RERANKED, RERANKED_TWICE = 20, 3


def reranked(
    passages: Sequence[Passage], margins: Mapping[PassageKey, float], weight: float = READER_WEIGHT
) -> list[Passage]:
    """Returns the passages by their score and a reader's best margin in them.

    One in which no span was found counts as the worst of them. Each keeps its margin as `reader`, and gets the
    sum as its score.
    """
    worst = min(margins.values(), default=0.0)
    scored = []
    for passage in passages:
        margin = margins.get(passage_key(passage), worst)
        scored.append(replace(passage, score=passage.score + weight * margin, reader=margin))
    return sorted(scored, key=lambda passage: -passage.score)


def stacked(first: Sequence[Passage], rest: Sequence[Passage]) -> list[Passage]:
    """Returns both in one list; the first scores are raised alike where they would not be above the rest's."""
    lift = max(0.0, rest[0].score - first[-1].score) if first and rest else 0.0
    return [replace(passage, score=passage.score + lift) for passage in first] + list(rest)


def rerank_by_reading(question: str, passages: Sequence[Passage], reader: Reader) -> list[Passage]:
    """Returns the passages in the order that their scores and what a reader finds in the first 20 make.

    Of two readers, the second one reads the first three that result again, and puts these in order.
    """
    first = reader.first if isinstance(reader, ReaderCascade) else reader
    read = passages[:RERANKED]
    found = reranked(read, best_margins(first.read(question, read)))
    if isinstance(reader, ReaderCascade):
        few, rest = found[:RERANKED_TWICE], found[RERANKED_TWICE:]
        found = stacked(reranked(few, best_margins(reader.second.read(question, few)), SECOND_WEIGHT), rest)
    return stacked(found, passages[RERANKED:])
