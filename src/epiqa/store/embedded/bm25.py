"""BM25 over the inverted indexes of all segments (Robertson & Zaragoza 2009), with the scores of SQLite's FTS5.

FTS5's own search visits one by one each chunk that has a word of the question; for a common word in a large index
these are hundreds of thousands. Here, arrays are added.
"""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from epiqa.store.embedded.inverted_index import ROW, Mask, damage_translated, find, read_lengths, stems
from epiqa.store.protocol import QueryTerm, Scored

K1, B = 1.2, 0.75  # FTS5's
MIN_IDF = 1e-6  # of a word that more than half of the chunks have


@dataclass(frozen=True, slots=True)
class _Matches:
    """The chunks that have a term, in rising order, what it adds to their scores, and its inverse frequency."""

    chunks: NDArray[np.integer]
    scores: NDArray[np.float32]
    idf: float

    def scores_of(self, chunks: NDArray[np.integer]) -> NDArray[np.float32]:
        """Returns what the term adds to the scores of these chunks: 0 where they lack it."""
        if not len(self.chunks):
            return np.zeros(len(chunks), dtype=np.float32)
        places = np.minimum(np.searchsorted(self.chunks, chunks), len(self.chunks) - 1)
        return np.where(self.chunks[places] == chunks, self.scores[places], np.float32(0))


class BM25:
    """BM25 over the chunks of all segments that were not removed. Not safe for several threads."""

    def __init__(self, segments: Sequence[sqlite3.Connection], firsts: Sequence[int], is_there: Mask) -> None:
        """`firsts` has the number of each segment's first chunk, and the count of all.

        Raises sqlite3.DatabaseError where a segment has another number of chunks.
        """
        self._segments = list(zip(segments, firsts, strict=False))
        self._is_there = None if is_there.all() else is_there
        self._count = int(is_there.sum())
        with damage_translated("the lengths of chunks"):
            lengths = np.concatenate([np.empty(0), *map(read_lengths, segments)])
            if len(lengths) != len(is_there):
                raise ValueError(f"there are {len(lengths)}, not {len(is_there)}")
        mean = float(lengths[is_there].mean()) if self._count else 1.0
        self._norms = (K1 * (1 - B + B * lengths / max(mean, 1.0))).astype(np.float32)

    def search(self, terms: Sequence[QueryTerm], top_k: int, among: Mask | None = None) -> Scored:
        """Returns up to `top_k` (chunk number, score) of chunks with any of the terms, best first.

        A variant weighs at most as much as the words that it replaces do together, and adds only what exceeds their
        own score; of several variants of the same words, the best one counts. `among` masks the searchable chunks.
        """
        scores = np.zeros(len(self._norms), dtype=np.float32)
        phrases = stems([term.text for term in terms])
        matches: dict[str, _Matches] = {}
        gains: defaultdict[tuple[str, ...], list[tuple[NDArray[np.integer], NDArray[np.float32]]]] = defaultdict(
            list
        )
        for term, phrase in zip(terms, phrases, strict=True):
            if term.is_stem or phrase:
                found = self._matches((term.text,) if term.is_stem else phrase)
                if term.variant_of is None:
                    matches[term.text] = found
                    scores[found.chunks] += found.scores
                else:
                    replaced = [matches.get(word) or self._no_matches() for word in term.variant_of]
                    gains[term.variant_of].append((found.chunks, _gain(found, replaced)))
        for of_same_words in gains.values():
            chunks, gain = (np.concatenate(parts) for parts in zip(*of_same_words, strict=True))
            chunks, gain = chunks[gain > 0], gain[gain > 0]
            distinct, places = np.unique(chunks, return_inverse=True)
            most = np.zeros(len(distinct), dtype=np.float32)
            np.maximum.at(most, places, gain)
            scores[distinct] += most
        if among is not None:
            scores[~among] = 0
        return best(scores, top_k)

    def _idf(self, chunks: int) -> float:
        return max(math.log((self._count - chunks + 0.5) / (chunks + 0.5)), MIN_IDF)

    def _matches(self, phrase: Sequence[str]) -> _Matches:
        parts = [self._find(segment, first, phrase) for segment, first in self._segments]
        chunks = np.concatenate([np.empty(0, dtype=ROW), *(chunks for chunks, _ in parts)])
        frequencies = np.concatenate([np.empty(0), *(counts for _, counts in parts)]).astype(np.float32)
        idf = self._idf(len(chunks))
        return _Matches(chunks, idf * (K1 + 1) * frequencies / (frequencies + self._norms[chunks]), idf)

    def _no_matches(self) -> _Matches:
        return _Matches(np.empty(0, dtype=ROW), np.empty(0, dtype=np.float32), self._idf(0))

    def has_any(self, phrase: str) -> bool:
        """Returns whether a chunk has the word or phrase."""
        (found,) = stems([phrase])
        return bool(found) and any(len(self._find(*segment, found)[0]) for segment in self._segments)

    def stems(self, initial: str) -> list[str]:
        """Returns the stems that begin with a character, also those of recently removed chunks."""
        query = "SELECT term FROM terms WHERE term >= ? AND term < ?"
        bounds = (initial, chr(ord(initial) + 1))
        with damage_translated(f"the stems from {initial!r} on"):
            found = (term for segment, _ in self._segments for (term,) in segment.execute(query, bounds))
            return sorted({str(term) for term in found})

    def _find(
        self, segment: sqlite3.Connection, first: int, phrase: Sequence[str]
    ) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """Returns the chunks of a segment with a phrase that were not removed, and how often each has it."""
        with damage_translated(f"where {' '.join(phrase)!r} stands"):
            rows, counts = find(segment, phrase)
            chunks = rows + first
            if len(rows) != len(counts) or (len(rows) and (rows.min() < 0 or chunks.max() >= len(self._norms))):
                raise ValueError("there are no such chunks")
            if self._is_there is not None:
                kept = self._is_there[chunks]
                chunks, counts = chunks[kept], counts[kept]
        return chunks, counts


def _gain(found: _Matches, replaced: Sequence[_Matches]) -> NDArray[np.float32]:
    """Returns what a variant adds to the scores of its chunks beyond the words that it replaces."""
    worth = sum(word.idf for word in replaced) if replaced else found.idf
    gain = found.scores * min(1.0, worth / found.idf)
    for word in replaced:
        gain -= word.scores_of(found.chunks)
    return gain


def best(scores: NDArray[np.float32], top_k: int) -> Scored:
    """Returns up to `top_k` (position, score) of the scores above 0, best first; of equal ones the first."""
    found = np.flatnonzero(scores)
    values = scores[found]
    if 0 < top_k < len(found):
        least = np.partition(values, len(values) - top_k)[len(values) - top_k]
        found = found[values >= least]
        values = scores[found]
    order = np.argsort(-values, kind="stable")[: max(top_k, 0)]
    return list(zip(found[order].tolist(), values[order].tolist(), strict=True))
