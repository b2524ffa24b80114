"""A disk that is really full: a small file system in memory, from too small by far to just large enough."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from epiqa.errors import EpiQAError
from straced import require_strace
from turns import commit, whole_turn

COMMAND = [sys.executable, "-c", "from epiqa.cli import main; main()"]
PAGE = 4096


class Disk:
    """A file system in memory whose size can be set."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(path)]
        result = subprocess.run(mount, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            pytest.skip(f"no file system may be mounted here: {result.stderr.strip()}")

    def leave(self, free: int) -> None:
        """Leaves so many bytes free."""
        status = os.statvfs(self.path)
        used = (status.f_blocks - status.f_bfree) * status.f_frsize
        subprocess.run(["mount", "-o", f"remount,size={used + free}", str(self.path)], check=True)

    def close(self) -> None:
        gc.collect()  # a failed test's frames may have files open here
        if subprocess.run(["umount", str(self.path)], check=False).returncode != 0:
            subprocess.run(["umount", "--lazy", str(self.path)], check=True)  # else it is in every later run's way


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    disk = Disk(tmp_path / "disk")
    yield disk
    disk.close()


def test_a_full_disk_is_an_error_and_the_old_turn_stays(disk: Disk) -> None:
    directory = disk.path / "index"
    commit(directory, 1)
    turn, refused, messages = 1, 0, set[str]()
    for pages in range(0, 400, 2):
        disk.leave(pages * PAGE)
        try:
            commit(directory, turn + 1)
        except EpiQAError as error:
            messages.add(str(error))
            assert whole_turn(directory) == turn
            assert sorted(path.name for path in directory.iterdir()) == ["CURRENT", "LOCK", "generations"]
            refused += 1
        else:
            turn += 1
            assert whole_turn(directory) == turn
            if turn == 4:
                break
    assert turn == 4 and refused > 10
    reasons = {message.partition("(")[2].partition(")")[0] for message in messages}
    assert {"No space left on device"} <= reasons <= {"No space left on device", "database or disk is full"}
    assert all("make room, or choose another place with --index" in message for message in messages)


def test_the_command_says_so_too(disk: Disk) -> None:
    notice = disk.path / "notice.txt"
    notice.write_text("Masks are handed out at the harbour.\n")
    disk.leave(4 * PAGE)
    result = subprocess.run(
        [*COMMAND, "index", notice, "--index", disk.path / "index"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"epiqa: the index cannot be written to {disk.path / 'index'} (")
    assert "make room, or choose another place with --index" in result.stderr


def test_the_command_says_that_the_disk_fails(tmp_path: Path) -> None:
    require_strace()
    notice = tmp_path / "notice.txt"
    notice.write_text("Masks are handed out at the harbour.\n")
    strace = ["strace", "-o", os.devnull, "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=5+"]
    result = subprocess.run(
        [*strace, *COMMAND, "index", notice, "--index", tmp_path / "index"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert f"cannot be written to {tmp_path / 'index'} (Input/output error)" in result.stderr
