"""How a generation becomes the live one, by one rename, and how old ones go or are set aside."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from filelock import BaseFileLock, Timeout

from epiqa.errors import IndexBusyError
from epiqa.store import atomic_write
from epiqa.store.embedded.generations import CURRENT, GENERATIONS, MANIFEST, NAME, NONE_YET, Manifest, pointer_of


def acquire(lock: BaseFileLock, directory: Path, timeout_s: float, on_wait: Callable[[], None] | None) -> None:
    """Takes the writers' lock; calls `on_wait` once if it must wait. Raises IndexBusyError after `timeout_s`."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if on_wait:
            on_wait()
        try:
            lock.acquire(timeout=timeout_s)
        except Timeout as error:
            raise IndexBusyError(
                f"another process has been writing the index in {directory} for more than {timeout_s:g} seconds:"
                " try again when it is done"
            ) from error


def prepare(directory: Path) -> Path:
    """Makes the folder of the next generation, empty. The caller holds the lock.

    Folders that a crash left half written go first: no one needs them.
    """
    root = directory / GENERATIONS
    root.mkdir(parents=True, exist_ok=True)
    if not (directory / CURRENT).exists():
        atomic_write.replace_file(directory / CURRENT, NONE_YET)
    live = _live_name(directory)
    names = sorted((path.name for path in root.iterdir() if NAME.fullmatch(path.name)), key=_number)
    for name in names:
        if _number(name) > _number(live):
            shutil.rmtree(root / name)
    generation = root / f"g{_number(live) + 1:06d}"
    generation.mkdir()
    return generation


def publish(directory: Path, generation: Path, manifest: Manifest) -> None:
    """Makes a finished generation the live one; before the last rename, the old one still is."""
    data = json.dumps(asdict(manifest), indent=2).encode()
    (generation / MANIFEST).write_bytes(data)
    for path in sorted(generation.iterdir()):
        atomic_write.sync(path)
    atomic_write.sync(generation)
    atomic_write.sync(generation.parent)
    pointer = f"{generation.name} {hashlib.sha256(data).hexdigest()}\n"
    atomic_write.replace_file(directory / CURRENT, pointer.encode())


def collect(directory: Path) -> None:
    """Removes all generations but the live one.

    A process that has one open goes on reading it: the system keeps the files until the last one closes them.
    One that was about to open it opens the live one instead (see `settled`).
    """
    live = _number(_live_name(directory))
    for path in (directory / GENERATIONS).iterdir():
        if NAME.fullmatch(path.name) and _number(path.name) < live:
            shutil.rmtree(path, ignore_errors=True)


def set_aside(directory: Path) -> Path | None:
    """Moves all generations, of whatever state, into a new folder inside `directory`; the caller holds the lock.

    Returns that folder, None where there was nothing to move. `CURRENT` goes first: cut off after it, the rest
    counts as damaged and can be set aside, too.
    """
    if pointer_of(directory) in (None, NONE_YET) and not any((directory / GENERATIONS).glob("g*")):
        return None
    now = datetime.datetime.now(datetime.timezone.utc)
    folder = directory / f"set-aside-{now:%Y%m%dT%H%M%S.%fZ}"
    folder.mkdir()
    for name in (CURRENT, GENERATIONS):
        if os.path.lexists(directory / name):
            (directory / name).rename(folder / name)
    atomic_write.sync(folder)
    atomic_write.sync(directory)
    return folder


def put_back(directory: Path, folder: Path) -> None:
    """Undoes `set_aside` unless a generation was made since; what cannot be moved stays in the folder."""
    if pointer_of(directory) not in (None, NONE_YET):
        return
    with contextlib.suppress(OSError):
        (directory / CURRENT).unlink(missing_ok=True)
        if (directory / GENERATIONS).exists():
            (directory / GENERATIONS).rmdir()
        for name in (GENERATIONS, CURRENT):
            if os.path.lexists(folder / name):
                (folder / name).rename(directory / name)
        folder.rmdir()


def _number(name: str) -> int:
    return int(name[1:] or 0)


def is_live(directory: Path, generation: Path) -> bool:
    """Returns whether a generation has become the live one."""
    return _live_name(directory) == generation.name


def _live_name(directory: Path) -> str:
    try:
        return (directory / CURRENT).read_text("ascii").split()[0]
    except FileNotFoundError:
        return "g"
