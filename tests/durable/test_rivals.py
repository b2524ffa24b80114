"""Two writers and eight readers at once: each reader sees one turn, whole, for as long as it has it open."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from epiqa.store.embedded import EmbeddedReader
from turns import Program, commit, turn_of


def test_no_reader_sees_a_mixture_and_no_commit_is_lost(program: Program, memory_path: Path, is_long: bool) -> None:
    report = json.loads(program("rivals.py", memory_path / "index", 120 if is_long else 8, "real"))
    print(json.dumps(report))
    assert report["wrong"] == []
    assert report["turn"] == 1 + sum(report["commits"])
    assert min(report["commits"]) > 0
    assert report["openings"] >= 8
    assert report["outlived"] > 0 or not is_long  # in a few seconds, on a busy machine, it may be none


def test_readers_see_the_mixture_of_a_writer_in_place(program: Program, memory_path: Path) -> None:
    report = json.loads(program("rivals.py", memory_path / "index", 4, "in-place"))
    assert report["wrong"] != []


def held_bytes(directory: Path) -> int:
    """Returns the size of the removed files of an index that this process has open."""
    total = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            if str(link.readlink()).startswith(str(directory)) and link.stat().st_nlink == 0:
                total += link.stat().st_size
        except FileNotFoundError:  # the descriptor that lists the folder
            continue
    return total


def test_an_old_generation_is_there_as_long_as_somebody_reads_it(memory_path: Path) -> None:
    directory = memory_path / "index"
    commit(directory, 1)
    indexes = [EmbeddedReader.open(directory) for _ in range(2)]
    for turn in range(2, 6):
        commit(directory, turn)
    assert [path.name for path in (directory / "generations").iterdir()] == ["g000005"]
    for index in indexes:
        assert turn_of(index) == 1
        assert held_bytes(directory) > 0
        index.close()
    assert held_bytes(directory) == 0
    with closing(EmbeddedReader.open(directory)) as index:
        assert turn_of(index) == 5
    assert [path.name for path in (directory / "generations").iterdir()] == ["g000005"]
