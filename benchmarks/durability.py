"""The long form of what tries to break an index: the programs of `tests/`, for as long as it takes to trust them.

    python benchmarks/durability.py [--kills 2000] [--damages 10000] [--seconds 120] [--seed 1]

Writers are killed at random moments (`tests/kill_rounds.py`); files are damaged, once as they are and once as if
all text were too large to be hashed at opening (`tests/mutations.py`); two writers and eight readers use one index
(`tests/rivals.py`). Beside each runs its control, which must fail: a writer that writes in place, and an index
whose checksums nobody compares. Each part is recorded when it is done; a part that this commit has, with these
numbers, is not run again. Exits with 1 if anything was broken that should not be, or the other way about.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import record
from epiqa.answering.calibration import CALIBRATION, bundled_calibration, write_calibration
from programs import memory_folder, run_program
from turns import commit, whole_turn

CONTROL_ROUNDS, CONTROL_SECONDS = 400, 4
FOUND = "found by verify"

Figures = dict[str, Any]


def kills(rounds: int, seed: int, how: str) -> Figures:
    """Kills writers so often; of the control, until one index is broken."""
    with memory_folder() as folder:
        report: Figures = json.loads(run_program("kill_rounds.py", folder, rounds, seed, how))
    return report | {"is_as_it_should_be": bool(report["broken"]) == (how == "in-place")}


def damages(rounds: int, seed: int, how: str) -> Figures:
    """Damages the files of an index, in turn, so often."""
    with memory_folder() as folder:
        index = folder / "index"
        for turn in range(1, 3):
            commit(index, turn)
        write_calibration(bundled_calibration(), index / CALIBRATION)
        try:
            lines = run_program("mutations.py", index, rounds, seed, how).splitlines()
        except AssertionError as error:
            last = str(error).splitlines()[-1][-200:]
            return {"died": last, "is_as_it_should_be": how == "unchecked"}
        is_kept = whole_turn(index) == 2
    results = Counter(line.partition(": ")[2] for line in lines)
    passed = [line for line in lines if FOUND not in line]
    files = Counter(line.split()[0].rpartition("/")[2] for line in lines)
    is_right = bool(passed) if how == "unchecked" else not passed and is_kept and len(lines) == rounds
    return {
        "results": dict(results.most_common(10)),
        "files": dict(files),
        "passed": passed[:10],
        "is_as_it_should_be": is_right,
    }


def rivals(seconds: int, how: str) -> Figures:
    """Lets writers and readers use an index at once."""
    with memory_folder() as folder:
        report: Figures = json.loads(run_program("rivals.py", folder / "index", seconds, how))
    if how == "in-place":
        return report | {"is_as_it_should_be": bool(report["wrong"])}
    is_right = not report["wrong"] and report["turn"] == 1 + sum(report["commits"])
    return report | {"is_as_it_should_be": is_right}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=2000, metavar="N")
    parser.add_argument("--damages", type=int, default=10_000, metavar="N")
    parser.add_argument("--seconds", type=int, default=120, metavar="S")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    given = parser.parse_args()
    settings = vars(given)
    parts: dict[str, Callable[[], Figures]] = {
        "kills": lambda: kills(given.kills, given.seed, "real"),
        "kills, written in place": lambda: kills(CONTROL_ROUNDS, given.seed, "in-place"),
        "damages": lambda: damages(given.damages, given.seed, "checked"),
        "damages, text not hashed at opening": lambda: damages(given.damages, given.seed, "large"),
        "damages, checksums not compared": lambda: damages(CONTROL_ROUNDS, given.seed, "unchecked"),
        "rivals": lambda: rivals(given.seconds, "real"),
        "rivals, written in place": lambda: rivals(CONTROL_SECONDS, "in-place"),
    }
    done = recorded(settings)
    for name, run in parts.items():
        if name not in done:
            begun = time.perf_counter()
            figures = run()
            done[name] = figures | {"seconds": round(time.perf_counter() - begun, 1)}
            record.write("durability", {"settings": settings, **done})
    wrong = [name for name in parts if not done[name]["is_as_it_should_be"]]
    for name in wrong:
        print(f"not as it should be: {name}: {done[name]}", file=sys.stderr)
    return 1 if wrong else 0


def recorded(settings: dict[str, int]) -> dict[str, Figures]:
    """Returns the parts that this commit has, run with these settings."""
    found = record.last("durability")
    if found is None or found[0] != record.commit() or found[1]["settings"] != settings:
        return {}
    return {name: figures for name, figures in found[1].items() if name != "settings"}


if __name__ == "__main__":
    sys.exit(main())
