"""The making of the next generation: under a lock, beside the live one, switched to at the end."""

from __future__ import annotations

import datetime
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

from filelock import BaseFileLock, FileLock, Timeout

from epiqa import disk
from epiqa.errors import EpiQAError, IndexBusyError, IndexMissingError
from epiqa.index import generation as files
from epiqa.index import sources, text
from epiqa.index.sources import Sources
from epiqa.index.vectors import VectorIndex, read_vectors
from epiqa.types import DEFAULT_CHUNKING, Chunk, Chunking, Document, Embedder, IndexInfo, Vectors

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
        self.info: IndexInfo | None = None
        self.sources: Sources
        self._dimensions = 0
        self._is_changed = False

    def __enter__(self) -> IndexWriter:
        with self.translated(), ExitStack() as undo:
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
    def translated(self) -> Iterator[None]:
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
            self.info = manifest.info
            self._vectors = read_vectors(self._directory, live)
            self._generation = files.prepare(self._directory)
            undo.callback(self._discard)
            shutil.copyfile(live / files.TEXT, self._generation / files.TEXT)
            self._connection = text.open_for_writing(self._generation / files.TEXT)
        undo.callback(self._connection.close)
        self.sources, self._is_changed = Sources(self._connection), False

    def _discard(self) -> None:
        if not files.is_live(self._directory, self._generation):
            shutil.rmtree(self._generation, ignore_errors=True)

    def set_embedder(self, embedder: Embedder, chunking: Chunking = DEFAULT_CHUNKING) -> None:
        """Says what makes the vectors and the chunks of a new index; to be called before the first `add`."""
        self.chunking = chunking
        self.embedder, self.fingerprint = embedder.name, embedder.fingerprint
        self._dimensions = embedder.dimensions
        self._vectors = VectorIndex.empty(embedder.dimensions)

    @property
    def is_changed(self) -> bool:
        """Tells whether there is anything to commit."""
        return self._is_changed or self.sources.is_changed

    def add(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> str | None:
        """Stores a document in its place; `vectors` has shape (chunks, dimensions).

        Returns the id of the document which that place had before: it is removed, unless it has another.
        """
        with self.translated():
            earlier = self.sources.place(document.location)
            self.remove(document.id)
            self._vectors.add(text.insert(self._connection, document, chunks), vectors)
            self.sources.put(document.location, document.path, document.id)
            self._is_changed = True
        return None if earlier is None else earlier.document_id

    def remove(self, document_id: str) -> bool:
        """Removes a document; returns False when there is none of that id."""
        with self.translated():
            if not text.has_document(self._connection, document_id):
                return False
            self.sources.forget(document_id)
            self._vectors.remove(text.delete(self._connection, document_id))
            self._is_changed = True
        return True

    def path_of(self, document_id: str) -> str:
        """Returns the path under which a document will be shown."""
        with self.translated():
            self._settle()
            return text.path_of(self._connection, document_id)

    def _settle(self) -> None:
        """Removes the documents that lost their last place; the path of others is that of a place they have."""
        for document_id in self.sources.touched:
            paths = self.sources.paths_of(document_id)
            if not paths:
                self._vectors.remove(text.delete(self._connection, document_id))
            elif text.path_of(self._connection, document_id) not in paths:
                text.rename(self._connection, document_id, paths[0])
        self.sources.touched.clear()

    def count_documents(self) -> int:
        """Returns how many documents the index would hold."""
        with self.translated():
            self._settle()
            return text.counts(self._connection)[0]

    def commit(self) -> None:
        """Makes this generation the live one."""
        assert self.fingerprint is not None, "set_embedder comes first"
        with self.translated():
            self._settle()
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
            self.info = manifest.info

    def checkpoint(self) -> None:
        """Makes this generation the live one and goes on with the next, under the same lock."""
        self.commit()
        with self.translated():
            self._begin(self._undo)
