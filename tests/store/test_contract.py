"""What every store must do, asked of the embedded one and of one that keeps everything in memory."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epiqa.errors import IndexMissingError
from epiqa.filters import EVERYTHING, Filter
from epiqa.store.opening import open_reader, open_writer
from epiqa.store.protocol import (
    DocumentLocation,
    IndexReader,
    IndexWriter,
    QueryTerm,
    SourceFile,
    content_digest,
)
from epiqa.types import Chunk, Document, DocumentDate
from fakes import MemoryStore, WordEmbedder, make_document, query_terms

EMBEDDER = WordEmbedder(dimensions=256)


@dataclass(frozen=True)
class Store:
    """How a store under test is opened."""

    reader: Callable[[], IndexReader]
    writer: Callable[..., AbstractContextManager[IndexWriter]]


@pytest.fixture(params=["embedded", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "embedded":
        yield Store(lambda: open_reader(tmp_path), lambda **how: open_writer(tmp_path, **how))
    else:
        memory = MemoryStore()
        yield Store(memory.open_reader, memory.open_writer)


def dated(path: str, text: str, date: DocumentDate | None = None, title: str = "") -> Document:
    return replace(make_document(text, path=path, title=title), date=date)


def add(writer: IndexWriter, *documents: Document) -> None:
    """Adds documents whose chunks are their lines."""
    for document in documents:
        chunks, start = [], 0
        for line in document.text.split("\n"):
            chunks.append(Chunk(document.id, start, start + len(line), line))
            start += len(line) + 1
        writer.add(document, chunks, EMBEDDER.encode([chunk.quote for chunk in chunks]))


def write(store: Store, *documents: Document, **how: Any) -> None:
    with store.writer(**how) as writer:
        if writer.fingerprint is None:
            writer.set_embedder(EMBEDDER, writer.chunking)
        add(writer, *documents)
        writer.commit()


def quotes(reader: IndexReader, *terms: str | QueryTerm, within: Filter = EVERYTHING) -> list[str]:
    """Returns the quotes that the terms find, best first."""
    asked = [term if isinstance(term, QueryTerm) else QueryTerm(term) for term in terms]
    found = reader.search_words(asked, 100, within)
    passages = reader.fetch([number for number, _ in found])
    return [passages[number].quote for number, _ in found]


FEBRUARY, DECEMBER = DocumentDate("", 2, 3, 2022), DocumentDate("", 12, 20)
MASKS = dated("a/masks.txt", "Masks are free\nMasks masks masks\nThe harbour is closed", FEBRUARY)
BEDS = dated("a/beds.txt", "Nine hospitals have beds\nBeds are free", DECEMBER)
RULES = dated("b/rules.txt", "Closed harbours stay closed", title="Harbour rules")
NOTICES = (MASKS, BEDS, RULES)


def test_without_a_commit_there_is_no_index(store: Store) -> None:
    with pytest.raises(IndexMissingError):
        store.reader()
    with store.writer() as writer:
        assert (writer.fingerprint, writer.info, writer.is_changed) == (None, None, False)
        writer.set_embedder(EMBEDDER, writer.chunking)
        add(writer, MASKS)
        assert writer.is_changed
    with pytest.raises(IndexMissingError):
        store.reader()


def test_what_was_committed_is_read(store: Store) -> None:
    write(store, *NOTICES)
    reader = store.reader()
    assert (reader.info.documents, reader.info.chunks) == (3, 6)
    assert (reader.info.embedder, reader.embedder_name) == (EMBEDDER.fingerprint, EMBEDDER.name)
    assert [(info.path, info.chunks, info.characters) for info in reader.documents()] == [
        (document.path, document.text.count("\n") + 1, len(document.text)) for document in (BEDS, MASKS, RULES)
    ]
    assert reader.text(MASKS.id) == MASKS.text
    assert reader.text("unknown") is None
    for number, passage in reader.fetch(range(6)).items():
        text = reader.text(passage.document_id)
        assert text is not None
        assert text[passage.start : passage.end] == passage.quote, number


def test_a_search_by_vector_is_the_exact_one(store: Store) -> None:
    write(store, *NOTICES)
    reader = store.reader()
    vector = EMBEDDER.encode(["harbour masks closed"])[0]
    found = reader.search_vector(vector, 4)
    passages = reader.fetch(range(6))
    cosines = {number: float(EMBEDDER.encode([passages[number].quote])[0] @ vector) for number in passages}
    best = sorted(cosines.values(), reverse=True)[:4]
    assert [score for _, score in found] == pytest.approx(best, abs=1e-5)
    assert all(score == pytest.approx(cosines[number], abs=1e-5) for number, score in found)
    assert reader.search_vector(vector, 0) == []
    assert len(reader.search_vector(vector, 100)) == 6


def test_a_search_by_words_gives_bm25(store: Store) -> None:
    write(store, *NOTICES)
    reader = store.reader()
    lengths = {"Masks are free": 3, "Masks masks masks": 3, "The harbour is closed": 4}
    mean = (3 + 3 + 4 + 4 + 3 + 6) / 6  # the last with its title
    idf = np.log((6 - 2 + 0.5) / 2.5)
    found = reader.search_words(query_terms("mask"), 10)
    passages = reader.fetch([number for number, _ in found])
    for number, score in found:
        quote = passages[number].quote
        count, norm = quote.lower().count("mask"), 1.2 * (0.25 + 0.75 * lengths[quote] / mean)
        assert score == pytest.approx(idf * 2.2 * count / (count + norm), rel=1e-4)
    assert quotes(reader, "mask") == ["Masks masks masks", "Masks are free"]
    assert len(reader.search_words(query_terms("mask"), 1)) == 1


def test_words_are_stemmed_and_phrases_do_not_cross_the_title(store: Store) -> None:
    write(store, *NOTICES)
    reader = store.reader()
    assert quotes(reader, "hospital") == ["Nine hospitals have beds"]
    assert quotes(reader, "harbour rules") == ["Closed harbours stay closed"]
    assert quotes(reader, "rules closed") == []
    assert reader.has_word("hospitals")
    assert reader.has_word("stay closed")
    assert not reader.has_word("closed stay")
    assert reader.stem("hospitals") == reader.stem("hospital") == "hospit"
    assert reader.stems("h") == ["harbour", "have", "hospit"]
    assert quotes(reader, QueryTerm("hospit", is_stem=True)) == ["Nine hospitals have beds"]
    assert quotes(reader, "", "!?", "zyzzyva") == []


def test_a_variant_replaces_its_words_and_does_not_add_to_them(store: Store) -> None:
    lines = ["Health care costs money", "Healthcare costs money", "Health matters", "Rain", "Wind", "Snow", "Ice"]
    write(store, dated("c.txt", "\n".join(lines)))
    reader = store.reader()
    own = dict(reader.search_words(query_terms("health", "care"), 9))
    variant = QueryTerm("healthcare", ("health", "care"))
    asked = [*query_terms("health", "care"), variant]
    found = dict(reader.search_words(asked, 9))
    assert {number: found[number] for number in own} == pytest.approx(own, rel=1e-5)
    assert quotes(reader, "health", "care", variant)[:2] == lines[:2] or quotes(reader, *asked)[:2] == lines[1::-1]
    both = [*asked, QueryTerm("costs money", ("health", "care"))]
    more = dict(reader.search_words(both, 9))
    assert max(more.values()) < 1.1 * max(found.values())


FILTERS: Mapping[str, tuple[Filter, set[str]]] = {
    "an id": (Filter(documents=(MASKS.id,)), {"a/masks.txt"}),
    "a file name": (Filter(documents=("beds.txt", "rules.txt")), {"a/beds.txt", "b/rules.txt"}),
    "a pattern": (Filter(paths=("a/*",)), {"a/masks.txt", "a/beds.txt"}),
    "the end of a path": (Filter(paths=("r*.txt",)), {"b/rules.txt"}),
    "a class": (Filter(paths=("*/[^b]*s.txt",)), {"a/masks.txt", "b/rules.txt"}),
    "a day with a year": (Filter(since="2022-02-03", until="2022"), {"a/masks.txt"}),
    "a day of any year": (Filter(since="02-03", until="02-03"), {"a/masks.txt"}),
    "over new year": (Filter(since="12-20", until="02-03"), {"a/masks.txt", "a/beds.txt"}),
    "several conditions": (Filter(paths=("a/*",), since="12-01"), {"a/beds.txt"}),
    "none that is met": (Filter(paths=("z*",)), set()),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_holds_for_every_search(store: Store, name: str) -> None:
    write(store, *NOTICES)
    reader, (within, paths) = store.reader(), FILTERS[name]
    assert reader.count_documents(within) == len(paths)
    chunks = [document.text.count("\n") + 1 for document in NOTICES if document.path in paths]
    found = reader.search_vector(EMBEDDER.encode(["harbour"])[0], 100, within)
    assert len(found) == sum(chunks)
    assert {passage.path for passage in reader.fetch([number for number, _ in found]).values()} == paths
    everything = dict(reader.search_words(query_terms("free", "closed"), 100))
    confined = dict(reader.search_words(query_terms("free", "closed"), 100, within))
    passages = reader.fetch(list(everything))
    assert confined == {number: score for number, score in everything.items() if passages[number].path in paths}


def test_names_that_no_document_has(store: Store) -> None:
    write(store, *NOTICES)
    reader = store.reader()
    assert reader.unknown_documents(["masks.txt", "a/beds.txt", "other.txt", RULES.id]) == ["other.txt"]


def test_a_reader_keeps_its_generation(store: Store) -> None:
    write(store, *NOTICES)
    before = store.reader()
    write(store, dated("a/masks.txt", "Masks cost money"))
    with store.writer() as writer:
        assert writer.info == store.reader().info
        assert writer.remove(BEDS.id)
        assert not writer.remove(BEDS.id)
        writer.commit()
    after = store.reader()
    assert before.info.generation < after.info.generation
    assert quotes(before, "mask") == ["Masks masks masks", "Masks are free"]
    assert quotes(after, "mask") == ["Masks cost money"]
    assert before.text(BEDS.id) == BEDS.text
    assert after.text(BEDS.id) is None
    assert quotes(after, "beds") == []


def test_a_checkpoint_is_seen_and_the_writer_goes_on(store: Store) -> None:
    with store.writer() as writer:
        writer.set_embedder(EMBEDDER, writer.chunking)
        add(writer, MASKS)
        writer.checkpoint()
        assert store.reader().info.documents == 1
        assert not writer.is_changed
        add(writer, BEDS)
        writer.commit()
    assert store.reader().info.documents == 2


def test_a_rebuild_starts_empty(store: Store) -> None:
    write(store, *NOTICES)
    write(store, RULES, rebuild=True)
    assert [info.path for info in store.reader().documents()] == ["b/rules.txt"]


def test_copies_are_one_document_until_its_last_location_goes(store: Store) -> None:
    write(store, MASKS)
    with store.writer() as writer:
        assert writer.sources.find_same(content_digest(MASKS)) == MASKS.id
        assert writer.sources.put("/z/copy.txt", "z/copy.txt", MASKS.id) is None
        writer.commit()
    (info,) = store.reader().documents()
    assert (info.path, info.also) == ("a/masks.txt", ("z/copy.txt",))
    with store.writer() as writer:
        writer.sources.clear(writer.sources.locations_in("/a/masks.txt"))
        assert writer.path_of(MASKS.id) == "z/copy.txt"
        writer.commit()
    (info,) = store.reader().documents()
    assert (info.path, info.also) == ("z/copy.txt", ())
    with store.writer() as writer:
        writer.sources.clear([DocumentLocation("/z/copy.txt", "z/copy.txt", MASKS.id)])
        assert writer.count_documents() == 0
        writer.commit()
    assert store.reader().documents() == []


def test_what_is_known_of_files(store: Store) -> None:
    file = SourceFile("/a/masks.txt", "a/masks.txt", b"/a/masks.txt", "c0ffee")
    reason = ("a/masks.txt/2", "is encrypted")
    with store.writer() as writer:
        writer.set_embedder(EMBEDDER, writer.chunking)
        add(writer, replace(MASKS, note="two parts of three"))
        writer.sources.set_file(file)
        writer.sources.set_unread(file.location, [reason])
        writer.commit()
    reader = store.reader()
    assert reader.unread() == [reason]
    assert reader.info.unread == 1
    assert reader.files_of(MASKS.id) == [b"/a/masks.txt"]
    with store.writer() as writer:
        sources = writer.sources
        assert (sources.file(file.location), list(sources.files())) == (file, [file])
        assert (sources.files_with("c0ffee"), sources.files_with("other")) == ([file], [])
        assert sources.notes(file.location) == [("a/masks.txt", "two parts of three")]
        assert sources.unread(file.location) == [reason]
        sources.set_file(file)
        assert not writer.is_changed
        assert not sources.forget_unread("other")
        assert sources.forget_unread(reason[0])
        writer.commit()
    assert store.reader().unread() == []


def test_an_id_is_passed_on_only_with_the_same_text(store: Store) -> None:
    write(store, MASKS)
    with store.writer() as writer:
        same = replace(MASKS, id="new", title="Another title")
        assert writer.sources.free_id(same) == MASKS.id
        assert writer.sources.free_id(replace(same, text="Other words")) == "new"
        elsewhere = replace(MASKS, location="/else.txt", text="Other words")
        assert writer.sources.free_id(elsewhere) != MASKS.id


@pytest.mark.parametrize(
    "value",
    [
        QueryTerm("healthcare", ("health", "care")),
        SourceFile("/a", "a", b"/a"),
        DocumentLocation("/a", "a", "id"),
    ],
)
def test_values_that_cross_the_border_pickle(value: object) -> None:
    assert pickle.loads(pickle.dumps(value)) == value
