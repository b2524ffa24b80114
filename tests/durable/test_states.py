"""Any run of adding, replacing, removing, committing, abandoning, dying, searching: what a dictionary would do."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from epiqa.errors import IndexMissingError
from epiqa.store.embedded import EmbeddedReader, EmbeddedWriter, segments, verify
from epiqa.types import Chunk
from fakes import WordEmbedder, make_document, query_terms

EMBEDDER = WordEmbedder()
WORDS = ["masks", "harbours", "schools", "notices", "ferries"]
Lines = tuple[str, ...]

paths = st.sampled_from(["a.txt", "b.txt", "c.txt", "d/e.txt"])
lines = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join), min_size=1, max_size=3)
MEMORY = Path("/dev/shm")


class IndexAndDictionary(RuleBasedStateMachine):
    """`committed` is what the disk must hold, `pending` what an open writer would commit, `seen` what is open."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(
            tempfile.mkdtemp(prefix="epiqa-test-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
        )
        self.directory = self.folder / "0"
        self.committed: dict[str, Lines] = {}
        self.pending: dict[str, Lines] = {}
        self.seen: dict[str, Lines] = {}
        self.writer: EmbeddedWriter | None = None
        self.index: EmbeddedReader | None = None

    def open_writer(self) -> EmbeddedWriter:
        if self.writer is None:
            self.writer = EmbeddedWriter(self.directory, lock_timeout_s=0).__enter__()
            self.pending = dict(self.committed)
            if self.writer.fingerprint is None:
                self.writer.set_embedder(EMBEDDER)
        return self.writer

    def close_writer(self) -> None:
        if self.writer is not None:
            self.writer.__exit__(None, None, None)
        self.writer = None

    @rule(path=paths, lines=lines)
    def add_or_replace(self, path: str, lines: list[str]) -> None:
        chunks, start = [], 0
        for line in lines:
            chunks.append(Chunk(path, start, start + len(line), line))
            start += len(line) + 1
        document = make_document("\n".join(lines), path=path)
        writer = self.open_writer()
        earlier = writer.add(document, chunks, EMBEDDER.encode(lines))
        assert earlier == (path if path in self.pending else None)
        self.pending[path] = tuple(lines)

    @rule(path=paths)
    def remove(self, path: str) -> None:
        assert self.open_writer().remove(path) is (path in self.pending)
        self.pending.pop(path, None)

    @precondition(lambda self: self.writer is not None)
    @rule()
    def commit(self) -> None:
        assert self.writer is not None
        assert self.writer.count_documents() == len(self.pending)
        self.writer.commit()
        self.close_writer()
        self.committed = self.pending

    @precondition(lambda self: self.writer is not None)
    @rule()
    def abandon(self) -> None:
        self.close_writer()

    @precondition(lambda self: self.writer is not None)
    @rule()
    def die(self) -> None:
        """Goes on with a copy of what is on the disk while the writer writes, as after its death."""
        after = self.folder / str(int(self.directory.name) + 1)
        shutil.copytree(self.directory, after)
        self.close_writer()
        self.directory = after

    @rule()
    def reopen(self) -> None:
        if self.index is not None:
            self.index.close()
        try:
            self.index = EmbeddedReader.open(self.directory)
        except IndexMissingError:
            self.index = None
            assert self.committed == {}
        else:
            self.seen = self.committed
            assert verify(self.directory) == self.index.info
            documents = {document.path: self.index.text(document.id) for document in self.index.documents()}
            assert documents == {path: "\n".join(lines) for path, lines in self.seen.items()}

    @precondition(lambda self: self.index is not None)
    @rule(word=st.sampled_from(WORDS))
    def search(self, word: str) -> None:
        assert self.index is not None
        everything = sorted((path, line) for path, lines in self.seen.items() for line in lines)
        passages = self.index.fetch(
            [number for number, _ in self.index.search_words(query_terms(word), 100)]
        ).values()
        found = sorted((passage.path, passage.quote) for passage in passages)
        assert found == [(path, line) for path, line in everything if word in line.split()]
        nearest = self.index.search_vector(EMBEDDER.encode([word])[0], 100)
        passages = self.index.fetch([number for number, _ in nearest]).values()
        assert sorted((passage.path, passage.quote) for passage in passages) == everything
        if everything:
            cosines = EMBEDDER.encode([line for _, line in everything]) @ EMBEDDER.encode([word])[0]
            np.testing.assert_allclose([cosine for _, cosine in nearest], np.sort(cosines)[::-1], atol=1e-5)

    def teardown(self) -> None:
        try:
            self.close_writer()
            self.reopen()
            if self.index is not None:
                with closing(self.index):
                    self.search(WORDS[0])
        finally:
            shutil.rmtree(self.folder)


def test_an_index_does_what_a_dictionary_would(is_long: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "ONE_UP_TO", 1)  # even so few chunks are left in several segments
    run_state_machine_as_test(
        IndexAndDictionary,
        settings=settings(
            max_examples=5000 if is_long else 150,
            stateful_step_count=25,
            derandomize=not is_long,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
