"""`epiqa ask`: the answer, its JSON, what is held back, and questions that are strange or wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
import unicodedata
from pathlib import Path

import pytest

from cli.shell import (
    ANSWERABLE,
    UNANSWERABLE,
    Run,
    one_object,
    run_process,
    seed_text,
)
from epiqa.models import lazy

CITATION_KEYS = [
    "document_id",
    "title",
    "path",
    "date",
    "page",
    "section",
    "start",
    "end",
    "quote",
    "before",
    "after",
]


def test_ask_prints_the_answer_with_its_citation(run: Run, seeds_index: Path) -> None:
    code, out, err = run("ask", ANSWERABLE, "--index", seeds_index)
    assert (code, err) == (0, "")
    assert re.match(r"Tan Zuojun  \(confidence 0\.\d\d\)\n  “", out)
    assert re.search(r"  — .+, February 2, .*002_4240fd80c429d22d\.txt, characters \d+ to \d+\n", out)


def test_ask_json_has_the_promised_shape_and_quotes_to_the_letter(run: Run, seeds_index: Path) -> None:
    result = run("ask", ANSWERABLE, "--index", seeds_index, "--json")
    assert (result.code, result.err) == (0, "")
    answer = one_object(result)
    assert list(answer) == [
        "question",
        "is_answered",
        "text",
        "confidence",
        "answers",
        "timings_ms",
        "index",
    ]
    assert (answer["question"], answer["is_answered"], answer["text"]) == (ANSWERABLE, True, "Tan Zuojun")
    assert list(answer["timings_ms"]) == ["retrieve", "read", "answer", "total"]
    parts = [answer["timings_ms"][name] for name in ("retrieve", "read", "answer")]
    assert min(parts) > 0
    assert answer["timings_ms"]["total"] == pytest.approx(sum(parts), abs=0.1)
    assert list(answer["index"]) == ["generation", "documents", "chunks"]
    assert (answer["index"]["generation"], answer["index"]["documents"]) == ("g000001", 3)
    first = answer["answers"][0]
    assert (first["text"], first["confidence"]) == (answer["text"], answer["confidence"])
    assert 0 < answer["confidence"] <= 1
    for row in answer["answers"]:
        assert list(row) == ["text", "confidence", "citation"]
        citation = row["citation"]
        assert list(citation) == CITATION_KEYS
        text = seed_text(citation["path"])
        start, end = citation["start"], citation["end"]
        assert text[start:end] == citation["quote"] == row["text"]
        assert text[:start].endswith(citation["before"])
        assert text[end:].startswith(citation["after"])
        assert text.startswith(citation["title"])
        assert citation["date"] in text
        assert citation["page"] is None
    confidences = [row["confidence"] for row in answer["answers"]]
    assert confidences == sorted(confidences, reverse=True)


def test_ask_without_an_answer_exits_1_and_shows_the_nearest_passages(run: Run, seeds_index: Path) -> None:
    code, out, err = run("ask", UNANSWERABLE, "--index", seeds_index)
    assert (code, err) == (1, "")
    assert out.startswith("The documents don't answer this. 3 documents were searched.\nThe nearest passages:\n1. ")
    assert re.findall(r"^(\d)\. .*, score 0\.\d{4}$", out, re.MULTILINE) == ["1", "2", "3"]
    result = run("ask", UNANSWERABLE, "--index", seeds_index, "--json")
    answer = one_object(result)
    assert (result.code, result.err) == (1, "")
    assert (answer["is_answered"], answer["text"], answer["answers"]) == (False, None, [])


def test_ask_shows_what_it_held_back_as_such(run: Run, seeds_index: Path) -> None:
    code, out, _ = run("ask", "Who attended?", "--index", seeds_index)
    assert code == 1
    assert re.search(
        r"^Held back, because it is not sure enough: deputy commander-in-chief  \(confidence 0\.\d\d\)\n  “",
        out,
        re.M,
    )
    assert "Held back" not in run("ask", UNANSWERABLE, "--index", seeds_index).out


def test_ask_holds_back_what_is_less_sure_than_it_is_told(run: Run, seeds_index: Path) -> None:
    assert run("ask", ANSWERABLE, "--index", seeds_index, "--min-confidence", "1").code == 1
    assert run("ask", UNANSWERABLE, "--index", seeds_index, "--min-confidence", "0").code == 0
    for wrong in ("1.5", "-0.1", "high"):
        assert run("ask", ANSWERABLE, "--index", seeds_index, "--min-confidence", wrong).code == 2


def test_an_answer_comes_from_the_documents_named(run: Run, seeds_index: Path) -> None:
    options = ["--document", "000_b85568a49fec7b60.txt", "--path", "000*", "--since", "02-03", "--until", "02-03"]
    asked = run("ask", ANSWERABLE, "--index", seeds_index, "--json", "--min-confidence", "0", *options)
    assert {Path(row["citation"]["path"]).name[:3] for row in one_object(asked)["answers"]} == {"000"}


def test_an_unanswered_question_counts_the_documents_that_were_searched(run: Run, seeds_index: Path) -> None:
    code, out, _ = run("ask", UNANSWERABLE, "--index", seeds_index, "--until", "02-02")
    assert (code, out.split("\n")[0]) == (1, "The documents don't answer this. 1 document was searched.")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--document", "none.txt"], "there is no document 'none.txt' in the index: see epiqa documents list"),
        (["--document", ""], "there is no document '' in the index"),
        (["--document", "a\x1b[31m"], "there is no document 'a\\x1b[31m' in the index"),
        (["--path", "my reports/*"], "no document meets --path 'my reports/*': see epiqa documents list for paths"),
        (["--since", "2023"], "no document meets --since 2023: see epiqa documents list"),
        (["--since", "yesterday"], "since is 'yesterday', not a day: give one as 2022-02-03"),
        (["--until", "2022-02-30"], "until is '2022-02-30', not a day"),
        (["--since", "2022-05", "--until", "2022-04"], "since 2022-05 is after until 2022-04: exchange them"),
    ],
)
def test_a_filter_that_is_wrong_exits_2_and_says_why(
    run: Run, seeds_index: Path, options: list[str], message: str
) -> None:
    code, out, err = run("search", "masks", "--index", seeds_index, "--json", *options)
    assert (code, out) == (2, "")
    assert err.startswith(f"epiqa: {message}")


def test_ask_with_a_wrong_filter_exits_2(run: Run, seeds_index: Path) -> None:
    code, out, err = run("ask", "Masks?", "--index", seeds_index, "--document", "none.txt")
    assert (code, out) == (2, "")
    assert err.startswith("epiqa: there is no document 'none.txt' in the index")


@pytest.mark.parametrize(
    ("question", "options", "message"),
    [
        ("Masks?", ["--since", "yesterday"], "since is 'yesterday', not a day"),
        ("Masks?", ["--since", "2023"], "no document meets --since 2023"),
        (" ", [], "the question is empty"),
    ],
)
def test_a_wrong_call_of_ask_loads_no_reader(
    run: Run, seeds_index: Path, monkeypatch: pytest.MonkeyPatch, question: str, options: list[str], message: str
) -> None:
    loaded: list[object] = []
    monkeypatch.setattr("epiqa.text_qa.load_reader", loaded.append)
    code, _, err = run("ask", question, "--index", seeds_index, *options)
    for thread in threading.enumerate():
        if thread.name == lazy.THREAD:
            thread.join()
    assert (code, loaded) == (2, [])
    assert err.startswith(f"epiqa: {message}")


@pytest.mark.parametrize("command", ["ask", "search"])
@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("", "the question is empty"),
        (" \n\t ", "the question is empty"),
        ("x" * 10_000, "the question has 10000 characters, more than 1000"),
        ("?!… —", "the question '?!… —' has no words"),
        ("😷😷", "the question '😷😷' has no words"),
        ("[/][]", "the question '[/][]' has no words"),
    ],
    ids=["empty", "blank", "long", "punctuation", "emoji", "markup"],
)
def test_a_question_that_cannot_be_asked(
    run: Run, seeds_index: Path, command: str, question: str, message: str
) -> None:
    code, out, err = run(command, question, "--index", seeds_index, "--json")
    assert (code, out) == (2, "")
    assert err.startswith(f"epiqa: {message}")


@pytest.mark.parametrize(
    "question",
    [
        "谁主持了二月二日的会议？",
        "<script>alert(1)</script><img src=x onerror=alert(2)>",
        '" OR NEAR( * ^ AND NOT title:x -y {a b}',
        "what's \"rice bags\"? '; DROP TABLE chunks; --",
        "masks\0meeting",
        "[red]masks[/blue] \\[x]",
        "where when what who",
        "word " * 199,
        "é" * 1000,
        "ﷺ mixed עברית and العربية",
    ],
    ids=["chinese", "html", "fts5", "quotes", "nul", "markup", "stopwords", "words", "limit", "arabic"],
)
def test_a_strange_question_is_asked_like_any_other(run: Run, seeds_index: Path, question: str) -> None:
    asked = run("ask", question, "--index", seeds_index, "--json")
    answer = one_object(asked)
    assert (asked.code, asked.err) == (0 if answer["is_answered"] else 1, "")
    assert answer["question"] == unicodedata.normalize("NFC", question).strip()
    searched = run("search", question, "--index", seeds_index, "--json")
    assert (searched.code, searched.err) == (0, "")
    found = one_object(searched)
    assert found["query"] == question
    assert len(found["passages"]) == 10


@pytest.mark.parametrize("question", ["<b>masks</b> [red]and[/blue] \\[x]", "masks\0meeting \x1b[31m"])
def test_a_strange_question_without_json(run: Run, seeds_index: Path, question: str) -> None:
    code, out, err = run("ask", question, "--index", seeds_index)
    assert (code, err) == (1, "")
    assert out.startswith("The documents don't answer this.")


WATCHED = """
import sys
opened = []
sys.addaudithook(lambda event, _: opened.append(event) if event.startswith("socket.") else None)
from epiqa.cli import main
try:
    main()
finally:
    heavy = {"torch", "sentence_transformers", "transformers", "gradio"} & set(sys.modules)
    print(sorted(heavy), opened, file=sys.stderr)
"""


def test_asking_in_a_fresh_process_is_quick_light_and_offline(seeds_index: Path) -> None:
    command = [sys.executable, "-c", WATCHED, "ask", ANSWERABLE, "--index", str(seeds_index), "--json"]
    seconds = []
    for _ in range(2):  # the first may have to wait for the disk
        begun = time.perf_counter()
        process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        seconds.append(time.perf_counter() - begun)
        assert (process.returncode, process.stderr) == (0, "[] []\n")
        assert json.loads(process.stdout)["text"] == "Tan Zuojun"
    assert min(seconds) < 3


def test_a_question_of_invalid_bytes_is_asked_as_well_as_it_can_be(seeds_index: Path) -> None:
    result = run_process(
        "ask", b"Who presided over the meeting \xff on February 2?", "--index", seeds_index, "--json"
    )
    answer = one_object(result)
    assert (result.code, result.err) == (0 if answer["is_answered"] else 1, "")
    assert answer["question"] == "Who presided over the meeting ? on February 2?"
