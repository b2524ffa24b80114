"""Adds documents from the page: uploads are checked, kept beside the index, and indexed in a thread.

The files are kept in `uploads/` of the index directory, so that they can be read again, and downloaded. Gradio has
them in a temporary folder first; what is refused is deleted there.
"""

from __future__ import annotations

import os
import queue
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from gradio.utils import get_upload_folder

from epiqa.errors import EpiQAError
from epiqa.ingest.find import printable
from epiqa.ingest.formats import BY_SUFFIX
from epiqa.types import DocumentInfo, IndexReport
from epiqa.web.services.assistant import DocumentAdder
from epiqa.web.texts import Language, translate

MAX_FILES: Final = 50
MAX_FILE_BYTES: Final = 64 << 20
UPLOADS: Final = "uploads"
SUFFIXES: Final = tuple(BY_SUFFIX)

State = Literal["waiting", "reading", "read", "added", "replaced", "unchanged", "skipped"]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way into the index; `reason` says why it was skipped."""

    name: str
    state: State = "waiting"
    reason: str = ""


def check_upload(path: Path, language: Language) -> str | None:
    """Returns why a file is refused, or None. Its content is not read."""
    if path.suffix.lower() not in SUFFIXES:
        return translate(language, "file_kind", suffix=path.suffix or "—")
    if path.name.startswith(".") or printable(path.name) != path.name:
        return translate(language, "file_name")
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        return translate(language, "file_large", size=MAX_FILE_BYTES >> 20)
    return None if size else translate(language, "file_empty")


def add_uploads(qa: DocumentAdder, files: Sequence[str], language: Language) -> Iterator[list[Upload]]:
    """Checks, keeps and indexes files; yields the state of all whenever one changes.

    Raises EpiQAError for too many files at once, of which none is then kept, and when the index cannot be written.
    """
    paths = [Path(file) for file in files]
    if len(paths) > MAX_FILES:
        discard(paths)
        raise EpiQAError(translate(language, "add_too_many", count=len(paths), limit=MAX_FILES))
    uploads = {path.name: Upload(path.name) for path in paths}
    folder = qa.directory / UPLOADS
    kept: dict[str, str] = {}  # path under which it is indexed, name
    with (
        _sent(paths),
        _translated(folder),
        tempfile.TemporaryDirectory(prefix=".epiqa-", dir=qa.directory) as aside,
    ):
        for path in paths:
            reason = check_upload(path, language)
            if reason is None:
                kept[_keep(path, folder, Path(aside))] = path.name
            else:
                uploads[path.name] = Upload(path.name, "skipped", reason)
        discard(paths)
        yield list(uploads.values())
        for states in _index(qa, kept):
            uploads |= states
            yield list(uploads.values())
        # Restores the earlier file of the same name if the new one cannot be read.
        back = {path: name for path, name in kept.items() if uploads[name].state == "skipped"}
        back = {path: name for path, name in back.items() if Path(aside, name).exists()}
        for name in back.values():
            Path(aside, name).replace(folder / name)
        for _ in _index(qa, back):
            pass


def remove_document(
    qa: DocumentAdder, document: DocumentInfo, remove: Callable[[str], None], original: Path | None
) -> None:
    """Removes a document from the index, and its file if it was uploaded and holds only this document."""
    remove(document.id)
    folder = (qa.directory / UPLOADS).resolve()
    if original is not None and original.parent == folder and original.name == Path(document.path).name:
        original.unlink(missing_ok=True)


def forget_unread(qa: DocumentAdder, path: str, remove: Callable[[str], None]) -> None:
    """Removes an unreadable file from the list, and deletes it if it was uploaded."""
    remove(path)
    folder, file = (qa.directory / UPLOADS).resolve(), Path(path).resolve()
    if file.parent == folder:
        file.unlink(missing_ok=True)


def _keep(path: Path, folder: Path, aside: Path) -> str:
    """Moves a file to the uploads and returns its path there; copies an earlier file of its name to `aside`."""
    folder.mkdir(exist_ok=True)
    target = folder / path.name
    if target.exists():
        shutil.copy2(target, aside / path.name)
    shutil.move(path, target)
    return os.path.normpath(target)


def _index(qa: DocumentAdder, kept: dict[str, str]) -> Iterator[dict[str, Upload]]:
    """Indexes files in a thread; yields the states whenever one changes. A failure makes all files `skipped`."""
    if not kept:
        return
    events: queue.Queue[tuple[int, str] | IndexReport | EpiQAError] = queue.Queue()

    def work() -> None:
        try:
            events.put(qa.add(list(kept), on_progress=lambda done, _total, path: events.put((done, path))))
        except EpiQAError as error:
            events.put(error)
        except Exception as error:  # without it the error would be lost and the page would wait forever
            events.put(EpiQAError(f"the files could not be indexed ({type(error).__name__}: {error})"))

    threading.Thread(target=work, name="epiqa-index", daemon=True).start()
    states = {path: Upload(name) for path, name in kept.items()}
    while isinstance(event := events.get(), tuple):
        for path, upload in states.items():
            if path == event[1]:
                states[path] = replace(upload, state="reading")
            elif upload.state == "reading":
                states[path] = replace(upload, state="read")
        yield {upload.name: upload for upload in states.values()}
    yield {upload.name: upload for upload in _final(states, event, dict(qa.unread())).values()}


def _final(
    states: dict[str, Upload], outcome: IndexReport | EpiQAError, unread: dict[str, str]
) -> dict[str, Upload]:
    final = {}
    for path, upload in states.items():
        if isinstance(outcome, EpiQAError):
            final[path] = replace(upload, state="skipped", reason=unread.get(path, str(outcome)))
            continue
        state, reason = _outcome(path, outcome)
        final[path] = replace(upload, state=state, reason=reason)
    return final


def _outcome(path: str, report: IndexReport) -> tuple[State, str]:
    """Returns the outcome for a file, with the reasons; for a container, the best outcome of its parts."""

    def holds(paths: Iterable[str]) -> bool:
        return any(each == path or each.startswith((f"{path}/", f"{path}#")) for each in paths)

    reasons = "; ".join(reason for each, reason in (*report.skipped, *report.notes) if holds([each]))
    for state in ("added", "replaced", "unchanged"):
        if holds(getattr(report, state)):
            return state, reasons
    return ("added" if holds(path for _, path in report.moved) else "skipped"), reasons


def scratch_folder() -> Path:
    """Creates a folder for a download among this process's uploads, which are removed with age and at exit."""
    return Path(tempfile.mkdtemp(prefix="epiqa-", dir=get_upload_folder()))


def discard(paths: Iterable[Path]) -> None:
    """Deletes the remaining uploaded files, each with the folder that Gradio made for it."""
    for path in paths:
        path.unlink(missing_ok=True)
        with suppress(OSError):  # the folder holds another file, or is gone
            path.parent.rmdir()


@contextmanager
def _sent(paths: Sequence[Path]) -> Iterator[None]:
    """Deletes the uploaded files from Gradio's folder, even after an error."""
    try:
        yield
    finally:
        discard(paths)


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    """Translates OSError (a full disk, missing permissions) into EpiQAError."""
    try:
        yield
    except OSError as error:
        raise EpiQAError(f"{folder} cannot be written ({error.strerror}): make room for it") from error
