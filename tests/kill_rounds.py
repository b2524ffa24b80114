"""A program: kills real writer processes at random moments, and looks after each at what is left.

    python kill_rounds.py FOLDER ROUNDS SEED real|in-place

Writers are forked from this warmed-up process. Prints a JSON object: how many commits were cut off and left the old
or the new turn, how many writers died between commits, and what was broken.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from turns import Commit, commit, commit_in_place, whole_turn

FRESH_EVERY = 8  # so many rounds go on with one index; then a first build is killed


def write_on(directory: Path, commit: Commit, turn: int, report: int) -> None:
    """Commits turn after turn until the process is killed; tells of each before and after."""
    while True:
        turn += 1
        os.write(report, b"%d begun\n" % turn)
        try:
            commit(directory, turn)
        except BaseException as error:
            os.write(report, f"{turn} failed: {error!r}\n".encode())
            return
        os.write(report, b"%d done\n" % turn)


def killed(directory: Path, commit: Commit, turn: int, lines: int, after_s: float) -> list[str]:
    """Starts a writer, kills it so long after it told so many lines, and returns what it told."""
    ours, theirs = os.pipe()
    writer = os.fork()
    if writer == 0:
        try:
            write_on(directory, commit, turn, theirs)
        finally:
            os._exit(1)
    os.close(theirs)
    with os.fdopen(ours, encoding="utf-8") as report:
        told = [report.readline() for _ in range(lines)]
        time.sleep(after_s)
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        return [line.strip() for line in (*told, *report)]


def main(folder: Path, rounds: int, seed: int, commit: Commit) -> dict[str, object]:
    """Runs the rounds; of the control, until the first that breaks its index."""
    chooser = random.Random(seed)
    begun = time.perf_counter()
    for turn in range(1, 6):
        commit(folder / "rehearsal", turn)
        assert whole_turn(folder / "rehearsal") == turn, "the writer is wrong even when nobody kills it"
    commit_s = (time.perf_counter() - begun) / 5
    cut = {"old": 0, "new": 0}
    between, turn, broken = 0, 0, list[str]()
    for round_ in range(rounds):
        directory = folder / f"index{round_ // FRESH_EVERY}"
        told = killed(directory, commit, turn, chooser.randrange(1, 4), chooser.uniform(0, commit_s))
        try:
            assert not any("failed" in line for line in told), told
            last = int(told[-1].split()[0]) if told else turn
            is_cut = bool(told) and told[-1].endswith("begun")
            left = whole_turn(directory)
            assert left in ((last - 1, last) if is_cut else (last,)), f"{left} after {told[-1:]}"
            turn = left + 1
            commit(directory, turn)
            assert whole_turn(directory) == turn, "the next writer cannot go on"
        except Exception as error:
            broken.append(f"round {round_}: {type(error).__name__}: {str(error)[:200]}")
            if commit is commit_in_place:
                break
            shutil.rmtree(directory)
            turn = 0
            continue
        if is_cut:
            cut["new" if left == last else "old"] += 1
        else:
            between += 1
        if (round_ + 1) % FRESH_EVERY == 0:
            shutil.rmtree(directory)
            turn = 0
    return {"cut": cut, "between": between, "broken": broken, "seconds": round(time.perf_counter() - begun, 1)}


if __name__ == "__main__":
    how = {"real": commit, "in-place": commit_in_place}[sys.argv[4]]
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), how)))
