"""Checks an index from the files up: checksums, then every document, chunk, vector, entry of words and place."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import numpy as np

from epiqa.store.embedded import catalogue, inverted_index
from epiqa.store.embedded import generations as files
from epiqa.store.embedded.inverted_index import Mask
from epiqa.store.embedded.segments import Segment
from epiqa.store.embedded.vector_index import VectorIndex
from epiqa.store.protocol import content_digest
from epiqa.types import Document, IndexInfo

# By how much the length of a vector may differ from 1: float32 loses less in a sum of some hundred squares, and
# half precision up to 2**-11 in each of them.
FLAT_TOLERANCE, HALF_TOLERANCE = 1e-3, 2e-3
_CHUNKS_AT_ONCE = 32_768


def verify(directory: Path) -> IndexInfo:
    """Re-hashes every file and re-checks every document, chunk, vector and entry of the word index.

    Returns what the index holds; raises IndexMissingError or IndexDamagedError naming the first fault.
    """
    return files.settled(directory, lambda: _verify_current(directory))


def _verify_current(directory: Path) -> IndexInfo:
    generation, manifest = files.current(directory)
    files.check_all(directory, generation, manifest)
    try:
        with closing(catalogue.open_for_reading(generation / files.CATALOGUE)) as connection:
            fault = next(_all_faults(directory, generation, manifest, connection), None)
    except (sqlite3.Error, ValueError, TypeError, KeyError, AttributeError) as error:  # a value of no known form
        raise files.damaged(directory, f"{generation.name}: {error}") from error
    if fault is not None:
        raise files.damaged(directory, fault)
    return manifest.info


def _all_faults(
    directory: Path, generation: Path, manifest: files.Manifest, connection: sqlite3.Connection
) -> Iterator[str]:
    yield from _catalogue_faults(connection, manifest)
    firsts = np.cumsum([0, *(segment.chunks for segment in manifest.segments)]).tolist()
    is_there = catalogue.are_there(connection, firsts[-1])
    for number, (first, end) in enumerate(pairwise(firsts)):
        with closing(Segment.open(directory, generation, number, manifest.files)) as segment:
            yield from _faults(connection, manifest, segment, number, first, is_there[first:end])


def _catalogue_faults(connection: sqlite3.Connection, manifest: files.Manifest) -> Iterator[str]:
    counts = catalogue.counts(connection)
    if counts != (manifest.documents, manifest.chunks):
        yield (
            f"it holds {counts[0]} documents and {counts[1]} chunks, its manifest says"
            f" {manifest.documents} and {manifest.chunks}"
        )
    for id_, number in connection.execute(
        "SELECT id, segment FROM documents WHERE segment NOT BETWEEN 0 AND ?", (len(manifest.segments) - 1,)
    ):
        yield f"document {id_} is in segment {number}, which there is not"
    for table in ("sections", "places"):
        owners = f"SELECT DISTINCT document_id FROM {table} WHERE document_id NOT IN (SELECT id FROM documents)"
        for (document_id,) in connection.execute(owners):
            yield f"its table of {table} names document {document_id}, which it does not hold"
    shown = "SELECT 1 FROM places WHERE document_id = id AND places.path = documents.path"
    for id_, path in connection.execute(f"SELECT id, path FROM documents WHERE NOT EXISTS ({shown})"):
        yield f"document {id_} is shown under {path}, where it does not lie"


def _faults(
    connection: sqlite3.Connection,
    manifest: files.Manifest,
    segment: Segment,
    number: int,
    first: int,
    is_there: Mask,
) -> Iterator[str]:
    """Yields the faults of a segment whose chunk numbers begin with `first`, those nearest to the documents first.

    `is_there` masks the chunks that were not removed.
    """
    is_left = is_there.copy()
    expected = _Words(len(is_there))
    for stored in catalogue.documents_of(connection, number):
        document = catalogue.read_document(connection, stored, catalogue.read_text(segment.connection, stored))
        yield from _document_faults(document, stored.digest)
        title = document.title if manifest.chunking.with_title else ""
        for chunk, start, end in catalogue.offsets(connection, stored):
            row = chunk - first
            if not (0 <= start < end <= len(document.text) and 0 <= row < len(is_left) and is_left[row]):
                yield f"chunk {chunk} is not a piece of document {document.id}: from {start} to {end}"
            is_left[row] = False
            expected.add(row, title, document.text[start:end])
    if is_left.any():
        yield f"chunk {first + is_left.argmax()} is of no document"
    yield from expected.faults(segment, first, is_there)
    yield from _vector_faults(segment.vectors, files.vectors_name(number), len(is_there), manifest.dimensions)


def _document_faults(document: Document, digest: str) -> Iterator[str]:
    if not document.id or content_digest(document) != digest:
        yield f"document {document.id} is not what was read from {document.path}"
    starts = [start for start, _ in document.sections]
    for name, places in (("pages", list(document.pages)), ("sections", starts)):
        if places != sorted(places) or any(not 0 <= place <= len(document.text) for place in places):
            yield f"the {name} of document {document.id} do not begin in its text, one after the other"


class _Words:
    """What the word index of a segment must have; chunks are added in the order of their rows."""

    def __init__(self, chunks: int) -> None:
        self._fingerprints = np.zeros(chunks, dtype=np.uint64)
        self._lengths = np.zeros(chunks, dtype=np.uint32)
        self._first, self._waiting = 0, list[tuple[str, str]]()

    def add(self, row: int, title: str, quote: str) -> None:
        self._waiting += [("", "")] * (row - self._first - len(self._waiting))  # for those that were removed
        self._waiting.append((title, quote))
        if len(self._waiting) >= _CHUNKS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        entries, lengths = inverted_index.entries(self._waiting, self._first)
        self._fingerprints += inverted_index.fingerprints(entries, len(self._fingerprints))
        end = self._first + len(lengths)
        self._lengths[self._first : end] = lengths
        self._first, self._waiting = end, []

    def faults(self, segment: Segment, first: int, is_there: Mask) -> Iterator[str]:
        """Yields where the word index of the segment differs."""
        self._flush()
        lengths = segment.lengths()
        if len(lengths) != len(is_there):
            yield f"its words from chunk {first} on are those of {len(lengths)} chunks, not {len(is_there)}"
        found = inverted_index.fingerprints(segment.entries(), len(is_there))
        wrong = is_there & ((found != self._fingerprints) | (lengths != self._lengths))
        if wrong.any():
            yield f"its word index has not the words of chunk {first + wrong.argmax()}"


def _vector_faults(vectors: VectorIndex, name: str, chunks: int, dimensions: int) -> Iterator[str]:
    if vectors.dimensions != dimensions:
        yield f"the vectors in {name} have {vectors.dimensions} dimensions, not {dimensions}"
    tolerance = FLAT_TOLERANCE if vectors.is_flat else HALF_TOLERANCE
    times, wrong = np.zeros(chunks, dtype=np.int64), 0
    for rows, some in vectors.blocks():
        if rows.min() < 0 or rows.max() >= chunks:
            break
        times += np.bincount(rows, minlength=chunks)
        wrong += int((~(np.abs(np.linalg.norm(some, axis=1) - 1) <= tolerance)).sum())  # NaN is wrong, too
    if (times != 1).any():
        yield f"the {len(vectors)} vectors in {name} are not those of its {chunks} chunks"
    if wrong:
        yield f"{wrong} of the {len(vectors)} vectors in {name} have another length than 1"
