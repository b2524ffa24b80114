"""The order that a reader's margins and the search's scores make."""

from __future__ import annotations

from dataclasses import replace

import pytest

from epiqa.models.cascade import best_margins
from epiqa.search.reranker import reranked, stacked
from epiqa.types import Span
from fakes import make_passage


def test_the_readers_margin_counts_for_the_order() -> None:
    passages = [replace(make_passage("text", document_id=name), score=0.5) for name in "abcd"]
    result = reranked(passages, {("b", 0): 5.0, ("c", 0): -5.0, ("d", 0): 5.0})
    # b and d tie and keep their order; a, in which nothing was found, counts as the worst, and keeps its place.
    assert [p.document_id for p in result] == ["b", "d", "a", "c"]
    assert [p.reader for p in result] == [5.0, 5.0, -5.0, -5.0]
    assert [p.score for p in result] == pytest.approx([0.7, 0.7, 0.3, 0.3])
    assert [p.score for p in reranked(passages, {("a", 0): 5.0}, weight=0.1)] == pytest.approx([1.0] * 4)


def test_reranking_tells_passages_of_one_document_apart() -> None:
    one, two = make_passage("text", start=0), make_passage("more", start=10)
    assert [p.start for p in reranked([one, two], {("d", 0): 0.0, ("d", 10): 0.3})] == [10, 0]
    assert [p.start for p in reranked([one, two], {})] == [0, 10]
    assert reranked([], {}) == []


def test_a_passage_counts_by_its_best_margin() -> None:
    one, two = make_passage("text", start=0), make_passage("more", start=10)
    spans = [Span(one, 0, 4, "text", score, 2.0, 0.5) for score in (1.0, 6.0, 3.0)]
    spans.append(Span(two, 10, 14, "more", -1.0, 2.0, 0.5))
    assert best_margins(spans) == {("d", 0): 4.0, ("d", 10): -3.0}
    assert best_margins([]) == {}


def test_scores_fall_from_those_read_twice_to_those_read_once() -> None:
    low = [
        replace(make_passage("text", document_id=name), score=score) for name, score in (("a", 0.2), ("b", -1.0))
    ]
    high = [replace(make_passage("text", document_id="c"), score=0.5)]
    assert [p.score for p in stacked(low, high)] == pytest.approx([1.7, 0.5, 0.5])
    assert stacked(high, low) == high + low
    assert stacked([], low) == low
    assert stacked(low, []) == low
