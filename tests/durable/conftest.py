"""What tests of durability share: where they write, and how long they go on.

With `EPIQA_LONG=1` they walk every point and every round; see CONTRIBUTING.md.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from turns import Program


@pytest.fixture(scope="session")
def is_long() -> bool:
    return os.environ.get("EPIQA_LONG") == "1"


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: a killed process leaves the same there, and no disk is waited for."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="epiqa-test-", dir=memory))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def program() -> Program:
    """Runs one of the programs beside this folder, after what is put before it, and returns what it prints.

    Each forks processes, so it has one thread; one that dies, of whatever signal, fails the test.
    """

    def run(name: str, *arguments: str | Path | int, before: tuple[str, ...] = ()) -> str:
        tests = Path(__file__).parents[1]
        result = subprocess.run(
            [*before, sys.executable, str(tests / name), *map(str, arguments)],
            env=os.environ
            | {
                "PYTHONPATH": os.pathsep.join([str(tests), *filter(None, sys.path)]),
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert result.returncode == 0, f"{name} ended with {result.returncode}: {result.stdout[-2000:]}"
        return result.stdout

    return run
