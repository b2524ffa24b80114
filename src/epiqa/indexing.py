"""What changes an index: files and documents are read, cut, embedded, and stored as its next generation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from epiqa import index as storage
from epiqa.chunk import chunk
from epiqa.confidence import read_calibration
from epiqa.embed import load_embedder, titled
from epiqa.errors import EmbedderMismatchError, EpiQAError, IngestError
from epiqa.index import Index, IndexWriter
from epiqa.ingest import Sandbox, find_files, location_of, normalise, read_documents
from epiqa.types import DEFAULT_CHUNKING, Chunk, Chunking, Document, Embedder, IndexInfo, IndexReport

AnyPath: TypeAlias = str | os.PathLike[str]
OnProgress = Callable[[int, int, str], None]

# Chunks are embedded this many at a time, across documents, so that batches of like length can be made.
EMBED_CHUNKS = 256
# In the index directory, beside the generations: what `epiqa calibrate` fitted to the user's own questions.
CALIBRATION = "calibration.json"


def add_paths(
    paths: AnyPath | Iterable[AnyPath],
    index: AnyPath = "index",
    *,
    embedder: Embedder | str | None = None,
    chunking: Chunking | None = None,
    on_progress: OnProgress | None = None,
    on_wait: Callable[[], None] | None = None,
    rebuild: bool = False,
) -> IndexReport:
    """Adds files and folders to an index, making it where there is none.

    A file that was indexed before is replaced if its content changed; what it no longer holds, as a container, is
    removed. A file that cannot be read is noted in the index, and what was read of it before stays. `on_wait` is
    called when another process is writing and this one must wait. With `rebuild`, the index is made anew, of these
    files alone; the one that was there, sound or damaged, is kept in a folder of its own. Raises EpiQAError when
    not one document could be read; the index then holds the documents that it held.
    """
    files, errors = find_files([paths] if isinstance(paths, (str, os.PathLike)) else paths)
    if not files:
        raise _nothing_indexed(errors)
    unchanged: list[str] = []
    removed: list[str] = []
    notes: list[tuple[str, str]] = []
    with IndexWriter(Path(index), on_wait=on_wait, rebuild=rebuild) as writer, Sandbox() as sandbox:

        def new_documents(path: Path) -> Iterator[Document]:
            wrong: list[IngestError] = []
            location, kept = location_of(path), set[str]()
            try:
                for document in read_documents(path, sandbox):
                    if isinstance(document, IngestError):
                        wrong.append(document)
                        continue
                    kept.add(document.location)
                    if document.note:
                        notes.append((document.path, document.note))
                    if writer.has(document):
                        unchanged.append(document.path)
                    else:
                        yield document
                removed.extend(writer.keep_only(location, kept))
            except IngestError as error:
                wrong.append(error)
            writer.set_unread(location, [(error.path, error.reason) for error in wrong])
            errors.extend(wrong)

        def all_documents() -> Iterator[Document]:
            for done, path in enumerate(files):
                if on_progress:
                    on_progress(done, len(files), str(path))
                yield from new_documents(path)

        added, replaced = _write(writer, all_documents(), embedder, chunking, Path(index))
        if on_progress and files:
            on_progress(len(files), len(files), str(files[-1]))
    if not (added or replaced or unchanged or removed):
        raise _nothing_indexed(errors)
    return IndexReport(
        added=tuple(added),
        unchanged=tuple(unchanged),
        replaced=tuple(replaced),
        skipped=tuple((error.path, error.reason) for error in errors),
        removed=tuple(removed),
        notes=tuple(notes),
        set_aside=str(writer.set_aside) if writer.set_aside else None,
    )


def _nothing_indexed(errors: Sequence[IngestError]) -> EpiQAError:
    reasons = "; ".join(str(error) for error in errors) or "no path was given"
    return EpiQAError(f"nothing was indexed: {reasons}")


def add_documents(
    documents: Iterable[Document],
    index: AnyPath = "index",
    *,
    embedder: Embedder | str | None = None,
    chunking: Chunking | None = None,
) -> None:
    """Adds documents that are not files, such as the paragraphs of a question set, to an index."""
    with IndexWriter(Path(index)) as writer:
        _write(writer, documents, embedder, chunking, Path(index))


def remove_document(document_id: str, index: AnyPath = "index") -> None:
    """Removes a document from an index; raises EpiQAError when there is none of that id."""
    Index.open(Path(index)).close()
    with IndexWriter(Path(index)) as writer:
        if not writer.remove(normalise(document_id)):
            raise EpiQAError(
                f"there is no document {document_id!r} in {index}: see epiqa documents list --index {index}"
            )
        writer.commit()


def verify_index(index: AnyPath = "index") -> IndexInfo:
    """Re-hashes every file of an index, re-checks every chunk against its document, and reads its calibration.

    Returns what it holds; raises IndexMissingError or IndexDamagedError.
    """
    read_calibration(Path(index) / CALIBRATION)
    return storage.verify(Path(index))


def _write(
    writer: IndexWriter,
    documents: Iterable[Document],
    embedder: Embedder | str | None,
    chunking: Chunking | None,
    directory: Path,
) -> tuple[list[str], list[str]]:
    """Stores documents and commits if anything changed; returns the paths added and those replaced."""
    is_new = writer.fingerprint is None
    if writer.fingerprint is None:
        model = _embedder(embedder)
        writer.set_embedder(model, chunking or DEFAULT_CHUNKING)
    else:
        model = matching_embedder(embedder, writer.embedder, writer.fingerprint, directory)
        if chunking not in (None, writer.chunking):
            raise EpiQAError(
                f"the index in {directory} was built with {writer.chunking}, not {chunking}: leave that out, or"
                " build another index with epiqa index PATH… --index DIR"
            )
    with_title = writer.chunking.with_title
    added: list[str] = []
    replaced: list[str] = []
    for batch in _batches(documents, writer.chunking):
        texts = [
            titled(document.title, piece.quote) if with_title else piece.quote
            for document, pieces in batch
            for piece in pieces
        ]
        vectors = model.encode(texts)
        first = 0
        for document, pieces in batch:
            was_there = writer.add(document, pieces, vectors[first : first + len(pieces)])
            (replaced if was_there else added).append(document.path)
            first += len(pieces)
    if writer.is_changed and (writer.count_documents() or not is_new):
        writer.commit()
    return added, replaced


def _batches(documents: Iterable[Document], chunking: Chunking) -> Iterator[list[tuple[Document, list[Chunk]]]]:
    """Yields chunked documents in groups of at least `EMBED_CHUNKS` chunks."""
    batch: list[tuple[Document, list[Chunk]]] = []
    for document in documents:
        batch.append((document, chunk(document, chunking)))
        if sum(len(pieces) for _, pieces in batch) >= EMBED_CHUNKS:
            yield batch
            batch = []
    if batch:
        yield batch


def _embedder(given: Embedder | str | None) -> Embedder:
    return load_embedder(given) if given is None or isinstance(given, str) else given


def matching_embedder(given: Embedder | str | None, stored: str, fingerprint: str, directory: Path) -> Embedder:
    """Returns the embedder to use with an index; raises EmbedderMismatchError when it did not make it."""
    model = _embedder(stored if given is None else given)
    if model.fingerprint != fingerprint:
        raise EmbedderMismatchError(
            f"the index in {directory} was built with {stored} ({fingerprint}), this embedder is {model.name}"
            f" ({model.fingerprint}): use that one, or build another index with epiqa index PATH… --index DIR"
        )
    return model
