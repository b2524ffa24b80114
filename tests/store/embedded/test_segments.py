"""Segments: an update leaves the large ones as they are, and what they hold and find is as if built at once."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from epiqa.filters import Filter
from epiqa.store.embedded import EmbeddedReader, EmbeddedWriter, generations, segments, vector_index, verify
from epiqa.store.embedded.segments import MOST_TIMES, ONE_UP_TO, kept
from epiqa.store.protocol import content_digest
from epiqa.types import Chunk, Document
from fakes import query_terms
from lines import EMBEDDER, assert_holds, document_of, put, write

VOCABULARY = [f"word{n}" for n in range(60)]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets an index of a few chunks have several segments, the large ones of many lists."""
    monkeypatch.setattr(segments, "ONE_UP_TO", 8)
    monkeypatch.setattr(segments, "_CHUNKS_PER_RUN", 7)
    monkeypatch.setattr(segments, "_VECTORS_AT_ONCE", 5)


def made_up(seed: int, documents: int) -> dict[str, str]:
    chooser = random.Random(seed)
    return {
        f"{chooser.randrange(10_000)}.txt": "\n".join(
            " ".join(chooser.choices(VOCABULARY, k=chooser.randrange(3, 12)))
            for _ in range(chooser.randrange(1, 6))
        )
        for _ in range(documents)
    }


def sizes(directory: Path) -> list[int]:
    return [segment.chunks for segment in generations.current(directory)[1].segments]


def found_by(directory: Path) -> Iterator[tuple[list[tuple[str, str]], list[float]]]:
    """Yields what many searches find, and the scores."""
    with closing(EmbeddedReader.open(directory)) as index:
        for number in range(60):
            word, within = f"word{number}", Filter(paths=("1*",)) if number % 3 == 0 else Filter()
            for found in (
                index.search_words(query_terms(*[word, "word1", f"{word} word2"]), 1000, within),
                index.search_vector(EMBEDDER.encode([word])[0], 1000, within),
            ):
                passages = index.fetch([number for number, _ in found])
                rows = sorted((-round(score, 4), passages[n].path, passages[n].quote) for n, score in found)
                yield [row[1:] for row in rows], [row[0] for row in rows]


def test_any_run_of_changes_finds_what_an_index_built_at_once_does(tmp_path: Path) -> None:
    chooser = random.Random(6)
    grown, at_once = tmp_path / "grown", tmp_path / "at-once"
    texts = made_up(7, 60)
    write(grown, texts)
    most = 1
    for turn in range(25):
        with EmbeddedWriter(grown) as writer:
            for _ in range(chooser.randrange(1, 4)):
                path = chooser.choice([*texts, "new.txt", f"{turn}.txt"])
                if path in texts and chooser.random() < 0.5:
                    assert writer.remove(document_of(path, texts.pop(path))[0].id)
                else:
                    texts[path] = " ".join(chooser.choices(VOCABULARY, k=6))
                    put(writer, path, texts[path])
            writer.commit()
        most = max(most, len(sizes(grown)))
        if turn % 6 == 0:
            assert_holds(grown, texts, {"word3", "word4"})
    assert most >= 2
    write(at_once, texts)
    assert len(sizes(at_once)) == 1
    for some, others in zip(found_by(grown), found_by(at_once), strict=True):
        assert some[0] == others[0]
        np.testing.assert_allclose(some[1], others[1], atol=2e-4)


def test_an_update_writes_no_large_segment_again(tmp_path: Path) -> None:
    texts = made_up(8, 60)
    write(tmp_path, texts)
    (before,) = sizes(tmp_path)
    files = {path.name: path.stat().st_ino for path in (tmp_path / "generations" / "g000001").iterdir()}
    removed = next(iter(texts))
    with EmbeddedWriter(tmp_path) as writer:
        put(writer, "new.txt", "harbours reopened")
        assert writer.remove(document_of(removed, texts.pop(removed))[0].id)
        writer.commit()
    assert sizes(tmp_path) == [before, 1]
    folder = tmp_path / "generations" / "g000002"
    for name in ("text-0.sqlite", "vectors-0.faiss"):
        assert (folder / name).stat().st_ino == files[name]
    assert_holds(tmp_path, texts | {"new.txt": "harbours reopened"}, {"harbours", "word1"})


def test_where_files_cannot_be_linked_they_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    texts = made_up(9, 40)
    write(tmp_path, texts)
    write(tmp_path, {"new.txt": "harbours reopened"})
    assert len(sizes(tmp_path)) == 2
    assert_holds(tmp_path, texts | {"new.txt": "harbours reopened"}, {"harbours", "word1"})


def test_what_is_large_is_searched_by_lists_and_merged_without_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_index, "kind_for", lambda count: "IVF2,SQfp16" if count > 100 else "Flat")
    monkeypatch.setattr(vector_index, "SEARCHED_SHARE", 1.0)
    texts = made_up(10, 120)
    write(tmp_path, texts)
    assert EmbeddedReader.open(tmp_path).info.vectors == "IVF2,SQfp16"
    more = {"new.txt": "harbours reopened"}
    write(tmp_path, more)
    assert verify(tmp_path).vectors == "IVF2,SQfp16 + Flat"
    more |= made_up(11, 60)
    write(tmp_path, more)
    assert verify(tmp_path).vectors == "IVF2,SQfp16"
    with closing(EmbeddedReader.open(tmp_path)) as index:
        for text in (texts | more).values():
            line = text.split("\n")[0]
            (number, cosine), *_ = index.search_vector(EMBEDDER.encode([line])[0], 1)
            assert cosine == pytest.approx(1.0, abs=2e-3)
            assert sorted(index.fetch([number])[number].quote.split()) == sorted(line.split())


def test_an_emptied_index_is_one_empty_segment(tmp_path: Path) -> None:
    texts = made_up(12, 30)
    write(tmp_path, texts)
    with EmbeddedWriter(tmp_path) as writer:
        for path, text in texts.items():
            assert writer.remove(document_of(path, text)[0].id)
        writer.commit()
    assert sizes(tmp_path) == [0]
    assert_holds(tmp_path, {}, {"word1"})


@pytest.mark.parametrize(
    ("written", "there", "is_last_new", "expected"),
    [
        ([10], [10], True, 0),
        ([10, 5], [10, 5], True, 0),
        ([10], [10], False, 1),
        ([10], [9], False, 0),
        ([1_000_000, 40], [1_000_000, 40], True, 1),
        ([1_000_000, 40, 40], [1_000_000, 40, 40], True, 1),
        ([1_000_000, 40], [999_960, 40], True, 1),
        ([1_000_000], [999_960], False, 1),
        ([1_000_000], [700_000], False, 0),
        ([1_000_000, 100_000], [700_000, 100_000], False, 0),
        ([1_000_000, 250_000], [1_000_000, 250_000], True, 0),
        ([1_000_000, 249_999], [1_000_000, 249_999], True, 1),
        ([1_000_000, 200_000, 50_000], [1_000_000, 200_000, 50_000], True, 0),
        ([1_000_000, 100_000, 5_000], [1_000_000, 100_000, 5_000], True, 2),
    ],
)
def test_what_is_merged(
    monkeypatch: pytest.MonkeyPatch, written: list[int], there: list[int], is_last_new: bool, expected: int
) -> None:
    monkeypatch.setattr(segments, "ONE_UP_TO", ONE_UP_TO)
    assert MOST_TIMES == 4
    assert kept(written, there, is_last_new=is_last_new) == expected


def test_a_generation_has_the_files_of_its_manifest_alone(tmp_path: Path) -> None:
    for texts in (made_up(13, 30), {"new.txt": "harbours reopened"}, made_up(14, 20)):
        write(tmp_path, texts)
        folder, manifest = generations.current(tmp_path)
        assert {path.name for path in folder.iterdir()} == {*manifest.files, "manifest.json"}
        assert manifest.files.keys() == manifest.names


def named_by_file(path: str, text: str) -> tuple[Document, list[Chunk]]:
    document, chunks = document_of(path, text)
    return replace(document, title=Path(path).stem, is_named_by_file=True), chunks


def move(writer: EmbeddedWriter, path: str, to: str) -> None:
    """Does what an update does for a file that was moved."""
    place = writer.sources.document_at(f"/{path}")
    assert place is not None
    writer.sources.clear([place])
    writer.sources.put(f"/{to}", to, place.document_id)


@pytest.mark.parametrize("kind", ["Flat", "IVF4,SQfp16"])
def test_moved_files_are_found_by_their_new_names_and_keep_their_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(vector_index, "kind_for", lambda count: kind if count > 50 else "Flat")
    monkeypatch.setattr(vector_index, "SEARCHED_SHARE", 1.0)
    chooser = random.Random(15)
    texts: dict[str, str] = {}
    ids: dict[str, str] = {}
    most = 1
    for turn in range(20):
        with EmbeddedWriter(tmp_path) as writer:
            if writer.fingerprint is None:
                writer.set_embedder(EMBEDDER)
            for n in range(60 if turn == 0 else 2):
                path = f"name{turn}x{n}.txt"
                texts[path] = "\n".join(f"turn{turn} number{n} line{line}" for line in range(3))
                document, chunks = named_by_file(path, texts[path])
                ids[path] = document.id
                writer.add(document, chunks, EMBEDDER.encode([chunk.quote for chunk in chunks]))
            for n in range(2):
                path, to = chooser.choice(list(texts)), f"moved{turn}x{n}.txt"
                move(writer, path, to)
                texts[to], ids[to] = texts.pop(path), ids.pop(path)
                if chooser.random() < 0.3:
                    assert writer.remove(ids.pop(to))
                    del texts[to]
            writer.commit()
        most = max(most, len(sizes(tmp_path)))
        assert verify(tmp_path).documents == len(texts)
    assert most > 1
    with closing(EmbeddedReader.open(tmp_path)) as index:
        assert {document.path: document.id for document in index.documents()} == ids
        assert any(path.startswith("moved") for path in texts)
        for path, text in texts.items():
            found = index.fetch([number for number, _ in index.search_words(query_terms(Path(path).stem), 10)])
            assert sorted(passage.quote for passage in found.values()) == text.split("\n")
            line = text.split("\n")[0]
            cosines = dict(index.search_vector(EMBEDDER.encode([line])[0], 200))
            numbers = [number for number, passage in index.fetch(list(cosines)).items() if passage.quote == line]
            assert [cosines[number] for number in numbers] == [pytest.approx(1.0, abs=2e-3)]
        gone = [f"name0x{n}" for n in range(60) if f"name0x{n}.txt" not in texts]
        assert index.search_words(query_terms(*gone), 10) == []


def test_the_same_content_is_found_in_every_segment_unless_it_was_removed(tmp_path: Path) -> None:
    first = made_up(16, 40)
    second = {"new.txt": "harbours reopened"}
    write(tmp_path, first)
    write(tmp_path, second)
    assert len(sizes(tmp_path)) == 2
    path = next(iter(first))
    documents = [document_of(*pair)[0] for pair in (*first.items(), *second.items())]
    with EmbeddedWriter(tmp_path) as writer:
        for document in documents:
            assert writer.sources.find_same(content_digest(document)) == document.id
        assert writer.remove(documents[0].id)
        writer.commit()
    assert len(sizes(tmp_path)) == 2
    with EmbeddedWriter(tmp_path) as writer:
        assert writer.sources.find_same(content_digest(documents[0])) is None
        put(writer, path, first[path])
        writer.commit()
    assert_holds(tmp_path, first | second, {"harbours", "word1"})


def test_many_checkpoints_make_few_segments(tmp_path: Path) -> None:
    texts: dict[str, str] = {}
    with EmbeddedWriter(tmp_path) as writer:
        writer.set_embedder(EMBEDDER)
        for turn in range(150):
            path = f"{turn}.txt"
            texts[path] = f"word{turn % 60} of turn{turn}"
            put(writer, path, texts[path])
            writer.checkpoint()
            assert len(sizes(tmp_path)) <= 3
    assert [path.name for path in (tmp_path / "generations").iterdir()] == ["g000150"]
    assert_holds(tmp_path, texts, {"word1", "turn149", "turn0"})
