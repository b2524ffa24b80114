"""Retrieval: fusion by worked example, and what each method finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from epiqa.pipeline import EpiQA, Method, add_documents
from epiqa.retrieve import reciprocal_rank_fusion
from fakes import WordEmbedder, make_document

TEXTS = {
    "canteen.txt": "Canteens are cleaned and ventilated every day.",
    "hospital.txt": "The hospital has negative pressure wards.",
    "masks.txt": "Masks are worn in hospitals and canteens.",
}


@pytest.fixture
def qa(tmp_path: Path) -> EpiQA:
    embedder = WordEmbedder(dimensions=512)
    documents = [make_document(text, path=path, title="") for path, text in TEXTS.items()]
    add_documents(documents, tmp_path, embedder=embedder)
    return EpiQA.open(tmp_path, embedder=embedder)


def test_fusion_adds_reciprocal_ranks() -> None:
    fused = reciprocal_rank_fusion([[7, 8, 9], [9, 7]])
    assert fused == pytest.approx({7: 1 / 61 + 1 / 62, 9: 1 / 63 + 1 / 61, 8: 1 / 62})
    assert list(fused) == [7, 9, 8]


def test_equal_scores_keep_one_order() -> None:
    assert list(reciprocal_rank_fusion([[5, 3], [3, 5]])) == [3, 5]


def test_each_method_orders_by_its_own_score(qa: EpiQA) -> None:
    methods: tuple[Method, ...] = ("dense", "lexical", "fused")
    for method in methods:
        passages = qa.search("canteens are cleaned", method=method)
        scores = [getattr(passage, method) for passage in passages]
        assert passages[0].path == "canteen.txt"
        assert [passage.score for passage in passages] == scores == sorted(scores, reverse=True)


def test_the_parts_of_the_score_are_those_of_the_searches(qa: EpiQA) -> None:
    dense = {p.path: p.dense for p in qa.search("hospital wards", method="dense")}
    lexical = {p.path: p.lexical for p in qa.search("hospital wards", method="lexical")}
    assert set(dense) == set(TEXTS)
    assert set(lexical) == {"hospital.txt", "masks.txt"}  # "hospitals" by its stem
    for passage in qa.search("hospital wards"):
        assert passage.dense == dense[passage.path]
        assert passage.lexical == lexical.get(passage.path)


def test_top_k_is_kept_and_more_than_there_is_gives_all(qa: EpiQA) -> None:
    assert len(qa.search("canteen", top_k=1)) == 1
    assert len(qa.search("canteen", top_k=1000)) == 3
