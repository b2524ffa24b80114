"""What `verify` finds where every checksum holds: each test breaks one thing and makes the checksums fit again."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from epiqa.errors import IndexDamagedError
from epiqa.index import IndexWriter, verify
from epiqa.index.sources import digest
from epiqa.index.text import iterate_documents
from epiqa.index.vectors import VectorIndex
from epiqa.types import Chunk, DocumentDate
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
    with IndexWriter(directory) as writer:
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


def break_text(directory: Path, sql: str) -> None:
    (path,) = directory.rglob("text.sqlite")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(sql)
    fit_checksums(directory)


def refit_digest(directory: Path, document_id: str, **changes: object) -> None:
    """Makes a document's digest that of the changed document, too, so that only the invariant is broken."""
    (path,) = directory.rglob("text.sqlite")
    with closing(sqlite3.connect(path)) as connection:
        found = {document.id: document for document, _ in iterate_documents(connection)}[document_id]
        assert all(getattr(found, name) == value for name, value in changes.items())
        connection.execute("UPDATE documents SET digest = ? WHERE id = ?", (digest(found), document_id))
        connection.commit()
    fit_checksums(directory)


def test_fitting_the_checksums_alone_leaves_a_sound_index(directory: Path) -> None:
    break_text(directory, "")
    assert (verify(directory).documents, verify(directory).chunks) == (2, 4)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE documents SET title = 'Another' WHERE id = 'n.txt'",
        "UPDATE documents SET text = text || ' and more' WHERE id = 'n.txt'",
        "UPDATE documents SET note = 'half of it' WHERE id = 'n.txt'",
        "UPDATE documents SET language = 'en' WHERE id = 'n.txt'",
        "UPDATE documents SET digest = 'x' WHERE id = 'n.txt'",
        "INSERT INTO sections VALUES ('n.txt', 0, 'Heading')",
    ],
)
def test_a_document_that_is_not_what_was_read_is_found(directory: Path, sql: str) -> None:
    break_text(directory, sql)
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
    break_text(directory, sql)
    with pytest.raises(IndexDamagedError, match=r"document p\.pdf is not what was read from p\.pdf"):
        verify(directory)


@pytest.mark.parametrize("pages", [(0, 23, 11), (-1, 11), (0, len(TEXT) + 1)])
def test_pages_out_of_order_or_outside_the_text_are_found(directory: Path, pages: tuple[int, ...]) -> None:
    break_text(directory, f"UPDATE documents SET pages = '{list(pages)}' WHERE id = 'p.pdf'")
    refit_digest(directory, "p.pdf", pages=pages)
    with pytest.raises(IndexDamagedError, match=r"the pages of document p\.pdf do not begin in its text"):
        verify(directory)


@pytest.mark.parametrize("start", [-1, len(TEXT) + 1])
def test_sections_outside_the_text_are_found(directory: Path, start: int) -> None:
    break_text(directory, f"UPDATE sections SET start = {start} WHERE start = 11")
    refit_digest(directory, "p.pdf", sections=tuple(sorted([(0, "One"), (start, "Two")])))
    with pytest.raises(IndexDamagedError, match=r"the sections of document p\.pdf do not begin in its text"):
        verify(directory)


def test_an_offset_counted_from_the_end_is_found(directory: Path) -> None:
    assert "plain"[-5:5] == "plain"
    break_text(directory, "UPDATE chunks SET start = -5 WHERE document_id = 'n.txt'")
    with pytest.raises(IndexDamagedError, match=r"chunk 4 .* from -5 to 5"):
        verify(directory)


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("INSERT INTO sections VALUES ('gone', 0, 'Heading')", "table of sections names document gone"),
        ("UPDATE documents SET id = 'q.pdf' WHERE id = 'p.pdf'", "chunk 1 is not the text of document p.pdf"),
        ("UPDATE documents SET id = 'q' WHERE id = 'p.pdf'; UPDATE chunks SET document_id = 'q'"
         " WHERE document_id = 'p.pdf'", "table of sections names document p.pdf"),
        ("UPDATE documents SET id = '' WHERE id = 'n.txt'; UPDATE chunks SET document_id = ''"
         " WHERE document_id = 'n.txt'", "chunk 4 is not the text of document  from 0 to 5"),
        ("UPDATE documents SET pages = 'x' WHERE id = 'n.txt'", "text.sqlite: Expecting value"),
    ],
)  # fmt: skip
def test_rows_of_no_document_are_found(directory: Path, sql: str, fault: str) -> None:
    break_text(directory, sql)
    with pytest.raises(IndexDamagedError, match=re.escape(fault)):
        verify(directory)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO words (words, rowid, title, quote) VALUES ('delete', 4, 'A title', 'plain')",
        "INSERT INTO words (rowid, title, quote) VALUES (5, 'A title', 'plain')",
    ],
)
def test_a_word_index_of_other_chunks_is_found(directory: Path, sql: str) -> None:
    break_text(directory, sql)
    with pytest.raises(IndexDamagedError, match="its word index is not that of its 4 chunks"):
        verify(directory)


def put_vectors(directory: Path, numbers: list[int], factor: float = 1.0) -> None:
    vectors = VectorIndex.empty(EMBEDDER.dimensions)
    rows = EMBEDDER.encode(["some words"] * len(numbers))
    rows[-1] *= np.float32(factor)
    vectors.add(numbers, rows)
    (path,) = directory.rglob("vectors.faiss")
    path.write_bytes(vectors.to_bytes())
    fit_checksums(directory)


@pytest.mark.parametrize(
    ("numbers", "factor", "fault"),
    [
        ([1, 2, 3], 1.0, "its 3 vectors are not those of its 4 chunks"),
        ([1, 2, 3, 4, 4], 1.0, "its 5 vectors are not those of its 4 chunks"),
        ([1, 2, 3, 5], 1.0, "its 4 vectors are not those of its 4 chunks"),
        ([1, 2, 3, 4], 1.01, "1 of its 4 vectors have another length than 1"),
        ([1, 2, 3, 4], 0.0, "1 of its 4 vectors have another length than 1"),
        ([1, 2, 3, 4], float("nan"), "1 of its 4 vectors have another length than 1"),
    ],
)
def test_each_chunk_has_one_vector_of_length_1(
    directory: Path, numbers: list[int], factor: float, fault: str
) -> None:
    put_vectors(directory, [1, 2, 3, 4])
    assert verify(directory).chunks == 4
    put_vectors(directory, numbers, factor)
    with pytest.raises(IndexDamagedError, match=fault):
        verify(directory)
