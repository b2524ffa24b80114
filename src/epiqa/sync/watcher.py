"""Keeps an index up to date while files change, with the file system's own notices (watchfiles, inotify)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event

from epiqa.arguments import AnyPath, check_paths
from epiqa.errors import EpiQAError, IndexBusyError, IngestError
from epiqa.ingest import LEADS_OUT, Root, find_files, is_read, leads_out, printable, roots_of
from epiqa.sync.operations import Removal, update_files
from epiqa.sync.options import DEFAULT_OPTIONS, UpdateOptions
from epiqa.types import IndexReport

# A file is read when it has not changed for so long: until then, it may be half written.
QUIET_S = 1.0
# One that cannot be read is looked at again after so long each: what writes it may have paused.
RETRIES_S = (2.0, 4.0, 8.0)
_STEP_MS, _DEBOUNCE_MS, _TIMEOUT_MS = 50, 500, 500


def watch_paths(
    paths: AnyPath | Iterable[AnyPath], index: AnyPath, options: UpdateOptions, *, stop: Event
) -> Iterator[IndexReport]:
    """Adds files and folders to an index, then follows their changes until `stop` is set.

    Yields what `add_paths` returns, first for all files, then for each change. What is deleted meanwhile is removed
    from the index; with `options.prune` also what was deleted before. While another process is writing it waits,
    and calls `options.on_wait` each time. Raises EpiQAError when a path does not exist, or a watched folder is
    gone: its documents stay.
    """
    given = check_paths("paths", paths)
    roots = roots_of(given)
    pending = _Pending(roots, os.path.realpath(index))
    notices = _notices(roots, stop)
    pending.note(next(notices, ()))  # from here on, no change is missed
    files, errors = find_files(given, leave_out=index)
    options = replace(options, should_stop=stop.is_set)
    removal = Removal.of(roots) if options.prune else None
    yield update_files(files, index, options, errors=errors, removal=removal)
    options = replace(options, prune=False, on_progress=DEFAULT_OPTIONS.on_progress)
    for changed in notices:
        for root in roots:
            if not root.is_file and not Path(root.real).is_dir():
                raise EpiQAError(
                    f"{printable(root.given)} is gone. What was read of it stays in {index}: start again when it is"
                    " back"
                )
        pending.note(changed)
        due = pending.take()
        files, gone, wrong = pending.sorted(due)
        if not (files or gone or wrong):
            continue
        try:
            report = update_files(files, index, options, errors=wrong, removal=_of(gone))
        except IndexBusyError:
            pending.note(due)
            continue
        if news := pending.news(files, report):
            yield news


def _of(gone: Sequence[str]) -> Removal:
    """Returns the removal of these files, and of what lay in these folders."""
    return Removal(lambda name: any(name == path or name.startswith(f"{path}/") for path in gone))


def _notices(roots: Sequence[Root], stop: Event) -> Iterator[list[str]]:
    """Yields the absolute names of what changed, every now and then none, until `stop` is set."""
    from watchfiles import watch  # late: only this command needs it

    folders = sorted({str(Path(root.real).parent) if root.is_file else root.real for root in roots})
    try:
        for changes in watch(
            *folders,
            watch_filter=None,
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            rust_timeout=_TIMEOUT_MS,
            yield_on_timeout=True,
            stop_event=stop,
            recursive=not all(root.is_file for root in roots),
        ):
            yield [path for _, path in changes]
    except OSError as error:
        raise EpiQAError(
            f"{', '.join(map(printable, folders))} cannot be watched ({error}): watch less, or raise the system's"
            " limit, fs.inotify.max_user_watches"
        ) from error


class _Pending:
    """What changed and is still to be looked at, by its absolute name."""

    def __init__(self, roots: Sequence[Root], index: str) -> None:
        self._roots = roots
        self._index = index
        self._due: dict[str, float] = {}
        self._tries: dict[str, int] = {}
        self._told: set[tuple[str, str]] = set()
        self._folders = {folder for root in roots for folder, _, _ in os.walk(root.real)}

    def note(self, names: Iterable[str]) -> None:
        """Notes that these changed just now."""
        now = time.monotonic()
        for name in names:
            if self._root_above(name):
                self._due[name] = now + QUIET_S

    def take(self) -> list[str]:
        """Returns what has not changed for a while, and forgets it."""
        now = time.monotonic()
        due = sorted(name for name, at in self._due.items() if at <= now)
        for name in due:
            del self._due[name]
        return due

    def sorted(self, due: Sequence[str]) -> tuple[list[Path], list[str], list[IngestError]]:
        """Returns the files to look at, the names of files and folders that are gone, and links that lead out."""
        files: dict[Path, None] = {}
        gone: list[str] = []
        wrong: list[IngestError] = []
        for name in due:
            root = self._root_above(name)
            assert root is not None
            if leads_out(name, root.real) and not root.is_file:
                wrong.append(IngestError(printable(root.shown(name)), LEADS_OUT))
                continue
            if Path(name).is_dir():
                self._folders |= {folder for folder, _, _ in os.walk(name)}
                found, _ = find_files([root.shown(name)], leave_out=self._index)
            elif os.path.lexists(name):
                found = [root.shown(name)] if is_read(name) else []
            else:
                found = []
                if is_read(name) or name in self._folders:
                    gone.append(name)
            # A link is covered if what it leads to is.
            files |= dict.fromkeys(path for path in found if root.covers(os.path.realpath(path)))
        return list(files), gone, wrong

    def news(self, files: Sequence[Path], report: IndexReport) -> IndexReport | None:
        """Returns what was not told before, None if nothing; files that could not be read are tried again."""
        reasons = dict(report.skipped)
        for path in files:
            name, shown = os.path.realpath(path), os.path.normpath(printable(path))
            tries = self._tries.pop(name, 0)
            if shown not in reasons:
                self._told -= {pair for pair in self._told if pair[0] == shown}
            elif tries < len(RETRIES_S):
                self._tries[name] = tries + 1
                self._due.setdefault(name, time.monotonic() + RETRIES_S[tries])
        news = replace(report, skipped=tuple(pair for pair in report.skipped if pair not in self._told))
        self._told |= set(report.skipped)
        has_news = news.added or news.replaced or news.moved or news.removed or news.skipped
        return news if has_news else None

    def _root_above(self, name: str) -> Root | None:
        """Returns the root above a name; None without one, or where the name is hidden or part of the index."""
        for root in self._roots:
            if name != root.real and not name.startswith(os.path.join(root.real, "")):  # noqa: PTH118  (last slash)
                continue
            is_hidden = any(
                step.startswith(".") for step in Path(os.path.relpath(name, root.real)).parts if step != "."
            )
            if not is_hidden and not f"{name}/".startswith(f"{self._index}/"):
                return root
        return None
