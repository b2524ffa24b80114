"""BEIR folders: which files are read, what is judged, and lines that cannot be used."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from epiqa.errors import QuestionSetError
from epiqa.evaluation.questions import RetrievalSet, read_questions

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
        ("qrels.tsv", "q9\td1\t1\n", "line 1: judges the query 'q9', which queries.jsonl does not hold"),
        (
            "corpus.jsonl",
            CORPUS + '{"_id": "d1", "text": "x"}',
            "line 4: the \"_id\" 'd1' is that of a line before",
        ),
        ("queries.jsonl", '{"_id": "q1", "text": "a"}\n' * 2, "line 2: the \"_id\" 'q1' is that of a line before"),
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


def test_beir_without_its_wrong_lines(tmp_path: Path) -> None:
    folder = write_beir(
        tmp_path / "beir",
        corpus=CORPUS + "{}\n",
        queries=QUERIES + '{"_id": "q4", "text": ""}\n',
        qrels=QRELS + "q4\td1\t1\nq1\td9\t1\nq1\td1\n",
    )
    found = read_questions(folder, skip_invalid=True)
    assert isinstance(found, RetrievalSet)
    assert [document.path for document in found.documents] == ["d1", "d2", "d3"]
    assert found.queries == {"q1": "opening", "q2": "bar"}
    assert found.qrels == {"q1": {"d1": 2.0, "d9": 1.0}, "q2": {"d2": 1.0}}  # d9 is relevant and never found
    assert [line.removeprefix(str(folder)).split(": ")[0] for line in found.skipped] == [
        "/corpus.jsonl, line 4",
        "/queries.jsonl, line 4",
        "/qrels.tsv, line 5",
        "/qrels.tsv, line 7",
    ]
    with pytest.raises(QuestionSetError) as error:
        read_questions(folder)
    assert str(error.value).split("\n")[:-1] == list(found.skipped)
