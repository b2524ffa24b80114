"""What changes an index: files and documents are read, cut, embedded, and stored as its next generation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from epiqa.answering.calibration import CALIBRATION, read_calibration
from epiqa.arguments import AnyPath, check_path, check_paths
from epiqa.errors import EpiQAError, IngestError
from epiqa.ingest import Root, Sandbox, find_files, find_tesseract, normalise, printable, roots_of
from epiqa.models.embedder import matching_embedder, open_embedder
from epiqa.store.opening import open_reader, open_writer, verify
from epiqa.store.protocol import IndexWriter
from epiqa.sync.options import DEFAULT_OPTIONS, UpdateOptions
from epiqa.sync.report import ReportBuilder
from epiqa.sync.updater import DocumentStore, Updater
from epiqa.types import DEFAULT_CHUNKING, Document, Embedder, IndexInfo, IndexReport


@dataclass(frozen=True, slots=True)
class Removal:
    """Which documents go because their files are gone.

    `covers` is asked about a file that is no longer on the disk, by its absolute name. `emptied` are given folders
    that are empty now: where the index knows files of one, nothing is changed.
    """

    covers: Callable[[str], bool]
    emptied: Sequence[Root] = ()

    @classmethod
    def of(cls, roots: Sequence[Root]) -> Removal:
        """Returns the removal of what lies in these folders or fits these patterns."""
        emptied = [root for root in roots if root.is_empty()]
        return cls(lambda name: any(root.covers(name) for root in roots), emptied)


def add_paths(
    paths: AnyPath | Iterable[AnyPath], index: AnyPath = "index", options: UpdateOptions = DEFAULT_OPTIONS
) -> IndexReport:
    """Adds files and folders to an index, making it where there is none.

    An unchanged file is not read again. A changed one is replaced, and what it no longer holds is removed. A moved
    one keeps its documents' ids; the same content in two files is one document with two paths. If a file cannot be
    opened for now, that is noted, and its old text stays; if its new content cannot be read, its old text goes.

    Raises EpiQAError, and changes nothing, when a path does not exist, or when a previously filled folder is empty
    and `options.prune` would remove its documents. Raises EpiQAError when not one document could be read; the index
    then holds what it held.
    """
    given = check_paths("paths", paths)
    roots = roots_of(given) if options.prune else []
    files, errors = find_files(given, leave_out=check_path("index", index))
    if not files and not roots:
        raise _nothing_indexed(errors)
    removal = Removal.of(roots) if options.prune else None
    report = update_files(files, index, options, errors=errors, removal=removal)
    if not (report.added or report.replaced or report.unchanged or report.moved or report.removed or report.left):
        raise _nothing_indexed([IngestError(path, reason) for path, reason in report.skipped])
    return report


def update_files(
    files: Sequence[Path],
    index: AnyPath,
    options: UpdateOptions,
    *,
    errors: Sequence[IngestError] = (),
    removal: Removal | None = None,
) -> IndexReport:
    """Brings an index up to date with files that were found, as `add_paths` does; `errors` go into the report."""
    report = ReportBuilder()
    report.skipped += [(error.path, error.reason) for error in errors]
    sandbox = Sandbox(tesseract=find_tesseract() if options.is_recognising else None)
    with open_writer(index, on_wait=options.on_wait, rebuild=options.rebuild) as writer, sandbox:
        for root in removal.emptied if removal else ():
            if any(root.covers(os.fsdecode(file.name)) for file in writer.sources.files()):
                raise EpiQAError(
                    f"{printable(root.given)}: none of the files that were read is there. Nothing was changed,"
                    " since perhaps a disk is not mounted. If they are gone for good, name the folder above it"
                )
        store = _document_store(writer, options, Path(index), report)
        Updater(writer, sandbox, store, report, options).run(files, removal.covers if removal else None)
        for path, document_id in report.copies():
            if (shown := writer.path_of(document_id)) != path:
                report.notes.append((path, f"has the same content as {shown}: it is indexed once"))
        _commit(writer)
        set_aside = str(writer.set_aside) if writer.set_aside else None
        return replace(report.build(writer.info), set_aside=set_aside)


def _nothing_indexed(errors: Sequence[IngestError]) -> EpiQAError:
    reasons = "; ".join(str(error) for error in errors) or "no path was given"
    return EpiQAError(f"nothing was indexed: {reasons}")


def add_documents(
    documents: Iterable[Document], index: AnyPath = "index", options: UpdateOptions = DEFAULT_OPTIONS
) -> None:
    """Adds documents that are not files, such as the paragraphs of a question set, to an index."""
    with open_writer(index) as writer:
        store = _document_store(writer, options, Path(index), ReportBuilder())
        for document in documents:
            store.put(document)
        store.flush()
        _commit(writer)


def remove_document(name: str, index: AnyPath = "index") -> None:
    """Removes a document by its id, or a file that could not be read, by its path, from the list of these.

    Raises EpiQAError when there is neither.
    """
    open_reader(index)  # raises where there is no index
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


def _document_store(
    writer: IndexWriter, options: UpdateOptions, directory: Path, report: ReportBuilder
) -> DocumentStore:
    """Returns what stores documents. Raises EpiQAError when the index was made in another way than is asked for."""
    if writer.fingerprint is not None and options.chunking not in (None, writer.chunking):
        raise EpiQAError(
            f"the index in {directory} was built with {writer.chunking}, not {options.chunking}: leave that out, or"
            " build another index with epiqa index PATH… --index DIR"
        )

    @cache
    def embedder() -> Embedder:
        if writer.fingerprint is not None:
            return matching_embedder(options.embedder, writer.embedder, writer.fingerprint, directory)
        opened = open_embedder(options.embedder)
        writer.set_embedder(opened, options.chunking or DEFAULT_CHUNKING)
        return opened

    if writer.fingerprint is not None and options.embedder not in (None, writer.embedder):
        embedder()
    return DocumentStore(writer, embedder, report)


def _commit(writer: IndexWriter) -> None:
    """Makes the changes the live generation, unless that would make an index without a document."""
    if writer.fingerprint is not None and writer.is_changed and (writer.count_documents() or writer.info):
        writer.commit()
