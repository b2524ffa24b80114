"""Which files lie within the paths that a user named, whether they are still there or not."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from epiqa.errors import EpiQAError
from epiqa.ingest.find import printable


@dataclass(frozen=True, slots=True)
class Root:
    """A file or folder as the user named it, or the folder above a pattern; `pattern` holds the rest, by folders.

    `real` is its absolute name with links resolved; `is_file`: it was a file when it was named.
    """

    given: str
    real: str
    pattern: tuple[str, ...] = ()
    is_file: bool = False

    def covers(self, name: str) -> bool:
        """Returns whether an absolute name is this file, or lies in this folder, or fits the pattern."""
        if name == self.real:
            return not self.pattern
        folder = os.path.join(self.real, "")  # noqa: PTH118  (a Path would drop the last slash)
        return name.startswith(folder) and _fits(Path(name[len(folder) :]).parts, self.pattern)

    def shown(self, name: str) -> Path:
        """Returns the path under which a file that this covers is shown: it begins as the user wrote it."""
        return Path(self.given, os.path.relpath(name, self.real)) if name != self.real else Path(self.given)

    def is_empty(self) -> bool:
        """Returns whether there is nothing that this covers: no file in the folder, none that fits the pattern."""
        found = (Path(folder, name) for folder, _, names in os.walk(self.real) for name in names)
        return not self.is_file and not any(self.covers(str(path)) for path in found)


def roots_of(paths: Iterable[str | os.PathLike[str]]) -> list[Root]:
    """Returns what each path stands for; raises EpiQAError for one that does not exist.

    What exists is no pattern, whatever its name, as in `find_files`.
    """
    roots = []
    for path in (os.fspath(path) for path in paths):
        if "\0" not in path and os.path.exists(path):  # noqa: PTH110  (a Path raises where one may not look)
            real = os.path.realpath(path)
            roots.append(Root(path, real, is_file=not Path(real).is_dir()))
            continue
        steps = Path(path).parts
        fixed = next((i for i, step in enumerate(steps) if glob.has_magic(step)), len(steps))
        top = str(Path(*steps[:fixed]))
        if fixed == len(steps) or not Path(top).is_dir():
            raise EpiQAError(
                f"{printable(path)}: there is no such file or folder. Nothing was changed: it may only be out"
                " of reach for now. Leave that path out, or name the folder above it"
            )
        roots.append(Root(top, os.path.realpath(top), steps[fixed:]))
    return roots


def _fits(steps: Sequence[str], pattern: Sequence[str]) -> bool:
    """Returns whether a pattern fits a path, or a folder on its way: folders are read to the bottom."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(_fits(steps[skipped:], pattern[1:]) for skipped in range(len(steps) + 1))
    return bool(steps) and fnmatch.fnmatchcase(steps[0], pattern[0]) and _fits(steps[1:], pattern[1:])
