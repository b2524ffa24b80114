"""Evaluates from the page: question sets of the index directory, and a run that can be stopped.

Question sets are kept in `questions/` of the index directory. The questions judged on the page are one more set.
"""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from epiqa.errors import EpiQAError, QuestionSetError
from epiqa.evaluation import Evaluation, Mode, evaluate
from epiqa.evaluation.questions import read_questions
from epiqa.ingest.find import printable
from epiqa.web.services.feedback import FEEDBACK
from epiqa.web.services.uploads import discard

QUESTIONS: Final = "questions"
MAX_SET_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of `count` questions were asked."""

    done: int
    count: int


class Run:
    """An evaluation in a thread of its own; `stop` ends it before the next question."""

    def __init__(self, path: Path, index: Path, mode: Mode) -> None:
        self._path, self._index, self._mode = path, index, mode
        self._stopped = threading.Event()
        self._events: queue.Queue[Progress | Evaluation | EpiQAError | None] = queue.Queue()

    def stop(self) -> None:
        """Ends the run without a result."""
        self._stopped.set()

    def events(self) -> Iterator[Progress | Evaluation | None]:
        """Runs; yields the progress, then the evaluation, or None if the run was stopped.

        Raises EpiQAError like `evaluate`.
        """
        threading.Thread(target=self._work, name="epiqa-evaluate", daemon=True).start()
        while True:
            event = self._events.get()
            if isinstance(event, EpiQAError):
                raise event
            yield event
            if not isinstance(event, Progress):
                return

    def _work(self) -> None:
        try:
            self._events.put(evaluate(self._path, index=self._index, mode=self._mode, on_progress=self._tell))
        except _StoppedError:
            self._events.put(None)
        except EpiQAError as error:
            self._events.put(error)
        except Exception as error:  # without it the error would be lost and the page would wait forever
            self._events.put(EpiQAError(f"the evaluation failed ({type(error).__name__}: {error})"))

    def _tell(self, done: int, count: int) -> None:
        if self._stopped.is_set():
            raise _StoppedError
        self._events.put(Progress(done, count))


class _StoppedError(Exception):
    """Ends an evaluation from its progress callback."""


def question_sets(directory: Path) -> list[str]:
    """Returns the available question sets, as paths relative to the index directory."""
    kept = sorted(path.name for path in (directory / QUESTIONS).glob("*") if path.is_file())
    judged = [FEEDBACK] if (directory / FEEDBACK).is_file() else []
    return judged + [f"{QUESTIONS}/{name}" for name in kept]


def question_set_path(directory: Path, name: str) -> Path:
    """Returns the file of one of `question_sets`; raises QuestionSetError for any other name."""
    if name not in question_sets(directory):
        raise QuestionSetError(f"there is no question set {name!r}: choose another")
    return directory / name


def keep_question_set(directory: Path, file: Path) -> str:
    """Keeps an uploaded question set; returns its name among `question_sets`.

    Raises QuestionSetError for a file that is too large, badly named, or not a question set.
    """
    try:
        if file.stat().st_size > MAX_SET_BYTES:
            raise QuestionSetError(f"{file.name}: is larger than {MAX_SET_BYTES >> 20} MB")
        if file.name.startswith(".") or printable(file.name) != file.name:
            raise QuestionSetError(f"{file.name!r}: has a name that cannot be kept")
        read_questions(file)
        folder = directory / QUESTIONS
        folder.mkdir(exist_ok=True)
        shutil.move(file, folder / file.name)
    finally:
        discard([file])
    return f"{QUESTIONS}/{file.name}"
