"""What changes an index: files and documents are read, cut, embedded, and stored as its next generation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TypeAlias

from epiqa.answering.calibration import read_calibration
from epiqa.errors import EmbedderMismatchError, EpiQAError, IngestError
from epiqa.ingest import Root, Sandbox, find_files, find_tesseract, normalise, printable, roots_of
from epiqa.models.embedder import load_embedder
from epiqa.store.opening import open_reader, open_writer, verify
from epiqa.store.protocol import IndexWriter
from epiqa.sync.report import Ledger
from epiqa.sync.updater import OnProgress, Store, Update
from epiqa.types import DEFAULT_CHUNKING, Chunking, Document, Embedder, IndexInfo, IndexReport

AnyPath: TypeAlias = str | os.PathLike[str]
IsRemoved = Callable[[str], bool]

# In the index directory, beside the generations: what `epiqa calibrate` fitted to the user's own questions.
CALIBRATION = "calibration.json"


def add_paths(
    paths: AnyPath | Iterable[AnyPath],
    index: AnyPath = "index",
    *,
    embedder: Embedder | str | None = None,
    chunking: Chunking | None = None,
    prune: bool = False,
    ocr: bool = False,
    rebuild: bool = False,
    on_progress: OnProgress | None = None,
    on_wait: Callable[[], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> IndexReport:
    """Adds files and folders to an index, making it where there is none.

    A file whose content is unchanged is not read again. A file whose content changed is replaced, and what it no
    longer holds is removed. One that moved keeps its documents' ids; the same content in two files is one document
    with two paths. A file that cannot be opened, or not for now, is noted in the index, and what was read of it
    before stays; where the content itself cannot be read, it does not.

    With `prune`, the documents of files that are gone are removed: of those that lie in a folder among `paths`, or
    that fit a pattern. Raises EpiQAError, and changes nothing, when one of the paths does not exist or a folder is
    empty that was not, for that may be a disk that is not there.

    With `ocr`, pages of a PDF without text are read by tesseract; raises EpiQAError where that is missing. With
    `rebuild`, the index is made anew, of these files alone; the one that was there, sound or damaged, is kept in a
    folder of its own.

    `on_progress` is called with the number of files done, of all files, and the file at hand, and `on_wait` when
    another process is writing and this one must wait. `should_stop` is asked every now and then: once it returns
    True, what is stored is kept, and the report counts the files that are left. Raises EpiQAError when not one
    document could be read; the index then holds the documents that it held.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    roots = roots_of(given) if prune else []
    files, errors = find_files(given, leave_out=index)
    if not files and not roots:
        raise _nothing_indexed(errors)
    is_removed: IsRemoved | None = (lambda name: any(root.covers(name) for root in roots)) if prune else None
    report = update_files(
        files,
        index,
        errors=errors,
        embedder=embedder,
        chunking=chunking,
        ocr=ocr,
        rebuild=rebuild,
        is_removed=is_removed,
        emptied=[root for root in roots if root.is_empty()],
        on_progress=on_progress,
        on_wait=on_wait,
        should_stop=should_stop,
    )
    if not (report.added or report.replaced or report.unchanged or report.moved or report.removed or report.left):
        raise _nothing_indexed([IngestError(path, reason) for path, reason in report.skipped])
    return report


def update_files(
    files: Sequence[Path],
    index: AnyPath,
    *,
    errors: Sequence[IngestError] = (),
    embedder: Embedder | str | None = None,
    chunking: Chunking | None = None,
    ocr: bool = False,
    rebuild: bool = False,
    is_removed: IsRemoved | None = None,
    emptied: Sequence[Root] = (),
    on_progress: OnProgress | None = None,
    on_wait: Callable[[], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> IndexReport:
    """Brings an index up to date with files that were found, as `add_paths` does.

    `is_removed` tells of a file that is not there, by its absolute name, whether its documents go; `emptied` are
    the roots that are empty now, which raises EpiQAError if the index has files of them.
    """
    ledger = Ledger()
    ledger.skipped += [(error.path, error.reason) for error in errors]
    sandbox = Sandbox(tesseract=find_tesseract() if ocr else None)
    with open_writer(index, on_wait=on_wait, rebuild=rebuild) as writer, sandbox:
        for root in emptied:
            if any(root.covers(os.fsdecode(file.name)) for file in writer.sources.files()):
                raise EpiQAError(
                    f"{printable(root.given)}: none of the files that were read is there. Nothing was changed, for"
                    " it may be a disk that is not there. If they are gone for good, name the folder above it"
                )
        store = _store(writer, embedder, chunking, Path(index), ledger)
        update = Update(
            writer,
            sandbox,
            store,
            ledger,
            is_recognising=ocr,
            on_progress=on_progress,
            should_stop=should_stop,
        )
        update.run(files, is_removed)
        for path, document_id in ledger.copies():
            if (shown := writer.path_of(document_id)) != path:
                ledger.notes.append((path, f"has the same content as {shown}: it is indexed once"))
        _commit(writer)
        set_aside = str(writer.set_aside) if writer.set_aside else None
        return replace(ledger.report(writer.info), set_aside=set_aside)


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
    with open_writer(index) as writer:
        store = _store(writer, embedder, chunking, Path(index), Ledger())
        for document in documents:
            store.put(document)
        store.flush()
        _commit(writer)


def remove_document(name: str, index: AnyPath = "index") -> None:
    """Removes a document, by its id, from an index, or a file that could not be read, by its path, from its list.

    Raises EpiQAError when there is neither.
    """
    open_reader(index)  # raises where there is none
    path = printable(name)
    with open_writer(index) as writer:
        with writer.translated():
            is_removed = writer.remove(normalise(name)) or any(
                writer.sources.forget_unread(way) for way in dict.fromkeys((path, os.path.normpath(path)))
            )
        if not is_removed:
            raise EpiQAError(
                f"there is no document {name!r} in {index}, nor a file of that path that could not be read: see"
                f" epiqa documents list --index {index}"
            )
        writer.commit()


def verify_index(index: AnyPath = "index") -> IndexInfo:
    """Re-hashes every file of an index, re-checks every chunk against its document, and reads its calibration.

    Returns what it holds; raises IndexMissingError or IndexDamagedError.
    """
    read_calibration(Path(index) / CALIBRATION)
    return verify(index)


def _store(
    writer: IndexWriter,
    embedder: Embedder | str | None,
    chunking: Chunking | None,
    directory: Path,
    ledger: Ledger,
) -> Store:
    """Returns what stores documents; raises EpiQAError when the index was made in another way than is asked for."""
    if writer.fingerprint is not None and chunking not in (None, writer.chunking):
        raise EpiQAError(
            f"the index in {directory} was built with {writer.chunking}, not {chunking}: leave that out, or"
            " build another index with epiqa index PATH… --index DIR"
        )

    @cache
    def model() -> Embedder:
        if writer.fingerprint is not None:
            return matching_embedder(embedder, writer.embedder, writer.fingerprint, directory)
        loaded = _embedder(embedder)
        writer.set_embedder(loaded, chunking or DEFAULT_CHUNKING)
        return loaded

    if writer.fingerprint is not None and embedder not in (None, writer.embedder):
        model()
    return Store(writer, model, ledger)


def _commit(writer: IndexWriter) -> None:
    """Makes the changes the live generation, unless an index without a document would come of it."""
    if writer.fingerprint is not None and writer.is_changed and (writer.count_documents() or writer.info):
        writer.commit()


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
