"""Question sets: JSONL, CSV, SQuAD and BEIR, told apart by content, plain or gzipped.

{"question", "answers", "answerable", "document", "id"}    JSONL, one question a line
question,answer,document                                   CSV, its columns in the first line (see `tables`)
{"data": [{"title", "paragraphs": [...]}]}                 SQuAD 1.1 or 2.0 (see `squad`)
corpus.jsonl, queries.jsonl, qrels.tsv                     a BEIR folder (see `beir`)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from epiqa.arguments import check_question
from epiqa.errors import QuestionSetError
from epiqa.evaluation.questions.beir import read_beir
from epiqa.evaluation.questions.sets import (
    Question,
    QuestionSet,
    RetrievalSet,
    WrongLines,
    add_question,
    finished_set,
    json_object,
    lines,
    question_id,
    read_text,
)
from epiqa.evaluation.questions.squad import squad_questions
from epiqa.evaluation.questions.tables import read_table, table_delimiter
from epiqa.ingest import normalise

__all__ = ["Question", "QuestionSet", "RetrievalSet", "read_questions", "squad_questions"]


def read_questions(path: Path, *, skip_invalid: bool = False) -> QuestionSet | RetrievalSet:
    """Reads a question set of any of the four forms.

    Raises QuestionSetError that names every wrong line (the first ten in words) with what it lacks; with
    `skip_invalid` these are left out and listed in the set's `skipped`. A file that is of no known form, or has
    no question left, is refused either way.
    """
    if path.is_dir():
        return read_beir(path, skip_invalid=skip_invalid)
    text = read_text(path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, dict) and "data" in content:
        return squad_questions(content, path, skip_invalid=skip_invalid)
    delimiter = table_delimiter(text)
    if delimiter:
        return read_table(text, path, delimiter, skip_invalid=skip_invalid)
    return _jsonl(text, path, skip_invalid=skip_invalid)


def _jsonl(text: str, path: Path, *, skip_invalid: bool) -> QuestionSet:
    questions: dict[str, Question] = {}
    wrong = WrongLines()
    objects = 0
    for where, number, line in lines(text, path):
        with wrong.noted(where):
            row = json_object(line)
            objects += 1
            add_question(questions, _question(row, number))
    if wrong.found and not objects:
        raise QuestionSetError(
            f'{path}: is no question set: it is neither JSON nor CSV with a column "question" in its first line'
            f" ({wrong.found[0]})"
        )
    return finished_set(path, questions, wrong, skip_invalid=skip_invalid)


def _question(row: dict[str, Any], number: int) -> Question:
    """Makes a question of a line's JSON object. Raises QuestionSetError or QuestionError for a wrong one."""
    question, answers, document = row.get("question"), row.get("answers"), row.get("document")
    if not isinstance(question, str):
        raise QuestionSetError('lacks "question", a text')
    question = check_question(question)
    if not isinstance(answers, list) or not all(isinstance(a, str) and a.strip() for a in answers):
        raise QuestionSetError('lacks "answers", a list of texts')
    answerable = row.get("answerable", bool(answers))
    if not isinstance(answerable, bool):
        raise QuestionSetError('"answerable" is neither true nor false')
    if answerable is not bool(answers):
        raise QuestionSetError(f'"answerable" is {json.dumps(answerable)} with {len(answers)} answers')
    if document is not None and not isinstance(document, str):
        raise QuestionSetError('"document" is neither a file name nor null')
    return Question(
        question=question,
        answers=tuple(normalise(answer) for answer in answers),
        document=document and normalise(document),
        id=question_id(row.get("id"), str(number)),
    )
