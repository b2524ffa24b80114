"""A program: two writers and eight readers of one index, all processes, for some seconds.

    python rivals.py FOLDER SECONDS real|in-place

Prints a JSON object: the last turn, how many commits the writers made, how often readers opened the index, how many
commits the longest-held open index outlived, and what was wrong.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from epiqa.store.embedded import EmbeddedReader, EmbeddedWriter, verify
from turns import change, commit, commit_in_place, publish, turn_of, whole_turn

WRITERS, READERS = 2, 8


def write_turns(directory: Path, until: float) -> list[int]:
    """Makes turn after turn until it is time, each the one after what is there; returns how many."""
    made = 0
    while time.monotonic() < until or not made:
        with EmbeddedWriter(directory) as writer:
            with closing(EmbeddedReader.open(directory)) as index:  # nobody else writes meanwhile
                turn = turn_of(index)
            change(writer, turn + 1)
            publish(writer)
        made += 1
    return [made]


def write_turns_in_place(directory: Path, until: float) -> list[int]:
    made = 0
    while time.monotonic() < until:
        made += 1
        commit_in_place(directory, made + 1)
    return [made]


def read_turns(directory: Path, until: float) -> list[int]:
    """Opens the index again and again, looks twice at each; returns how often, and what turns one outlived."""
    opened, outlived, last = 0, 0, 0
    while time.monotonic() < until:
        with closing(EmbeddedReader.open(directory)) as index:
            turn = turn_of(index)
            assert turn >= last, f"turn {turn} after turn {last}"
            for hold_s in (0.0, 0.02 * (opened % 8)):
                time.sleep(hold_s)
                assert turn_of(index) == turn, "an open index changed"
            last, opened = turn, opened + 1
        with closing(EmbeddedReader.open(directory)) as index:
            outlived = max(outlived, turn_of(index) - turn)
        if opened % 4 == 0:
            verify(directory)
    return [opened, outlived]


def started(work: Callable[[], list[int]]) -> tuple[int, int]:
    """Forks a process; returns its id, and where it will tell what it did, or what was wrong."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            report = json.dumps(work())
        except BaseException as error:
            report = json.dumps(f"{type(error).__name__}: {str(error)[:200]}")
        os.write(theirs, report.encode())
        os._exit(0)
    os.close(theirs)
    return child, ours


def ended(child: int, report: int) -> list[int] | str:
    with os.fdopen(report, encoding="utf-8") as text:
        told = text.read()
    status = os.waitpid(child, 0)[1]
    result: list[int] | str = json.loads(told) if told and status == 0 else f"died with status {status}"
    return result


def main(directory: Path, seconds: float, *, in_place: bool) -> dict[str, object]:
    commit(directory, 1)
    until = time.monotonic() + seconds
    write = write_turns_in_place if in_place else write_turns
    writers = [started(lambda: write(directory, until)) for _ in range(1 if in_place else WRITERS)]
    readers = [started(lambda: read_turns(directory, until)) for _ in range(READERS)]
    made, read = [ended(*writer) for writer in writers], [ended(*reader) for reader in readers]
    counts = [result for result in read if not isinstance(result, str)]
    return {
        "wrong": [result for result in (*made, *read) if isinstance(result, str)],
        "turn": whole_turn(directory),
        "commits": [result[0] for result in made if not isinstance(result, str)],
        "openings": sum(opened for opened, _ in counts),
        "outlived": max((outlived for _, outlived in counts), default=0),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), float(sys.argv[2]), in_place=sys.argv[3] == "in-place")))
