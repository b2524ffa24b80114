"""Brings an index up to date with files: known ones are kept, moved ones moved, new ones read.

First all files are hashed and compared with what the index knows of them; what needs no reading is done at once.
The rest is read, cut, embedded and stored, and becomes part of the index every now and then.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from pathlib import Path

from epiqa.errors import IngestError
from epiqa.ingest import Sandbox, documents_in, location_of, open_file, printable
from epiqa.models.embedder import titled
from epiqa.store.protocol import DocumentLocation, IndexWriter, SourceFile, content_digest
from epiqa.sync.options import UpdateOptions
from epiqa.sync.report import ReportBuilder
from epiqa.text.chunker import chunk
from epiqa.types import Chunk, Document, Embedder

# Chunks are embedded this many at a time, across documents, so that batches of like length can be made.
EMBED_CHUNKS = 256
# What is stored becomes part of the index so often, and less often where that takes more than 1/20 of the time.
CHECKPOINT_S = 30.0
CHECKPOINT_SHARE = 20


class DocumentStore:
    """Cuts and embeds documents and stores them, many at a time.

    `embedder` is called when first needed: a run in which nothing is new loads no model.
    """

    def __init__(self, writer: IndexWriter, embedder: Callable[[], Embedder], report: ReportBuilder) -> None:
        self._writer = writer
        self._embedder = embedder
        self._report = report
        self._waiting: list[tuple[Document, list[Chunk]] | Callable[[], None]] = []
        self._ids: dict[str, str] = {}
        self._chunks = 0
        self._saved, self._cost_s = time.monotonic(), 0.0

    def share(self, document: Document) -> None:
        """Stores a document of a file, now or later; content that is stored gets a further location."""
        sources, content = self._writer.sources, content_digest(document)
        if stored := sources.find_same(content):
            self.place(document.location, document.path, stored)
        elif waiting := self._ids.get(content):
            self.then(lambda: self.place(document.location, document.path, waiting))
        else:
            self._ids[content] = sources.free_id(document)
            self.put(replace(document, id=self._ids[content]))

    def put(self, document: Document) -> None:
        """Stores a document, now or later; it replaces the one with its id or location."""
        self._embedder()  # a new index has its chunking from it
        pieces = chunk(document, self._writer.chunking)
        self._waiting.append((document, pieces))
        self._chunks += len(pieces)
        if self._chunks >= EMBED_CHUNKS:
            self.flush()

    def then(self, action: Callable[[], None]) -> None:
        """Does something once all that was put before is stored."""
        self._waiting.append(action)
        if not self._chunks:
            self.flush()

    def flush(self) -> None:
        """Stores what waits, and makes it part of the index if a checkpoint is due."""
        waiting, self._waiting, self._chunks = self._waiting, [], 0
        new = [item for item in waiting if isinstance(item, tuple)]
        with_title = self._writer.chunking.with_title
        texts = [
            titled(document.title, piece.quote) if with_title else piece.quote
            for document, pieces in new
            for piece in pieces
        ]
        vectors = self._embedder().encode(texts) if new else None
        first = 0
        for item in waiting:
            if not isinstance(item, tuple):
                item()
                continue
            assert vectors is not None
            document, pieces = item
            before = self._writer.add(document, pieces, vectors[first : first + len(pieces)])
            self._report.change(document.location, document.path, before, document.id, is_new=True)
            first += len(pieces)
        self._ids.clear()
        self._checkpoint()

    def _checkpoint(self) -> None:
        begun = time.monotonic()
        if begun - self._saved < max(CHECKPOINT_S, CHECKPOINT_SHARE * self._cost_s):
            return
        if self._writer.fingerprint is None or not self._writer.is_changed:
            return
        self._writer.checkpoint()
        self._saved = time.monotonic()
        self._cost_s = self._saved - begun

    def place(self, location: str, path: str, document_id: str) -> None:
        """Gives a stored document a further place."""
        with self._writer.translated():
            before = self._writer.sources.put(location, path, document_id)
        self._report.change(location, path, before, document_id)


class Updater:
    """One run over files."""

    def __init__(
        self,
        writer: IndexWriter,
        sandbox: Sandbox,
        store: DocumentStore,
        report: ReportBuilder,
        options: UpdateOptions,
    ) -> None:
        self._options = options
        self._writer = writer
        self._sandbox = sandbox
        self._store = store
        self._report = report
        self._done = 0

    def run(self, files: Sequence[Path], is_removed: Callable[[str], bool] | None = None) -> None:
        """Brings the index up to date with these files.

        `is_removed` is asked about each file that the index knows and that is no longer on the disk, by its
        absolute name, whether to remove what was read of it; None removes nothing.
        """
        changed: list[tuple[Path, SourceFile]] = []
        now: set[str] = set()  # the locations of files that are there
        for path in files:
            if self._options.should_stop():
                break
            self._options.on_progress(self._done, len(files), printable(path))
            file = self._look(path)
            now.add(location_of(path))
            if file is not None:
                changed.append((path, file))
        with self._writer.translated():
            unknown = self._reuse(changed, now)
            if is_removed is not None:
                self._remove(now, is_removed)
        for path in unknown:
            if self._options.should_stop():
                break
            self._options.on_progress(self._done, len(files), printable(path))
            self._read(path)
        if not self._options.should_stop():
            self._store.flush()
        self._report.left = len(files) - self._done
        if files and not self._report.left:
            self._options.on_progress(len(files), len(files), printable(files[-1]))

    def _look(self, path: Path) -> SourceFile | None:
        """Returns a file that is new or changed; others are noted in the report."""
        try:
            found = open_file(path)
        except IngestError as error:
            self._fail(path, error)
            return None
        sources, known = self._writer.sources, self._writer.sources.file(found.location)
        contents = found.contents(is_recognising=self._options.is_recognising)
        if known is None or known.content not in contents:
            same = next((content for content in contents if sources.files_with(content)), contents[0])
            return SourceFile(found.location, found.path, found.name, same)
        for place in sources.locations_in(found.location):
            self._report.keep(found.path + place.path[len(known.path) :])
        self._report.notes += sources.notes(found.location)
        self._report.skipped += sources.unread(found.location)
        self._done += 1
        return None

    def _fail(self, path: Path, error: IngestError) -> None:
        """Notes a file that cannot be opened: what was read of it stays, and it is read again the next time."""
        location, sources = location_of(path), self._writer.sources
        name = os.fsencode(os.path.realpath(path))
        with self._writer.translated():
            known = sources.file(location) or SourceFile(location, error.path, name)
            sources.set_file(replace(known, content=None))
            sources.set_unread(location, [(error.path, error.reason)])
        self._report.skipped.append((error.path, error.reason))
        self._done += 1

    def _reuse(self, changed: Sequence[tuple[Path, SourceFile]], now: Set[str]) -> list[Path]:
        """Gives the documents of known files to those with the same content; returns the files of no known one.

        A known file that is no longer where it was has moved. One that is there has been copied; if it holds
        something else now, it loses its documents when its turn comes.
        """
        sources = self._writer.sources
        unknown: list[Path] = []
        moved: set[str] = set()
        taken: list[tuple[SourceFile, SourceFile, list[DocumentLocation], list[tuple[str, str]]]] = []
        for path, file in changed:
            same = sources.files_with(file.content or "")
            gone = (known for known in same if known.location not in moved and _has_left(known, now))
            origin = next(gone, None)
            if origin is not None:
                moved.add(origin.location)
            elif same:
                origin = same[0]
            else:
                unknown.append(path)
                continue
            # All are taken before one is given: two files may have changed places.
            taken.append((file, origin, sources.locations_in(origin.location), sources.unread(origin.location)))
        for location in moved | {file.location for file, *_ in taken}:
            self._drop(location)
        for file, origin, places, unread in taken:
            for place in places:
                location = file.location + place.location[len(origin.location) :]
                path_ = file.path + place.path[len(origin.path) :]
                self._store.place(location, path_, place.document_id)
            reasons = [(file.path + path_[len(origin.path) :], reason) for path_, reason in unread]
            sources.set_unread(file.location, reasons)
            sources.set_file(file)
            self._report.skipped += reasons
            self._done += 1
        return unknown

    def _remove(self, now: Set[str], is_removed: Callable[[str], bool]) -> None:
        for known in list(self._writer.sources.files()):
            if known.location not in now and is_removed(os.fsdecode(known.name)) and not _exists(known.name):
                self._drop(known.location)

    def _drop(self, location: str) -> None:
        """Forgets a file; its documents stay until the next commit, where another file may take them."""
        self._clear(self._writer.sources.locations_in(location))
        self._writer.sources.drop_file(location)

    def _clear(self, places: Sequence[DocumentLocation]) -> None:
        self._writer.sources.clear(places)
        for place in places:
            self._report.change(place.location, place.path, place.document_id, None)

    def _read(self, path: Path) -> None:
        """Reads a file; until all of it is stored, its content is not noted, and the next run reads it again."""
        try:
            found = open_file(path)
        except IngestError as error:
            self._fail(path, error)
            return
        content = found.contents(is_recognising=self._options.is_recognising)[0]
        file = SourceFile(found.location, found.path, found.name, content)
        with self._writer.translated():
            self._writer.sources.set_file(replace(file, content=None))
        kept, wrong = set[str](), list[IngestError]()
        try:
            for document in documents_in(found, self._sandbox):
                if self._options.should_stop():
                    return
                if isinstance(document, IngestError):
                    wrong.append(document)
                    continue
                kept.add(document.location)
                self._store.share(document)
        except IngestError as error:
            wrong.append(error)
        self._store.then(lambda: self._finish(file, kept, wrong))

    def _finish(self, file: SourceFile, kept: Set[str], wrong: Sequence[IngestError]) -> None:
        """Removes what a file no longer holds, and notes its content and what of it could not be read."""
        sources, reasons = self._writer.sources, [(error.path, error.reason) for error in wrong]
        with self._writer.translated():
            if any(error.may_pass for error in wrong):
                file = replace(file, content=None)
            else:
                self._clear([place for place in sources.locations_in(file.location) if place.location not in kept])
            sources.set_unread(file.location, reasons)
            sources.set_file(file)
            self._report.notes += sources.notes(file.location)
        self._report.skipped += reasons
        self._done += 1


def _has_left(known: SourceFile, now: Set[str]) -> bool:
    """Returns whether a known file is no longer where it was."""
    return known.location not in now and not _exists(known.name)


def _exists(name: bytes) -> bool:
    """Returns whether there is such a file; one that cannot be looked at may be there."""
    try:
        os.lstat(name)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
