"""Checks an index from the files up: checksums, then what must hold of every document, chunk, vector and word."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from epiqa.index import generation as files
from epiqa.index import sources, text
from epiqa.index.vectors import VectorIndex, read_vectors
from epiqa.types import IndexInfo

# By how much the length of a vector may differ from 1: float32 loses less in a sum of some hundred squares.
LENGTH_TOLERANCE = 1e-3


def verify(directory: Path) -> IndexInfo:
    """Re-hashes every file and re-checks every document, chunk, vector and entry of the word index.

    Returns what the index holds; raises IndexMissingError or IndexDamagedError naming the first fault.
    """
    return files.settled(directory, lambda: _verify_current(directory))


def _verify_current(directory: Path) -> IndexInfo:
    generation, manifest = files.current(directory)
    for name, digest in manifest.files.items():
        files.check_file(directory, generation, name, digest)
    vectors = read_vectors(directory, generation)
    try:
        with closing(text.open_for_reading(generation / files.TEXT)) as connection:
            fault = next(_faults(connection, vectors, manifest), None)
    except (sqlite3.Error, ValueError, TypeError, KeyError) as error:  # the latter of a value of no known form
        raise files.damaged(directory, f"{generation.name}/{files.TEXT}: {error}") from error
    if fault is not None:
        raise files.damaged(directory, fault)
    return manifest.info


def _faults(connection: sqlite3.Connection, vectors: VectorIndex, manifest: files.Manifest) -> Iterator[str]:
    """Yields what does not hold, the nearest to the documents first."""
    numbers = set()
    document_id, document = "", ""
    for number, chunk in text.iterate_chunks(connection):
        if chunk.document_id != document_id:
            document_id = chunk.document_id
            document = text.document_text(connection, document_id) or ""
        is_inside = 0 <= chunk.start < chunk.end <= len(document)
        if not is_inside or document[chunk.start : chunk.end] != chunk.quote:
            yield (f"chunk {number} is not the text of document {document_id} from {chunk.start} to {chunk.end}")
        numbers.add(number)
    counts = text.counts(connection)
    if counts != (manifest.documents, manifest.chunks):
        yield (
            f"it holds {counts[0]} documents and {counts[1]} chunks, its manifest says"
            f" {manifest.documents} and {manifest.chunks}"
        )
    yield from _document_faults(connection)
    is_one_each = vectors.numbers() == numbers and len(vectors) == len(numbers)
    if not is_one_each or vectors.dimensions != manifest.dimensions:
        yield f"its {len(vectors)} vectors are not those of its {len(numbers)} chunks"
    if {number for (number,) in connection.execute("SELECT rowid FROM words")} != numbers:
        yield f"its word index is not that of its {len(numbers)} chunks"
    wrong = ~(np.abs(vectors.lengths() - 1) <= LENGTH_TOLERANCE)  # NaN is wrong, too
    if wrong.any():
        yield f"{wrong.sum()} of its {len(vectors)} vectors have another length than 1"


def _document_faults(connection: sqlite3.Connection) -> Iterator[str]:
    for table in ("chunks", "sections", "places"):
        owners = f"SELECT DISTINCT document_id FROM {table} WHERE document_id NOT IN (SELECT id FROM documents)"
        for (document_id,) in connection.execute(owners):
            yield f"its table of {table} names document {document_id}, which it does not hold"
    for document, digest in text.iterate_documents(connection):
        if not document.id or sources.digest(document) != digest:
            yield f"document {document.id} is not what was read from {document.path}"
        starts = [start for start, _ in document.sections]
        for name, places in (("pages", list(document.pages)), ("sections", starts)):
            if places != sorted(places) or any(not 0 <= place <= len(document.text) for place in places):
                yield f"the {name} of document {document.id} do not begin in its text, one after the other"
