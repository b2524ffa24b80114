"""What an index holds and finds: searches against NumPy and plain Python, after any run of changes."""

from __future__ import annotations

import random
import re
import time
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from epiqa.errors import IndexMissingError
from epiqa.filters import EVERYTHING, Filter
from epiqa.store.embedded import EmbeddedReader, EmbeddedWriter, verify
from epiqa.store.protocol import QueryTerm, content_digest
from epiqa.types import DocumentDate
from fakes import WordEmbedder, query_terms
from lines import EMBEDDER, assert_holds, document_of, put, write


def quotes_of(index: EmbeddedReader, words: list[str]) -> list[str]:
    """Returns the quotes that the words find, best first."""
    found = index.search_words(query_terms(*words), 100)
    passages = index.fetch([number for number, _ in found])
    return [passages[number].quote for number, _ in found]


def test_vector_search_equals_brute_force(tmp_path: Path) -> None:
    generator = np.random.default_rng(7)
    vectors = generator.normal(size=(600, 24)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    embedder = WordEmbedder(dimensions=24)
    with EmbeddedWriter(tmp_path) as writer:
        writer.set_embedder(embedder)
        for first in range(0, 600, 20):
            document, chunks = document_of(f"{first}.txt", "\n".join(str(first + i) for i in range(20)))
            writer.add(document, chunks, vectors[first : first + 20])
        for first in (0, 300, 580):
            assert writer.remove(document_of(f"{first}.txt", "\n".join(str(first + i) for i in range(20)))[0].id)
        writer.commit()
    kept = np.array([row for row in range(600) if row // 20 * 20 not in (0, 300, 580)])
    index = EmbeddedReader.open(tmp_path)
    for query in generator.normal(size=(20, 24)).astype(np.float32):
        cosines = vectors[kept] @ query
        order = np.argsort(-cosines)
        for top_k in (1, 10, 540, 1000):
            found = index.search_vector(query, top_k)
            quotes = index.fetch([number for number, _ in found])
            assert [int(quotes[number].quote) for number, _ in found] == kept[order[:top_k]].tolist()
            np.testing.assert_allclose([score for _, score in found], cosines[order[:top_k]], atol=1e-5)
    assert index.search_vector(vectors[0], 0) == []
    index.close()


def test_filtered_vector_search_equals_brute_force_with_ties(tmp_path: Path) -> None:
    generator = np.random.default_rng(8)
    vectors = generator.normal(size=(400, 24)).astype(np.float32)
    vectors[100:200] = vectors[:100]  # each cosine twice, in two documents
    vectors[300:] = vectors[300]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with EmbeddedWriter(tmp_path) as writer:
        writer.set_embedder(WordEmbedder(dimensions=24))
        for first in range(0, 400, 20):
            document, chunks = document_of(f"{first % 3}/{first}.txt", "\n".join(str(first + i) for i in range(20)))
            writer.add(document, chunks, vectors[first : first + 20])
        writer.commit()
    index = EmbeddedReader.open(tmp_path)
    rows = np.arange(400)
    for within, kept in (
        (EVERYTHING, rows),
        (Filter(paths=("0/*",)), rows[rows // 20 * 20 % 3 == 0]),
        (
            Filter(documents=("20.txt", "120.txt", "300.txt")),
            np.array([*range(20, 40), *range(120, 140), *range(300, 320)]),
        ),
        (Filter(paths=("none",)), rows[:0]),
    ):
        for query in generator.normal(size=(10, 24)).astype(np.float32):
            cosines = vectors[kept] @ query
            for top_k in (1, 7, 60, len(kept) + 100):
                found = index.search_vector(query, top_k, within)
                passages = index.fetch([number for number, _ in found])
                numbers = [int(passages[number].quote) for number, _ in found]
                scores = [score for _, score in found]
                # Of those that tie for the last place, any will do.
                np.testing.assert_allclose(scores, np.sort(cosines)[::-1][:top_k], atol=1e-5)
                np.testing.assert_allclose(scores, vectors[numbers] @ query, atol=1e-5)
                assert len(set(numbers)) == len(numbers) == min(top_k, len(kept))
                assert set(numbers) <= set(kept.tolist())
    index.close()


def test_filtered_word_search_gives_the_same_scores_as_without(tmp_path: Path) -> None:
    chooser = random.Random(9)
    vocabulary = [f"word{n}" for n in range(40)]
    texts = {
        f"{n % 4}/{n}.txt": "\n".join(" ".join(chooser.sample(vocabulary, 5)) for _ in range(6)) for n in range(60)
    }
    write(tmp_path, texts)
    index = EmbeddedReader.open(tmp_path)
    for _ in range(20):
        words = chooser.sample(vocabulary, 3)
        everywhere = dict(index.search_words(query_terms(*words), 10_000))
        passages = index.fetch(list(everywhere))
        for folder in range(4):
            within = Filter(paths=(f"{folder}/*",))
            expected = {n: s for n, s in everywhere.items() if passages[n].path.startswith(f"{folder}/")}
            assert dict(index.search_words(query_terms(*words), 10_000, within)) == expected
            best = index.search_words(query_terms(*words), 5, within)
            assert [score for _, score in best] == sorted(expected.values(), reverse=True)[:5]
    index.close()


def test_a_filtered_word_search_does_not_search_once_for_each_chunk(tmp_path: Path) -> None:
    write(tmp_path, {f"{n}.txt": "\n".join(["masks are worn"] * 100) for n in range(60)})
    index = EmbeddedReader.open(tmp_path)
    begun = time.thread_time()
    assert len(index.search_words(query_terms("masks"), 10_000, Filter(paths=("*.txt",)))) == 6000
    assert time.thread_time() - begun < 1  # else 6000 searches of 6000 chunks: over ten seconds
    index.close()


@pytest.fixture(scope="module")
def notices(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedReader:
    directory = tmp_path_factory.mktemp("notices")
    write(
        directory,
        {
            "a.txt": "The meetings were held in Dalian\nMasks, masks, masks again",
            "b.txt": "Two masks for the harbour in this rather longer line about other things",
            "c.txt": "AND OR NOT NEARBY are words too\nThe café opened for 防疫 work",
            "d.txt": 'An index* of (all) notices: "rice bags" and don\'t',
        },
    )
    return EmbeddedReader.open(directory)


@pytest.mark.parametrize(
    ("words", "quotes"),
    [
        (["meeting"], ["The meetings were held in Dalian"]),
        (["MEETINGS"], ["The meetings were held in Dalian"]),
        (["held", "opening"], ["The meetings were held in Dalian", "The café opened for 防疫 work"]),
        (["cafe"], ["The café opened for 防疫 work"]),
        ([unicodedata.normalize("NFD", "café")], ["The café opened for 防疫 work"]),
        (["防疫"], ["The café opened for 防疫 work"]),
        (["AND"], ["AND OR NOT NEARBY are words too", 'An index* of (all) notices: "rice bags" and don\'t']),
        (["NEARBY"], ["AND OR NOT NEARBY are words too"]),
        (["NOT"], ["AND OR NOT NEARBY are words too"]),
        (["index*"], ['An index* of (all) notices: "rice bags" and don\'t']),
        (["ind*"], []),
        (["don't"], ['An index* of (all) notices: "rice bags" and don\'t']),
        (['rice"bags'], ['An index* of (all) notices: "rice bags" and don\'t']),
        (['"', "rice"], ['An index* of (all) notices: "rice bags" and don\'t']),
        (["quote:rice"], []),
        (["^an"], ['An index* of (all) notices: "rice bags" and don\'t']),
        (["NEAR(rice bags)"], []),
        (["rice\0bags"], ['An index* of (all) notices: "rice bags" and don\'t']),
        (['" OR "masks'], []),
        (["😷"], []),
        ([""], []),
        (["\0"], []),
        (["*"], []),
        ([")", "("], []),
        ([], []),
    ],
)
def test_word_search_takes_any_characters(notices: EmbeddedReader, words: list[str], quotes: list[str]) -> None:
    assert sorted(quotes_of(notices, words)) == sorted(quotes)


@pytest.mark.parametrize(
    "noise", ['"', "'", "\0", "*", "(", ")", "^", ":", "-", "{}", "NEAR(", "😷", "''", '""', "\n"]
)
def test_noise_beside_or_around_a_word_does_not_hide_it(notices: EmbeddedReader, noise: str) -> None:
    line = "Two masks for the harbour in this rather longer line about other things"
    assert quotes_of(notices, [noise, "harbour"]) == [line]
    assert quotes_of(notices, ["harbour" + noise.strip("NEAR")]) == [line]


def test_bm25_is_positive_and_ordered(notices: EmbeddedReader) -> None:
    found = notices.search_words(query_terms("masks", "harbour"), 10)
    scores = [score for _, score in found]
    assert len(found) == 2
    assert min(scores) > 0
    assert scores == sorted(scores, reverse=True)
    # The rarer word weighs more than three of the frequent one.
    assert quotes_of(notices, ["masks", "harbour"])[0].startswith("Two masks for the harbour")
    assert quotes_of(notices, ["masks"])[0] == "Masks, masks, masks again"
    assert notices.search_words(query_terms("masks", "harbour"), 1) == found[:1]


VARIANTS = """\
The health care act of the city
The healthcare act of the city
Health and care, each on its own
The health care and healthcare of it
The bread and the cake of today
The rain and the wind of today
The ship and the train of today
The roof and the wall of today
The rice and the salt of today"""


def test_a_variant_replaces_its_words_and_does_not_add_to_them(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": VARIANTS})
    index = EmbeddedReader.open(tmp_path)
    both, joined, apart, twice, *_ = lines = VARIANTS.split("\n")
    variant = QueryTerm("healthcare", ("health", "care"))

    def scores(*terms: str | QueryTerm) -> dict[str, float]:
        asked = [term if isinstance(term, QueryTerm) else QueryTerm(term) for term in terms]
        found = index.search_words(asked, 20)
        passages = index.fetch([number for number, _ in found])
        return {passages[number].quote: score for number, score in found}

    own, with_variant = scores("health", "care"), scores("health", "care", variant)
    assert set(with_variant) == {both, joined, apart, twice}
    assert joined not in own
    # As rare as it is, it is worth no more than the words that it stands for, and one chunk has both anyway.
    assert all(with_variant[line] == pytest.approx(own[line], rel=1e-5) for line in (both, apart, twice))
    assert with_variant[joined] == pytest.approx(with_variant[both], rel=0.2)
    # Of several variants of the same words, one counts.
    assert (
        scores("health", "care", variant, QueryTerm("act", ("health", "care")))[joined] < 1.1 * with_variant[joined]
    )
    # A variant of words that no chunk has, or of no searched words, is searched like a word.
    for words in (("sanitary",), ()):
        assert scores(QueryTerm("bread", words)) == scores("bread") != {}
    assert set(lines) > set(scores("bread"))


def test_title_words_are_found(notices: EmbeddedReader) -> None:
    assert quotes_of(notices, ["b.txt"]) == [
        "Two masks for the harbour in this rather longer line about other things"
    ]


def test_word_search_of_thousands_of_words(notices: EmbeddedReader) -> None:
    words = [f"unheard{n}" for n in range(3000)]
    assert quotes_of(notices, [*words, "harbour"]) == [
        "Two masks for the harbour in this rather longer line about other things"
    ]


def test_any_run_of_changes_leaves_what_a_dictionary_would(tmp_path: Path) -> None:
    chooser = random.Random(3)
    vocabulary = [f"word{n}" for n in range(30)]
    texts: dict[str, str] = {}
    for _ in range(12):
        with EmbeddedWriter(tmp_path) as writer:
            if writer.fingerprint is None:
                writer.set_embedder(EMBEDDER)
            for _ in range(chooser.randrange(1, 5)):
                path = f"{chooser.randrange(6)}.txt"
                if path in texts and chooser.random() < 0.4:
                    assert writer.remove(document_of(path, texts.pop(path))[0].id)
                    continue
                lines = [" ".join(chooser.sample(vocabulary, 4)) for _ in range(chooser.randrange(1, 5))]
                text = "\n".join(lines)
                assert put(writer, path, text) is (path in texts)
                texts[path] = text
            writer.commit()
        assert_holds(tmp_path, texts, set(vocabulary))


def test_the_same_document_twice_is_there_once(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "Masks are handed out"})
    with EmbeddedWriter(tmp_path) as writer:
        assert writer.sources.find_same(content_digest(document_of("a.txt", "Masks are handed out")[0])) is not None
        assert writer.sources.find_same(content_digest(document_of("a.txt", "Masks are sold")[0])) is None
        assert put(writer, "a.txt", "Masks are handed out")
        writer.commit()
    assert_holds(tmp_path, {"a.txt": "Masks are handed out"}, {"Masks", "handed"})


def test_removing_everything_and_beginning_again(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "Masks are handed out"})
    with EmbeddedWriter(tmp_path) as writer:
        assert not writer.remove("unknown")
        assert writer.remove(document_of("a.txt", "Masks are handed out")[0].id)
        writer.commit()
    assert_holds(tmp_path, {}, {"Masks", "handed"})
    write(tmp_path, {"b.txt": "Schools reopen"})
    assert_holds(tmp_path, {"b.txt": "Schools reopen"}, {"Masks", "handed", "reopen"})


def test_metadata_comes_back_as_it_was(tmp_path: Path) -> None:
    text = "first page\nsecond page\nthird page"
    date = DocumentDate(written="February 3", month=2, day=3)
    document, chunks = document_of("p.pdf", text)
    document = replace(document, date=date, pages=(0, 11, 23), title='A "title" <b>')
    undated, undated_chunks = document_of("n.txt", "no date here")
    with EmbeddedWriter(tmp_path) as writer:
        writer.set_embedder(EMBEDDER)
        writer.add(document, chunks, EMBEDDER.encode([chunk.quote for chunk in chunks]))
        writer.add(undated, undated_chunks, EMBEDDER.encode(["no date here"]))
        writer.commit()
    index = EmbeddedReader.open(tmp_path)
    numbers = [number for number, _ in index.search_vector(EMBEDDER.encode(["page"])[0], 10)]
    passages = {passage.quote: passage for passage in index.fetch(numbers).values()}
    assert {quote: (p.page, p.date, p.title, p.start) for quote, p in passages.items()} == {
        "first page": (1, date, 'A "title" <b>', 0),
        "second page": (2, date, 'A "title" <b>', 11),
        "third page": (3, date, 'A "title" <b>', 23),
        "no date here": (None, None, "Title of n.txt", 0),
    }
    assert [(d.path, d.date, d.characters, d.chunks) for d in index.documents()] == [
        ("n.txt", None, 12, 1),
        ("p.pdf", date, 33, 3),
    ]
    assert index.text("unknown") is None
    assert (index.embedder_name, index.info.embedder, index.info.dimensions) == ("words", "words@64", 64)
    index.close()


def test_more_chunks_than_one_statement_can_ask_for(tmp_path: Path) -> None:
    lines = [f"line number {n}" for n in range(1203)]
    write(tmp_path, {"a.txt": "\n".join(lines)})
    index = EmbeddedReader.open(tmp_path)
    numbers = [number for number, _ in index.search_vector(EMBEDDER.encode(["line"])[0], 5000)]
    fetched = index.fetch(numbers)
    assert sorted(passage.quote for passage in fetched.values()) == sorted(lines)
    assert index.fetch([10**9]) == {}
    index.close()


@pytest.mark.parametrize("name", ["a b?c#d%41é防", "quote'\"[x]", "trailing ", "-dash", "?mode=rw", "line\nbreak"])
def test_any_directory_name_works(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name / "index"
    write(directory, {"a.txt": "Masks are handed out"})
    write(directory, {"b.txt": "Schools reopen"})
    assert_holds(directory, {"a.txt": "Masks are handed out", "b.txt": "Schools reopen"}, {"Masks", "reopen"})
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_relative_directory_works_after_the_working_directory_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("index"), {"a.txt": "Masks are handed out"})
    index = EmbeddedReader.open(Path("index"))
    monkeypatch.chdir("/")
    assert quotes_of(index, ["mask"]) == ["Masks are handed out"]
    index.close()


def test_a_missing_index_is_named_with_the_way_out(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    for look in (EmbeddedReader.open, verify):
        with pytest.raises(
            IndexMissingError, match=f"no index in {re.escape(str(missing))}.*epiqa index"
        ) as caught:
            look(missing)
        assert caught.value.exit_code == 3
    assert not missing.exists()
