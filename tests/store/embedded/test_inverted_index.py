"""The word index against SQLite's FTS5, whose scores it must give, on texts and questions drawn at random."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from epiqa.store.embedded import catalogue, inverted_index
from epiqa.store.embedded.bm25 import BM25, best
from fakes import query_terms

TOKENIZER = "porter unicode61 remove_diacritics 2"
VOCABULARY = [
    *(f"word{n}" for n in range(40)),
    "meetings",
    "meeting",
    "met",
    "café",
    "Xi'an",
    "COVID-19",
    "防疫",
    "U.S.",
]


def made_up(count: int, seed: int) -> list[tuple[str, str]]:
    """Returns titles and texts, in which some words are far more frequent than others."""
    chooser = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(len(VOCABULARY))]
    return [
        (
            " ".join(chooser.choices(VOCABULARY, weights, k=2)),
            " ".join(chooser.choices(VOCABULARY, weights, k=length)),
        )
        for length in (chooser.randrange(60) for _ in range(count))
    ]


def reference(texts: Sequence[tuple[str, str]], queries: Sequence[str]) -> Iterator[dict[int, float]]:
    """Yields what FTS5 finds for each query, with its scores."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE VIRTUAL TABLE words USING fts5(title, text, tokenize='{TOKENIZER}')")
        connection.executemany(
            "INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)", ((n, *pair) for n, pair in enumerate(texts))
        )
        for query in queries:
            yield dict(connection.execute("SELECT rowid, -rank FROM words WHERE words MATCH ?", (query,)))


def segment(path: Path, runs: Sequence[Sequence[tuple[str, str]]]) -> sqlite3.Connection:
    """Writes the texts of several runs as one segment."""
    connection = catalogue.create(path, catalogue.SEGMENT)
    first, made, lengths = 0, [], []
    for run in runs:
        entries, these = inverted_index.entries(run, first)
        made.append(iter(entries))
        lengths.append(these)
        first += len(run)
    inverted_index.write_entries(connection, made)
    inverted_index.write_lengths(connection, np.concatenate(lengths))
    return connection


def questions(seed: int) -> list[list[str]]:
    chooser = random.Random(seed)
    return [
        [
            " ".join(chooser.choices(VOCABULARY, k=chooser.choice((1, 1, 1, 2, 3))))
            for _ in range(chooser.randrange(1, 7))
        ]
        for _ in range(150)
    ]


def query(terms: Sequence[str]) -> str:
    return " OR ".join('"' + term + '"' for term in terms)


def test_scores_are_those_of_fts5_over_any_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inverted_index, "_TOKENS_AT_ONCE", 97)
    texts = made_up(700, 1)
    parts = [segment(tmp_path / "a", [texts[:300], texts[300:310]]), segment(tmp_path / "b", [texts[310:]])]
    search = BM25(parts, [0, 310, 700], np.ones(700, dtype=bool))
    asked = questions(2)
    hits = 0
    for terms, expected in zip(asked, reference(texts, list(map(query, asked))), strict=True):
        found = search.search(query_terms(*terms), 1000)
        assert dict(found) == pytest.approx(expected, rel=1e-4, abs=1e-5)
        assert found == sorted(found, key=lambda pair: (-pair[1], pair[0]))
        assert found[:7] == search.search(query_terms(*terms), 7)
        assert search.has_any(terms[0]) == bool(search.search(query_terms(terms[0]), 1))
        hits += len(found)
    assert hits > 10_000


def test_what_was_removed_counts_for_nothing(tmp_path: Path) -> None:
    texts = made_up(500, 3)
    kept = np.random.default_rng(4).random(500) < 0.6
    parts = [segment(tmp_path / "a", [texts[:200]]), segment(tmp_path / "b", [texts[200:]])]
    search = BM25(parts, [0, 200, 500], kept)
    numbers = np.flatnonzero(kept).tolist()
    asked = questions(5)
    for terms, expected in zip(asked, reference([texts[n] for n in numbers], list(map(query, asked))), strict=True):
        found = search.search(query_terms(*terms), 1000)
        assert dict(found) == pytest.approx(
            {numbers[n]: score for n, score in expected.items()}, rel=1e-4, abs=1e-5
        )


def test_moving_chunks_is_the_same_as_writing_them_there(tmp_path: Path) -> None:
    texts = made_up(300, 6)
    kept = np.random.default_rng(7).random(300) < 0.7
    whole = segment(tmp_path / "whole", [texts])
    rows_to = np.where(kept, np.cumsum(kept) - 1 + 5, -1)
    moved = list(inverted_index.moved(inverted_index.read_entries(whole), rows_to))
    anew, _ = inverted_index.entries([pair for pair, keep in zip(texts, kept, strict=True) if keep], 5)
    assert moved == anew


def test_a_phrase_does_not_run_from_the_title_into_the_text(tmp_path: Path) -> None:
    part = segment(tmp_path / "a", [[("Harbour notice", "schools closed"), ("", "notice schools")]])
    search = BM25([part], [0, 2], np.ones(2, dtype=bool))
    assert [number for number, _ in search.search(query_terms("notice schools"), 5)] == [1]
    assert [number for number, _ in search.search(query_terms("harbour notice"), 5)] == [0]


def test_a_word_beyond_all_counting_is_found(tmp_path: Path) -> None:
    many = "harbour " * 70_000 + "closed"
    part = segment(tmp_path / "a", [[("", many), ("", "harbour closed")]])
    search = BM25([part], [0, 2], np.ones(2, dtype=bool))
    assert {number for number, _ in search.search(query_terms("harbour"), 5)} == {0, 1}
    assert {number for number, _ in search.search(query_terms("closed"), 5)} == {0, 1}
    assert 1 in {number for number, _ in search.search(query_terms("harbour closed"), 5)}


def test_of_equal_scores_the_first_numbers_come_first() -> None:
    scores = np.array([0, 2, 1, 2, 0, 2, 1], dtype=np.float32)
    assert best(scores, 2) == [(1, 2.0), (3, 2.0)]
    assert best(scores, 4) == [(1, 2.0), (3, 2.0), (5, 2.0), (2, 1.0)]
    assert best(scores, 50) == [(1, 2.0), (3, 2.0), (5, 2.0), (2, 1.0), (6, 1.0)]
    assert best(scores, 0) == []
