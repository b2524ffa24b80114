"""Checks an index from the files up: checksums, the verbatim invariant on every chunk, counts, vectors."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from epiqa.index import generation as files
from epiqa.index import text
from epiqa.index.vectors import read_vectors
from epiqa.types import IndexInfo


def verify(directory: Path) -> IndexInfo:
    """Re-hashes every file and re-checks every chunk against its document's text.

    Returns what the index holds; raises IndexMissingError or IndexDamagedError naming the first fault.
    """
    return files.settled(directory, lambda: _verify_current(directory))


def _verify_current(directory: Path) -> IndexInfo:
    generation, manifest = files.current(directory)
    for name, digest in manifest.files.items():
        files.check_file(directory, generation, name, digest)
    vectors = read_vectors(directory, generation)
    numbers = set()
    try:
        with closing(text.open_for_reading(generation / files.TEXT)) as connection:
            counts = text.counts(connection)
            document_id, document = "", ""
            for number, chunk in text.iterate_chunks(connection):
                if chunk.document_id != document_id:
                    document_id = chunk.document_id
                    document = text.document_text(connection, document_id) or ""
                if document[chunk.start : chunk.end] != chunk.quote or not chunk.quote:
                    raise files.damaged(
                        directory,
                        f"chunk {number} is not the text of document {document_id}"
                        f" from {chunk.start} to {chunk.end}",
                    )
                numbers.add(number)
    except sqlite3.Error as error:
        raise files.damaged(directory, f"{generation.name}/{files.TEXT}: {error}") from error
    if counts != (manifest.documents, manifest.chunks):
        raise files.damaged(
            directory,
            f"it holds {counts[0]} documents and {counts[1]} chunks, its manifest says"
            f" {manifest.documents} and {manifest.chunks}",
        )
    if vectors.numbers() != numbers or vectors.dimensions != manifest.dimensions:
        raise files.damaged(directory, f"its {len(vectors)} vectors are not those of its {len(numbers)} chunks")
    return manifest.info
