"""Question -> ranked Passages: vectors and words searched apart, then fused.

The weighted sum of both scores orders the passages ("fused"); or that of both divided by their best
("normalised"), or the reciprocal ranks (Cormack, Clarke & Büttcher 2009, "rrf"). On request, the words of the first
results join the search by words (RM3: Lavrenko & Croft 2001, Abdul-Jaleel et al. 2004). The defaults were chosen by
measurement: see `benchmarks/README.md`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from epiqa.errors import FilterError
from epiqa.filters import EVERYTHING, Filter
from epiqa.search.query_expansion import search_terms
from epiqa.store.embedded import Index
from epiqa.text.sentences import STOPWORDS
from epiqa.types import Embedder, Passage

Method = Literal["fused", "normalised", "rrf", "dense", "lexical"]

Scores = Mapping[int, float]

# Of BM25, against a cosine. BM25 grows with the number of words that match, and so says how much to trust it.
LEXICAL_WEIGHT = 0.04
NORMALISED_DENSE_SHARE = 0.5
RRF_K = 60
# Each search gives this many for fusion, or top_k if that is more.
DEPTH = 100
# RM3: passages that are taken for relevant, words taken from them, and these words' weight against the question's.
FEEDBACK_PASSAGES, FEEDBACK_WORDS, FEEDBACK_WEIGHT = 10, 10, 0.3


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How passages are searched for.

    `rewrite` searches other ways to write a question's dates, numbers and names, too, and corrects misspelt words;
    `expand` adds words of the first results; a passage's `lexical` is then no BM25 score, but one on its scale.
    """

    method: Method = "fused"
    rewrite: bool = True
    expand: bool = False
    within: Filter = EVERYTHING


def reciprocal_rank_fusion(rankings: Sequence[Scores]) -> dict[int, float]:
    """Returns the sum of 1 / (60 + rank) over the rankings, of each number that is in any; rank 1 is the best."""
    total: dict[int, float] = {}
    for scores in rankings:
        for rank, number in enumerate(_best_first(scores), start=1):
            total[number] = total.get(number, 0.0) + 1 / (RRF_K + rank)
    return total


def weighted_sum(
    one: Scores, other: Scores, weights: tuple[float, float], *, depth: int = DEPTH
) -> dict[int, float]:
    """Returns the weighted sum of both scores, of each number that has either.

    `depth` is how many each search was asked for. A number that it did not return has no higher score there than
    the lowest that it returned, and gets that; or 0, where the search returned all it found.
    """
    total = dict.fromkeys([*one, *other], 0.0)
    for weight, scores in zip(weights, (one, other), strict=True):
        lowest = min(scores.values()) if len(scores) >= depth else 0.0
        for number in total:
            total[number] += weight * scores.get(number, lowest)
    return total


def normalised(scores: Scores) -> dict[int, float]:
    """Returns the scores divided by the best; where that is not above 0, each is 0."""
    best = max(scores.values(), default=0.0)
    return {number: score / best if best > 0 else 0.0 for number, score in scores.items()}


def retrieve(
    question: str, index: Index, embedder: Embedder, *, top_k: int, how: Retrieval = Retrieval()
) -> list[Passage]:
    """Returns up to `top_k` passages, best first; `score` is what orders them.

    Raises FilterError when no document meets the filter.
    """
    _check_filter(how.within, index)
    depth = max(top_k, DEPTH)
    dense: Scores = {}
    lexical: Scores = {}
    if how.method != "lexical":
        dense = dict(index.search_vector(embedder.encode([question])[0], depth, how.within))
    if how.method != "dense":
        terms = search_terms(question, index, rewrite=how.rewrite)
        lexical = dict(index.search_words(terms, depth, how.within))
        if how.expand:
            lexical = _expanded(lexical, terms, index, depth, how.within)
    fused: Scores = {}
    if how.method == "fused":
        fused = weighted_sum(dense, lexical, (1.0, LEXICAL_WEIGHT), depth=depth)
    elif how.method == "normalised":
        shares = (NORMALISED_DENSE_SHARE, 1 - NORMALISED_DENSE_SHARE)
        fused = weighted_sum(normalised(dense), normalised(lexical), shares, depth=depth)
    elif how.method == "rrf":
        fused = reciprocal_rank_fusion([dense, lexical])
    scores = {"dense": dense, "lexical": lexical}.get(how.method, fused)
    numbers = _best_first(scores)[:top_k]
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


def _best_first(scores: Scores) -> list[int]:
    """Returns the numbers in falling scores; those of equal score in rising order."""
    return sorted(scores, key=lambda number: (-scores[number], number))


def _check_filter(within: Filter, index: Index) -> None:
    if within.documents and (unknown := index.unknown_documents(within.documents)):
        raise FilterError(f"there is no document {unknown[0]!r} in the index: see epiqa documents list")
    if within and not index.count_documents(within):
        raise FilterError(f"no document meets {within}: see epiqa documents list for paths and dates")


def _expanded(lexical: Scores, terms: Sequence[str], index: Index, depth: int, within: Filter) -> dict[int, float]:
    """Returns the scores with those of the words that the first passages have most, in the share that RM3 gives."""
    first = _best_first(lexical)[:FEEDBACK_PASSAGES]
    passages = index.fetch(first)
    weights: defaultdict[str, float] = defaultdict(float)
    for number in first:
        words = [word.lower() for word in re.findall(r"[^\W\d_]{3,}", passages[number].quote)]
        for word in words:
            weights[word] += lexical[number] / len(words)
    known = STOPWORDS.union(terms)
    heaviest = sorted(weights, key=lambda word: -weights[word])
    added = [word for word in heaviest if word not in known][:FEEDBACK_WORDS]
    more = normalised(dict(index.search_words(added, depth, within)))
    best = max(lexical.values(), default=0.0)
    shares = (FEEDBACK_WEIGHT * best, 1 - FEEDBACK_WEIGHT)
    return weighted_sum(more, lexical, shares, depth=depth)
