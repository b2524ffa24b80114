"""`verify` finds what checksums cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from epiqa.errors import IndexDamagedError
from epiqa.store.embedded import verify
from store.embedded.notices import (
    OLD,
    OTHER_TEXT,
    contents,
    forge,
)


def test_forging_alone_leaves_a_sound_index(directory: Path) -> None:
    forge(directory)
    assert contents(directory) == OLD


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("UPDATE chunks SET end = 16 WHERE number = 0", "chunk 0 is not a piece of document a.txt: from 0 to 16"),
        ("UPDATE chunks SET start = -3 WHERE number = 1", "chunk 1 .*b.txt: from -3 to 14"),
        ("UPDATE chunks SET start = 5, end = 5 WHERE number = 1", "chunk 1 .*b.txt: from 5 to 5"),
        ("UPDATE chunks SET document = 1 WHERE number = 1", "chunk 1 is of no document"),
        ("UPDATE chunks SET number = 7 WHERE number = 1", "chunk 1 is of no document"),
        ("UPDATE documents SET first = 0 WHERE id = 'b.txt'", "chunk 1 is of no document"),
        ("UPDATE documents SET first = 9 WHERE id = 'b.txt'", "chunk 1 is of no document"),
        ("UPDATE documents SET chunks = 0 WHERE id = 'b.txt'", "chunk 1 is of no document"),
        (
            "UPDATE documents SET segment = 1 WHERE id = 'b.txt'",
            "document b.txt is in segment 1, which there is not",
        ),
        ("UPDATE documents SET sha256 = digest WHERE id = 'b.txt'", "text of document b.txt cannot be read"),
        ("DELETE FROM documents WHERE id = 'b.txt'", "holds 1 documents and 2 chunks, its manifest says 2 and 2"),
        ("DELETE FROM chunks WHERE number = 1", "holds 2 documents and 1 chunks, its manifest says 2 and 2"),
        ("INSERT INTO removed VALUES (1, 1)", "chunk 1 is not a piece of document b.txt"),
        ("DROP TABLE chunks", "no such table"),
    ],
)
def test_verify_finds_what_checksums_cannot(directory: Path, sql: str, fault: str) -> None:
    forge(directory, sql=sql)
    with pytest.raises(IndexDamagedError, match=fault):
        verify(directory)


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        (OTHER_TEXT, r"the text of document b\.txt cannot be read: it is not the one that was written"),
        (
            "DELETE FROM texts WHERE document = 2",
            r"the text of document b\.txt cannot be read: it is not the one that was written",
        ),
        ("UPDATE texts SET text = CAST(x'ff' AS TEXT)", r"g000002"),
        ("UPDATE lengths SET lengths = x'01000000'", "its words from chunk 0 on are those of 1 chunks, not 2"),
        ("DROP TABLE texts", "no such table"),
        ("UPDATE terms SET term = CAST(term AS BLOB)", r"g000002: 'bytes' object"),
    ],
)
def test_verify_finds_in_a_segment_what_checksums_cannot(directory: Path, sql: str, fault: str) -> None:
    forge(directory, segment_sql=sql)
    with pytest.raises(IndexDamagedError, match=fault):
        verify(directory)


@pytest.mark.parametrize("counts", [{"documents": 3}, {"chunks": 1}, {"dimensions": 32}])
def test_verify_finds_a_wrong_manifest(directory: Path, counts: dict[str, object]) -> None:
    forge(directory, manifest=counts)
    with pytest.raises(
        IndexDamagedError, match=r"manifest says|vectors in vectors-0\.faiss have 64 dimensions, not 32"
    ):
        verify(directory)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_verify_finds_missing_and_surplus_vectors(directory: Path, count: int) -> None:
    forge(directory, vectors=np.zeros((count, 64), dtype=np.float32))
    with pytest.raises(IndexDamagedError, match=rf"the {count} vectors .* not those of its 2 chunks"):
        verify(directory)
