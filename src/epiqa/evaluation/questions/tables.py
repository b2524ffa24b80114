"""Question sets in CSV, as a spreadsheet writes it: separated by commas, semicolons or tabs.

The first line names the columns, in any order and case; it decides the separator. Others are passed over.

question      required
answer        a gold answer as it stands; several in columns of the same name, or answer_1, answer_2, …
answers       gold answers separated by |
answerable    optional: true or false, yes or no, 1 or 0; must agree with the answers
document, id  optional

An answer or answers column is required; a question whose cells there are all empty is unanswerable. Cells of
optional columns may be missing at the end of a row, and empty ones stand beyond it: spreadsheets write both.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from epiqa.arguments import check_question
from epiqa.errors import QuestionSetError
from epiqa.evaluation.questions.sets import (
    Question,
    QuestionSet,
    WrongLines,
    add_question,
    finished_set,
    question_id,
    shown,
)
from epiqa.ingest import normalise

_DELIMITERS = (",", ";", "\t")
_SINGLE_COLUMNS = ("question", "answerable", "document", "id")
_ANSWER_COLUMN = re.compile(r"answer(s?)(?:[ ._-]?\d+)?")
_ANSWER_SEPARATOR = "|"
_YES_AND_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where the columns are; `answers` says for each answer column whether it holds several."""

    width: int
    single: Mapping[str, int]
    answers: Mapping[int, bool]


def table_delimiter(text: str) -> str | None:
    """Returns what separates the columns if the first line that is not blank names one "question", else None."""
    first = next((line for line in io.StringIO(text, newline="") if line.strip()), "")
    for delimiter in _DELIMITERS:
        for _, row in _rows(first, delimiter):
            if isinstance(row, list) and "question" in _names(row):
                return delimiter
    return None


def read_table(text: str, path: Path, delimiter: str, *, skip_invalid: bool = False) -> QuestionSet:
    """Reads a question set of rows. Raises QuestionSetError that names the lines in which wrong rows start."""
    questions: dict[str, Question] = {}
    wrong = WrongLines()
    columns = None
    for number, row in _rows(text, delimiter):
        if columns is None and isinstance(row, list):
            columns = _columns(_names(row), f"{path}, line {number}")
            continue
        with wrong.noted(f"{path}, line {number}"):
            if columns is None or isinstance(row, csv.Error):
                raise QuestionSetError(f"is not CSV ({row}): look at its quotation marks")
            add_question(questions, _question(row, columns, number))
    return finished_set(path, questions, wrong, skip_invalid=skip_invalid)


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Yields each row that is not blank, or what is wrong with it, with the number of its first line."""
    physical = list(io.StringIO(text, newline=""))
    start = 0
    while start < len(physical):
        first = start
        rest = (physical[position] for position in range(first, len(physical)))
        reader = csv.reader(rest, delimiter=delimiter, skipinitialspace=True, strict=True)
        try:
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield start + 1, row
                start = first + reader.line_num
        except csv.Error as error:
            # A quotation mark that is not closed takes in the rows after it: they are read anew.
            yield start + 1, error
            start += 1


def _names(row: Sequence[str]) -> list[str]:
    return [normalise(cell).strip().lower() for cell in row]


def _columns(names: Sequence[str], where: str) -> _Columns:
    """Finds the columns. Raises QuestionSetError when one is missing or there twice."""
    single = {name: names.index(name) for name in _SINGLE_COLUMNS if name in names}
    for name in single:
        if names.count(name) > 1:
            raise QuestionSetError(f'{where}: has the column "{name}" more than once')
    found = {position: _ANSWER_COLUMN.fullmatch(name) for position, name in enumerate(names)}
    answers = {position: bool(match[1]) for position, match in found.items() if match}
    if not answers:
        raise QuestionSetError(f'{where}: lacks a column "answer" or "answers", it has {shown(", ".join(names))}')
    return _Columns(len(names), single, answers)


def _question(row: Sequence[str], columns: _Columns, number: int) -> Question:
    """Makes a question of a row. Raises QuestionSetError or QuestionError for a wrong one."""
    if any(cell.strip() for cell in row[columns.width :]):
        raise QuestionSetError(
            f"has {len(row)} cells where there are {columns.width} columns: put a cell that holds the separator"
            " in quotation marks"
        )
    if len(row) <= min(columns.answers):
        raise QuestionSetError("lacks an answer column: leave its cell empty for an unanswerable question")
    cells = [normalise(cell).strip() for cell in row] + [""] * (columns.width - len(row))
    given = {name: cells[position] for name, position in columns.single.items()}
    golds = [
        gold.strip()
        for position, holds_several in columns.answers.items()
        for gold in (cells[position].split(_ANSWER_SEPARATOR) if holds_several else [cells[position]])
    ]
    answers = tuple(gold for gold in golds if gold)
    stated = given.get("answerable", "").lower()
    if stated and stated not in _YES_AND_NO:
        raise QuestionSetError(f'"answerable" is {shown(stated)}, which is neither true nor false')
    if stated and _YES_AND_NO[stated] is not bool(answers):
        raise QuestionSetError(f'"answerable" is {stated} with {len(answers)} answers')
    return Question(
        question=check_question(given["question"]),
        answers=answers,
        document=given.get("document") or None,
        id=question_id(given.get("id") or None, str(number)),
    )
