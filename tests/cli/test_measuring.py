"""`epiqa evaluate` and `epiqa calibrate` with the bundled models."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cli.shell import (
    ANSWERABLE,
    UNANSWERABLE,
    Run,
)
from paths import SEEDS, SEEDS_QUESTIONS


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    rows: list[dict[str, Any]] = [
        {"question": ANSWERABLE, "answers": ["Tan Zuojun"], "document": "002_4240fd80c429d22d.txt"},
        {"question": UNANSWERABLE, "answers": [], "document": None},
    ]
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row | {"answerable": bool(row["answers"])}) + "\n" for row in rows))
    return path


def test_evaluate_prints_and_writes_the_measures(
    run: Run, seeds_index: Path, questions: Path, tmp_path: Path
) -> None:
    file, report = tmp_path / "measures.json", tmp_path / "report.html"
    code, out, err = run("evaluate", questions, "--index", seeds_index, "--json", file, "--report", report)
    complaints = [line for line in err.splitlines() if " questions, " not in line]  # of a slow run's progress
    assert (code, complaints) == (0, [])
    measures = json.loads(file.read_text())
    assert (measures["questions"], measures["answerable"]) == (2, 1)
    assert measures["exact_match"] == measures["f1"] == measures["no_answer_accuracy"] == 1
    assert measures["citation"] == {"verbatim": 1, "document_accuracy": 1}
    assert re.search(r"^citation\.verbatim +1\.0000$", out, re.MULTILINE)
    assert "Brazil" in report.read_text()
    code, out, _ = run("evaluate", questions, "--index", seeds_index, "--json", "-")
    assert code == 0
    assert json.loads(out).keys() == measures.keys()


def test_an_evaluation_that_cannot_be_read_or_written_exits_2(
    run: Run, seeds_index: Path, questions: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"question": "who?", "answers": []}\n{"question": 3}\n')
    nowhere = tmp_path / "none" / "file"
    for arguments, message in (
        ([questions, "--report", nowhere], f"{nowhere} cannot be written: there is no folder {nowhere.parent}"),
        ([questions, "--json", nowhere], f"{nowhere} cannot be written: there is no folder {nowhere.parent}"),
        ([questions, "--report", tmp_path], f"{tmp_path} cannot be written: it is a folder"),
        ([questions, "--json", tmp_path], f"{tmp_path} cannot be written: it is a folder"),
        ([tmp_path / "none.jsonl"], f"{tmp_path / 'none.jsonl'}: there is no such question set"),
        ([bad], f'{bad}, line 2: lacks "question"'),
    ):
        code, out, err = run("evaluate", *arguments, "--index", seeds_index)
        assert (code, out) == (2, "")
        assert f"epiqa: {message}" in err
    assert run("evaluate", questions, "--index", tmp_path / "none").code == 3


def test_calibrate_fits_the_confidence_and_can_be_undone(run: Run, own_index: Path, tmp_path: Path) -> None:
    questions = tmp_path / "mine.jsonl"
    lines = SEEDS_QUESTIONS.read_text("utf-8").splitlines()
    answerable = [line for line in lines if json.loads(line)["answerable"]]
    unanswerable = [line for line in lines if not json.loads(line)["answerable"]]
    questions.write_text("\n".join([*answerable[:30], *unanswerable[:12]]))
    assert run("index", SEEDS, "--index", own_index).code == 0
    code, out, err = run("calibrate", questions, "--index", own_index)
    assert code == 0
    assert all(" of 42 questions, " in line for line in err.splitlines())  # progress, where it takes long
    assert re.search(r"^ +before +after\nthreshold +0\.\d{4} +[01]\.\d{4}\n", out, re.MULTILINE)
    assert re.search(r"^false_answer_rate +\d\.\d{4} +\d\.\d{4}$", out, re.MULTILINE)
    stored = own_index / "calibration.json"
    assert f"Kept in {stored}; delete that file" in out
    assert run("ask", ANSWERABLE, "--index", own_index).code in (0, 1)
    assert run("verify", "--index", own_index).code == 0
    stored.write_text("{}")
    assert run("verify", "--index", own_index).code == 3
    code, out, err = run("ask", ANSWERABLE, "--index", own_index)
    assert (code, out) == (3, "")
    assert "calibration.json is not a calibration" in err
    assert "delete it" in err
    stored.unlink()
    assert run("ask", ANSWERABLE, "--index", own_index).code == 0


def test_calibrate_refuses_what_it_cannot_use_and_changes_nothing(
    run: Run, own_index: Path, questions: Path, tmp_path: Path
) -> None:
    code, out, err = run("calibrate", questions, "--index", own_index)
    assert (code, out) == (2, "")
    assert f"epiqa: {questions}: 2 questions" in err
    assert run("calibrate", tmp_path / "none.jsonl", "--index", own_index).code == 2
    assert run("calibrate", questions, "--index", tmp_path / "none").code == 3
    assert not (own_index / "calibration.json").exists()
