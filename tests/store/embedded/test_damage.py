"""Damaged files are named and never deleted."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from epiqa.errors import IndexDamagedError, IndexFormatError
from epiqa.store.embedded import EmbeddedReader, generations, verify
from fakes import query_terms
from store.embedded.notices import (
    FILES,
    NEW,
    OLD,
    OTHER_TEXT,
    WORDS,
    contents,
    enter,
    forge,
    forge_manifest,
    tree,
    write,
)


def damage_flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def damage_truncate(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])


def damage_replace(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(5000))


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


def damage_to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = [damage_flip, damage_truncate, damage_replace, damage_empty, damage_to_folder, Path.unlink]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.removeprefix("damage_"))
@pytest.mark.parametrize("name", FILES)
def test_damage_is_named_and_deletes_nothing(directory: Path, name: str, damage: Callable[[Path], None]) -> None:
    damage(directory / name)
    before = tree(directory)
    for look in (EmbeddedReader.open, verify, enter):
        with pytest.raises(IndexDamagedError) as caught:
            look(directory)
        assert caught.value.exit_code == 3
        assert str(directory) in str(caught.value)
        assert Path(name).name in str(caught.value)
        assert "Nothing was deleted" in str(caught.value)
        assert tree(directory) == before


@pytest.mark.parametrize("name", FILES)
def test_no_flipped_byte_goes_unseen(directory: Path, name: str) -> None:
    path = directory / name
    whole = path.read_bytes()
    chooser = random.Random(2)
    places = range(len(whole)) if len(whole) < 100 else chooser.sample(range(len(whole)), 60)
    for place in places:
        for bit in (1, 0x20, 0x80):
            data = bytearray(whole)
            data[place] ^= bit
            path.write_bytes(data)
            with pytest.raises(IndexDamagedError):
                EmbeddedReader.open(directory)
    path.write_bytes(whole)
    assert contents(directory) == OLD


def test_an_older_generation_cannot_pass_for_the_live_one(directory: Path) -> None:
    write(directory / "older", {"a.txt": OLD["a.txt"]})
    (directory / "older" / "generations" / "g000001").rename(directory / "generations" / "g000001")
    current = directory / "CURRENT"
    current.write_text(current.read_text().replace("g000002", "g000001"))
    with pytest.raises(IndexDamagedError, match=r"g000001/manifest\.json is not the one"):
        EmbeddedReader.open(directory)


def test_a_text_that_is_not_the_one_written_reaches_nobody(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "HASHED_AT_OPENING", 0)
    with closing(sqlite3.connect(directory / "generations" / "g000002" / "text-0.sqlite")) as connection:
        connection.executescript(OTHER_TEXT)
    with closing(EmbeddedReader.open(directory)) as index:
        assert index.fetch([0])[0].quote == OLD["a.txt"]
        for read in (lambda: index.text("b.txt"), lambda: index.fetch([0, 1])):
            with pytest.raises(
                IndexDamagedError, match=r"text of document b\.txt cannot be read.*Nothing was deleted"
            ):
                read()
    with pytest.raises(IndexDamagedError, match=r"text-0\.sqlite is not the file that was written"):
        verify(directory)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE terms SET rows = x'ffffff7f'",
        "UPDATE terms SET rows = x'00000080'",
        "UPDATE terms SET rows = x'010203'",
        "UPDATE terms SET counts = x''",
        "DROP TABLE terms",
    ],
)
def test_damaged_words_are_named(directory: Path, monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    monkeypatch.setattr(generations, "HASHED_AT_OPENING", 0)
    with closing(sqlite3.connect(directory / "generations" / "g000002" / "text-0.sqlite")) as connection:
        connection.executescript(sql)
    with (
        closing(EmbeddedReader.open(directory)) as index,
        pytest.raises(IndexDamagedError, match="Nothing was deleted"),
    ):
        index.search_words(query_terms("masks"), 3)


def test_damaged_pages_of_a_large_file_are_damage_or_do_no_harm(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "HASHED_AT_OPENING", 0)
    path = directory / "generations" / "g000002" / "text-0.sqlite"
    whole = path.read_bytes()
    chooser, found = random.Random(4), 0
    for _ in range(300):
        data = bytearray(whole)
        place = chooser.randrange(len(data) - 50)
        data[place : place + 50] = chooser.randbytes(50)
        path.write_bytes(data)
        with pytest.raises(IndexDamagedError):
            verify(directory)
        try:
            with closing(EmbeddedReader.open(directory)) as index:
                for word in WORDS:
                    index.search_words(query_terms(word), 5)
                assert {document.path: index.text(document.id) for document in index.documents()} == OLD
        except IndexDamagedError:
            found += 1
    assert 10 < found < 300


def test_verify_finds_text_that_is_no_database(directory: Path) -> None:
    forge(directory, text=b"no database " * 500)
    with pytest.raises(IndexDamagedError, match=r"file is not a database"):
        verify(directory)


@pytest.mark.parametrize(
    "look", [EmbeddedReader.open, verify, lambda directory: write(directory, NEW)], ids=["open", "verify", "write"]
)
def test_vectors_that_faiss_refuses_are_damage(directory: Path, look: Callable[[Path], object]) -> None:
    forge(directory, vectors=b"no vectors " * 50)
    with pytest.raises(IndexDamagedError):
        look(directory)


def test_a_later_format_is_named(directory: Path) -> None:
    forge(directory, manifest={"format": 99, "shards": []})
    with pytest.raises(IndexFormatError, match=r"a newer version of epiqa \(format 99, this one reads \d+\)"):
        EmbeddedReader.open(directory)


@pytest.mark.parametrize("look", [EmbeddedReader.open, verify, enter], ids=["open", "verify", "write"])
def test_an_earlier_format_is_refused_with_the_way_out(directory: Path, look: Callable[[Path], object]) -> None:
    forge(directory, manifest={"format": 1})
    with pytest.raises(IndexFormatError, match=r"an older version .* build it anew: epiqa index PATH… --index"):
        look(directory)


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b'{"format": 3}', b'{"format": 3, "surplus": 2}'])
def test_a_manifest_of_another_shape_is_damage(directory: Path, data: bytes) -> None:
    forge_manifest(directory, data)
    with pytest.raises(IndexDamagedError):
        EmbeddedReader.open(directory)
