"""Question -> ranked passages: vectors and words are searched apart, then fused.

The weighted sum of both scores orders the passages ("fused"), or the reciprocal ranks do ("rrf": Cormack, Clarke &
Büttcher 2009). The defaults were chosen by measurement; `benchmarks/README.md` has the figures, and
`benchmarks/lost_searches.py` what was tried and lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from epiqa.errors import FilterError
from epiqa.filters import EVERYTHING, Filter
from epiqa.search.query_expansion import search_terms
from epiqa.store.protocol import ChunkId, IndexReader, QueryTerm
from epiqa.types import Embedder, Passage

Method = Literal["fused", "rrf", "dense", "lexical"]

Scores = Mapping[ChunkId, float]

# Of BM25, against a cosine. BM25 grows with the number of words that match, and so says how much to trust it. But
# the more words a question has, the more of them match by chance: beyond eight, it counts as if it had eight.
LEXICAL_WEIGHT = 0.04
COUNTED_WORDS = 8
RRF_K = 60
# Each search returns this many for fusion, or top_k if that is more.
DEPTH = 100


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How to search, and where.

    `rewrite` also searches other ways to write a question's dates, numbers and names, and corrects misspelt words.
    """

    method: Method = "fused"
    rewrite: bool = True
    within: Filter = EVERYTHING


def reciprocal_rank_fusion(rankings: Sequence[Scores]) -> dict[ChunkId, float]:
    """Returns for each chunk the sum of 1 / (60 + rank) over the rankings that hold it; the best has rank 1."""
    total: dict[ChunkId, float] = {}
    for scores in rankings:
        for rank, chunk in enumerate(best_first(scores), start=1):
            total[chunk] = total.get(chunk, 0.0) + 1 / (RRF_K + rank)
    return total


def weighted_sum(
    one: Scores, other: Scores, weights: tuple[float, float], *, depth: int = DEPTH
) -> dict[ChunkId, float]:
    """Returns the weighted sum of both scores for each chunk that has either.

    `depth` is how many results each search was asked for. A chunk that a search did not return scores there at most
    as much as the last one returned, and is given that score; 0 where the search returned all it found.
    """
    total = dict.fromkeys([*one, *other], 0.0)
    for weight, scores in zip(weights, (one, other), strict=True):
        lowest = min(scores.values()) if len(scores) >= depth else 0.0
        for chunk in total:
            total[chunk] += weight * scores.get(chunk, lowest)
    return total


def retrieve(
    question: str, index: IndexReader, embedder: Embedder, *, top_k: int, how: Retrieval = Retrieval()
) -> list[Passage]:
    """Returns up to `top_k` passages, best first; `score` is what orders them.

    Raises FilterError when no document meets the filter.
    """
    check_filter(how.within, index)
    depth = max(top_k, DEPTH)
    dense: Scores = {}
    lexical: Scores = {}
    terms: list[QueryTerm] = []
    if how.method != "lexical":
        dense = dict(index.search_vector(embedder.encode([question])[0], depth, how.within))
    if how.method != "dense":
        terms = search_terms(question, index, rewrite=how.rewrite)
        lexical = dict(index.search_words(terms, depth, how.within))
    fused: Scores = {}
    if how.method == "fused":
        fused = weighted_sum(dense, lexical, (1.0, lexical_weight(terms)), depth=depth)
    elif how.method == "rrf":
        fused = reciprocal_rank_fusion([dense, lexical])
    scores = {"dense": dense, "lexical": lexical}.get(how.method, fused)
    return fetch_best(index, top_k, scores, dense=dense, lexical=lexical, fused=fused)


def lexical_weight(terms: Sequence[QueryTerm]) -> float:
    """Returns the weight of the BM25 score of a question's terms against a cosine."""
    words = sum(term.variant_of is None for term in terms)
    return LEXICAL_WEIGHT * min(1.0, COUNTED_WORDS / max(words, 1))


def fetch_best(
    index: IndexReader, top_k: int, scores: Scores, *, dense: Scores, lexical: Scores, fused: Scores
) -> list[Passage]:
    """Returns the `top_k` best chunks as passages, each with its score and the parts of it."""
    chunks = best_first(scores)[:top_k]
    passages = index.fetch(chunks)
    return [
        replace(
            passages[chunk],
            score=scores[chunk],
            dense=dense.get(chunk),
            lexical=lexical.get(chunk),
            fused=fused.get(chunk),
        )
        for chunk in chunks
    ]


def best_first(scores: Scores) -> list[ChunkId]:
    """Returns the chunks in falling scores; those of equal score in rising order."""
    return sorted(scores, key=lambda chunk: (-scores[chunk], chunk))


def check_filter(within: Filter, index: IndexReader) -> None:
    """Raises FilterError where the filter names an unknown document, or no document meets it."""
    if within.documents and (unknown := index.unknown_documents(within.documents)):
        raise FilterError(f"there is no document {unknown[0]!r} in the index: see epiqa documents list")
    if within and not index.count_documents(within):
        raise FilterError(f"no document meets {within}: see epiqa documents list for paths and dates")
