"""A folder that cannot be written, or a full disk, is an error of ours."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from epiqa.errors import EpiQAError
from store.embedded.notices import (
    NEW,
    OLD,
    contents,
    enter,
    tree,
    write,
)


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Acts as one whom permissions bind, for root may write anywhere."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("place", ["file", "file/below", "file/below/deeper"])
def test_a_place_that_is_no_folder_is_an_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(EpiQAError, match="cannot be written") as caught:
        enter(tmp_path / place)
    assert caught.value.exit_code == 2
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_without_permission_is_an_error() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        for directory in (folder, folder / "new"):
            with ordinary_user(), pytest.raises(EpiQAError, match=r"cannot be written .*Permission denied"):
                enter(directory)
        assert list(folder.iterdir()) == []
        folder.chmod(0o755)


def test_generations_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "generations").write_text("a file in the way")
    with pytest.raises(EpiQAError, match="cannot be written"):
        enter(tmp_path)


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(("owner", "name"), [(Path, "write_bytes"), (os, "fsync")])
def test_a_full_disk_changes_nothing(
    directory: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    before = tree(directory)
    monkeypatch.setattr(owner, name, full_disk)
    with pytest.raises(EpiQAError, match="No space left"):
        write(directory, NEW)
    monkeypatch.undo()
    assert tree(directory) == before
    assert contents(directory) == OLD
    write(directory, {"c.txt": NEW["c.txt"]})
    assert contents(directory) == OLD | {"c.txt": NEW["c.txt"]}


@pytest.mark.parametrize(("owner", "name"), [(Path, "write_bytes"), (os, "fsync"), (shutil, "copyfile")])
def test_a_full_disk_is_an_error_of_ours(
    directory: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    monkeypatch.setattr(owner, name, full_disk)
    with pytest.raises(EpiQAError, match="No space left"):
        write(directory, NEW)
