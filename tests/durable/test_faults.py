"""A writer that is killed, or meets a full or failing disk, at one system call after the other.

strace counts the calls, kills at them, and lets them fail. A point is one call of a commit.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from fault_points import MEDDLED
from straced import CALLS, logged, require_strace, traced
from turns import Program, commit, whole_turn

# A copy falls back to other calls, a link to a copy, and a folder that is there need not be made.
HARMLESS = ("link", "linkat", "copy_file_range", "sendfile", "mkdir")
# An update of what is there, and a first build.
TURNS = (2, 0)


class Point(NamedTuple):
    """Call number `which` of its kind in a commit after `turn`; with `is_before`, that turn is live till then."""

    turn: int
    call: str
    which: int
    is_before: bool


@pytest.fixture(autouse=True, scope="module")
def _strace() -> None:
    require_strace()


@pytest.fixture
def bases(memory_path: Path) -> dict[int, Path]:
    """An index by its turn; for turn 0, none."""
    (memory_path / "base0").mkdir()
    for turn in range(1, 3):
        commit(memory_path / "base2", turn)
    return {turn: memory_path / f"base{turn}" for turn in TURNS}


def points_of(bases: dict[int, Path], program: Program, folder: Path) -> list[Point]:
    """Lists every call of both commits."""
    points = []
    for turn, base in bases.items():
        shutil.copytree(base, folder / "counted", dirs_exist_ok=True)
        spec, log = folder / "spec.json", folder / "log"
        spec.write_text(json.dumps([(str(folder / "counted"), turn + 1, "", 0)]))
        assert json.loads(program("fault_points.py", spec, before=traced(*CALLS, log=log))) == [[0, ""]]
        calls = logged(log)
        switch = max(n for n, call in enumerate(calls) if call.is_switch)
        seen = Counter({"write": 1})  # the first mark
        for n, call in enumerate(calls):
            seen[call.name] += 1
            points.append(Point(turn, call.name, seen[call.name], n <= switch))
        assert whole_turn(folder / "counted") == turn + 1
        shutil.rmtree(folder / "counted")
    assert max(point.which for point in points) < MEDDLED
    calls_made = {point.call for point in points}
    assert {"write", "pwrite64", "fsync", "rename"} <= calls_made and {"link", "linkat"} & calls_made
    return points


def meddle(
    points: list[Point], bases: dict[int, Path], program: Program, folder: Path, meddling: str
) -> list[tuple[Point, Path, int, str]]:
    """Returns for each point the index that is left, the exit status, and the message."""
    folders = [folder / f"point{n}" for n in range(len(points))]
    for place, point in zip(folders, points, strict=True):
        shutil.copytree(bases[point.turn], place)
    spec = folder / "spec.json"
    spec.write_text(
        json.dumps([(str(f), p.turn + 1, p.call, p.which) for f, p in zip(folders, points, strict=True)])
    )
    results = json.loads(program("fault_points.py", spec, before=traced(*CALLS, meddling=meddling)))
    return [(p, f, s, message) for p, f, (s, message) in zip(points, folders, results, strict=True)]


def tree(directory: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(directory.rglob("*")) if path.name != "LOCK"]
    return {str(path.relative_to(directory)): path.read_bytes() if path.is_file() else b"" for path in paths}


def test_a_writer_killed_at_any_call_leaves_one_whole_turn(
    program: Program, bases: dict[int, Path], memory_path: Path
) -> None:
    points = points_of(bases, program, memory_path)
    for point, directory, status, _ in meddle(points, bases, program, memory_path, "signal=KILL"):
        assert status == 9, point
        left = whole_turn(directory)
        assert left == (point.turn if point.is_before else point.turn + 1), point
        commit(directory, left + 1)
        assert whole_turn(directory) == left + 1, point


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["full", "failing"])
def test_a_disk_that_fails_at_any_call_is_an_error_and_the_old_turn_stays(
    program: Program, bases: dict[int, Path], memory_path: Path, code: int
) -> None:
    reasons = {
        errno.ENOSPC: "No space left on device|database or disk is full",
        errno.EIO: "Input/output error|disk I/O error|database or disk is full",
    }[code]
    # What only removes something may fail without harm; it is in the way of nothing.
    points = [p for p in points_of(bases, program, memory_path) if p.call not in ("unlink", "unlinkat", "rmdir")]
    outcomes = meddle(points, bases, program, memory_path, f"error={errno.errorcode[code]}")
    for point, directory, status, message in outcomes:
        left = whole_turn(directory)
        if status == 0:
            assert point.call in HARMLESS and left == point.turn + 1, point
            continue
        assert status == 3 << 8, point
        assert re.search(rf"{directory} \(({reasons})\): make room", message), (point, message)
        assert left == (point.turn if point.is_before else point.turn + 1), point
        if point.is_before and point.turn:
            assert tree(directory) == tree(bases[point.turn]), point
        commit(directory, left + 1)
        assert whole_turn(directory) == left + 1, point
    assert len({point.call for point, _, status, _ in outcomes if status}) >= 4
