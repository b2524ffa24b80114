"""Question sets: three forms told apart by content, offsets exact after normalisation, errors that say where."""

from __future__ import annotations

import gzip
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from epiqa.errors import QuestionSetError
from epiqa.evaluation.questions import Question, QuestionSet, RetrievalSet, read_questions

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
CORPUS = (
    '{"_id": "d1", "title": "Harbour", "text": "It opened."}\n'
    '{"_id": "d2", "text": "Cafe\\u0301\\r\\nbar"}\n'
    '{"_id": "d3", "title": "Empty", "text": " "}\n'
)
QUERIES = '{"_id": "q1", "text": "opening"}\n{"_id": "q2", "text": "bar"}\n{"_id": "q3", "text": "not judged"}\n'
QRELS = "query-id\tcorpus-id\tscore\nq2\td2\t1\nq1\td1\t2\nq1\td2\t0\n"


def write(path: Path, text: str, *, is_gzipped: bool = False) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if is_gzipped else text.encode())
    return path


def write_beir(folder: Path, *, corpus: str = CORPUS, queries: str = QUERIES, qrels: str = QRELS) -> Path:
    write(folder / "corpus.jsonl", corpus)
    write(folder / "queries.jsonl", queries)
    write(folder / "qrels.tsv", qrels)
    return folder


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
            Question("Who spoke?", ("Wang", "Mayor Wang"), document="a.txt"),
            Question("Who slept?", ()),
            Question("哪里？", ("大连",)),
        )
    )


def test_one_line_of_jsonl_is_not_taken_for_squad(tmp_path: Path) -> None:
    path = write(tmp_path / "one.json", '{"question": "Which data?", "answers": ["data"]}')
    assert read_questions(path) == QuestionSet((Question("Which data?", ("data",)),))


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
        Question("When did it open?", ("in 1899", "1899"), name, ((10, 17), (13, 17)), first, title),
        Question("What left?", ("Ships",), name, ((32, 37),), second, title),
        Question("What sank?", (), name, (), second, title),
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


@pytest.mark.parametrize("is_gzipped", [False, True])
def test_beir(tmp_path: Path, is_gzipped: bool) -> None:
    suffix = ".gz" if is_gzipped else ""
    write(tmp_path / f"corpus.jsonl{suffix}", CORPUS, is_gzipped=is_gzipped)
    write(tmp_path / f"queries.jsonl{suffix}", QUERIES, is_gzipped=is_gzipped)
    write(tmp_path / f"qrels.tsv{suffix}", QRELS, is_gzipped=is_gzipped)
    found = read_questions(tmp_path)
    assert isinstance(found, RetrievalSet)
    assert [(document.path, document.title, document.text) for document in found.documents] == [
        ("d1", "Harbour", "It opened."),
        ("d2", "Café", "Café\nbar"),
        ("d3", "Empty", "Empty"),  # a title alone is a text to find, too
    ]
    assert found.queries == {"q1": "opening", "q2": "bar"}
    assert found.qrels == {"q1": {"d1": 2.0}, "q2": {"d2": 1.0}}


def test_beir_prefers_the_test_split_and_takes_the_only_file_of_a_kind(tmp_path: Path) -> None:
    write(tmp_path / "corpus_small.jsonl", CORPUS)
    write(tmp_path / "queries_dev.jsonl", QUERIES)
    write(tmp_path / "qrels.tsv", QRELS)
    write(tmp_path / "qrels" / "test.tsv", "q3\td2\t3\n\n")
    found = read_questions(tmp_path)
    assert isinstance(found, RetrievalSet)
    assert found.queries == {"q3": "not judged"}
    assert found.qrels == {"q3": {"d2": 3.0}}


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
        ('{"data": 5}', "article 0 is not as SQuAD has them"),
        ('{"data": [{"title": "T"}]}', "article 0 is not as SQuAD has them (KeyError: 'paragraphs')"),
        ('{"data": [{"paragraphs": []}, "x"]}', "article 1 is not as SQuAD has them"),
        (squad("It rained.", {"question": "What?"}), "article 0 is not as SQuAD has them (KeyError: 'answers')"),
        (squad("It rained.", {"answers": []}), "article 0 is not as SQuAD has them (KeyError: 'question')"),
        (squad("It rained.", {"question": "What?", "answers": [{"text": "It"}]}), "(KeyError: 'answer_start')"),
    ],
)
def test_a_malformed_set_is_refused_by_file_and_line(tmp_path: Path, text: str, wrong: str) -> None:
    path = write(tmp_path / "set.json", text)
    with pytest.raises(QuestionSetError, match=re.escape(str(path))) as error:
        read_questions(path)
    assert wrong in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "wrong"),
    [
        ("corpus.jsonl", '{"_id": "d1", "text": "x"}\n{"_id": 2, "text": "x"}', 'line 2: lacks "_id" or "text"'),
        ("corpus.jsonl", '{"_id": "d1"}', 'line 1: lacks "_id" or "text"'),
        ("corpus.jsonl", "d1", "line 1: is not JSON"),
        ("queries.jsonl", '{"_id": "q1", "text": null}', 'line 1: lacks "_id" or "text"'),
        ("queries.jsonl", '\n["q1"]', "line 2: is not a JSON object"),
        ("qrels.tsv", "query-id\tcorpus-id\tscore\nq1\td1\n", "line 2: is not a query, a document and a grade"),
        ("qrels.tsv", "q1\td1\t1\nq2\td2\thigh\n", "line 2: is not a query, a document and a grade"),
        ("qrels.tsv", "q1\td1\tinf\n", "line 1: is not a query, a document and a grade"),
        ("corpus.jsonl", '{"_id": "d1", "title": 5, "text": "x"}', "line 1: lacks"),
        ("qrels.tsv", "q1 0 d1 1\n", "line 1: is not a query, a document and a grade"),
        ("qrels.tsv", "q9\td1\t1\n", "judges the query 'q9', which queries.jsonl does not hold"),
    ],
)
def test_a_malformed_beir_file_is_refused_by_file_and_line(
    tmp_path: Path, name: str, text: str, wrong: str
) -> None:
    write_beir(tmp_path / "beir")
    path = write(tmp_path / "beir" / name, text)
    with pytest.raises(QuestionSetError, match=re.escape(str(path))) as error:
        read_questions(tmp_path / "beir")
    assert wrong in str(error.value)


def test_a_beir_folder_must_hold_each_file_once_and_a_judged_query(tmp_path: Path) -> None:
    folder = write_beir(tmp_path / "beir", qrels="q1\td1\t0\n")
    with pytest.raises(QuestionSetError, match="beir: holds no documents or no judged queries"):
        read_questions(folder)
    (folder / "qrels.tsv").unlink()
    with pytest.raises(QuestionSetError, match=r"beir: a BEIR folder has one qrels\.tsv, here is none"):
        read_questions(folder)
    write(folder / "qrels_a.tsv", QRELS)
    write(folder / "qrels_b.tsv", QRELS)
    with pytest.raises(QuestionSetError, match=r"one qrels\.tsv, here is qrels_a\.tsv, qrels_b\.tsv"):
        read_questions(folder)


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
    paragraph = {"context": "Dr. Wu spoke.", "qas": [{"question": question, "answers": []}]}
    path = tmp_path / "set.json"
    path.write_text(json.dumps({"data": [{"title": "T", "paragraphs": [paragraph]}]}), encoding="utf-8")
    with pytest.raises(QuestionSetError, match="article 0 is not as SQuAD has them"):
        read_questions(path)
