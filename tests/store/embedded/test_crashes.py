"""A writer that is killed, interrupted or left without a commit changes nothing."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from epiqa.errors import IndexBusyError, IndexMissingError
from epiqa.store.embedded import EmbeddedReader, EmbeddedWriter, generations
from fakes import query_terms
from store.embedded.notices import (
    EMBEDDER,
    NEW,
    OLD,
    contents,
    put,
    tree,
    write,
)

# One child process forks a grandchild for every moment of a commit. A moment is a line of the store about
# to run for the first time, a file half written, or a folder half removed; there the grandchild dies or is
# interrupted.
MOMENTS = """
import itertools, os, shutil, sys
from pathlib import Path
import epiqa.store.embedded
from fakes import WordEmbedder, make_document
from epiqa.types import Chunk

root, how = Path(sys.argv[1]), sys.argv[2]
package = os.path.dirname(epiqa.store.embedded.__file__)
left = 0
seen = set()

def tick():
    global left
    left -= 1
    if left == 0:
        if how == "exit":
            os._exit(9)
        raise KeyboardInterrupt

def trace(frame, event, argument):
    if not frame.f_code.co_filename.startswith(package):
        return None
    if event == "line":
        line = frame.f_code.co_filename, frame.f_lineno
        if line not in seen:
            seen.add(line)
            tick()
    return trace

def halved(write):
    def write_twice(path, data, *rest, **options):
        write(path, data[: len(data) // 2], *rest, **options)
        tick()
        return write(path, data, *rest, **options)
    return write_twice

def copy_twice(source, target):
    Path(target).write_bytes(Path(source).read_bytes())

def remove_slowly(folder, ignore_errors=False):
    for path in sorted(Path(folder).iterdir()):
        path.unlink()
        tick()
    Path(folder).rmdir()

def commit(directory):
    embedder = WordEmbedder()
    with epiqa.store.embedded.EmbeddedWriter(directory) as writer:
        writer.remove("b.txt")
        for path, text in (("a.txt", "masks cost money"), ("c.txt", "harbours reopened")):
            document = make_document(text, path=path)
            writer.add(document, [Chunk(path, 0, len(text), text)], embedder.encode([text]))
        writer.commit()

for moment in itertools.count(1):
    directory = root / f"{moment:04d}"
    shutil.copytree(root / "base", directory)
    child = os.fork()
    if child == 0:
        Path.write_bytes = halved(Path.write_bytes)
        shutil.copyfile, shutil.rmtree = copy_twice, remove_slowly
        left = moment
        sys.settrace(trace)
        try:
            commit(directory)
        except KeyboardInterrupt:
            os._exit(9)
        except BaseException:
            sys.settrace(None)
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != 9:
        sys.exit(code)
"""


# Commits "turn 1", "turn 2", ... until it is killed, and says so after each.
ENDLESS = """
import itertools, sys
from pathlib import Path
from epiqa.store.embedded import EmbeddedWriter
from epiqa.types import Chunk
from fakes import WordEmbedder, make_document

embedder = WordEmbedder()
for turn in itertools.count(1):
    with EmbeddedWriter(Path(sys.argv[1])) as writer:
        if writer.fingerprint is None:
            writer.set_embedder(embedder)
        for path in ("a.txt", "b.txt"):
            text = f"turn{turn} of {path}"
            writer.add(make_document(text, path=path), [Chunk(path, 0, len(text), text)], embedder.encode([text]))
        writer.commit()
    print(turn, flush=True)
"""


# Holds the lock until its standard input ends, then commits one document.
HOLDER = """
import sys
from pathlib import Path
from epiqa.store.embedded import EmbeddedWriter
from epiqa.types import Chunk
from fakes import WordEmbedder, make_document

with EmbeddedWriter(Path(sys.argv[1])) as writer:
    print("locked", flush=True)
    sys.stdin.read()
    text = "written by the other process"
    document = make_document(text, path="o.txt")
    writer.add(document, [Chunk("o.txt", 0, len(text), text)], WordEmbedder().encode([text]))
    writer.commit()
"""


def generation_names(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "generations").iterdir())


def child(script: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run_moments(root: Path, how: str) -> list[Path]:
    """Returns the copies of an index of OLD, each cut off at a moment of the commit of NEW; the last was not."""
    base = root / "base"
    write(base, {"a.txt": OLD["a.txt"]})
    write(base, {"b.txt": OLD["b.txt"]})
    leftover = base / "generations" / "g000003"
    leftover.mkdir()
    (leftover / "text-0.sqlite").write_bytes(b"half of a")
    (base / "CURRENT.next").write_text("g0000")
    with child(MOMENTS, root, how) as process:
        process.communicate(timeout=120)
    assert process.returncode == 0
    return sorted(path for path in root.iterdir() if path.name != "base")


def assert_old_then_new(copies: list[Path]) -> list[dict[str, str]]:
    """Asserts that every copy is whole, and that NEW, once live, is live at every later moment; returns them."""
    assert len(copies) > 100
    states = [contents(copy) for copy in copies]
    switch = states.index(NEW)
    assert 1 < switch < len(states) - 1
    assert states == [OLD] * switch + [NEW] * (len(states) - switch)
    return states


def test_killed_at_any_moment_old_or_new_is_whole_and_the_next_writer_cleans_up(tmp_path: Path) -> None:
    copies = run_moments(tmp_path, "exit")
    states = assert_old_then_new(copies)
    for copy, before in zip(copies, states, strict=True):
        write(copy, {"d.txt": "ferries sail"})
        assert contents(copy) == before | {"d.txt": "ferries sail"}
        number = 4 if before == NEW else 3
        assert generation_names(copy) == [f"g{number:06d}"]
        assert sorted(path.name for path in copy.iterdir()) == ["CURRENT", "LOCK", "generations"]


def test_interrupted_at_any_moment_old_or_new_is_whole(tmp_path: Path) -> None:
    assert_old_then_new(run_moments(tmp_path, "interrupt"))


def test_a_killed_process_loses_no_commit_and_no_lock(tmp_path: Path) -> None:
    chooser = random.Random(5)
    for round_ in range(3):
        directory = tmp_path / str(round_)
        with child(ENDLESS, directory) as process:
            assert process.stdout is not None
            while int(process.stdout.readline()) < 3:
                pass
            time.sleep(chooser.uniform(0, 0.05))
            process.kill()
            last = int(([*process.stdout.read().split(), "3"])[-2:][0])
        texts = contents(directory)
        turn = int(texts["a.txt"].split()[0].removeprefix("turn"))
        assert texts == {path: f"turn{turn} of {path}" for path in ("a.txt", "b.txt")}
        assert turn >= last
        with EmbeddedWriter(directory, lock_timeout_s=0) as writer:
            put(writer, "c.txt", "harbours reopened")
            writer.commit()
        assert contents(directory) == texts | {"c.txt": "harbours reopened"}


def test_without_commit_nothing_changes(directory: Path) -> None:
    before = tree(directory)
    with EmbeddedWriter(directory) as writer:
        put(writer, "a.txt", NEW["a.txt"])
        writer.remove("b.txt")
    assert tree(directory) == before
    assert contents(directory) == OLD


def test_an_exception_inside_the_writer_changes_nothing_and_frees_the_lock(directory: Path) -> None:
    before = tree(directory)

    def break_midway() -> None:
        with EmbeddedWriter(directory) as writer:
            put(writer, "c.txt", NEW["c.txt"])
            raise RuntimeError("the model broke")

    with pytest.raises(RuntimeError, match="the model broke"):
        break_midway()
    assert tree(directory) == before
    write(directory, {"c.txt": NEW["c.txt"]})
    assert contents(directory) == OLD | {"c.txt": NEW["c.txt"]}


def test_a_first_writer_without_commit_makes_no_index(tmp_path: Path) -> None:
    with EmbeddedWriter(tmp_path / "new") as writer:
        writer.set_embedder(EMBEDDER)
        put(writer, "a.txt", OLD["a.txt"])
    assert tree(tmp_path / "new") == {"CURRENT": b"g000000\n", "generations": b""}
    with pytest.raises(IndexMissingError):
        EmbeddedReader.open(tmp_path / "new")


def test_an_open_index_keeps_answering_from_its_generation(directory: Path) -> None:
    with closing(EmbeddedReader.open(directory)) as index:
        write(directory, NEW)
        write(directory, {"b.txt": "nothing of before"})
        write(directory, {"a.txt": "nothing of before either"})
        assert generation_names(directory) == ["g000005"]
        assert index.info.generation == "g000002"
        assert {document.path: index.text(document.id) for document in index.documents()} == OLD
        for path, text in OLD.items():
            (number, _), *_ = index.search_vector(EMBEDDER.encode([text])[0], 1)
            assert [found for found, _ in index.search_words(query_terms(text.split()[0]), 5)] == [number]
            assert (index.fetch([number])[number].path, index.fetch([number])[number].quote) == (path, text)
        assert index.search_words(query_terms("cost"), 5) == []
        assert len(index.search_vector(EMBEDDER.encode(["masks"])[0], 10)) == 2


def test_opening_while_the_generation_is_collected_opens_the_next(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_file = generations.check_file

    def commit_meanwhile(*arguments: Any) -> None:
        monkeypatch.setattr(generations, "check_file", check_file)
        write(directory, {"c.txt": "first"})
        write(directory, {"c.txt": NEW["c.txt"]})
        check_file(*arguments)

    monkeypatch.setattr(generations, "check_file", commit_meanwhile)
    with closing(EmbeddedReader.open(directory)) as index:
        assert index.info.generation == "g000004"
        assert index.text("c.txt") == NEW["c.txt"]


def test_one_open_index_serves_several_threads(directory: Path) -> None:
    wrong: list[object] = []

    def search(index: EmbeddedReader) -> None:
        for _ in range(50):
            for path, text in OLD.items():
                numbers = [number for number, _ in index.search_words(query_terms(text.split()[0]), 5)]
                quotes = [passage.quote for passage in index.fetch(numbers).values()]
                if quotes != [text] or index.text(path) != text:
                    wrong.append((path, quotes))

    with closing(EmbeddedReader.open(directory)) as index:
        threads = [threading.Thread(target=search, args=(index,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert wrong == []


def test_the_second_writer_waits_for_another_process(directory: Path) -> None:
    waits = threading.Event()
    failures: list[BaseException] = []

    def add_mine() -> None:
        try:
            with EmbeddedWriter(directory, lock_timeout_s=30, on_wait=waits.set) as writer:
                put(writer, "c.txt", NEW["c.txt"])
                writer.commit()
        except BaseException as error:
            failures.append(error)

    with child(HOLDER, directory) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        thread = threading.Thread(target=add_mine)
        thread.start()
        assert waits.wait(10)
        assert contents(directory) == OLD
        process.stdin.close()
        thread.join(30)
    assert failures == []
    assert contents(directory) == OLD | {"c.txt": NEW["c.txt"], "o.txt": "written by the other process"}


def test_writers_in_threads_lose_nothing(directory: Path) -> None:
    threads = [threading.Thread(target=write, args=(directory, {f"{n}.txt": f"notice{n}"})) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert contents(directory) == OLD | {f"{n}.txt": f"notice{n}" for n in range(6)}
    assert generation_names(directory) == ["g000008"]


def test_a_writer_that_waited_too_long_says_so(directory: Path) -> None:
    with child(HOLDER, directory) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        waits: list[str] = []
        writer = EmbeddedWriter(directory, lock_timeout_s=0.1, on_wait=lambda: waits.append("waits"))
        with pytest.raises(IndexBusyError, match=r"more than 0\.1 seconds") as caught:
            writer.__enter__()
        assert (caught.value.exit_code, waits) == (3, ["waits"])
        process.kill()
    assert contents(directory) == OLD
    write(directory, {"c.txt": NEW["c.txt"]})
    assert contents(directory) == OLD | {"c.txt": NEW["c.txt"]}
