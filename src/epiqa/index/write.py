"""The making of the next generation: under a lock, beside the live one, switched to at the end."""

from __future__ import annotations

import datetime
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np
from filelock import BaseFileLock, FileLock, Timeout

from epiqa.errors import EpiQAError, IndexBusyError, IndexMissingError
from epiqa.index import generation as files
from epiqa.index import segments, sources, text, words
from epiqa.types import DEFAULT_CHUNKING, Chunk, Chunking, Document, Embedder, Vectors

LOCK_TIMEOUT_S = 600.0


class IndexWriter:
    """A context that holds the lock and an unpublished generation; without `commit` nothing changes.

    It starts with the catalogue of the live generation, or empty where there is none. What is added goes to a new
    segment; with `commit`, the others are linked, or become one with it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        on_wait: Callable[[], None] | None = None,
    ) -> None:
        self._directory = directory
        self._lock_timeout_s = lock_timeout_s
        self._on_wait = on_wait
        self.embedder = ""
        self.fingerprint: str | None = None
        self.chunking = DEFAULT_CHUNKING
        self._dimensions = 0
        self._segments: tuple[files.Segment, ...] = ()
        self._new: segments.NewSegment | None
        self.is_changed = False

    def __enter__(self) -> IndexWriter:
        with self._translated(), ExitStack() as undo:
            self._directory.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._directory / files.LOCK)
            self._acquire(lock)
            undo.callback(lock.release)
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
        """Copies the live catalogue, or starts an empty one; `undo` learns how to remove it again."""
        self._new = None
        try:
            self._live, manifest = files.current(self._directory)
        except IndexMissingError:
            self._generation = files.prepare(self._directory)
            undo.callback(self._discard)
            self._connection = text.create(self._generation / files.CATALOGUE, text.CATALOGUE)
        else:
            files.check_files(self._directory, self._live, manifest)
            self.embedder, self.fingerprint = manifest.embedder, manifest.fingerprint
            self._dimensions, self.chunking = manifest.dimensions, manifest.chunking
            self._segments, self._hashes = manifest.segments, manifest.files
            self._generation = files.prepare(self._directory)
            undo.callback(self._discard)
            shutil.copyfile(self._live / files.CATALOGUE, self._generation / files.CATALOGUE)
            self._connection = text.open_for_writing(self._generation / files.CATALOGUE)
        undo.callback(self._connection.close)

    def _discard(self) -> None:
        if not files.is_live(self._directory, self._generation):
            shutil.rmtree(self._generation, ignore_errors=True)

    def set_embedder(self, embedder: Embedder, chunking: Chunking = DEFAULT_CHUNKING) -> None:
        """Says what makes the vectors and the chunks of a new index; to be called before the first `add`."""
        self.chunking = chunking
        self.embedder, self.fingerprint = embedder.name, embedder.fingerprint
        self._dimensions = embedder.dimensions

    def has(self, document: Document) -> bool:
        """Tells whether this text is stored already, from the same file."""
        return sources.has_same(self._connection, document)

    def add(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> bool:
        """Stores a document; `vectors` has shape (chunks, dimensions).

        What was read from the same file before is replaced; returns True when there was such.
        """
        with self._translated():
            earlier = sources.find_by_location(self._connection, document.location)
            is_replaced = earlier is not None and self.remove(earlier)
            self.remove(document.id)
            if self._new is None:
                self._new = segments.NewSegment(self._generation, self._dimensions)
                self._undo.callback(self._new.close)
            first = sum(segment.chunks for segment in self._segments) + self._new.chunks
            key = text.insert(self._connection, document, chunks, segment=len(self._segments), first=first)
            self._new.add(key, document, chunks, vectors, with_title=self.chunking.with_title)
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
        if not text.has_document(self._connection, document_id):
            return False
        with self._translated():
            text.delete(self._connection, document_id)
            self.is_changed = True
        return True

    def count_documents(self) -> int:
        """Returns how many documents the index would hold."""
        return text.counts(self._connection)[0]

    def commit(self) -> None:
        """Makes this generation the live one."""
        assert self.fingerprint is not None, "set_embedder comes first"
        with self._translated():
            written, hashes = self._write_segments()
            if self._new is not None:
                self._new.close()
            documents, chunks = text.counts(self._connection)
            unread = sources.count_unread(self._connection)
            self._connection.commit()
            self._connection.close()
            manifest = files.Manifest(
                format=files.FORMAT,
                generation=self._generation.name,
                created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                embedder=self.embedder,
                fingerprint=self.fingerprint,
                dimensions=self._dimensions,
                documents=documents,
                chunks=chunks,
                segments=written,
                files={},
                chunking=self.chunking,
                unread=unread,
            )
            manifest.files.update(
                {name: hashes.get(name) or files.sha256(self._generation / name) for name in manifest.names}
            )
            files.publish(self._directory, self._generation, manifest)
            files.collect(self._directory)

    def _write_segments(self) -> tuple[tuple[files.Segment, ...], dict[str, str]]:
        """Writes what is new, with what is merged with it, and links the rest.

        Returns all segments, and the SHA-256 of the files that were linked.
        """
        if self._new is None and not self._segments:
            self._new = segments.NewSegment(self._generation, self._dimensions)
            self._undo.callback(self._new.close)
        sizes = [segment.chunks for segment in self._segments]
        if self._new is not None:
            self._new.prepare()
            sizes.append(self._new.chunks)
        firsts = np.cumsum([0, *sizes])
        is_there = text.are_there(self._connection, int(firsts[-1]))
        there = [int(is_there[first : first + size].sum()) for first, size in zip(firsts, sizes, strict=False)]
        kept = segments.kept(sizes, there, is_last_new=self._new is not None)
        names = [name(number) for number in range(kept) for name in (files.text_name, files.vectors_name)]
        for name in names:
            files.link(self._live / name, self._generation / name)
        linked = {name: self._hashes[name] for name in names}
        if kept == len(sizes):
            return self._segments, linked
        if self._new is not None and kept == len(self._segments) and there[-1] == sizes[-1]:
            last = self._new.finish(kept)
        else:
            last = self._merge(kept, firsts.tolist(), is_there)
        return (*self._segments[:kept], last), linked

    def _merge(self, kept: int, firsts: Sequence[int], is_there: words.Mask) -> files.Segment:
        """Writes all segments from one on as one; `firsts` are the numbers with which they begin."""
        with ExitStack() as opened:
            parts: list[segments.Part] = []
            for number in range(kept, len(self._segments)):
                name = files.text_name(number)
                files.check_file(self._directory, self._live, name, self._hashes[name])
                segment = segments.Segment.open(self._directory, self._live, number, self._hashes)
                opened.callback(segment.close)
                parts.append(segment)
            if self._new is not None:
                parts.append(self._new)
            masks = np.split(is_there[firsts[kept] :], np.subtract(firsts[kept + 1 : -1], firsts[kept]))
            keys = text.keys_from(self._connection, kept)
            whole = list(zip(parts, masks, strict=True))
            last = segments.write_merged(self._generation, kept, self._dimensions, whole, keys)
        text.merge_segments(self._connection, kept, firsts[kept])
        return last
