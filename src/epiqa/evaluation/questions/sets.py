"""What a question set is, and what its forms share: reading text, ids, and the list of what is wrong.

The forms are in `questions` (JSONL), `tables` (CSV), `squad` and `beir`.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from epiqa.errors import QuestionError, QuestionSetError
from epiqa.ingest import normalise
from epiqa.types import Document

MAX_LISTED = 10
MAX_SHOWN_CHARACTERS = 60

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its gold answers, none when it is unanswerable.

    `document` is the file name, or path, of the document that answers it; `places` are the offsets of the
    gold answers in it, where the set gives them; `context` is the paragraph given with it, in SQuAD. `id` is
    unique in a set: the set's own, else the number of its line, or in SQuAD of article, paragraph and question.
    """

    question: str
    answers: tuple[str, ...]
    document: str | None = None
    places: tuple[tuple[int, int], ...] = ()
    context: str | None = None
    title: str = ""
    id: str = ""

    @property
    def is_answerable(self) -> bool:
        return bool(self.answers)


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions, and the documents to ask them of where the set brings its own.

    `skipped` says of every line that was left out where it is and what is wrong with it.
    """

    questions: tuple[Question, ...]
    documents: tuple[Document, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """A BEIR set: documents under their corpus ids as paths, queries by id, graded relevance by query id."""

    documents: tuple[Document, ...]
    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, float]]
    skipped: tuple[str, ...] = ()


@dataclass
class WrongLines:
    """What is wrong with a question set, gathered so that all of it can be mended at once."""

    found: list[str] = field(default_factory=list)

    @contextmanager
    def noted(self, where: str) -> Iterator[None]:
        """Notes an error of the block under `where` it is, and goes on after the block."""
        try:
            yield
        except (QuestionError, QuestionSetError) as error:
            self.found.append(f"{where}: {error}")

    def settle(self, *, skip_invalid: bool) -> tuple[str, ...]:
        """Returns what is left out. Raises QuestionSetError when there is something and it may not be."""
        if self.found and not skip_invalid:
            listed = self.found[:MAX_LISTED]
            if len(self.found) > MAX_LISTED:
                listed.append(f"and {len(self.found) - MAX_LISTED} more")
            way_out = "mend it, or leave it out" if len(self.found) == 1 else "mend them, or leave them out"
            raise QuestionSetError("\n".join(listed) + f"\n{way_out} with --skip-invalid")
        return tuple(self.found)


def finished_set(
    path: Path,
    questions: Mapping[str, Question],
    wrong: WrongLines,
    *,
    skip_invalid: bool,
    documents: tuple[Document, ...] = (),
) -> QuestionSet:
    """Makes a set of the questions by id. Raises QuestionSetError for what is wrong, or if none are left."""
    skipped = wrong.settle(skip_invalid=skip_invalid)
    if not questions:
        rest = f" but {len(skipped)} that cannot be evaluated, the first: {skipped[0]}" if skipped else ""
        raise QuestionSetError(f"{path}: holds no questions{rest}")
    return QuestionSet(tuple(questions.values()), documents, skipped)


def add_question(questions: dict[str, Question], question: Question) -> None:
    """Adds a question under its id. Raises QuestionSetError when another has it."""
    if question.id in questions:
        raise QuestionSetError(f"the id {shown(question.id)} is that of a question before it")
    questions[question.id] = question


def question_id(value: object, otherwise: str) -> str:
    """Returns the id that a set gives a question, or the other one if it gives none."""
    if value is None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise QuestionSetError('"id" is neither a text nor a whole number')
    return normalise(str(value)).strip() or otherwise


def shown(value: str) -> str:
    """Returns a text as it stands in a message: quoted, on one line, and not too long."""
    cut = len(value) > MAX_SHOWN_CHARACTERS
    return repr(value[:MAX_SHOWN_CHARACTERS]) + "…" * cut


def read_text(path: Path) -> str:
    """Reads UTF-8, plain or gzipped, with a byte order mark or without."""
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if data.startswith(_GZIP) else data).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise QuestionSetError(f"{path}: there is no such question set") from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise QuestionSetError(f"{path}: cannot be read as UTF-8 text, plain or gzipped ({error})") from error


def lines(text: str, path: Path) -> Iterator[tuple[str, int, str]]:
    """Yields where each line that is not blank stands, its number, and the line."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{path}, line {number}", number, line


def json_object(line: str) -> dict[str, Any]:
    """Returns the JSON object of a line. Raises QuestionSetError for anything else."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise QuestionSetError(f"is not JSON ({error})") from error
    if not isinstance(row, dict):
        raise QuestionSetError("is not a JSON object")
    return row
