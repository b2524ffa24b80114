"""What leaves an evaluation: TREC runs that trec_eval reads as meant, JSON, JUnit XML, and files written whole."""

from __future__ import annotations

import json
import os
import random
import stat
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import ir_measures
import pytest
from ir_measures import RR, R, nDCG

from epiqa.errors import EpiQAError
from epiqa.evaluation.compare import Difference
from epiqa.evaluation.export import as_json, as_jsonl, as_junit, as_trec_run, check_writable, write_text
from epiqa.evaluation.outcomes import Evaluation, RankedPassage
from fake_outcomes import make_evaluation, make_outcome, make_query, make_retrieval

HOSTILE = "a\x00b\x0b\ufffe\ud800 <&>\"'\n]]> 大连 🏥"


def test_a_trec_run_has_six_columns() -> None:
    passages = (RankedPassage("my files/a b.txt", 0, 30, 0.5), RankedPassage("c.txt", 7, 9, 0.25))
    run = as_trec_run(make_evaluation([make_outcome(1, retrieved=passages), make_outcome(2)]))
    assert run == (
        "1 Q0 my%20files/a%20b.txt:0-30 1 0.5 epiqa\n"
        "1 Q0 c.txt:7-9 2 0.25 epiqa\n"
    )  # fmt: skip


def test_what_would_break_the_columns_is_encoded_and_the_rest_left() -> None:
    odd = [("a\tb", 3.0), ("c\nd", 2.0), ("", 1.0), ("x\u00a0y\u2028z", 0.5), ("http://h/a%20b?q=大连", 0.1)]
    run = as_trec_run(make_retrieval([make_query("q 1\r", odd, {"d": 1.0})]))
    rows = [line.split() for line in run.split("\n")[:-1]]
    assert [len(row) for row in rows] == [6] * 5
    assert {row[0] for row in rows} == {"q%201%0D"}
    names = ["a%09b", "c%0Ad", "-", "x%C2%A0y%E2%80%A8z", "http://h/a%20b?q=大连"]
    assert [row[2] for row in rows] == names


def test_trec_eval_finds_the_same_measures_in_a_run_with_equal_scores() -> None:
    draw = random.Random(3)
    documents = [f"d{number}" for number in range(40)]
    queries = []
    for number in range(15):
        ranking = [
            (document, 1 / (60 + position // 4)) for position, document in enumerate(draw.sample(documents, 30))
        ]
        relevant = {document: float(draw.randrange(1, 4)) for document in draw.sample(documents, 6)}
        queries.append(make_query(f"q{number}", ranking, relevant))
    evaluation = make_retrieval(queries)
    columns = [line.split() for line in as_trec_run(evaluation).splitlines()]
    scored = [ir_measures.ScoredDoc(query, document, float(score)) for query, _, document, _, score, _ in columns]
    expected = ir_measures.calc_aggregate(
        [R @ 1, R @ 5, R @ 20, RR @ 10, nDCG @ 10],
        [
            ir_measures.Qrel(query.id, document, int(grade))
            for query in queries
            for document, grade in query.relevant.items()
        ],
        scored,
    )
    names = {"recall@1": R @ 1, "recall@5": R @ 5, "recall@20": R @ 20, "mrr@10": RR @ 10, "ndcg@10": nDCG @ 10}
    found = {name: evaluation.measures[name] for name in names}
    assert found == pytest.approx({name: expected[measure] for name, measure in names.items()})


def test_a_passage_that_is_found_twice_is_listed_once() -> None:
    passages = (RankedPassage("a.txt", 0, 3, 2.0), RankedPassage("a.txt", 0, 3, 2.0), RankedPassage("b", 0, 3, 2.0))
    run = as_trec_run(make_evaluation([make_outcome(1, retrieved=passages)]))
    assert [line.split()[2:4] for line in run.splitlines()] == [["a.txt:0-3", "1"], ["b:0-3", "2"]]


def test_json_has_the_designed_measures_on_top_and_the_rest_beside_them() -> None:
    evaluation = replace(
        make_evaluation([make_outcome(7, 0.5, confidence=0.25, question="谁?")]),
        intervals={"f1": (0.25, 0.75)},
        skipped=("line 3: is no JSON",),
    )
    content = json.loads(as_json(evaluation))
    assert list(content) == [*evaluation.measures, "settings", "intervals", "skipped", "per_question"]
    assert {name: content[name] for name in evaluation.measures} == evaluation.measures
    assert (content["intervals"], content["skipped"]) == ({"f1": [0.25, 0.75]}, ["line 3: is no JSON"])
    assert content["per_question"] == [
        {
            "id": "7",
            "question": "谁?",
            "is_answerable": True,
            "answer": "Ann",
            "confidence": 0.25,
            "exact_match": 0.0,
            "f1": 0.5,
            "has_answer_f1": 0.5,
            "is_right": True,
            "is_document_right": True,
            "verdict": "right",
            "first_hit": 1,
            "latency_ms": 12.5,
        }
    ]
    compared = json.loads(as_json(evaluation, [Difference("f1", 0.4, 0.5, -0.1, 0.3, 0.04)]))
    assert compared["differences"] == {
        "f1": {"before": 0.4, "after": 0.5, "low": -0.1, "high": 0.3, "p_value": 0.04}
    }


def test_jsonl_adds_what_was_expected_cited_and_retrieved() -> None:
    outcomes = [
        make_outcome(1, golds=("Ann", "Ann Lee"), retrieved=(RankedPassage("a.txt", 0, 9, 0.5),)),
        make_outcome(2, golds=(), is_answered=False, confidence=0.1),
    ]
    first, second = map(json.loads, as_jsonl(make_evaluation(outcomes)).splitlines())
    assert (first["id"], first["expected"], first["document"]) == ("1", ["Ann", "Ann Lee"], "a.txt")
    assert first["retrieved"] == [{"path": "a.txt", "start": 0, "end": 9, "score": 0.5}]
    citation = first["citation"]
    assert (citation["path"], citation["start"], citation["end"], citation["quote"]) == ("a.txt", 3, 6, "Ann")
    assert second["candidates"] == [{"text": "Ann", "confidence": 0.1}]
    assert (second["answer"], second["citation"], second["verdict"]) == (None, None, "right to abstain")
    (query,) = map(json.loads, as_jsonl(make_retrieval([make_query("q", [("d", 2.0)], {"d": 1.0})])).splitlines())
    assert (query["id"], query["recall@1"], query["relevant"]) == ("q", 1.0, {"d": 1.0})
    assert query["retrieved"] == [{"document": "d", "score": 2.0}]


def test_junit_has_a_case_for_each_question_and_fails_the_wrong_ones() -> None:
    outcomes = [
        make_outcome(1),
        make_outcome(2, 0.0, golds=("Bo", "Bo", "Bo Li"), question="Who left?"),
        make_outcome(3, golds=(), is_answered=False),
        make_outcome(4, 1.0, is_answered=False, confidence=0.25),
    ]
    source = as_junit(make_evaluation(outcomes))
    assert source.startswith('<?xml version="1.0" encoding="utf-8"?>\n')
    suite = ElementTree.fromstring(source)[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("time")) == ("4", "2", "0.052")
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == ["1: Who?", "2: Who left?", "3: Who?", "4: Who?"]
    assert {(case.get("classname"), case.get("time")) for case in cases} == {("set.jsonl", "0.013")}
    failures = [case.find("failure") for case in cases]
    assert [None if each is None else each.get("message") for each in failures] == [
        None,
        "misread",
        None,
        "wrongly abstained",
    ]
    assert failures[1] is not None and failures[3] is not None
    assert failures[1].text == (
        "expected: Bo | Bo Li\ngiven: Ann\nbest candidate: Ann (confidence 0.90)\ncited: a.txt:3-6"
    )
    assert failures[3].text == "expected: Ann\ngiven: no answer\nbest candidate: Ann (confidence 0.25)"


def test_a_query_fails_in_junit_when_nothing_relevant_is_among_the_first_twenty() -> None:
    ranking = [(f"d{rank}", 1 / rank) for rank in range(1, 31)]
    source = as_junit(
        make_retrieval([make_query("1", ranking, {"d20": 1.0}), make_query("2", ranking, {"d21": 1.0})])
    )
    assert [len(case) for case in ElementTree.fromstring(source)[0]] == [0, 1]


def test_junit_replaces_what_xml_cannot_hold() -> None:
    outcome = make_outcome(1, 0.0, question=HOSTILE, golds=(HOSTILE,), text=HOSTILE, path=HOSTILE)
    evaluation = replace(make_evaluation([outcome]), settings={"questions": {"name": HOSTILE}})
    case = ElementTree.fromstring(as_junit(evaluation).encode())[0][0]
    shown = "a\ufffdb\ufffd\ufffd\ufffd <&>\"'\n]]> 大连 🏥"
    assert (case.get("name"), case.get("classname")) == (f"1: {shown}", shown)
    assert f"expected: {shown}\ngiven: {shown}\n" in (case.findtext("failure") or "")


def test_half_a_surrogate_pair_survives_as_json_escapes_it(tmp_path: Path) -> None:
    evaluation = make_evaluation([make_outcome(1, question=HOSTILE)])
    write_text(tmp_path / "a.json", as_json(evaluation))
    write_text(tmp_path / "a.jsonl", as_jsonl(evaluation))
    assert json.loads((tmp_path / "a.json").read_bytes())["per_question"][0]["question"] == HOSTILE
    assert json.loads((tmp_path / "a.jsonl").read_bytes())["question"] == HOSTILE
    write_text(tmp_path / "a.run", as_trec_run(make_retrieval([make_query("\ud800", [("d", 1.0)], {"d": 1.0})])))


def test_a_file_is_replaced_whole_and_keeps_its_permissions(tmp_path: Path) -> None:
    path, link = tmp_path / "a.json", tmp_path / "link.json"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    write_text(link, "new")
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    previous = os.umask(0o022)
    try:
        write_text(tmp_path / "b.json", "b")
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "b.json").stat().st_mode) == 0o644
    assert {each.name for each in tmp_path.iterdir()} == {"a.json", "b.json", "link.json"}


def test_when_writing_fails_the_old_file_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("epiqa.evaluation.export.os.fsync", fail)
    with pytest.raises(EpiQAError, match=r"a\.json cannot be written .No space left on device"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_is_written_to_and_not_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    check_writable({"--json": Path(os.devnull), "--jsonl": Path(os.devnull)}, [])
    write_text(Path(os.devnull), "text")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
    write_text(Path("-"), "text\n")
    assert capsys.readouterr().out == "text\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo") or sys.platform == "win32", reason="there are no pipes with names")
def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(pipe, "text")
        assert os.read(reading, 10) == b"text"
    finally:
        os.close(reading)


def test_files_that_cannot_be_written_are_named_before(tmp_path: Path) -> None:
    asked = tmp_path / "set.jsonl"
    asked.write_text("")
    out = tmp_path / "out"
    check_writable({"--json": out, "--jsonl": None, "--trec": Path("-")}, [asked])
    for files, message in (
        ({"--json": tmp_path / "none" / "file"}, f"there is no folder {tmp_path / 'none'}"),
        ({"--json": tmp_path / ("a" * 300)}, "cannot be written ([Errno 36] File name too long"),
        ({"--json": tmp_path}, f"{tmp_path} cannot be written: it is a folder"),
        ({"--jsonl": asked}, f"--jsonl would overwrite the question set, {asked}: give another file"),
        ({"--json": out, "--trec": tmp_path / "." / "out"}, "--trec would overwrite the file of --json"),
        ({"--json": Path("-"), "--trec": Path("-")}, "--trec would overwrite the file of --json"),
    ):
        with pytest.raises(EpiQAError) as raised:
            check_writable(files, [asked])
        assert message in str(raised.value)


def test_an_evaluation_of_nothing_known_can_leave() -> None:
    empty = Evaluation({})
    assert (as_jsonl(empty), as_trec_run(empty)) == ("", "")
    assert json.loads(as_json(empty)) == {"settings": {}, "intervals": {}, "per_question": []}
    assert len(ElementTree.fromstring(as_junit(empty))[0]) == 0
