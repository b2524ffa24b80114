"""Damaged files of an index: each damage is found and its file named, none is deadly, and nothing is deleted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from epiqa.answering.calibration import CALIBRATION, bundled_calibration, write_calibration
from turns import Program, commit, whole_turn


@pytest.fixture
def index(memory_path: Path) -> Path:
    directory = memory_path / "index"
    for turn in range(1, 3):
        commit(directory, turn)
    write_calibration(bundled_calibration(), directory / CALIBRATION)
    return directory


def test_every_damage_is_found_and_its_file_named(program: Program, index: Path, is_long: bool) -> None:
    rounds = 10_000 if is_long else 300
    lines = program("mutations.py", index, rounds, 1, "checked").splitlines()
    assert results(lines) == {"found by verify, open": rounds}, [line for line in lines if "open" not in line]
    files = {line.split()[0] for line in lines}
    assert {"CURRENT", CALIBRATION} < files
    assert files == {str(path.relative_to(index)) for path in index.rglob("*") if path.is_file()} - {"LOCK"}
    assert whole_turn(index) == 2


def test_damage_in_text_that_is_not_hashed_at_opening_is_never_quoted(
    program: Program, index: Path, is_long: bool
) -> None:
    rounds = 10_000 if is_long else 300
    lines = program("mutations.py", index, rounds, 1, "large").splitlines()
    found = results(lines)
    assert set(found) == {"found by verify, open", "found by verify"}, [
        line for line in lines if "found by verify" not in line
    ]
    assert sum(found.values()) == rounds
    assert {line.split()[0].rpartition("/")[2] for line in lines if line.endswith("found by verify")} == {
        "text-0.sqlite",
        "text-1.sqlite",
    }
    assert whole_turn(index) == 2


def results(lines: list[str]) -> Counter[str]:
    return Counter(line.partition(": ")[2] for line in lines)


def test_without_checksums_damage_passes_or_kills(program: Program, index: Path) -> None:
    try:
        lines = program("mutations.py", index, 300, 1, "unchecked").splitlines()
    except AssertionError:
        return  # the process died of it
    assert any("NOT FOUND" in line for line in lines)
