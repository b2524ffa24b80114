"""The making of the next generation: under a lock, beside the live one, switched to at the end."""

from __future__ import annotations

import datetime
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePath
from types import TracebackType

import numpy as np
from filelock import FileLock

from epiqa.errors import EpiQAError, IndexMissingError
from epiqa.store import atomic_write
from epiqa.store.embedded import catalogue, provenance, publishing, segments
from epiqa.store.embedded import generations as files
from epiqa.store.embedded.inverted_index import Mask
from epiqa.store.embedded.provenance import EmbeddedSources
from epiqa.store.embedded.segments import NewSegment, Part, Segment
from epiqa.types import DEFAULT_CHUNKING, Chunk, Chunking, Document, Embedder, IndexInfo, Vectors

LOCK_TIMEOUT_S = 600.0


class EmbeddedWriter:
    """A context that holds the lock and an unpublished generation; without `commit` nothing changes.

    It starts with the catalogue of the live generation, or empty. What is added goes to a new segment; `commit`
    links the others or merges them with it. With `rebuild` it starts empty: the old index, sound or damaged, is
    moved to the folder `set_aside`, and back if nothing is committed.
    """

    def __init__(
        self,
        directory: Path,
        *,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        on_wait: Callable[[], None] | None = None,
        rebuild: bool = False,
    ) -> None:
        self._directory, self._rebuild = directory, rebuild
        self._lock_timeout_s, self._on_wait = lock_timeout_s, on_wait
        self.set_aside: Path | None = None
        self.embedder = ""
        self.fingerprint: str | None = None
        self.chunking = DEFAULT_CHUNKING
        self.info: IndexInfo | None = None
        self.sources: EmbeddedSources
        self._dimensions = 0
        self._segments: tuple[files.Segment, ...]
        self._hashes: dict[str, str]
        self._opened: dict[int, Segment]
        self._new: NewSegment | None

    def __enter__(self) -> EmbeddedWriter:
        with self.translated(), ExitStack() as undo:
            atomic_write.make_folder(self._directory)
            lock = FileLock(self._directory / files.LOCK)
            publishing.acquire(lock, self._directory, self._lock_timeout_s, self._on_wait)
            undo.callback(lock.release)
            if self._rebuild:
                self.set_aside = publishing.set_aside(self._directory)
                if self.set_aside:
                    undo.callback(publishing.put_back, self._directory, self.set_aside)
            self._making = undo.enter_context(ExitStack())
            self._begin()
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

    def _begin(self) -> None:
        """Copies the live catalogue, or starts an empty one; `_making` learns how to remove it again."""
        self._segments, self._hashes, self._opened, self._new = (), {}, {}, None
        try:
            self._live, manifest = files.current(self._directory)
        except IndexMissingError:
            self._generation = publishing.prepare(self._directory)
            self._making.callback(self._discard)
            self._connection = catalogue.create(self._generation / files.CATALOGUE, catalogue.CATALOGUE)
        else:
            files.check_files(self._directory, self._live, manifest)
            self.embedder, self.fingerprint = manifest.embedder, manifest.fingerprint
            self._dimensions, self.chunking = manifest.dimensions, manifest.chunking
            self._segments, self._hashes = manifest.segments, manifest.files
            self.info = manifest.info
            self._generation = publishing.prepare(self._directory)
            self._making.callback(self._discard)
            shutil.copyfile(self._live / files.CATALOGUE, self._generation / files.CATALOGUE)
            self._connection = catalogue.open_for_writing(self._generation / files.CATALOGUE)
        self._making.callback(self._connection.close)
        self.sources, self._is_changed = EmbeddedSources(self._connection), False

    def _discard(self) -> None:
        if not publishing.is_live(self._directory, self._generation):
            shutil.rmtree(self._generation, ignore_errors=True)

    def set_embedder(self, embedder: Embedder, chunking: Chunking = DEFAULT_CHUNKING) -> None:
        """Says what makes the vectors and chunks of a new index; called before the first `add`."""
        self.chunking = chunking
        self.embedder, self.fingerprint = embedder.name, embedder.fingerprint
        self._dimensions = embedder.dimensions

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to commit."""
        return self._is_changed or self.sources.is_changed

    def add(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> str | None:
        """Stores a document in its place; `vectors` has shape (chunks, dimensions).

        Returns the id of the document which that place had before: it is removed, unless it has another.
        """
        with self.translated():
            earlier = self.sources.document_at(document.location)
            self.remove(document.id)
            self._store(document, chunks, vectors)
            self.sources.put(document.location, document.path, document.id)
            self._is_changed = True
        return None if earlier is None else earlier.document_id

    def _store(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Stores a document in the new segment."""
        new = self._new_segment()
        key = catalogue.insert(
            self._connection,
            document,
            chunks,
            segment=len(self._segments),
            first=sum(segment.chunks for segment in self._segments) + new.chunks,
        )
        new.add(key, document, chunks, vectors, with_title=self.chunking.with_title)

    def _new_segment(self) -> NewSegment:
        if self._new is None:
            self._new = NewSegment(self._generation, self._dimensions)
            self._making.callback(self._new.close)
        return self._new

    def remove(self, document_id: str) -> bool:
        """Removes a document; returns False for an unknown id."""
        with self.translated():
            if not catalogue.delete(self._connection, document_id):
                return False
            self.sources.forget(document_id)
            self._is_changed = True
        return True

    def path_of(self, document_id: str) -> str:
        """Returns the path under which a document will be shown."""
        with self.translated():
            self._settle()
            return catalogue.path_of(self._connection, document_id)

    def _settle(self) -> None:
        """Removes the documents that lost their last place; the path of others is that of a place they have."""
        for document_id in self.sources.touched:
            paths = self.sources.paths_of(document_id)
            if not paths:
                catalogue.delete(self._connection, document_id)
            elif catalogue.path_of(self._connection, document_id) not in paths:
                self._rename(document_id, paths[0])
        self.sources.touched.clear()

    def _rename(self, document_id: str, path: str) -> None:
        """Shows a document under another path, and under another title if it is named by its file.

        Its words are then written anew with that title; its vectors keep the old one.
        """
        catalogue.rename(self._connection, document_id, path)
        title = PurePath(path).stem
        stored = catalogue.find_named_by_file(self._connection, document_id, other_than=title)
        if stored is None:
            return
        part = self._part(stored.segment)
        document = catalogue.read_document(self._connection, stored, catalogue.read_text(part.connection, stored))
        chunks = [
            Chunk(document_id, start, end, document.text[start:end])
            for _, start, end in catalogue.offsets(self._connection, stored)
        ]
        first = stored.first - sum(segment.chunks for segment in self._segments[: stored.segment])
        vectors = part.take(first, stored.chunks)
        catalogue.delete(self._connection, document_id)
        self._store(replace(document, title=title), chunks, vectors)

    def _part(self, number: int) -> Part:
        """Returns a live segment, opened for reading, or the new one."""
        if number == len(self._segments):
            return self._new_segment()
        if number not in self._opened:
            name = files.text_name(number)
            files.check_file(self._directory, self._live, name, self._hashes[name])
            segment = Segment.open(self._directory, self._live, number, self._hashes)
            self._making.callback(segment.close)
            self._opened[number] = segment
        return self._opened[number]

    def count_documents(self) -> int:
        """Returns how many documents the index would hold."""
        with self.translated():
            self._settle()
            return catalogue.counts(self._connection)[0]

    def commit(self) -> None:
        """Makes this generation the live one."""
        assert self.fingerprint is not None, "set_embedder comes first"
        with self.translated():
            self._settle()
            written, hashes = self._write_segments()
            documents, chunks = catalogue.counts(self._connection)
            unread = provenance.count_unread(self._connection)
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
                {name: hashes.get(name) or files.sha256(self._generation / name) for name in sorted(manifest.names)}
            )
            publishing.publish(self._directory, self._generation, manifest)
            publishing.collect(self._directory)
            self.info = manifest.info
            self._making.close()

    def _write_segments(self) -> tuple[tuple[files.Segment, ...], dict[str, str]]:
        """Writes what is new, with what is merged with it, and links the rest.

        Returns all segments, and the SHA-256 of the files that were linked.
        """
        new = self._new if self._segments else self._new_segment()
        sizes = [segment.chunks for segment in self._segments]
        if new is not None:
            new.prepare()
            sizes.append(new.chunks)
        firsts = np.cumsum([0, *sizes]).tolist()
        is_there = catalogue.are_there(self._connection, firsts[-1])
        there = [int(is_there[first:end].sum()) for first, end in pairwise(firsts)]
        kept = segments.kept(sizes, there, is_last_new=new is not None)
        names = [name(number) for number in range(kept) for name in (files.text_name, files.vectors_name)]
        for name in names:
            files.link(self._live / name, self._generation / name)
        written = list(self._segments[:kept])
        if new is not None and kept == len(self._segments) and there[-1] == sizes[-1]:
            written.append(new.finish(kept))
        elif kept < len(sizes):
            written.append(self._merge(kept, firsts, is_there))
        if new is not None:
            new.close()
        return tuple(written), {name: self._hashes[name] for name in names}

    def _merge(self, kept: int, firsts: Sequence[int], is_there: Mask) -> files.Segment:
        """Writes all segments from one on as one; `firsts` has where the numbers of each begin, and their count."""
        parts = [
            (self._part(number), is_there[first:end])
            for number, (first, end) in enumerate(pairwise(firsts[kept:]), kept)
        ]
        keys = catalogue.keys_from(self._connection, kept)
        last = segments.write_merged(self._generation, kept, self._dimensions, parts, keys)
        catalogue.merge_segments(self._connection, kept, firsts[kept])
        return last

    def checkpoint(self) -> None:
        """Commits, and goes on with the next generation under the same lock."""
        self.commit()
        with self.translated():
            self._begin()
