"""Writers killed at random moments: the old turn or the new one is left, whole, and the next writer goes on."""

from __future__ import annotations

import json
from pathlib import Path

from turns import Program


def test_a_writer_killed_at_any_moment_leaves_one_whole_turn(
    program: Program, memory_path: Path, is_long: bool
) -> None:
    rounds = 2000 if is_long else 200
    report = json.loads(program("kill_rounds.py", memory_path, rounds, 1, "real"))
    print(json.dumps(report))
    assert report["broken"] == []
    assert report["cut"]["old"] + report["cut"]["new"] + report["between"] == rounds
    assert min(report["cut"].values()) > 0, "the kills did not fall all over a commit"


def test_a_writer_that_writes_in_place_breaks_its_index(program: Program, memory_path: Path) -> None:
    report = json.loads(program("kill_rounds.py", memory_path, 400, 1, "in-place"))
    assert len(report["broken"]) == 1
