"""Checks an index from the files up: checksums, every text, the place of every chunk in it, counts, vectors."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from epiqa.index import generation as files
from epiqa.index import text
from epiqa.index.segments import Segment
from epiqa.index.words import Mask
from epiqa.types import IndexInfo


def verify(directory: Path) -> IndexInfo:
    """Re-hashes every file and re-checks every text and chunk.

    Returns what the index holds; raises IndexMissingError or IndexDamagedError naming the first fault.
    """
    generation, manifest = files.current(directory)
    for name, digest in manifest.files.items():
        files.check_file(directory, generation, name, digest)
    try:
        with closing(text.open_for_reading(generation / files.CATALOGUE)) as catalogue:
            counts = text.counts(catalogue)
            if counts != (manifest.documents, manifest.chunks):
                raise files.damaged(
                    directory,
                    f"it holds {counts[0]} documents and {counts[1]} chunks, its manifest says"
                    f" {manifest.documents} and {manifest.chunks}",
                )
            is_there = text.are_there(catalogue, sum(segment.chunks for segment in manifest.segments))
            for number, written in enumerate(manifest.segments):
                with closing(Segment.open(directory, generation, number, manifest.files)) as segment:
                    _check_segment(directory, number, segment, written.chunks, manifest.dimensions)
                    _check_chunks(directory, catalogue, number, segment, is_there)
            if is_there.any():
                raise files.damaged(directory, f"chunk {is_there.argmax()} is of no document")
    except sqlite3.Error as error:
        raise files.damaged(directory, f"{generation.name}: {error}") from error
    return manifest.info


def _check_segment(directory: Path, number: int, segment: Segment, chunks: int, dimensions: int) -> None:
    """Raises IndexDamagedError unless a segment has the vectors and the words of so many chunks."""
    if (len(segment.vectors), segment.vectors.dimensions) != (chunks, dimensions):
        raise files.damaged(
            directory,
            f"the {len(segment.vectors)} vectors of {segment.vectors.dimensions} dimensions in"
            f" {files.vectors_name(number)} are not those of its {chunks} chunks with {dimensions}",
        )
    if len(segment.lengths()) != chunks:
        raise files.damaged(
            directory, f"the words in {files.text_name(number)} are not those of its {chunks} chunks"
        )


def _check_chunks(
    directory: Path, catalogue: sqlite3.Connection, number: int, segment: Segment, is_there: Mask
) -> None:
    """Raises IndexDamagedError unless each chunk of a segment lies in its document's text; unmarks those found."""
    for document in text.documents_of(catalogue, number):
        length = len(text.read_text(segment.connection, document))
        for chunk, start, end in text.offsets(catalogue, document.key):
            if not (0 <= start < end <= length) or not 0 <= chunk < len(is_there) or not is_there[chunk]:
                raise files.damaged(
                    directory, f"chunk {chunk} is not a piece of document {document.id}: from {start} to {end}"
                )
            is_there[chunk] = False
