"""Retrieval: fusion and expansion by worked example, what each method finds, and the reader's order."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from epiqa.assistant import EpiQA
from epiqa.errors import FilterError
from epiqa.filters import Filter
from epiqa.search.retriever import (
    LEXICAL_WEIGHT,
    Method,
    lexical_weight,
    reciprocal_rank_fusion,
    weighted_sum,
)
from epiqa.store.protocol import QueryTerm
from epiqa.sync.operations import add_documents
from epiqa.sync.options import UpdateOptions
from epiqa.text.sentences import content_words
from fakes import KeywordReader, WordEmbedder, make_document, query_terms

METHODS: tuple[Method, ...] = ("fused", "rrf", "dense", "lexical")
TEXTS = {
    "canteen.txt": "Canteens are cleaned and ventilated every day.",
    "hospital.txt": "The hospital has negative pressure wards.",
    "masks.txt": "Masks are worn in hospitals and canteens.",
}


def build(directory: Path, texts: dict[str, str], *, reader: KeywordReader | None = None) -> EpiQA:
    embedder = WordEmbedder(dimensions=512)
    documents = [make_document(text, path=path, title="") for path, text in texts.items()]
    add_documents(documents, directory, UpdateOptions(embedder=embedder))
    return EpiQA.open(directory, embedder=embedder, reader=reader)


@pytest.fixture
def qa(tmp_path: Path) -> EpiQA:
    return build(tmp_path, TEXTS, reader=KeywordReader())


def test_fusion_adds_reciprocal_ranks() -> None:
    fused = reciprocal_rank_fusion([{7: 0.9, 8: 0.8, 9: 0.7}, {9: 5.0, 7: 4.0}])
    assert fused == pytest.approx({7: 1 / 61 + 1 / 62, 9: 1 / 63 + 1 / 61, 8: 1 / 62})


def test_ranks_follow_the_scores_whatever_the_order_they_come_in() -> None:
    assert reciprocal_rank_fusion([{1: -3.0, 2: 0.0, 3: -1.0}]) == {2: 1 / 61, 3: 1 / 62, 1: 1 / 63}
    assert reciprocal_rank_fusion([{5: 1.0, 3: 1.0}]) == {3: 1 / 61, 5: 1 / 62}
    assert reciprocal_rank_fusion([{}, {}]) == {}


def test_weighted_sum() -> None:
    one, other = {1: 0.8, 2: 0.4}, {2: 10.0, 3: 5.0}
    assert weighted_sum(one, other, (1.0, 0.1)) == pytest.approx({1: 0.8, 2: 1.4, 3: 0.5})
    assert weighted_sum(one, {}, (2.0, 0.1)) == pytest.approx({1: 1.6, 2: 0.8})
    assert weighted_sum({}, other, (2.0, 0.1)) == pytest.approx({2: 1.0, 3: 0.5})
    assert weighted_sum({}, {}, (1.0, 1.0)) == {}


def test_what_a_full_search_left_out_gets_its_lowest_score() -> None:
    one, other = {1: 1.0, 2: 0.5}, {3: 2.0}
    assert weighted_sum(one, other, (1.0, 0.5), depth=2) == pytest.approx({1: 1.0, 2: 0.5, 3: 0.5 + 1.0})
    assert weighted_sum(one, other, (1.0, 0.5), depth=3) == pytest.approx({1: 1.0, 2: 0.5, 3: 1.0})


def test_fused_search_is_the_weighted_sum_of_both(qa: EpiQA) -> None:
    searched = {method: {p.path: p.score for p in qa.search("hospital wards", method=method)} for method in METHODS}
    dense, lexical = searched["dense"], searched["lexical"]
    assert searched["fused"] == pytest.approx(
        {path: dense[path] + LEXICAL_WEIGHT * lexical.get(path, 0.0) for path in TEXTS}
    )
    assert searched["rrf"] == pytest.approx(
        {"hospital.txt": 2 / 61, "canteen.txt": 1 / 62, "masks.txt": 1 / 62 + 1 / 63}
    )


def test_words_beyond_the_eighth_do_not_add_to_the_weight_of_words() -> None:
    few, many = query_terms(*"abcdefgh"), query_terms(*"abcdefghijklmnop")
    variants = [QueryTerm(f"{n}", ("a",)) for n in range(20)]
    assert lexical_weight([]) == lexical_weight(few[:1]) == lexical_weight([*few, *variants]) == LEXICAL_WEIGHT
    assert lexical_weight([*many, *variants]) == LEXICAL_WEIGHT / 2


def test_a_long_question_is_not_drowned_in_words(tmp_path: Path) -> None:
    filler = "well you see I was told last winter by several people who live near here that perhaps someone knows"
    texts = {"right.txt": "Masks are worn.", "wrong.txt": f"{filler} nothing of it.", "z.txt": "Rain fell."}
    qa = build(tmp_path, texts)
    dense = {p.path: p.dense for p in qa.search(filler, method="dense")}
    for passage in qa.search(filler):
        assert passage.lexical is None or passage.fused is not None
        words = len(content_words(filler))
        expected = (dense[passage.path] or 0) + LEXICAL_WEIGHT * 8 / words * (passage.lexical or 0)
        assert passage.score == pytest.approx(expected, abs=1e-5)


def test_each_method_orders_by_its_own_score(qa: EpiQA) -> None:
    for method in METHODS:
        passages = qa.search("canteens are cleaned", method=method)
        part = method if method in ("dense", "lexical") else "fused"
        scores = [getattr(passage, part) for passage in passages]
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
        assert passage.reader is None
    assert {p.lexical for p in qa.search("wards", method="dense")} == {None}
    assert {(p.dense, p.fused) for p in qa.search("wards", method="lexical")} == {(None, None)}


def test_top_k_is_kept_and_more_than_there_is_gives_all(qa: EpiQA) -> None:
    assert len(qa.search("canteen", top_k=1)) == 1
    assert len(qa.search("canteen", top_k=1000)) == 3


def test_equal_scores_keep_one_order(tmp_path: Path) -> None:
    qa = build(tmp_path, {f"{n}.txt": "Masks are worn" for n in range(150)})
    for method in METHODS:
        first = [passage.path for passage in qa.search("masks", method=method, top_k=1000)]
        assert len(first) == 150
        assert all(first == [p.path for p in qa.search("masks", method=method, top_k=1000)] for _ in range(3))
        assert [passage.path for passage in qa.search("masks", method=method, top_k=1000)][:10] == first[:10]


def test_one_search_that_finds_nothing_leaves_the_other(qa: EpiQA) -> None:
    for method in METHODS:
        found = qa.search("zyzzyva 防疫", method=method)
        assert len(found) == (0 if method == "lexical" else 3)


def test_search_lets_the_reader_put_first_what_answers(tmp_path: Path) -> None:
    texts = {f"{n}.txt": f"masks in ward {n}" for n in range(1, 6)} | {"z.txt": "masks and answer: in a line"}
    qa = build(tmp_path, texts, reader=KeywordReader())
    assert qa.search("masks")[0].path != "z.txt"
    for top_k in (1, 3):
        passages = qa.search("masks", rerank=True, top_k=top_k)
        assert (len(passages), passages[0].path) == (top_k, "z.txt")
        assert passages[0].reader is not None
    assert qa.search("masks", rerank=True, within=Filter(paths=("[1-5]*",)))[0].path != "z.txt"
    assert len(qa.search("masks", rerank=True, top_k=1000)) == 6


def test_every_step_can_be_switched_off_and_on(qa: EpiQA) -> None:
    for method in METHODS:
        for rewrite in (False, True):
            within = Filter(documents=("masks.txt",))
            found = qa.search("hospitals", method=method, rewrite=rewrite, within=within)
            assert [passage.path for passage in found] == ["masks.txt"]


def test_a_filter_that_nothing_meets_is_said_by_search_and_ask(qa: EpiQA) -> None:
    for call in (qa.search, qa.ask):
        with pytest.raises(FilterError, match=r"there is no document 'other\.txt' in the index"):
            call("masks", within=Filter(documents=("masks.txt", "other.txt")))


def test_threads_search_one_index_at_once(tmp_path: Path) -> None:
    qa = build(tmp_path, {f"{n % 5}/{n}.txt": f"Notice {n} about masks and hospitals {n * 7}" for n in range(60)})
    calls = [
        (question, Filter(paths=(f"{folder}/*",)), method)
        for question in ("hosptial 7", "notise of Feb. 3", "mask 14")
        for folder in range(2)
        for method in METHODS[:2]
    ]

    def found(question: str, within: Filter, method: Method) -> list[tuple[str, float]]:
        return [(p.path, p.score) for p in qa.search(question, within=within, method=method)]

    expected = [found(*call) for call in calls]
    qa = EpiQA.open(tmp_path, embedder=WordEmbedder(dimensions=512))  # in which no stems were listed yet
    results: dict[int, object] = {}
    start = threading.Barrier(6)

    def look(number: int) -> None:
        start.wait()
        results[number] = [found(*call) for call in calls]

    threads = [threading.Thread(target=look, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results.get(number) == expected for number in range(6)] == [True] * 6
