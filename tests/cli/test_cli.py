"""The `epiqa` command with the bundled models on the seeds: output, exit codes, and what bad input comes to."""

from __future__ import annotations

import io
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from epiqa import __version__, cli
from epiqa.errors import QuestionError
from epiqa.ingest.formats import BY_SUFFIX
from epiqa.models import lazy
from paths import FORMATS, SEEDS, SEEDS_QUESTIONS

COMMAND = [sys.executable, "-c", "from epiqa.cli import main; main()"]
ANSWERABLE = "Who presided over the meeting on February 2?"
UNANSWERABLE = "How many goals did Brazil score in 1970?"
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
PASSAGE_KEYS = [
    "document_id",
    "title",
    "path",
    "date",
    "page",
    "section",
    "start",
    "end",
    "text",
    "score",
    "dense",
    "lexical",
]


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process, as the console script does; a stack trace fails the test."""

    def run(*arguments: str | Path, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "argv", ["epiqa", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        code = caught.value.code or 0
        assert isinstance(code, int)
        return Result(code, captured.out, captured.err)

    return run


def run_process(
    *arguments: str | bytes | Path, stdin: bytes = b"", before: Callable[[], object] | None = None
) -> Result:
    """Runs the command as a process whose output is strict UTF-8, as on an ordinary desktop."""
    process = subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "utf-8:strict", "PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=before,
        timeout=300,
        check=False,
    )
    result = Result(process.returncode, process.stdout.decode(), process.stderr.decode())
    assert "Traceback" not in result.err, result.err
    return result


@pytest.fixture(scope="session")
def seeds_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the seeds, not to be changed."""
    index = tmp_path_factory.mktemp("seeds") / "index"
    result = run_process("index", SEEDS, "--index", index)
    assert (result.code, result.err.strip()) == (0, "")
    assert re.fullmatch(rf"added 3: .*\n{re.escape(str(index))} holds 3 documents in \d+ chunks\.\n", result.out)
    return index


@pytest.fixture
def own_index(seeds_index: Path, tmp_path: Path) -> Path:
    """A copy of that index, to be changed."""
    return Path(shutil.copytree(seeds_index, tmp_path / "own index"))


def seed_text(path: str) -> str:
    return unicodedata.normalize("NFC", Path(path).read_bytes().decode().replace("\r\n", "\n"))


def listed(run: Run, index: Path) -> list[str]:
    """Returns the ids of the documents in the index."""
    return re.findall(r"^[0-9a-f]{16}\b", run("documents", "--index", index).out, re.MULTILINE)


def one_object(result: Result) -> dict[str, Any]:
    """Returns the one JSON object that is all of standard output."""
    value = json.loads(result.out)
    assert isinstance(value, dict)
    assert result.out.count("\n") == 1
    return value


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


def test_search_json_has_the_promised_shape(run: Run, seeds_index: Path) -> None:
    result = run("search", "grid management", "--index", seeds_index, "--json", "--top-k", "5")
    assert (result.code, result.err) == (0, "")
    found = one_object(result)
    assert list(found) == ["query", "passages"]
    assert found["query"] == "grid management"
    assert len(found["passages"]) == 5
    for passage in found["passages"]:
        assert list(passage) == PASSAGE_KEYS
        assert seed_text(passage["path"])[passage["start"] : passage["end"]] == passage["text"]
    assert "grid management" in found["passages"][0]["text"]
    scores = [passage["score"] for passage in found["passages"]]
    assert scores == sorted(scores, reverse=True)
    assert found["passages"][0]["lexical"] > 0
    assert -1 <= found["passages"][0]["dense"] <= 1
    fewer = one_object(run("search", "grid management", "--index", seeds_index, "--json", "--top-k", "1"))
    assert fewer["passages"] == found["passages"][:1]


def test_search_prints_ranked_passages(run: Run, seeds_index: Path) -> None:
    code, out, err = run("search", "grid management", "--index", seeds_index, "--top-k", "2")
    assert (code, err) == (0, "")
    assert re.findall(r"^(\d)\. .*\.txt, characters \d+ to \d+, score 0\.\d{4}$", out, re.MULTILINE) == ["1", "2"]
    assert "implement grid management, link up and down" in out


def test_what_a_document_holds_is_printed_to_the_letter_and_moves_no_cursor(run: Run, tmp_path: Path) -> None:
    text = "Ratio notice\n\nThe ratio is 1:100:5 in :warning: [bold]wards[/bold] \x1b[31mand\x1b[0m beds."
    (tmp_path / "a.txt").write_text(text)
    run("index", tmp_path / "a.txt", "--index", tmp_path / "index")
    _, out, _ = run("search", "ratio", "--index", tmp_path / "index")
    assert "The ratio is 1:100:5 in :warning: [bold]wards[/bold] \\x1b[31mand\\x1b[0m beds." in out


def searched(run: Run, index: Path, query: str, *options: str) -> list[dict[str, Any]]:
    """Returns the passages that a search by the shell finds."""
    result = run("search", query, "--index", index, "--json", *options)
    assert (result.code, result.err) == (0, "")
    passages = one_object(result)["passages"]
    assert isinstance(passages, list)
    return passages


@pytest.mark.parametrize(
    ("options", "seeds"),
    [
        (["--document", "002_4240fd80c429d22d.txt"], {"002"}),
        (["--document", str(SEEDS / "004_5d92a0e4b413dfa2.txt")], {"004"}),
        (["--document", f"{SEEDS}/../seeds/./004_5d92a0e4b413dfa2.txt"], {"004"}),
        (["--document", "002_4240fd80c429d22d.txt", "--document", "000_b85568a49fec7b60.txt"], {"000", "002"}),
        (["--path", "seeds/00[02]_*"], {"000", "002"}),
        (["--path", "004*", "--path", "000*"], {"000", "004"}),
        (["--since", "02-03"], {"000", "004"}),
        (["--since", "--02-02", "--until", "--02-03"], {"000", "002"}),
        (["--since=2022-05-11", "--until=2022"], {"004"}),
        (["--path", "*.txt", "--until", "02-02"], {"002"}),
    ],
    ids=" ".join,
)
def test_a_search_can_be_confined(run: Run, seeds_index: Path, options: list[str], seeds: set[str]) -> None:
    everything = searched(run, seeds_index, "epidemic prevention", "--top-k", "1000")
    expected = [passage for passage in everything if Path(passage["path"]).name[:3] in seeds]
    passages = searched(run, seeds_index, "epidemic prevention", "--top-k", str(len(expected)), *options)
    assert {Path(passage["path"]).name[:3] for passage in passages} == seeds
    assert sorted(p["text"] for p in passages) == sorted(p["text"] for p in expected)


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


@pytest.mark.parametrize(
    ("query", "seed", "quote"),
    [
        ("meeting on 2 Feb.", "002", "On February 2,"),
        ("the 3rd of February", "000", "On February 3,"),
        ("2022-05-10", "004", "On May 10th"),
        ("11 May 2022", "004", "2022-05-11"),
        ("hosptial", "000", "Hospital"),
        ("Zuojan", "002", "Zuojun"),
        ("e-Dalien", "004", "e-Dalian"),
        ("4 people abnormal", "004", "four people"),
        ("symposiums", "000", "symposium"),
    ],
)
def test_what_is_written_otherwise_is_found(run: Run, seeds_index: Path, query: str, seed: str, quote: str) -> None:
    passages = searched(run, seeds_index, query, "--method", "lexical", "--top-k", "3")
    found = [passage["text"] for passage in passages if Path(passage["path"]).name.startswith(seed)]
    assert any(quote in text for text in found)


def test_every_step_of_the_search_can_be_switched(run: Run, seeds_index: Path) -> None:
    def parts(*options: str) -> set[tuple[bool, bool]]:
        passages = searched(run, seeds_index, "grid management", *options)
        return {(passage["dense"] is None, passage["lexical"] is None) for passage in passages}

    assert parts("--method", "dense") == {(False, True)}
    assert parts("--method", "lexical") == {(True, False)}
    for fused in ("fused", "rrf"):
        assert (False, False) in parts("--method", fused)
    assert searched(run, seeds_index, "hosptial", "--method", "lexical")
    assert searched(run, seeds_index, "hosptial", "--method", "lexical", "--no-rewrite") == []
    first, *_ = searched(run, seeds_index, ANSWERABLE, "--rerank", "--top-k", "1")
    assert "Tan Zuojun" in first["text"]
    for command in ("ask", "search"):
        options = ["--method", "rrf", "--no-rewrite", "--path", "002*"]
        assert run(command, ANSWERABLE, "--index", seeds_index, *options).code == 0
        code, _, err = run(command, "who?", "--index", seeds_index, "--method", "magic")
        assert code == 2
        assert "'fused', 'rrf', 'dense', 'lexical'" in err


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


@pytest.mark.parametrize(
    "arguments",
    [
        ["ask", "who?", "--top-k", "0"],
        ["ask", "who?", "--top-k", "1001"],
        ["search", "who", "--top-k", "0"],
        ["search", "who", "--top-k", "-1"],
        ["search", "who", "--top-k", "many"],
        ["ask"],
        ["ask", "two", "questions"],
        ["ask", "who?", "--unknown"],
        ["index"],
        ["documents", "remove"],
        ["evaluate", "q.jsonl", "--mode", "closed"],
        ["serve", "--port", "web"],
        ["unknown"],
        [],
    ],
    ids=" ".join,
)
def test_a_wrong_call_exits_2_and_says_how_to_call(run: Run, arguments: list[str]) -> None:
    code, out, err = run(*arguments)
    assert code == 2
    assert "Usage: epiqa" in out + err
    assert arguments == [] or (out == "" and "Error: " in err)


@pytest.mark.parametrize(
    "arguments",
    [
        ["ask", "who?"],
        ["ask", "who?", "--json"],
        ["search", "who", "--json"],
        ["chat"],
        ["serve"],
        ["verify"],
        ["documents"],
        ["documents", "list"],
        ["documents", "remove", "0123456789abcdef"],
    ],
    ids=" ".join,
)
def test_a_missing_or_damaged_index_exits_3_and_says_what_to_do(
    run: Run, own_index: Path, tmp_path: Path, arguments: list[str]
) -> None:
    missing = tmp_path / "[red]missing[/]"
    code, out, err = run(*arguments, "--index", missing)
    assert (code, out) == (3, "")
    assert err == f"epiqa: there is no index in {missing}: build one with epiqa index PATH… --index {missing}\n"
    assert not missing.exists()
    (own_index / "generations" / "g000001" / "vectors-0.faiss").write_bytes(b"")
    code, out, err = run(*arguments, "--index", own_index)
    assert (code, out) == (3, "")
    assert err.startswith(f"epiqa: the index in {own_index} is damaged: g000001/vectors-0.faiss is not the file")
    assert "build it anew: epiqa index PATH…" in err


def test_the_index_is_looked_for_in_the_working_directory(
    run: Run, seeds_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("verify") == (
        3,
        "",
        "epiqa: there is no index in index: build one with epiqa index PATH… --index index\n",
    )
    monkeypatch.chdir(seeds_index.parent)
    code, out, _ = run("verify")
    assert code == 0
    assert re.match(r"index is sound: generation g000001, 3 documents, \d+ chunks", out)


def test_verify_finds_a_changed_byte(run: Run, own_index: Path) -> None:
    text = own_index / "generations" / "g000001" / "text-0.sqlite"
    data = bytearray(text.read_bytes())
    data[len(data) // 2] ^= 1
    text.write_bytes(data)
    code, out, err = run("verify", "--index", own_index)
    assert (code, out) == (3, "")
    assert "g000001/text-0.sqlite is not the file that was written" in err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of one good file among files that cannot be read."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "good.md").write_text("# Ferries\n\nThe harbour master is Ann Lee. Ferries sail on Sundays.\n")
    (folder / "empty.txt").write_text("")
    (folder / "blank.txt").write_text(" \n\n")
    (folder / "binary.txt").write_bytes(b"\x89PNG\r\n\x00\x01")
    (folder / "nul.txt").write_bytes(b"text\0text")
    (folder / "russian.txt").write_bytes("Порт открыт по воскресеньям.".encode("cp1251"))
    (folder / "photo.png").write_bytes(b"\x89PNG")
    (folder / "[red]x[.txt").write_text("")
    return folder


def test_bad_files_are_named_with_the_reason_and_the_rest_is_indexed(
    run: Run, own_index: Path, folder: Path, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.txt"
    code, out, err = run("index", folder, missing, "--index", own_index)
    assert code == 0
    assert f"added 1: {folder / 'good.md'}\n" in out
    assert re.search(r"holds 4 documents in \d+ chunks\.\n$", out)
    assert sorted(line for line in err.splitlines() if line) == sorted(
        f"skipped {path}: {reason}"
        for path, reason in (
            (missing, "there is no such file or folder"),
            (folder / "empty.txt", "is empty"),
            (folder / "blank.txt", "is empty"),
            (
                folder / "binary.txt",
                "is not UTF-8 text (byte 0 is 0x89), nor UTF-16, GB18030 or Latin-1: save it as UTF-8",
            ),
            (folder / "nul.txt", "is not text (it holds NUL characters)"),
            (
                folder / "russian.txt",
                "is not UTF-8 text (byte 0 is 0xcf), nor UTF-16, GB18030 or Latin-1: save it as UTF-8",
            ),
            (folder / "photo.png", f"files of this kind (.png) are not read, only {', '.join(BY_SUFFIX)}"),
            (folder / "[red]x[.txt", "is empty"),
        )
    )
    code, out, _ = run("ask", "Who is the harbour master?", "--index", own_index)
    assert code == 0
    assert out.startswith("Ann Lee  (confidence ")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
def test_paths_are_read_from_standard_input(own_index: Path, tmp_path: Path, end: bytes) -> None:
    names = [tmp_path / "a b.txt", tmp_path / "c.md"]
    for name in names:
        name.write_text(f"{name.name} is here")
    result = run_process(
        "index", "-", "--index", own_index, stdin=end.join(os.fsencode(name) for name in names) + end
    )
    assert result.code == 0
    assert f"added 2: {names[0]}, {names[1]}\n" in result.out
    nothing = run_process("index", "-", "--index", own_index)
    assert (nothing.code, nothing.err) == (2, "epiqa: nothing was indexed: no path was given\n")


def test_sections_notes_and_unread_files_are_shown(run: Run, own_index: Path, tmp_path: Path) -> None:
    for name in ("chromium-pages.pdf", "chromium-scan.pdf"):
        shutil.copy(FORMATS / name, tmp_path)
    (tmp_path / "a.csv").write_text("town,harbour master\nDandong,Ann Lee\n")
    result = run("index", tmp_path / "a.csv", *sorted(tmp_path.glob("*.pdf")), "--index", own_index)
    note = "no text on page 2 of 3, which may be scans (epiqa index --ocr reads those)"
    reason = "has no text on any page (page 1): it may be a scan (epiqa index --ocr reads those)"
    assert f"note {tmp_path / 'chromium-pages.pdf'}: {note}\n" in result.err
    assert f"skipped {tmp_path / 'chromium-scan.pdf'}: {reason}\n" in result.err
    listing = run("documents", "--index", own_index).out
    rows = [line.split() for line in listing.splitlines()]
    assert any(row[-len(note.split()) :] == note.split() and "scan" in row for row in rows)
    unread = ["-", "0", str(tmp_path / "chromium-scan.pdf"), *f"not read: {reason}".split()]
    assert rows[-1] == unread
    assert run("documents", "remove", tmp_path / "chromium-scan.pdf", "--index", own_index).code == 0
    assert "chromium-scan.pdf" not in run("documents", "--index", own_index).out
    found = run("search", "harbour master", "--document", "a.csv", "--index", own_index).out
    assert f"1. a, {tmp_path / 'a.csv'}, row 1, characters 0 to " in found


def test_indexing_again_says_what_is_unchanged_and_what_was_replaced(
    run: Run, tmp_path: Path, folder: Path
) -> None:
    index = tmp_path / "index"
    good, other = folder / "good.md", folder / "other.txt"
    other.write_text("Schools\n\nSchools reopen on Monday.\n")
    assert run("index", good, other, "--index", index).out.startswith(f"added 2: {good}, {other}\n")
    other.write_text("Schools\n\nSchools reopen on Tuesday.\n")
    code, out, err = run("index", good, other, "--index", index)
    assert (code, err.strip()) == (0, "")
    assert out == f"replaced 1: {other}\nunchanged 1: {good}\n{index} holds 2 documents in 2 chunks.\n"
    texts = [
        passage["text"] for passage in one_object(run("search", "Monday", "--index", index, "--json"))["passages"]
    ]
    assert any("Tuesday" in text for text in texts)
    assert not any("Monday" in text for text in texts)
    assert run("index", good, "--index", index).out.startswith(f"unchanged 1: {good}\n")


@pytest.mark.parametrize("name", ["empty.txt", "binary.txt", "photo.png", "missing.txt", "latin.txt"])
def test_a_bad_file_alone_exits_2_and_loses_nothing(run: Run, own_index: Path, folder: Path, name: str) -> None:
    before = listed(run, own_index)
    code, out, err = run("index", folder / name, "--index", own_index)
    assert (code, out) == (2, "")
    assert f"epiqa: nothing was indexed: {folder / name}: " in err
    assert len(before) == 3
    assert listed(run, own_index) == before


def test_an_index_that_cannot_be_written_exits_2(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    code, out, err = run("index", SEEDS, "--index", tmp_path / "file" / "index")
    assert (code, out) == (2, "")
    assert f"epiqa: the index cannot be written to {tmp_path / 'file' / 'index'} (Not a directory)" in err


def test_documents_are_listed_and_removed(
    run: Run, own_index: Path, seeds_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    code, out, err = run("documents", "list", "--index", own_index)
    assert (code, err) == (0, "")
    assert run("documents", "--index", own_index).out == out
    heading, *rows = out.splitlines()
    assert heading.split() == ["ID", "Date", "Chunks", "Path", "Title", "Note"]
    assert [re.search(r"/(\d+_\w+\.txt)", row) is not None for row in rows] == [True] * 3
    assert [re.search("February 3|February 2|2022-05-11 13:00", row) is not None for row in rows] == [True] * 3
    document = one_object(run("ask", ANSWERABLE, "--json", "--index", own_index))["answers"][0]["citation"]
    assert document["document_id"] in listed(run, own_index)
    assert run("documents", "remove", document["document_id"], "--index", own_index) == (
        0,
        f"Removed {document['document_id']}.\n",
        "",
    )
    assert document["document_id"] not in listed(run, own_index)
    found = one_object(run("search", "grid management", "--index", own_index, "--json", "--top-k", "100"))
    assert document["path"] not in {passage["path"] for passage in found["passages"]}
    assert re.search("generation g000002, 2 documents", run("verify", "--index", own_index).out)
    assert Path(document["path"]).exists()
    assert len(listed(run, seeds_index)) == 3


def test_an_index_without_documents_answers_nothing(run: Run, own_index: Path) -> None:
    for document_id in listed(run, own_index):
        assert run("documents", "remove", document_id, "--index", own_index).code == 0
    assert run("ask", ANSWERABLE, "--index", own_index) == (
        1,
        "The documents don't answer this. 0 documents were searched.\n",
        "",
    )
    assert one_object(run("search", "masks", "--index", own_index, "--json")) == {"query": "masks", "passages": []}
    assert run("verify", "--index", own_index).code == 0


@pytest.mark.parametrize("unknown", ["0123456789abcdef", "", "' OR 1=1 --", "[/red]"])
def test_removing_an_unknown_document_exits_2(run: Run, own_index: Path, unknown: str) -> None:
    code, out, err = run("documents", "remove", unknown, "--index", own_index)
    assert (code, out) == (2, "")
    assert err.startswith(f"epiqa: there is no document {unknown!r} in {own_index}, nor a file of that path")
    assert f"see epiqa documents list --index {own_index}" in err
    assert len(listed(run, own_index)) == 3


def test_the_index_option_may_stand_before_the_subcommand(
    run: Run, seeds_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("documents", "--index", seeds_index, "list").code == 0


def test_chat_answers_line_by_line_until_an_empty_one(run: Run, seeds_index: Path) -> None:
    lines = [ANSWERABLE, "???", "x" * 1001, UNANSWERABLE, "", "never asked"]
    code, out, err = run("chat", "--index", seeds_index, stdin="\n".join(lines) + "\n")
    assert code == 0
    assert out.startswith("3 documents. An empty line ends the conversation.\nTan Zuojun  (confidence ")
    assert out.count("The documents don't answer this.") == 1
    assert "never asked" not in out
    messages = err.splitlines()
    assert messages[0].startswith("epiqa: the question '???' has no words")
    assert messages[1].startswith("epiqa: the question has 1001 characters")
    assert len(messages) == 2


def test_chat_ends_with_its_input(run: Run, seeds_index: Path) -> None:
    assert run("chat", "--index", seeds_index, stdin="") == (
        0,
        "3 documents. An empty line ends the conversation.\n",
        "",
    )


def test_markup_and_brackets_of_documents_are_printed_as_they_are(run: Run, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "[red]x.txt").write_text(
        "A [/bold] title\n\nThe [bold]mayor[/bold] is Ann Lee. \\[x] It rained [/] a lot.\n"
    )
    index = tmp_path / "index"
    assert "[red]x.txt" in run("index", docs, "--index", index).out
    code, out, _ = run("ask", "Who is the mayor?", "--index", index)
    assert code == 0
    assert "The [bold]mayor[/bold] is Ann Lee." in out
    assert "A [/bold] title, " in out
    assert "\\[x] It rained [/] a lot." in run("search", "rain", "--index", index).out
    assert "A [/bold] title" in run("documents", "--index", index).out


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


def test_serve_opens_the_page_where_it_is_told(
    run: Run, seeds_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[dict[str, Any]] = []

    def serve(qa: Any, **how: Any) -> None:
        served.append({"documents": qa.info.documents, **how})

    monkeypatch.setattr("epiqa.web.serve", serve)
    accounts = tmp_path / "accounts"
    accounts.write_text("ann:one:two\n\nbob: x\n", "utf-8")
    open_to_others = ("--host", "0.0.0.0", "--port", "80")
    assert run("serve", "--index", seeds_index).code == 0
    assert run("serve", "--index", seeds_index, *open_to_others, "--auth", "ann:pw").code == 0
    names = ("--allowed-host", "a.example.org", "--allowed-host", "b.example.org")
    assert run("serve", "--index", seeds_index, "--auth-file", accounts, *names).code == 0
    local: dict[str, Any] = {"documents": 3, "host": "127.0.0.1", "port": 7860, "auth": None, "allowed_hosts": ()}
    assert served == [
        local,
        {**local, "host": "0.0.0.0", "port": 80, "auth": {"ann": "pw"}},
        {**local, "auth": {"ann": "one:two", "bob": " x"}, "allowed_hosts": ["a.example.org", "b.example.org"]},
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--auth", "secret"], "--auth, line 1, is not USER:PASSWORD"),
        (["--auth", ""], "--auth holds no USER:PASSWORD"),
        (["--auth", "secret:"], "--auth, line 1, is not USER:PASSWORD"),
        (["--auth", "a:secret", "--auth-file", "f"], "choose one"),
        (["--auth-file", "no/such/file"], "no/such/file cannot be read"),
    ],
    ids=" ".join,
)
def test_a_password_that_is_none_is_refused_and_not_shown(
    run: Run, seeds_index: Path, arguments: list[str], message: str
) -> None:
    code, out, err = run("serve", "--index", seeds_index, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "secret" not in err


def test_version_and_help(run: Run) -> None:
    assert run("--version") == (0, f"epiqa {__version__}\n", "")
    code, out, _ = run("--help")
    assert code == 0
    names = ["index", "watch", "documents", "ask", "search", "chat", "serve", "evaluate", "calibrate", "verify"]
    assert sorted(re.findall(r"^  ([a-z]+) {2,}", out, re.MULTILINE)) == sorted(names)
    for name in names:
        code, out, err = run(name, "--help")
        assert (code, err) == (0, "")
        assert "--index DIR" in out


def test_an_error_message_keeps_its_brackets(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise QuestionError("odd: [/red] [bold]x \\[y]")

    monkeypatch.setattr("epiqa.cli.EpiQA.open", fail)
    assert run("verify", "--index", "none").code == 3
    assert run("ask", "who?") == (2, "", "epiqa: odd: [/red] [bold]x \\[y]\n")


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


def test_the_console_script_is_this_command(seeds_index: Path) -> None:
    script = Path(sys.executable).with_name("epiqa")
    process = subprocess.run(
        [script, "verify", "--index", seeds_index], capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert f"{seeds_index} is sound: generation g000001, 3 documents" in process.stdout


def test_a_question_of_invalid_bytes_is_asked_as_well_as_it_can_be(seeds_index: Path) -> None:
    result = run_process(
        "ask", b"Who presided over the meeting \xff on February 2?", "--index", seeds_index, "--json"
    )
    answer = one_object(result)
    assert (result.code, result.err) == (0 if answer["is_answered"] else 1, "")
    assert answer["question"] == "Who presided over the meeting ? on February 2?"


def test_a_query_of_invalid_bytes_is_searched(seeds_index: Path) -> None:
    result = run_process("search", b"grid management \xff", "--index", seeds_index, "--json")
    assert (result.code, result.err) == (0, "")
    assert "grid management" in one_object(result)["passages"][0]["text"]


def test_an_index_named_in_invalid_bytes_can_be_used(folder: Path) -> None:
    index = os.fsencode(folder.parent) + b"/\xff"
    assert run_process("index", folder / "good.md", "--index", index).code == 0
    assert run_process("verify", "--index", index).code == 0


def test_a_document_id_of_invalid_bytes_is_unknown(own_index: Path) -> None:
    assert run_process("documents", "remove", b"\xff", "--index", own_index).code == 2


def test_chat_goes_on_after_invalid_bytes(seeds_index: Path) -> None:
    result = run_process("chat", "--index", seeds_index, stdin=b"who \xff?\n" + ANSWERABLE.encode() + b"\n")
    assert result.code == 0
    assert "Tan Zuojun" in result.out


def test_files_named_in_invalid_bytes_are_indexed_or_named(folder: Path, tmp_path: Path) -> None:
    good = os.fsencode(folder) + b"/harbour \xff.txt"
    Path(os.fsdecode(good)).write_text("Harbour\n\nThe harbour is closed.\n")
    result = run_process("index", good, b"none\xfe.txt", "--index", tmp_path / "index")
    assert result.code == 0
    assert "harbour \\xff.txt" in result.out
    assert "skipped none\\xfe.txt: there is no such file or folder" in result.err


def test_a_path_longer_than_the_system_allows_is_named(run: Run, tmp_path: Path) -> None:
    code, _, err = run("index", "a" * 300, SEEDS, "--index", tmp_path / "index")
    assert code == 0
    assert "File name too long" in err


def test_a_full_disk_exits_2_and_changes_nothing(own_index: Path, folder: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    result = run_process("index", folder / "good.md", "--index", own_index, before=limit)
    assert (result.code, result.out) == (2, "")
    assert run_process("verify", "--index", own_index).code == 0


def test_an_interrupt_is_no_trace_and_no_answer(seeds_index: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "chat", "--index", str(seeds_index)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        text=True,
        # A shell's background job starts with it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith("3 documents.")
        # One that comes between Python's last look for signals and its reading of a line is seen after the line.
        for _ in range(5):
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                assert process.wait(4) == 130
                break
        assert process.poll() == 130
        assert "Traceback" not in process.stderr.read()
