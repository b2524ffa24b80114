"""The two sets of questions on the seeds: complete, to the letter, and apart."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from epiqa.ingest import read_document
from paths import ROOT

REPORTED = ROOT / "tests" / "data" / "seeds_questions.jsonl"
FOR_CALIBRATION = ROOT / "training" / "notices_questions.jsonl"
TEXTS = {path.name: read_document(path).text for path in (ROOT / "seeds").glob("*.txt")}


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def words(question: str) -> set[str]:
    return {word for word in re.findall(r"\w+", question.lower()) if len(word) > 3}


@pytest.mark.parametrize("path", [REPORTED, FOR_CALIBRATION], ids=lambda path: path.stem)
def test_every_answer_stands_in_its_document(path: Path) -> None:
    for row in rows(path):
        assert bool(row["answers"]) is row["answerable"] is (row["document"] is not None), row
        assert all(answer in TEXTS[row["document"]] for answer in row["answers"]), row


def test_the_reported_set_is_large_enough_and_has_no_question_twice() -> None:
    found = rows(REPORTED)
    assert len({row["question"].lower() for row in found}) == len(found) >= 60
    assert sum(not row["answerable"] for row in found) >= 20
    assert {row["document"] for row in found} - {None} == set(TEXTS)


def test_no_question_is_in_both_sets() -> None:
    for one in rows(FOR_CALIBRATION):
        for other in rows(REPORTED):
            shared = words(one["question"]) & words(other["question"])
            assert len(shared) / len(words(one["question"]) | words(other["question"])) < 0.5, (one, other)
