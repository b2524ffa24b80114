"""Programs under strace: which calls they make, and what they do when it meddles with one of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from fault_points import BEGIN, END, MEDDLED

WRITES = ("write", "pwrite64", "writev", "ftruncate", "sendfile", "copy_file_range")
SYNCS = ("fsync", "fdatasync")
NAMES = ("link", "linkat", "rename", "renameat", "renameat2", "mkdir", "unlink", "unlinkat", "rmdir")
CALLS = (*WRITES, *SYNCS, *NAMES)


class Call(NamedTuple):
    """One line of the log; a file descriptor in it is followed by its path."""

    name: str
    arguments: str
    result: str

    @property
    def is_switch(self) -> bool:
        """Returns whether it puts a file in the place of CURRENT."""
        return self.name.startswith("rename") and self.arguments.endswith('/CURRENT"')


def require_strace() -> None:
    """Skips the test where strace is missing or may not trace."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    probe = subprocess.run([*traced("write", meddling="error=EIO"), "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip(f"strace may not trace here: {probe.stderr.decode()[-200:]}")


def traced(*calls: str, log: Path | None = None, meddling: str = "") -> tuple[str, ...]:
    """Returns the command line that goes before a program's; "?" passes over a call that the machine has not."""
    known = ",".join(f"?{call}" for call in calls)
    options = ["-f", "-y", "-s", "8", "-o", str(log or os.devnull), "-e", f"trace={known}"]
    for call in calls if meddling else ():
        options += ["-e", f"inject=?{call}:{meddling}:when={MEDDLED}"]
    return ("strace", *options)


def logged(log: Path) -> list[Call]:
    """Returns the calls between the two marks of `fault_points`."""
    lines = re.findall(r"^\d+ +(\w+)\((.*)\) += (.*)", log.read_text("utf-8", "replace"), re.MULTILINE)
    calls = [Call(*line) for line in lines]
    begin, end = (
        n for n, call in enumerate(calls) if re.search(f'"({BEGIN.decode()}|{END.decode()})"', call.arguments)
    )
    return calls[begin + 1 : end]
