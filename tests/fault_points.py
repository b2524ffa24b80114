"""A program, to be run under strace: makes commits in which one system call is the first that strace meddles with.

    python fault_points.py POINTS.json

strace counts the calls of each process by itself. So for each point a process is forked that first makes as many
void calls of that kind as it takes for the one wanted to be number `MEDDLED`. A point is [folder, turn, call, which
one of its kind]; "" as call is none, and "no-fsync" a commit with `fsync` left out. Prints a JSON array: for each
point the exit status as `waitpid` has it, 0 done and 3 << 8 an EpiQAError, and that error's message.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path

from epiqa.errors import EpiQAError
from epiqa.store import atomic_write
from turns import commit

MEDDLED = 200
BEGIN, END = b"begin", b"end"


def run(folder: str, turn: int, call: str, which: int, report: int) -> int:
    if call == "no-fsync":
        atomic_write.sync = lambda path: None
    elif call:
        void = getattr(ctypes.CDLL(None), call)
        for _ in range(MEDDLED - which):
            void(*[ctypes.c_long(-1)] * 5)
    with Path(os.devnull).open("wb", buffering=0) as marks:
        marks.write(BEGIN)
        try:
            commit(Path(folder), turn)
        except EpiQAError as error:
            os.write(report, str(error).encode())
            return 3
        marks.write(END)
    return 0


def main(points: list[tuple[str, int, str, int]]) -> list[tuple[int, str]]:
    results = []
    for point in points:
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = run(*point, report=theirs)
            finally:
                os._exit(status)
        os.close(theirs)
        with os.fdopen(ours, encoding="utf-8") as message:
            results.append((os.waitpid(child, 0)[1], message.read()))
    return results


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text("utf-8")))))
