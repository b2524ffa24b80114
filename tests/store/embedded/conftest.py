"""Fixtures that these tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from store.embedded.notices import (
    OLD,
    write,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """An index of OLD whose live generation is the second."""
    path = tmp_path / "index"
    write(path, {"a.txt": OLD["a.txt"]})
    write(path, {"b.txt": OLD["b.txt"]})
    return path
