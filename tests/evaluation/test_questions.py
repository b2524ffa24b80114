"""Question sets: four forms told apart by content, offsets exact after normalisation, errors that say where."""

from __future__ import annotations

import gzip
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from epiqa.errors import QuestionSetError
from epiqa.evaluation.questions import Question, QuestionSet, read_questions

JSONL = (
    '{"question": "Who spoke?", "answers": ["Wang", "Mayor Wang"], "answerable": true, "document": "a.txt"}\n'
    "\n"
    '{"question": "Who slept?", "answers": [], "answerable": false, "document": null}\r\n'
    '{"question": "哪里？", "answers": ["大连"]}'
)
SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "The_harbour",
            "paragraphs": [
                {
                    "context": "It opened in 1899.",
                    "qas": [
                        {
                            "id": "1",
                            "question": "When did it open?",
                            "is_impossible": False,
                            "answers": [
                                {"text": "in 1899", "answer_start": 10},
                                {"text": "1899", "answer_start": 13},
                            ],
                        }
                    ],
                },
                {
                    "context": "Ships came. Ships left.",
                    "qas": [
                        {
                            "id": "2",
                            "question": "What left?",
                            "answers": [{"text": "Ships", "answer_start": 12}],
                        },
                        {
                            "id": "3",
                            "question": "What sank?",
                            "is_impossible": True,
                            "answers": [{"text": "Ships", "answer_start": 0}],  # no answer, whatever is here
                        },
                    ],
                },
            ],
        },
        {"title": "", "paragraphs": [{"context": "Another article.", "qas": []}]},
    ],
}


def write(path: Path, text: str, *, is_gzipped: bool = False) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if is_gzipped else text.encode())
    return path


def read_set(path: Path) -> QuestionSet:
    found = read_questions(path)
    assert isinstance(found, QuestionSet)
    return found


def squad(context: str, *qas: dict[str, Any]) -> str:
    return json.dumps({"data": [{"title": "T", "paragraphs": [{"context": context, "qas": list(qas)}]}]})


@pytest.mark.parametrize("is_gzipped", [False, True])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_jsonl_whatever_the_file_is_called(tmp_path: Path, start: str, is_gzipped: bool) -> None:
    path = write(tmp_path / "squad.json", start + JSONL, is_gzipped=is_gzipped)
    assert read_questions(path) == QuestionSet(
        (
            Question("Who spoke?", ("Wang", "Mayor Wang"), document="a.txt", id="1"),
            Question("Who slept?", (), id="3"),
            Question("哪里？", ("大连",), id="4"),
        )
    )


def test_one_line_of_jsonl_is_not_taken_for_squad(tmp_path: Path) -> None:
    path = write(tmp_path / "one.json", '{"question": "Which data?", "answers": ["data"]}')
    assert read_questions(path) == QuestionSet((Question("Which data?", ("data",), id="1"),))


@pytest.mark.parametrize("is_gzipped", [False, True])
def test_squad_becomes_one_document_an_article(tmp_path: Path, is_gzipped: bool) -> None:
    path = write(tmp_path / "set.jsonl", json.dumps(SQUAD, indent=1), is_gzipped=is_gzipped)
    found = read_set(path)
    name, title = "set.jsonl#0", "The harbour"
    assert [(document.path, document.title, document.text) for document in found.documents] == [
        (name, title, "It opened in 1899.\n\nShips came. Ships left."),
        ("set.jsonl#1", "Another article.", "Another article."),
    ]
    first, second = "It opened in 1899.", "Ships came. Ships left."
    assert found.questions == (
        Question("When did it open?", ("in 1899", "1899"), name, ((10, 17), (13, 17)), first, title, "1"),
        Question("What left?", ("Ships",), name, ((32, 37),), second, title, "2"),
        Question("What sank?", (), name, (), second, title, "3"),
    )
    assert [question.is_answerable for question in found.questions] == [True, True, False]


def test_squad_offsets_are_exact_after_normalisation(tmp_path: Path) -> None:
    decomposed = "Cafe\u0301 Zo\u0308e,\r\nse\u0301same"
    contexts = [decomposed, "Line one.\r\nLine\rtwo: the answer.", "\u1112\u1161\u11ab plain", "\ufeffMarked text"]
    wanted = [["se\u0301same", "Zo\u0308e,\r\nse\u0301same"], ["two", "one.\r\nLine"], ["plain"], ["text"]]
    paragraphs = [
        {
            "context": context,
            "qas": [
                {"question": "Which?", "answers": [{"text": text, "answer_start": context.index(text)}]}
                for text in texts
            ],
        }
        for context, texts in zip(contexts, wanted, strict=True)
    ]
    path = write(tmp_path / "nfc.json", json.dumps({"data": [{"title": "T", "paragraphs": paragraphs}]}))
    found = read_set(path)
    (document,) = found.documents
    assert unicodedata.is_normalized("NFC", document.text)
    assert "\r" not in document.text
    quotes = [document.text[start:end] for question in found.questions for start, end in question.places]
    assert quotes == ["sésame", "Zöe,\nsésame", "two", "one.\nLine", "plain", "text"]
    assert [question.answers for question in found.questions] == [(quote,) for quote in quotes]
    assert [document.text.count(quote) for quote in quotes] == [1] * 6  # no place is right by luck
    assert all(question.context and question.context in document.text for question in found.questions)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('{"question": "Who?", "answers": ["a"]}\n\n{"question": "Who', "line 3: is not JSON"),
        ('{\n"question": "Who?"}', "line 1: is not JSON"),
        ('[{"question": "Who?", "answers": ["a"]}]', "line 1: is not a JSON object"),
        ('{"question": "Who?", "answers": ["a"]}\n{"answers": ["a"]}', 'line 2: lacks "question"'),
        ('{"question": " ", "answers": ["a"]}', "line 1: the question is empty"),
        ('{"question": "?!", "answers": ["a"]}', "line 1: the question '?!' has no words"),
        ("[" * 100_000, "line 1: is not JSON"),
        ("9" * 5000, "line 1: is not JSON"),
        ('{"question": 7, "answers": ["a"]}', 'line 1: lacks "question"'),
        ('{"question": "Who?"}', 'line 1: lacks "answers"'),
        ('{"question": "Who?", "answers": "a"}', 'line 1: lacks "answers"'),
        ('{"question": "Who?", "answers": ["a", ""]}', 'line 1: lacks "answers"'),
        ('{"question": "Who?", "answers": [7]}', 'line 1: lacks "answers"'),
        (
            '{"question": "Who?", "answers": ["a"], "answerable": false}',
            'line 1: "answerable" is false with 1 answers',
        ),
        ('{"question": "Who?", "answers": [], "answerable": true}', 'line 1: "answerable" is true with 0 answers'),
        (
            '{"question": "Who?", "answers": [], "document": 4}',
            'line 1: "document" is neither a file name nor null',
        ),
        ("", "holds no questions"),
        ("\n \n", "holds no questions"),
        ('{"data": []}', "holds no questions"),
        ('{"question": "Who?", "answers": [], "answerable": null}', '"answerable" is neither true nor false'),
        ('{"question": "Who?", "answers": [], "id": [1]}', '"id" is neither a text nor a whole number'),
        ('{"question": "Who?", "answers": [], "id": true}', '"id" is neither a text nor a whole number'),
        ('{"data": 5}', '"data" is not a list of articles'),
        ('{"data": [{"title": "T"}]}', 'article 0: lacks "paragraphs", a list'),
        ('{"data": [{"paragraphs": []}, "x"]}', 'article 1: lacks "paragraphs"'),
        ('{"data": [{"paragraphs": [{"qas": []}]}]}', 'article 0, paragraph 0: lacks "context", a text'),
        ('{"data": [{"title": "T", "paragraphs": ["x"]}]}', "article 0 ('T'), paragraph 0: lacks \"qas\", a list"),
        (squad("It rained.", {"question": "What?"}), 'paragraph 0, question 0.0.0: lacks "answers", a list'),
        (squad("It rained.", {"answers": [], "id": "x1"}), "question 'x1': lacks \"question\", a text"),
        (squad("It rained.", {"question": "What?", "answers": [{"text": "It"}]}), 'lacks "answer_start"'),
        (squad("It rained.", {"question": "What?", "answers": [{"answer_start": 0}]}), 'lacks "text", a text'),
    ],
)
def test_a_malformed_set_is_refused_by_file_and_line(tmp_path: Path, text: str, wrong: str) -> None:
    path = write(tmp_path / "set.json", text)
    with pytest.raises(QuestionSetError, match=re.escape(str(path))) as error:
        read_questions(path)
    assert wrong in str(error.value)


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (gzip.compress(JSONL.encode())[:-9], "cannot be read as UTF-8 text, plain or gzipped"),
        (b"\x1f\x8bnot gzip at all", "cannot be read as UTF-8 text, plain or gzipped"),
        (JSONL.encode("utf-16"), "cannot be read as UTF-8 text, plain or gzipped"),
        (gzip.compress("é".encode("latin-1")), "cannot be read as UTF-8 text, plain or gzipped"),
    ],
)
def test_a_file_that_is_not_text_is_refused_by_name(tmp_path: Path, data: bytes, wrong: str) -> None:
    path = tmp_path / "set.jsonl.gz"
    path.write_bytes(data)
    with pytest.raises(QuestionSetError, match=f"^{re.escape(str(path))}: {wrong}"):
        read_questions(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(QuestionSetError, match=r"nowhere\.jsonl: there is no such question set"):
        read_questions(tmp_path / "nowhere.jsonl")


def test_a_corrupt_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl.gz"
    data = bytearray(gzip.compress(b'{"question": "Who?", "answers": ["a"]}' * 50))
    data[20:40] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(QuestionSetError, match="cannot be read as UTF-8 text, plain or gzipped"):
        read_questions(path)


def test_answers_are_normalised_as_the_documents_are(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text('{"question": "Who?", "answers": ["Cafe\\u0301"]}', encoding="utf-8")
    found = read_questions(path)
    assert isinstance(found, QuestionSet)
    assert found.questions[0].answers == ("Café",)


@pytest.mark.parametrize("start", [-1, 3, 500])
def test_an_answer_that_is_not_where_the_set_says_has_no_place(tmp_path: Path, start: int) -> None:
    gold = {"text": "Wu", "answer_start": start}
    paragraph = {"context": "Dr. Wu spoke. \ud800", "qas": [{"question": "Who?", "answers": [gold]}]}
    path = tmp_path / "set.json"
    path.write_text(json.dumps({"data": [{"title": "T", "paragraphs": [paragraph]}]}), encoding="utf-8")
    found = read_questions(path)
    assert isinstance(found, QuestionSet)
    assert (found.questions[0].answers, found.questions[0].places) == (("Wu",), ())
    assert found.documents[0].text == "Dr. Wu spoke. ?"


@pytest.mark.parametrize("question", [5, "", "?!"])
def test_a_squad_question_that_cannot_be_asked_is_refused(tmp_path: Path, question: object) -> None:
    path = write(tmp_path / "set.json", squad("Dr. Wu spoke.", {"question": question, "answers": []}))
    with pytest.raises(QuestionSetError, match=r"article 0 \('T'\), paragraph 0, question 0\.0\.0: "):
        read_questions(path)


@pytest.mark.parametrize("skip_invalid", [False, True])
@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("question,reply\nWho?,Wang", 'line 1: lacks a column "answer" or "answers", it has \'question, reply\''),
        ("question", 'line 1: lacks a column "answer"'),
        ("question,answer,Question\nWho?,Wang,Who?", 'line 1: has the column "question" more than once'),
        ("question,answer\n", "holds no questions"),
        ("frage,antwort\nWer?,Wang", 'neither JSON nor CSV with a column "question"'),
        ("[1]\n[2]", 'neither JSON nor CSV with a column "question"'),
        ('{"data": {}}', '"data" is not a list of articles'),
    ],
)
def test_what_is_no_question_set_is_refused_in_any_case(
    tmp_path: Path, text: str, wrong: str, skip_invalid: bool
) -> None:
    path = write(tmp_path / "set.csv", text)
    with pytest.raises(QuestionSetError, match=re.escape(str(path))) as error:
        read_questions(path, skip_invalid=skip_invalid)
    assert wrong in str(error.value)


ONE_WRONG = {
    "set.jsonl": '{"question": "A?", "answers": ["a"], "id": 7}\n'
    '{"question": "B?"}\n'
    '{"question": "C?", "answers": [], "id": "7"}\n'
    '{"question": "D?", "answers": []}',
    "set.csv": 'id,question,answer\n7,A?,"a, ""b"""\n,B?\n7,C?,c\n,D?,\n',
    "set.json": squad(
        "It rained.",
        {"id": 7, "question": "A?", "answers": [{"text": "It", "answer_start": 0}]},
        {"question": "B?"},
        {"id": "7", "question": "C?", "answers": []},
        {"question": "D?", "answers": []},
    ),
}


@pytest.mark.parametrize("name", ONE_WRONG)
def test_wrong_lines_are_all_named_or_all_skipped(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, ONE_WRONG[name])
    found = read_questions(path, skip_invalid=True)
    assert isinstance(found, QuestionSet)
    last = {"set.jsonl": "4", "set.csv": "5", "set.json": "0.0.3"}[name]
    assert [(question.question, question.id) for question in found.questions] == [("A?", "7"), ("D?", last)]
    lacking, again = found.skipped
    assert "lacks " in lacking
    assert again.endswith(": the id '7' is that of a question before it")
    with pytest.raises(QuestionSetError) as error:
        read_questions(path)
    assert str(error.value) == f"{lacking}\n{again}\nmend them, or leave them out with --skip-invalid"


def test_a_set_without_wrong_lines_skips_none(tmp_path: Path) -> None:
    path = write(tmp_path / "set.jsonl", JSONL)
    assert read_questions(path, skip_invalid=True) == read_questions(path)


@pytest.mark.parametrize(("count", "end"), [(1, "mend it, or"), (10, "mend them, or"), (13, "and 3 more\nmend")])
def test_at_most_ten_wrong_lines_are_written_out(tmp_path: Path, count: int, end: str) -> None:
    path = write(tmp_path / "set.jsonl", '{"question": "A?", "answers": []}\n' + "{}\n" * count)
    with pytest.raises(QuestionSetError) as error:
        read_questions(path)
    lines = str(error.value).split("\n")
    shown = min(count, 10)
    assert lines[:shown] == [f'{path}, line {number + 2}: lacks "question", a text' for number in range(shown)]
    assert "\n".join(lines[shown:]).startswith(end)
    assert lines[-1].endswith("--skip-invalid")


def test_a_set_of_wrong_lines_alone_has_no_questions_left(tmp_path: Path) -> None:
    path = write(tmp_path / "set.jsonl", "{}\n[]\n")
    with pytest.raises(QuestionSetError, match=r"holds no questions but 2 that cannot be evaluated, the first: .*"):
        read_questions(path, skip_invalid=True)


def test_in_squad_what_is_wrong_costs_only_itself(tmp_path: Path) -> None:
    good = {"question": "What fell?", "answers": [{"text": "Rain", "answer_start": 0}]}
    articles = [
        {
            "title": "A",
            "paragraphs": [{"context": "Snow?", "qas": 4}, {"context": "Rain fell.", "qas": [{}, good]}],
        },
        {"title": "B"},
        {"title": "C", "paragraphs": [{"context": "Rain again.", "qas": [good]}]},
    ]
    path = write(tmp_path / "set.json", json.dumps({"data": articles}))
    found = read_questions(path, skip_invalid=True)
    assert isinstance(found, QuestionSet)
    assert found.skipped == (
        f"{path}, article 0 ('A'), paragraph 0: lacks \"qas\", a list",
        f"{path}, article 0 ('A'), paragraph 1, question 0.1.0: lacks \"answers\", a list",
        f'{path}, article 1: lacks "paragraphs", a list',
    )
    assert [(document.path, document.text) for document in found.documents] == [
        ("set.json#0", "Rain fell."),
        ("set.json#2", "Rain again."),
    ]
    texts = {document.path: document.text for document in found.documents}
    quotes = [texts[q.document or ""][start:end] for q in found.questions for start, end in q.places]
    assert quotes == ["Rain", "Rain"]
    assert [question.id for question in found.questions] == ["0.1.1", "2.0.0"]
