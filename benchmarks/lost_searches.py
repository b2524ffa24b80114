"""Ways of searching that were measured and lost: scores divided by the best of each search, and RM3.

RM3 (Lavrenko & Croft 2001, Abdul-Jaleel et al. 2004) also searches the words that the first passages have most.
`retrieval.py` measures both beside what is used.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Literal

from epiqa.search.query_expansion import search_terms
from epiqa.search.retriever import DEPTH, Scores, best_first, fetch_best, lexical_weight, weighted_sum
from epiqa.store.protocol import ChunkId, IndexReader, QueryTerm
from epiqa.text.sentences import STOPWORDS
from epiqa.types import Embedder, Passage

Lost = Literal["normalised", "lexical, RM3", "fused, RM3"]

NORMALISED_DENSE_SHARE = 0.5
# Passages that are taken for relevant, words taken from them, and these words' weight against the question's.
FEEDBACK_PASSAGES, FEEDBACK_WORDS, FEEDBACK_WEIGHT = 10, 10, 0.3


def normalised(scores: Scores) -> dict[ChunkId, float]:
    """Returns the scores divided by the best; 0 for all where that is not above 0."""
    best = max(scores.values(), default=0.0)
    return {chunk: score / best if best > 0 else 0.0 for chunk, score in scores.items()}


def search(question: str, index: IndexReader, embedder: Embedder, *, top_k: int, way: Lost) -> list[Passage]:
    """Returns up to `top_k` passages, best first, as `retriever.retrieve` does."""
    depth = max(top_k, DEPTH)
    dense: Scores = {}
    if way != "lexical, RM3":
        dense = dict(index.search_vector(embedder.encode([question])[0], depth))
    terms = search_terms(question, index)
    lexical: Scores = dict(index.search_words(terms, depth))
    if way != "normalised":
        lexical = _expanded(lexical, {term.text for term in terms}, index, depth)
    if way == "normalised":
        shares = (NORMALISED_DENSE_SHARE, 1 - NORMALISED_DENSE_SHARE)
        scores = weighted_sum(normalised(dense), normalised(lexical), shares, depth=depth)
    elif way == "fused, RM3":
        scores = weighted_sum(dense, lexical, (1.0, lexical_weight(terms)), depth=depth)
    else:
        scores = dict(lexical)
    return fetch_best(index, top_k, scores, dense=dense, lexical=lexical, fused=scores)


def _expanded(lexical: Scores, known: set[str], index: IndexReader, depth: int) -> dict[ChunkId, float]:
    first = best_first(lexical)[:FEEDBACK_PASSAGES]
    passages = index.fetch(first)
    weights: defaultdict[str, float] = defaultdict(float)
    for chunk in first:
        words = [word.lower() for word in re.findall(r"[^\W\d_]{3,}", passages[chunk].quote)]
        for word in words:
            weights[word] += lexical[chunk] / len(words)
    heaviest = sorted(weights, key=lambda word: -weights[word])
    added = [QueryTerm(word) for word in heaviest if word not in STOPWORDS and word not in known]
    more = normalised(dict(index.search_words(added[:FEEDBACK_WORDS], depth)))
    best = max(lexical.values(), default=0.0)
    return weighted_sum(more, lexical, (FEEDBACK_WEIGHT * best, 1 - FEEDBACK_WEIGHT), depth=depth)
