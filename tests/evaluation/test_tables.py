"""Question sets in CSV: columns and separators as spreadsheets write them, and rows that cannot be read."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from epiqa.errors import QuestionSetError
from epiqa.evaluation.questions import Question, QuestionSet, read_questions

TABLE = """question,answer,document,answerable,id
Who spoke?,Wang,a.txt,TRUE,w
Who slept?,,,false,
"Which, of ""these"",
two lines?","It rained, then it snowed", "a, b.txt",,
,,,,
哪里？,Café
"""


def write(path: Path, text: str, *, is_gzipped: bool = False) -> Path:
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if is_gzipped else text.encode())
    return path


def read(path: Path, *, skip_invalid: bool = False) -> QuestionSet:
    found = read_questions(path, skip_invalid=skip_invalid)
    assert isinstance(found, QuestionSet)
    return found


@pytest.mark.parametrize("is_gzipped", [False, True])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n \n"])
def test_csv_whatever_the_file_is_called(tmp_path: Path, start: str, line_end: str, is_gzipped: bool) -> None:
    text = (start + TABLE).replace("\n", line_end)
    above = start.count("\n")
    found = read(write(tmp_path / "set.jsonl", text, is_gzipped=is_gzipped))
    assert found == QuestionSet(
        (
            Question("Who spoke?", ("Wang",), "a.txt", id="w"),
            Question("Who slept?", (), id=str(above + 3)),
            Question(
                'Which, of "these",\ntwo lines?', ("It rained, then it snowed",), "a, b.txt", id=str(above + 4)
            ),
            Question("哪里？", ("Café",), id=str(above + 7)),
        )
    )


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        ("question;answer\nWho, if any?;Wang, Li\n", ("Wang, Li",)),  # as Excel writes it in much of Europe
        ("question\tanswer\nWho, if any?\tWang; Li", ("Wang; Li",)),
        (' Answer , "QUESTION"\nWang,"Who, if any?"', ("Wang",)),
        ("question;answer;answer;answer\nWho, if any?;Wang;;Li", ("Wang", "Li")),
        ("question;answer_1;Answer 2;note;answer3\nWho, if any?;Wang;Li;see page 4;Tan;;", ("Wang", "Li", "Tan")),
        ("question;answers\nWho, if any?;Wang | Li||Tan ", ("Wang", "Li", "Tan")),
        ("question;answer;answers\nWho, if any?;a|b;c|d", ("a|b", "c", "d")),
        ("question;answers\nWho, if any?; | ", ()),
        ("question;answerable;answer\nWho, if any?;No;", ()),
        ("question;answerable;answer\nWho, if any?;1;Wang", ("Wang",)),
    ],
)
def test_csv_columns_and_separators(tmp_path: Path, text: str, answers: tuple[str, ...]) -> None:
    found = read(write(tmp_path / "set.csv", text))
    assert [(question.question, question.answers) for question in found.questions] == [("Who, if any?", answers)]


def test_the_columns_are_named_in_the_first_line(tmp_path: Path) -> None:
    path = write(tmp_path / "set.csv", "My questions\nquestion,answer\nWho?,Wang\n")
    with pytest.raises(QuestionSetError, match=r'neither JSON nor CSV with a column "question" in its first line'):
        read_questions(path, skip_invalid=True)


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ('"Two\nlines?",Wang,\n,Wang,', "line 4: the question is empty"),
        ("?!,Wang,", "line 2: the question '?!' has no words"),
        ("Who?", "line 2: lacks an answer"),
        ("Who?,Wang, Li,no", "line 2: has 4 cells where there are 3 columns"),
        ("Who?,Wang,maybe", "line 2: \"answerable\" is 'maybe', which is neither true nor false"),
        ("Who?,Wang,FALSE", 'line 2: "answerable" is false with 1 answers'),
        ("Who?,,yes", 'line 2: "answerable" is yes with 0 answers'),
        ('Who?,"Wang" Li,', "line 2: is not CSV (',' expected after '\"'): look at its quotation marks"),
        (f"Who?,{'x' * 200_000},", "line 2: is not CSV (field larger than field limit"),
        ('Who?,Wang,\nWho else?,"Li,\n', "line 3: is not CSV (unexpected end of data)"),
    ],
)
def test_a_wrong_csv_row_is_named_by_the_line_it_starts_in(tmp_path: Path, rows: str, wrong: str) -> None:
    path = write(tmp_path / "set.csv", f"question,answer,answerable\n{rows}")
    with pytest.raises(QuestionSetError, match=re.escape(f"{path}, {wrong}")):
        read_questions(path)


def test_an_unclosed_quotation_mark_costs_one_csv_row(tmp_path: Path) -> None:
    path = write(tmp_path / "set.csv", 'question,answer\nWho?,"Wang\nWhere?,Dalian\n"What, now?",rain\nWhen?,"')
    found = read(path, skip_invalid=True)
    assert [question.question for question in found.questions] == ["Where?", "What, now?"]
    assert [line.split(":")[0] for line in found.skipped] == [f"{path}, line 2", f"{path}, line 5"]
