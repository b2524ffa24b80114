"""Damaged question sets of every form: they are read, or refused as what they are, and nothing else happens."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from pathlib import Path

import pytest

from epiqa.errors import QuestionSetError
from epiqa.evaluation.questions import QuestionSet, RetrievalSet, read_questions

JSONL = (
    '{"question": "Who spoke?", "answers": ["Wang", "Li"], "answerable": true, "document": "a.txt", "id": 7}\n'
    '{"question": "Who slept?", "answers": []}\n{"question": "哪里？", "answers": ["大连"]}\n'
)
CSV = """question,answer,answers,document,id,answerable
Who spoke?,Wang,Li | Tan,a.txt,7,true
"What ""fell"",
and when?",Rain,,,,
Who slept?,,,,,no
"""
SQUAD = json.dumps(
    {
        "data": [
            {
                "title": "Rain_days",
                "paragraphs": [
                    {
                        "context": "Rain fell\r\nin the Cafe\u0301.",
                        "qas": [
                            {"id": 7, "question": "What fell?", "answers": [{"text": "Rain", "answer_start": 0}]},
                            {"id": "8", "question": "Who fell?", "answers": [], "is_impossible": True},
                        ],
                    },
                    {"context": "Snow fell.", "qas": [{"question": "Who slept?", "answers": []}]},
                ],
            },
            {"title": "", "paragraphs": [{"context": "Another article.", "qas": []}]},
        ]
    }
)
BEIR = {
    "corpus.jsonl": '{"_id": "d1", "title": "Harbour", "text": "It opened."}\n{"_id": "d2", "text": "Cafe"}\n',
    "queries.jsonl": '{"_id": "q1", "text": "opening"}\n{"_id": "q2", "text": "bar"}\n',
    "qrels.tsv": "query-id\tcorpus-id\tscore\nq2\td2\t1\nq1\td1\t2\nq1\td2\t0\n",
}

FRAGMENTS = [
    *("\n", "\r", ",", ";", "\t", '"', '""', "{", "}", "[", "]", ":", "|", "\\", "\0", "\x85", "\u2028", "\ufeff"),
    *(
        "null",
        "true",
        "-1",
        "1e999",
        "NaN",
        "9" * 5000,
        "[" * 3000,
        '"id"',
        '"data"',
        "question",
        "\\ud800",
        "\\u0000",
    ),
]


def mutated(text: str, draw: random.Random) -> bytes:
    """Returns the text with pieces cut, doubled, moved or replaced, and now and then a byte that is no text."""
    for _ in range(draw.randrange(1, 5)):
        start = draw.randrange(len(text) + 1)
        end = min(len(text), start + draw.choice([0, 0, 1, 3, 30]))
        piece = draw.choice([*FRAGMENTS, "", text[start:end] * 2, text[: draw.randrange(40)]])
        text = text[:start] + piece + text[end:]
    data = bytearray(text.encode())
    if data and draw.random() < 0.1:
        data[draw.randrange(len(data))] = draw.randrange(256)
    return gzip.compress(bytes(data), mtime=0) if draw.random() < 0.1 else bytes(data)


def read(path: Path, *, skip_invalid: bool) -> QuestionSet | RetrievalSet | None:
    """Returns the set, or None if it is refused."""
    try:
        return read_questions(path, skip_invalid=skip_invalid)
    except QuestionSetError:
        return None


def check(path: Path) -> str:
    """Reads a set both ways, checks that they agree, and says what became of it."""
    strict, lenient = read(path, skip_invalid=False), read(path, skip_invalid=True)
    if strict is not None:
        assert strict.skipped == ()
        assert strict == lenient
    if isinstance(lenient, QuestionSet):
        ids = [question.id for question in lenient.questions]
        assert ids
        assert all(ids)
        assert len(set(ids)) == len(ids)
    if lenient is None:
        return "refused"
    return "skipped" if lenient.skipped else "read"


@pytest.mark.parametrize("text", [JSONL, CSV, CSV.replace(",", "\t"), SQUAD], ids=["jsonl", "csv", "tsv", "squad"])
def test_a_damaged_file(tmp_path: Path, text: str) -> None:
    draw = random.Random(text)
    outcomes: Counter[str] = Counter()
    for _ in range(250):
        path = tmp_path / "set"
        path.write_bytes(mutated(text, draw))
        outcomes[check(path)] += 1
    assert min(outcomes[outcome] for outcome in ("refused", "skipped", "read")) > 5


def test_a_damaged_beir_folder(tmp_path: Path) -> None:
    draw = random.Random(6)
    outcomes: Counter[str] = Counter()
    for _ in range(250):
        damaged = draw.choice(list(BEIR))
        for name, text in BEIR.items():
            (tmp_path / name).write_bytes(mutated(text, draw) if name == damaged else text.encode())
        outcomes[check(tmp_path)] += 1
    assert min(outcomes[outcome] for outcome in ("refused", "skipped", "read")) > 5
