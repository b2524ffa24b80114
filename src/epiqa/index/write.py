"""The making of the next generation: under a lock, beside the live one, switched to at the end."""

from __future__ import annotations

import datetime
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

from filelock import BaseFileLock, FileLock, Timeout

from epiqa import disk
from epiqa.errors import EpiQAError, IndexBusyError, IndexMissingError
from epiqa.index import generation as files
from epiqa.index import sources, text
from epiqa.index.vectors import VectorIndex, read_vectors
from epiqa.types import DEFAULT_CHUNKING, Chunk, Chunking, Document, Embedder, Vectors

LOCK_TIMEOUT_S = 600.0


class IndexWriter:
    """A context that holds the lock and an unpublished generation; without `commit` nothing changes.

    It starts as a copy of the live generation, or empty where there is none. With `rebuild` it always starts empty:
    what was there, sound or damaged, is moved to the folder `set_aside` first, and back where nothing is committed.
    """

    def __init__(
        self,
        directory: Path,
        *,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        on_wait: Callable[[], None] | None = None,
        rebuild: bool = False,
    ) -> None:
        self._directory = directory
        self._lock_timeout_s = lock_timeout_s
        self._on_wait = on_wait
        self._rebuild = rebuild
        self.set_aside: Path | None = None
        self.embedder = ""
        self.fingerprint: str | None = None
        self.chunking = DEFAULT_CHUNKING
        self._dimensions = 0
        self.is_changed = False

    def __enter__(self) -> IndexWriter:
        with self._translated(), ExitStack() as undo:
            disk.make_folder(self._directory)
            lock = FileLock(self._directory / files.LOCK)
            self._acquire(lock)
            undo.callback(lock.release)
            if self._rebuild:
                self.set_aside = files.set_aside(self._directory)
                if self.set_aside:
                    undo.callback(files.put_back, self._directory, self.set_aside)
            self._begin(undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turns what a full disk, a missing right or the like raises into an EpiQAError."""
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise EpiQAError(
                f"the index cannot be written to {self._directory} ({reason}): make room, or choose"
                " another place with --index"
            ) from error

    def _acquire(self, lock: BaseFileLock) -> None:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if self._on_wait:
                self._on_wait()
            try:
                lock.acquire(timeout=self._lock_timeout_s)
            except Timeout as error:
                raise IndexBusyError(
                    f"another process has been writing the index in {self._directory} for more than"
                    f" {self._lock_timeout_s:g} seconds: try again when it is done"
                ) from error

    def _begin(self, undo: ExitStack) -> None:
        """Copies the live generation, or starts an empty one; `undo` learns how to remove it again."""
        try:
            live, manifest = files.current(self._directory)
        except IndexMissingError:
            self._generation = files.prepare(self._directory)
            undo.callback(self._discard)
            self._connection = text.create(self._generation / files.TEXT)
        else:
            for name, digest in manifest.files.items():
                files.check_file(self._directory, live, name, digest)
            self.embedder, self.fingerprint = manifest.embedder, manifest.fingerprint
            self._dimensions, self.chunking = manifest.dimensions, manifest.chunking
            self._vectors = read_vectors(self._directory, live)
            self._generation = files.prepare(self._directory)
            undo.callback(self._discard)
            shutil.copyfile(live / files.TEXT, self._generation / files.TEXT)
            self._connection = text.open_for_writing(self._generation / files.TEXT)
        undo.callback(self._connection.close)

    def _discard(self) -> None:
        if not files.is_live(self._directory, self._generation):
            shutil.rmtree(self._generation, ignore_errors=True)

    def set_embedder(self, embedder: Embedder, chunking: Chunking = DEFAULT_CHUNKING) -> None:
        """Says what makes the vectors and the chunks of a new index; to be called before the first `add`."""
        self.chunking = chunking
        self.embedder, self.fingerprint = embedder.name, embedder.fingerprint
        self._dimensions = embedder.dimensions
        self._vectors = VectorIndex.empty(embedder.dimensions)

    def has(self, document: Document) -> bool:
        """Tells whether this text is stored already, from the same file."""
        with self._translated():
            return sources.has_same(self._connection, document)

    def add(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> bool:
        """Stores a document; `vectors` has shape (chunks, dimensions).

        What was read from the same file before is replaced; returns True when there was such.
        """
        with self._translated():
            earlier = sources.find_by_location(self._connection, document.location)
            is_replaced = earlier is not None and self.remove(earlier)
            self.remove(document.id)
            self._vectors.add(text.insert(self._connection, document, chunks), vectors)
            self.is_changed = True
        return is_replaced

    def keep_only(self, location: str, kept: Collection[str]) -> list[str]:
        """Removes what was read from a file, or from a part of it, at other locations; returns the paths."""
        with self._translated():
            gone = [row for row in sources.read_from(self._connection, location) if row[2] not in kept]
        return [path for id_, path, _ in gone if self.remove(id_)]

    def set_unread(self, location: str, reasons: Sequence[tuple[str, str]]) -> None:
        """Notes path and reason of what of a file could not be read; nothing where all was."""
        with self._translated():
            self.is_changed |= sources.set_unread(self._connection, location, reasons)

    def remove(self, document_id: str) -> bool:
        """Removes a document; returns False when there is none of that id."""
        with self._translated():
            if not text.has_document(self._connection, document_id):
                return False
            self._vectors.remove(text.delete(self._connection, document_id))
            self.is_changed = True
        return True

    def count_documents(self) -> int:
        """Returns how many documents the index would hold."""
        with self._translated():
            return text.counts(self._connection)[0]

    def commit(self) -> None:
        """Makes this generation the live one."""
        assert self.fingerprint is not None, "set_embedder comes first"
        with self._translated():
            documents, chunks = text.counts(self._connection)
            unread = sources.count_unread(self._connection)
            self._connection.commit()
            self._connection.close()
            (self._generation / files.VECTORS).write_bytes(self._vectors.to_bytes())
            manifest = files.Manifest(
                format=files.FORMAT,
                generation=self._generation.name,
                created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                embedder=self.embedder,
                fingerprint=self.fingerprint,
                dimensions=self._dimensions,
                documents=documents,
                chunks=chunks,
                files={name: files.sha256(self._generation / name) for name in (files.TEXT, files.VECTORS)},
                chunking=self.chunking,
                unread=unread,
            )
            files.publish(self._directory, self._generation, manifest)
            files.collect(self._directory)
