"""What tests of durability share: where they write, and how long they go on.

With `EPIQA_LONG=1` they walk every point and every round; see CONTRIBUTING.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from programs import memory_folder, run_program
from turns import Program


@pytest.fixture(scope="session")
def is_long() -> bool:
    return os.environ.get("EPIQA_LONG") == "1"


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one."""
    with memory_folder(tmp_path) as folder:
        yield folder


@pytest.fixture(scope="session")
def program() -> Program:
    """Runs one of the programs beside this folder; one that fails or dies fails the test."""
    return run_program
