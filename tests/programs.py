"""Runs the programs beside this file, which try an index in processes of their own; for tests and benchmarks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
MEMORY = Path("/dev/shm")


def run_program(name: str, *arguments: str | Path | int, before: tuple[str, ...] = ()) -> str:
    """Runs a program, after what is put before it, and returns what it prints.

    Each forks processes, so it has one thread. Raises AssertionError for one that fails, or dies of any signal.
    """
    result = subprocess.run(
        [*before, sys.executable, str(HERE / name), *map(str, arguments)],
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)]),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        },
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{name} ended with {result.returncode}: {result.stdout[-2000:]}"
    return result.stdout


@contextmanager
def memory_folder(otherwise: Path | None = None) -> Iterator[Path]:
    """Makes a folder in memory for a while: a killed process leaves the same there, and no disk is waited for.

    Where there is no such memory, it lies in `otherwise`, or among the system's temporary files.
    """
    place = MEMORY if os.access(MEMORY, os.W_OK) else otherwise
    folder = Path(tempfile.mkdtemp(prefix="epiqa-test-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
