"""Whoever has an index open sees what another process commits: documents, a rebuild, a calibration."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from epiqa import EpiQA
from epiqa.answering.calibration import CALIBRATION, bundled_calibration, write_calibration
from epiqa.errors import EmbedderMismatchError, IndexDamagedError
from epiqa.live_index import LiveIndex
from epiqa.sync.operations import add_paths
from epiqa.sync.options import UpdateOptions
from epiqa.types import Vectors
from fakes import KeywordReader, WordEmbedder

QUESTION = "How many beds?"
OPTIONS = UpdateOptions(embedder=WordEmbedder())
# What another process does; in a process of its own, so that nothing is shared but the disk.
WRITE = """
import sys
from epiqa.sync.operations import add_paths
from epiqa.sync.options import UpdateOptions
from fakes import WordEmbedder
add_paths(sys.argv[1], sys.argv[2], UpdateOptions(embedder=WordEmbedder()))
"""


@pytest.fixture
def notice(tmp_path: Path) -> Path:
    path = tmp_path / "notice.txt"
    path.write_text("A notice\n\nBeds, answer: forty two.", encoding="utf-8")
    return path


@pytest.fixture
def index(notice: Path, tmp_path: Path) -> Path:
    add_paths(notice, tmp_path / "index", OPTIONS)
    return tmp_path / "index"


def open_(index: Path, **how: bool) -> EpiQA:
    return EpiQA.open(index, embedder=WordEmbedder(), reader=KeywordReader(), **how)


def change(notice: Path, index: Path) -> None:
    notice.write_text("A notice\n\nBeds, answer: fifty.", encoding="utf-8")
    add_paths(notice, index, OPTIONS)


def test_the_next_question_sees_what_another_process_committed(notice: Path, index: Path) -> None:
    qa = open_(index)
    assert qa.ask(QUESTION).text == "forty two"
    notice.write_text("A notice\n\nBeds, answer: fifty.", encoding="utf-8")
    command = [sys.executable, "-c", WRITE, str(notice), str(index)]
    subprocess.run(command, check=True, env={"PYTHONPATH": ":".join(sys.path)})
    assert qa.ask(QUESTION).text == "fifty"
    assert qa.info.generation == "g000002"
    (document,) = qa.documents()
    assert "fifty" in (qa.document_text(document.id) or "")


class Meanwhile(WordEmbedder):
    """Lets something happen while a question is embedded."""

    def __init__(self) -> None:
        super().__init__()
        self.happening: Callable[[], None] | None = None

    def encode(self, texts: Sequence[str]) -> Vectors:
        happening, self.happening = self.happening, None
        if happening:
            happening()
        return super().encode(texts)


def test_a_question_under_way_keeps_its_generation(notice: Path, index: Path) -> None:
    embedder = Meanwhile()
    qa = EpiQA.open(index, embedder=embedder, reader=KeywordReader())
    embedder.happening = lambda: change(notice, index)
    assert qa.ask(QUESTION).text == "forty two"
    assert qa.ask(QUESTION).text == "fifty"


def test_a_pinned_index_stays_with_its_generation(notice: Path, index: Path) -> None:
    qa = open_(index, is_pinned=True)
    change(notice, index)
    assert qa.ask(QUESTION).text == "forty two"
    assert open_(index).ask(QUESTION).text == "fifty"


def test_a_new_calibration_holds_from_the_next_question_on(index: Path) -> None:
    qa = open_(index)
    assert qa.ask(QUESTION).is_answered
    strict = replace(bundled_calibration(), threshold=1.0, reader=KeywordReader.fingerprint)
    write_calibration(strict, index / CALIBRATION)
    assert not qa.ask(QUESTION).is_answered
    (index / CALIBRATION).unlink()
    assert qa.ask(QUESTION).is_answered


def test_while_a_rebuild_is_under_way_the_last_generation_answers(index: Path) -> None:
    qa = open_(index)
    (index / "CURRENT").rename(index / "CURRENT.aside")
    assert qa.ask(QUESTION).text == "forty two"


def test_a_rebuild_with_another_embedder_is_said(notice: Path, index: Path) -> None:
    qa = open_(index)
    add_paths(notice, index, UpdateOptions(embedder=WordEmbedder("others", 32), rebuild=True))
    with pytest.raises(EmbedderMismatchError, match="built with others"):
        qa.ask(QUESTION)


def test_a_damaged_new_generation_is_said(notice: Path, index: Path) -> None:
    qa = open_(index)
    change(notice, index)
    for path in (index / "generations").rglob("*.faiss"):
        path.write_bytes(b"damage")
    with pytest.raises(IndexDamagedError):
        qa.ask(QUESTION)


def test_nothing_is_opened_again_without_need(index: Path) -> None:
    live = LiveIndex(index, WordEmbedder())
    generation = live.current()
    begun = time.perf_counter()
    for _ in range(1000):
        assert live.current() is generation
    assert time.perf_counter() - begun < 0.1  # 0.1 ms each


def test_another_reader_under_the_bundled_calibration_is_warned_of_once(
    index: Path, caplog: pytest.LogCaptureFixture
) -> None:
    qa = open_(index)
    with caplog.at_level(logging.WARNING, "epiqa"):
        qa.ask(QUESTION)
        qa.ask(QUESTION)
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning.startswith("the confidence was fitted to the bundled reader, not to keywords")


def test_an_index_of_a_custom_embedder_is_opened_with_it_alone(index: Path) -> None:
    assert open_(index).ask(QUESTION).is_answered
    with pytest.raises(EmbedderMismatchError, match=r"the custom embedder 'words' .* pass it"):
        EpiQA.open(index).ask(QUESTION)
