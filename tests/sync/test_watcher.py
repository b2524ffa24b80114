"""`epiqa watch` and a stopped `epiqa index`, as processes on real files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Event, Thread

import pytest

from epiqa import EpiQA
from epiqa.errors import EpiQAError
from epiqa.ingest import LEADS_OUT
from epiqa.store.embedded import EmbeddedWriter, verify
from epiqa.sync.options import UpdateOptions
from epiqa.sync.watcher import watch_paths
from fakes import WordEmbedder

# Small batches, and each becomes visible: what a long run does, in a short one.
COMMAND = """
import epiqa.sync.updater, sys
epiqa.sync.updater.EMBED_CHUNKS, epiqa.sync.updater.CHECKPOINT_S, epiqa.sync.updater.CHECKPOINT_SHARE = 2, 0, 0
from epiqa.cli import main
main()
"""

OPTIONS = UpdateOptions(embedder=WordEmbedder())


class Child:
    """The command as a process; what it prints, line by line."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
            start_new_session=True,
        )
        self.lines: Queue[str] = Queue()
        self.seen: list[str] = []
        for stream in (self.process.stdout, self.process.stderr):
            Thread(target=self._follow, args=(stream,), daemon=True).start()

    def _follow(self, stream: Iterator[str]) -> None:
        for line in stream:
            self.lines.put(line.rstrip("\n"))

    def line(self, start: str, timeout_s: float = 300.0) -> str:
        """Waits for a line that begins so."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except Empty:
                raise AssertionError(f"no line {start!r} came, but {self.seen}") from None
            self.seen.append(line)
            if line.startswith(start):
                return line

    def interrupt(self) -> int:
        """Presses Ctrl-C: the whole group of processes gets the signal, as from a terminal."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture
def children() -> Iterator[list[Child]]:
    children: list[Child] = []
    yield children
    for child in children:
        child.process.kill()
        child.process.wait()
        for stream in (child.process.stdout, child.process.stderr):
            if stream:
                stream.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.txt").write_text("Beds\n\nThere are forty beds.")
    return folder


def documents(index: Path) -> dict[str, str]:
    verify(index)
    qa = EpiQA.open(index)
    return {Path(info.path).name: qa.document_text(info.id) or "" for info in qa.documents()}


def test_watch_follows_the_files(folder: Path, tmp_path: Path, children: list[Child]) -> None:
    index = folder / "index"  # beside the documents, as in a working directory
    child = Child("watch", folder, "--index", index)
    children.append(child)
    child.line("added 1: ")
    child.line("Watching")
    before = EpiQA.open(index).documents()[0].id
    (folder / "a.txt").rename(folder / "b.txt")
    assert child.line("moved") == f"moved {folder / 'a.txt'} → {folder / 'b.txt'}"
    assert EpiQA.open(index).documents()[0].id == before
    (folder / "sub").mkdir()
    with (folder / "sub" / "c.csv").open("w") as file:  # half written, for longer than a look
        file.write('town,"he')
        file.flush()
        time.sleep(0.4)
        file.write('ad"\nX,Lee\n')
    (folder / ".hidden.txt").write_text("Hidden")
    (folder / "note.swp").write_text("none")
    assert child.line("added") == f"added {folder / 'sub' / 'c.csv'}"
    (folder / "b.txt").write_text("Beds\n\nThere are fifty beds.")
    assert child.line("replaced") == f"replaced {folder / 'b.txt'}"
    assert documents(index)["b.txt"] == "Beds\n\nThere are fifty beds."
    (folder / "bad.csv").write_bytes(b"a\0b")
    assert child.line("skipped").startswith(f"skipped {folder / 'bad.csv'}: is not text")
    (folder / "bad.csv").unlink()
    (folder / "out").symlink_to(tmp_path)
    assert child.line("skipped") == f"skipped {folder / 'out'}: {LEADS_OUT}"
    (folder / "sub").rename(tmp_path / "away")
    assert child.line("removed") == f"removed {folder / 'sub' / 'c.csv'}"
    generation = EpiQA.open(index).info.generation
    time.sleep(2.5)  # nothing changed: nothing is written, and nothing is said
    assert EpiQA.open(index).info.generation == generation
    assert child.interrupt() == 0
    assert child.lines.empty()
    assert documents(index) == {"b.txt": "Beds\n\nThere are fifty beds."}
    assert EpiQA.open(index).unread() == []


def test_watch_waits_for_another_writer_and_ends_while_it_waits(
    folder: Path, tmp_path: Path, children: list[Child]
) -> None:
    index = tmp_path / "index"
    child = Child("watch", folder / "a.txt", "--index", index)
    children.append(child)
    child.line("Watching")
    with EmbeddedWriter(index):
        (folder / "a.txt").write_text("Beds\n\nThere are fifty beds.")
        (folder / "beside.txt").write_text("Beside")
        child.line("Another process is writing")
    assert child.line("replaced") == f"replaced {folder / 'a.txt'}"
    with EmbeddedWriter(index):
        (folder / "a.txt").unlink()
        child.line("Another process is writing")
        assert child.interrupt() == 0
    assert documents(index) == {"a.txt": "Beds\n\nThere are fifty beds."}


def test_a_watched_folder_that_goes_away_keeps_its_documents(folder: Path, tmp_path: Path) -> None:
    stop, index = Event(), tmp_path / "index"
    reports = watch_paths(folder, index, OPTIONS, stop=stop)
    assert len(next(reports).added) == 1
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(EpiQAError, match="is gone"):
        next(reports)
    assert list(documents(index)) == ["a.txt"]
    with pytest.raises(EpiQAError, match="no such file or folder"):
        next(watch_paths(folder, index, OPTIONS, stop=stop))


def test_a_stop_ends_watching(folder: Path, tmp_path: Path) -> None:
    stop = Event()
    reports = watch_paths(folder / "*.txt", tmp_path / "index", OPTIONS, stop=stop)
    next(reports)
    (folder / "b.txt").write_text("Masks")
    (folder / "c.md").write_text("Not meant")
    assert next(reports).added == (str(folder / "b.txt"),)
    stop.set()
    assert list(reports) == []


def test_ctrl_c_keeps_what_was_done_and_the_next_run_goes_on(
    folder: Path, tmp_path: Path, children: list[Child]
) -> None:
    index = tmp_path / "index"
    for number in range(300):
        (folder / f"{number}.csv").write_text(f"number,name\n{number},Lee\n")
    child = Child("index", folder, "--index", index)
    children.append(child)
    deadline = time.monotonic() + 60
    current = index / "CURRENT"
    while not (current.exists() and " " in current.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert child.interrupt() == 130
    line = child.line("epiqa: stopped with ", 5)
    kept = documents(index)
    left = int(line.split()[3])
    assert 0 < len(kept) < 301
    assert left == 301 - len(kept)
    assert "What was done is kept; the same command goes on there." in line
    done = subprocess.run(
        [sys.executable, "-c", "from epiqa.cli import main; main()", "index", folder, "--index", index, "--json"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    report = json.loads(done.stdout)
    assert (len(report["unchanged"]), len(report["added"])) == (len(kept), left)
    assert (report["skipped"], report["left"], report["index"]["documents"]) == ([], 0, 301)
    assert len(documents(index)) == 301


def test_ctrl_c_while_waiting_for_another_writer_stops_at_once(
    folder: Path, tmp_path: Path, children: list[Child]
) -> None:
    with EmbeddedWriter(tmp_path / "index"):
        child = Child("index", folder, "--index", tmp_path / "index")
        children.append(child)
        child.line("Another process is writing")
        assert child.interrupt() == 130
        child.line("epiqa: stopped at once. ", 5)
