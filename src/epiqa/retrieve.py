"""Question -> ranked Passages: vectors and words searched apart, then fused by rank.

Reciprocal rank fusion after Cormack, Clarke & Büttcher 2009: each list gives a passage 1 / (60 + rank).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from epiqa.index import Index
from epiqa.sentences import content_words
from epiqa.types import Embedder, Passage

Method = Literal["fused", "dense", "lexical"]

RRF_K = 60
# Each search gives this many for fusion, or top_k if that is more.
DEPTH = 100


def reciprocal_rank_fusion(rankings: Sequence[Sequence[int]]) -> dict[int, float]:
    """Returns the fused score of each number that is in any of the rankings, best first."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, number in enumerate(ranking, start=1):
            scores[number] = scores.get(number, 0.0) + 1 / (RRF_K + rank)
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))


def retrieve(
    question: str, index: Index, embedder: Embedder, *, top_k: int, method: Method = "fused"
) -> list[Passage]:
    """Returns up to `top_k` passages, best first.

    `score` is the fused score, the cosine, or the BM25 score, as `method` says.
    """
    depth = max(top_k, DEPTH)
    dense = {} if method == "lexical" else dict(index.search_vector(embedder.encode([question])[0], depth))
    lexical = {} if method == "dense" else dict(index.search_words(content_words(question), depth))
    fused = reciprocal_rank_fusion([list(dense), list(lexical)]) if method == "fused" else {}
    scores = {"fused": fused, "dense": dense, "lexical": lexical}[method]
    numbers = list(scores)[:top_k]
    passages = index.fetch(numbers)
    return [
        replace(
            passages[number],
            score=scores[number],
            dense=dense.get(number),
            lexical=lexical.get(number),
            fused=fused.get(number),
        )
        for number in numbers
    ]
