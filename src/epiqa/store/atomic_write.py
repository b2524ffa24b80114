"""Writing that outlives a power loss: what was there or what replaces it, never a part of either.

A rename is atomic but not yet durable, and what it puts in place must have reached the disk before it: files, then
their folder, then the rename, then the folder of the new name.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

# Of a file that is only ever replaced as a whole: when it was written, its number, its size.
Version: TypeAlias = tuple[int, int, int]


def sync(path: Path) -> None:
    """Waits until a file, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Makes a folder and those above it, where there are none, and waits until they are on the disk."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        sync(folder.parent)


def replace_file(path: Path, data: bytes, *, suffix: str = ".next") -> None:
    """Puts a new file in the place of the one at `path`, or where none is, in one step.

    `suffix` ends the name that it has until then; one that two callers use at once would mix their files. Raises
    OSError, and the old file is then there still, unless nothing but the last wait failed.
    """
    following = path.with_name(path.name + suffix)
    try:
        following.write_bytes(data)
        sync(following)
        following.replace(path)
    except OSError:
        following.unlink(missing_ok=True)
        raise
    sync(path.parent)


def file_version(path: Path) -> Version | None:
    """Returns what changes when another file takes the place of the one at `path`; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
