"""Paths -> the files to read: folders to the bottom, each file once, and what is wrong with the rest."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from epiqa.errors import IngestError
from epiqa.ingest.formats import format_of, not_read

# What moves the cursor, ends a line, or turns the direction of what is shown after it.
_TRICKS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

LEADS_OUT = "is a link that leads out of the folder: name its target"


def printable(path: str | os.PathLike[str]) -> str:
    """Returns a path as valid Unicode that shows as it is.

    Bytes of a file name that are not UTF-8 become backslash escapes, and so do control characters and those that
    turn the direction of writing: a name could pass for another with them.
    """
    name = os.fsencode(path).decode("utf-8", "backslashreplace")
    return _TRICKS.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), name)


def find_files(
    paths: Iterable[str | os.PathLike[str]], *, leave_out: str | os.PathLike[str] | None = None
) -> tuple[list[Path], list[IngestError]]:
    """Lists the files to read, folders in alphabetical order and searched to the bottom.

    In a folder, hidden files and folders are passed over, and links to folders, or to files outside of it, are not
    followed; nor is the folder `leave_out`, the index, looked into. A file that is named twice is listed once.
    Returns the files and what was wrong with the rest: a missing path, a link that leads out, be it to a file or a
    folder, a format that is not known.
    """
    files: list[Path] = []
    errors: list[IngestError] = []
    for path in _expanded(paths):
        try:
            is_folder = stat.S_ISDIR(path.stat().st_mode)
        except FileNotFoundError:
            errors.append(IngestError(printable(path), "there is no such file or folder"))
        except (OSError, ValueError) as error:
            errors.append(IngestError(printable(path), getattr(error, "strerror", None) or str(error)))
        else:
            if is_folder:
                found, wrong = _in_folder(path, None if leave_out is None else os.path.realpath(leave_out))
                files += found
                errors += wrong
                if not found and not wrong:
                    errors.append(IngestError(printable(path), "the folder has no files"))
            else:
                files.append(path)
    unique: dict[str, Path] = {}
    for path in files:
        unique.setdefault(os.path.realpath(path), path)
    errors += [IngestError(printable(p), not_read(printable(p))) for p in unique.values() if not format_of(p.name)]
    return [path for path in unique.values() if format_of(path.name)], errors


def _expanded(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Path]:
    """Yields the paths, in place of a pattern those that it fits; "**" stands for folders at any depth.

    What exists is no pattern, whatever its name. A pattern that fits nothing stays, and will be missed.
    """
    for path in paths:
        name = os.fspath(path)
        if "\0" in name or os.path.lexists(name) or not glob.has_magic(name):
            yield Path(name)
        else:
            yield from map(Path, sorted(glob.glob(name, recursive=True)) or [name])  # noqa: PTH207  (Path.glob takes no absolute pattern)


def _in_folder(top: Path, leave_out: str | None) -> tuple[list[Path], list[IngestError]]:
    found: list[Path] = []
    errors: list[IngestError] = []

    def note_unreadable(error: OSError) -> None:
        errors.append(IngestError(printable(error.filename), error.strerror or str(error)))

    root = os.path.realpath(top)
    for folder, subfolders, names in os.walk(top, onerror=note_unreadable):
        subfolders[:] = sorted(
            name
            for name in subfolders
            if not name.startswith(".") and os.path.realpath(Path(folder, name)) != leave_out
        )
        paths = [Path(folder, name) for name in sorted(names) if not name.startswith(".")]
        found += [path for path in paths if not leads_out(path, root)]
        errors += [
            IngestError(printable(path), LEADS_OUT)
            for path in (*(Path(folder, name) for name in subfolders), *paths)
            if leads_out(path, root)
        ]
    return found, errors


def leads_out(path: str | os.PathLike[str], folder: str) -> bool:
    """Returns whether a path is a link to something outside of a folder, whose absolute name has no links."""
    if not Path(path).is_symlink():
        return False
    target = os.path.realpath(path)
    return target != folder and not target.startswith(os.path.join(folder, ""))  # noqa: PTH118  (for its last slash)
