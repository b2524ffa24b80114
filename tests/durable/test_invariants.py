"""What `verify` finds where every checksum holds: each test breaks one thing and makes the checksums fit again."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from epiqa.errors import IndexDamagedError
from epiqa.store.embedded import EmbeddedWriter, verify
from epiqa.store.embedded.catalogue import find_document, read_document
from epiqa.store.embedded.vector_index import FLAT, write_vectors
from epiqa.store.protocol import content_digest, text_digest
from epiqa.types import Chunk, Chunking, DocumentDate
from fakes import WordEmbedder, make_document

EMBEDDER = WordEmbedder()
TEXT = "first page\nsecond page\nthird page"


@pytest.fixture
def directory(memory_path: Path) -> Path:
    """An index of one document with pages and sections, and of one with neither; each line is a chunk."""
    directory = memory_path / "index"
    paged = replace(
        make_document(TEXT, path="p.pdf"),
        pages=(0, 11, 23, len(TEXT)),
        sections=((0, "One"), (11, "Two")),
        date=DocumentDate("May 3", 5, 3),
    )
    with EmbeddedWriter(directory) as writer:
        writer.set_embedder(EMBEDDER)
        for document in (paged, make_document("plain", path="n.txt")):
            lines = re.finditer(".+", document.text)
            chunks = [Chunk(document.id, line.start(), line.end(), line[0]) for line in lines]
            writer.add(document, chunks, EMBEDDER.encode([chunk.quote for chunk in chunks]))
        writer.commit()
    return directory


def fit_checksums(directory: Path) -> None:
    (generation,) = (directory / "generations").iterdir()
    manifest = generation / "manifest.json"
    fields = json.loads(manifest.read_bytes())
    for name in fields["files"]:
        fields["files"][name] = hashlib.sha256((generation / name).read_bytes()).hexdigest()
    manifest.write_text(json.dumps(fields))
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
    (directory / "CURRENT").write_text(f"{generation.name} {digest}\n")


def break_rows(directory: Path, sql: str, name: str = "catalogue.sqlite") -> None:
    (path,) = directory.rglob(name)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(sql)
    fit_checksums(directory)


def refit_digest(directory: Path, document_id: str, **changes: object) -> None:
    """Makes a document's digest that of the changed document, too, so that only the invariant is broken."""
    (path,) = directory.rglob("catalogue.sqlite")
    with closing(sqlite3.connect(path)) as connection:
        stored = find_document(connection, document_id)
        assert stored is not None
        found = read_document(connection, stored, TEXT if document_id == "p.pdf" else "plain")
        assert all(getattr(found, name) == value for name, value in changes.items())
        connection.execute("UPDATE documents SET digest = ? WHERE id = ?", (content_digest(found), document_id))
        connection.commit()
    fit_checksums(directory)


def test_fitting_the_checksums_alone_leaves_a_sound_index(directory: Path) -> None:
    break_rows(directory, "")
    assert (verify(directory).documents, verify(directory).chunks) == (2, 4)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE documents SET title = 'Another' WHERE id = 'n.txt'",
        "UPDATE documents SET note = 'half of it' WHERE id = 'n.txt'",
        "UPDATE documents SET language = 'en' WHERE id = 'n.txt'",
        "UPDATE documents SET digest = 'x' WHERE id = 'n.txt'",
        "INSERT INTO sections VALUES ('n.txt', 0, 'Heading')",
    ],
)
def test_a_document_that_is_not_what_was_read_is_found(directory: Path, sql: str) -> None:
    break_rows(directory, sql)
    with pytest.raises(IndexDamagedError, match=r"document n\.txt is not what was read from n\.txt"):
        verify(directory)


def test_a_text_that_is_not_what_was_read_is_found(directory: Path) -> None:
    break_rows(directory, "UPDATE texts SET text = 'plain and more' WHERE document = 2", "text-0.sqlite")
    with pytest.raises(IndexDamagedError, match=r"the text of document n\.txt cannot be read"):
        verify(directory)
    break_rows(directory, f"UPDATE documents SET sha256 = '{text_digest('plain and more')}' WHERE id = 'n.txt'")
    with pytest.raises(IndexDamagedError, match=r"document n\.txt is not what was read from n\.txt"):
        verify(directory)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE documents SET date = '[\"May 4\", 5, 4, null]' WHERE id = 'p.pdf'",
        "DELETE FROM sections WHERE start = 11",
        "UPDATE sections SET label = 'Three' WHERE start = 11",
        "UPDATE documents SET pages = '[0, 12, 23, 33]' WHERE id = 'p.pdf'",
    ],
)
def test_a_date_page_or_section_that_is_not_what_was_read_is_found(directory: Path, sql: str) -> None:
    break_rows(directory, sql)
    with pytest.raises(IndexDamagedError, match=r"document p\.pdf is not what was read from p\.pdf"):
        verify(directory)


@pytest.mark.parametrize("pages", [(0, 23, 11), (-1, 11), (0, len(TEXT) + 1)])
def test_pages_out_of_order_or_outside_the_text_are_found(directory: Path, pages: tuple[int, ...]) -> None:
    break_rows(directory, f"UPDATE documents SET pages = '{list(pages)}' WHERE id = 'p.pdf'")
    refit_digest(directory, "p.pdf", pages=pages)
    with pytest.raises(IndexDamagedError, match=r"the pages of document p\.pdf do not begin in its text"):
        verify(directory)


@pytest.mark.parametrize("start", [-1, len(TEXT) + 1])
def test_sections_outside_the_text_are_found(directory: Path, start: int) -> None:
    break_rows(directory, f"UPDATE sections SET start = {start} WHERE start = 11")
    refit_digest(directory, "p.pdf", sections=tuple(sorted([(0, "One"), (start, "Two")])))
    with pytest.raises(IndexDamagedError, match=r"the sections of document p\.pdf do not begin in its text"):
        verify(directory)


def test_an_offset_counted_from_the_end_is_found(directory: Path) -> None:
    assert "plain"[-5:5] == "plain"
    break_rows(directory, "UPDATE chunks SET start = -5 WHERE document = 2")
    with pytest.raises(IndexDamagedError, match=r"chunk 3 .* from -5 to 5"):
        verify(directory)


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("INSERT INTO sections VALUES ('gone', 0, 'Heading')", "table of sections names document gone"),
        ("INSERT INTO places VALUES ('/g.txt', 'g.txt', 'gone')", "table of places names document gone"),
        ("UPDATE documents SET id = 'q.pdf' WHERE id = 'p.pdf'", "table of sections names document p.pdf"),
        ("UPDATE documents SET id = '' WHERE id = 'n.txt'; UPDATE places SET document_id = ''"
         " WHERE document_id = 'n.txt'", "document  is not what was read from n.txt"),
        ("DELETE FROM places WHERE document_id = 'n.txt'", "n.txt is shown under n.txt, where it does not lie"),
        ("UPDATE documents SET path = 'o.txt' WHERE id = 'n.txt'", "n.txt is shown under o.txt, where it"),
        ("UPDATE documents SET segment = 1 WHERE id = 'n.txt'", "n.txt is in segment 1, which there is not"),
        ("UPDATE documents SET key = 3 WHERE id = 'n.txt'", "the text of document n.txt cannot be read"),
        ("UPDATE documents SET pages = 'x' WHERE id = 'n.txt'", "g000001: Expecting value"),
    ],
)  # fmt: skip
def test_rows_of_no_document_are_found(directory: Path, sql: str, fault: str) -> None:
    break_rows(directory, sql)
    with pytest.raises(IndexDamagedError, match=re.escape(fault)):
        verify(directory)


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("DELETE FROM terms WHERE term = 'plain'", "has not the words of chunk 3"),
        ("UPDATE terms SET term = 'plane' WHERE term = 'plain'", "has not the words of chunk 3"),
        ("UPDATE terms SET positions = x'0110' WHERE term = 'plain'", "has not the words of chunk 3"),
        ("UPDATE terms SET rows = x'02000000' WHERE term = 'plain'", "has not the words of chunk 2"),
        ("INSERT INTO terms VALUES ('plane', x'00000000', x'01', x'0110')", "has not the words of chunk 0"),
        ("UPDATE lengths SET lengths = x'04000000040000000400000004000000'", "has not the words of chunk 3"),
        ("UPDATE lengths SET lengths = x'04000000'", "are those of 1 chunks, not 4"),
        ("UPDATE terms SET rows = x'04000000' WHERE term = 'plain'", "the entry of 'plain' is not one of 4 chunks"),
        ("UPDATE terms SET counts = x'02' WHERE term = 'plain'", "the entry of 'plain' is not one of 4 chunks"),
    ],
)
def test_a_word_index_of_other_chunks_is_found(directory: Path, sql: str, fault: str) -> None:
    break_rows(directory, sql, "text-0.sqlite")
    with pytest.raises(IndexDamagedError, match=fault):
        verify(directory)


@pytest.mark.parametrize("with_title", [True, False])
@pytest.mark.parametrize("chunks_at_once", [1, 2, 100])
def test_words_are_checked_past_what_was_removed(
    memory_path: Path, monkeypatch: pytest.MonkeyPatch, with_title: bool, chunks_at_once: int
) -> None:
    monkeypatch.setattr("epiqa.store.embedded.segments.ONE_UP_TO", 0)
    monkeypatch.setattr(import_module("epiqa.store.embedded.verify"), "_CHUNKS_AT_ONCE", chunks_at_once)
    with EmbeddedWriter(memory_path / "index") as writer:
        writer.set_embedder(EMBEDDER, Chunking(with_title=with_title))
        for n in range(6):
            text = f"text{n}"
            chunk = Chunk(f"{n}.txt", 0, len(text), text)
            writer.add(make_document(text, path=f"{n}.txt"), [chunk], EMBEDDER.encode([text]))
        writer.commit()
    with EmbeddedWriter(memory_path / "index") as writer:
        writer.remove("2.txt")
        writer.commit()
    (path,) = memory_path.rglob("text-0.sqlite")
    with closing(sqlite3.connect(path)) as connection:  # the segment is as it was
        assert connection.execute("SELECT count(*) FROM terms WHERE term = 'text2'").fetchone() == (1,)
    assert verify(memory_path / "index").chunks == 5
    break_rows(memory_path / "index", "DELETE FROM terms WHERE term = 'text2'", "text-0.sqlite")
    assert verify(memory_path / "index").chunks == 5
    break_rows(memory_path / "index", "DELETE FROM terms WHERE term = 'text3'", "text-0.sqlite")
    with pytest.raises(IndexDamagedError, match="has not the words of chunk 3"):
        verify(memory_path / "index")


def put_vectors(directory: Path, kind: str, rows: list[int], factor: float = 1.0) -> None:
    vectors = EMBEDDER.encode(["some words"] * len(rows))
    vectors[-1] *= np.float32(factor)
    (path,) = directory.rglob("vectors-0.faiss")
    if kind == FLAT:
        write_vectors(path, EMBEDDER.dimensions, len(rows), lambda: iter([(np.array(rows), vectors)]))
    else:
        index: Any = faiss.index_factory(EMBEDDER.dimensions, kind, faiss.METRIC_INNER_PRODUCT)
        index.by_residual = False
        index.train(EMBEDDER.encode(["some words"]))
        index.add_with_ids(vectors, np.array(rows))
        faiss.write_index(index, str(path))
    fit_checksums(directory)


HALF = "IVF1,SQfp16"


@pytest.mark.parametrize(
    ("kind", "rows", "factor", "fault"),
    [
        (FLAT, [0, 1, 2], 1.0, "the 3 vectors in vectors-0.faiss are not those of its 4 chunks"),
        (FLAT, [0, 1, 2, 3, 4], 1.0, "the 5 vectors in vectors-0.faiss are not those of its 4 chunks"),
        (HALF, [0, 1, 2, 3, 3], 1.0, "the 5 vectors in vectors-0.faiss are not those of its 4 chunks"),
        (HALF, [0, 1, 2, 4], 1.0, "the 4 vectors in vectors-0.faiss are not those of its 4 chunks"),
        (HALF, [0, 1, 2, 2], 1.0, "the 4 vectors in vectors-0.faiss are not those of its 4 chunks"),
        (HALF, [0, 1, 2, -1], 1.0, "the 4 vectors in vectors-0.faiss are not those of its 4 chunks"),
        *(
            (kind, [0, 1, 2, 3], factor, "1 of the 4 vectors in vectors-0.faiss have another length than 1")
            for kind in (FLAT, HALF)
            for factor in (1.01, 0.0)
        ),
        (FLAT, [0, 1, 2, 3], float("nan"), "1 of the 4 vectors in vectors-0.faiss have another length than 1"),
        # FAISS finds no list for it.
        (HALF, [0, 1, 2, 3], float("nan"), "the 4 vectors in vectors-0.faiss are not those of its 4 chunks"),
    ],
)
def test_each_chunk_has_one_vector_of_length_1(
    directory: Path, kind: str, rows: list[int], factor: float, fault: str
) -> None:
    put_vectors(directory, kind, [0, 1, 2, 3])
    assert verify(directory).chunks == 4
    put_vectors(directory, kind, rows, factor)
    with pytest.raises(IndexDamagedError, match=re.escape(fault)):
        verify(directory)
