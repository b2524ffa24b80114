"""`epiqa evaluate` with fakes: its files, comparisons and limits, what it prints, and its exit codes."""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from epiqa import cli
from epiqa.answering.calibration import FEATURES, Calibration
from epiqa.sync.operations import add_paths
from fakes import KeywordReader, WordEmbedder

CALIBRATION = Calibration(0.0, dict.fromkeys(FEATURES, 0.0) | {"margin": 1.0}, threshold=0.5, reader="")

BUNDLED = "all-MiniLM-L6-v2-fake"  # whose index is opened without naming it again


class Result(NamedTuple):
    code: int
    out: str
    err: str


Evaluate = Callable[..., Result]


class UnsureReader(KeywordReader):
    """Has no answer to anything."""

    fingerprint = "unsure"

    def read(self, *arguments):  # type: ignore[no-untyped-def]
        return []


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Evaluate:
    """Runs `epiqa evaluate`, with an index of one document in `index`, in the folder of the test."""
    monkeypatch.setattr("epiqa.models.embedder.load_embedder", lambda name: WordEmbedder(BUNDLED))
    monkeypatch.setattr("epiqa.text_qa.load_reader", lambda name: KeywordReader())
    for module in ("live_index", "text_qa"):
        monkeypatch.setattr(f"epiqa.{module}.bundled_calibration", lambda: CALIBRATION)
    monkeypatch.chdir(tmp_path)
    Path("harbour.txt").write_text("Harbour budget\n\nThey met. answer: seven million", encoding="utf-8")
    add_paths(["harbour.txt"], "index")

    def run(*arguments: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["epiqa", "evaluate", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        code = caught.value.code or 0
        assert isinstance(code, int)
        return Result(code, captured.out, captured.err)

    return run


def write_set(name: str, questions: int = 4) -> str:
    """Writes questions, every fourth of which is answered wrongly, and every fourth rightly; two have no answer."""
    golds = [["seven million"], [], ["nine"], []]
    rows = [
        {"question": f"Harbour budget {number}?", "answers": golds[number % 4], "answerable": number % 2 == 0}
        | {"document": "harbour.txt" if number % 2 == 0 else None}
        for number in range(questions)
    ]
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return name


def test_every_file_is_written_and_the_measures_printed(evaluate: Evaluate) -> None:
    files = ["--json", "a.json", "--jsonl", "a.jsonl", "--trec", "a.run", "--junit", "a.xml", "--report", "a.html"]
    code, out, err = evaluate(write_set("set.jsonl"), *files)
    assert (code, err) == (0, "")
    content = json.loads(Path("a.json").read_text("utf-8"))
    assert (content["f1"], content["intervals"]["f1"]) == (0.25, [0.0, 0.75])
    assert content["settings"]["questions"]["name"] == "set.jsonl"
    assert [row["verdict"] for row in content["per_question"]] == [
        *("right", "answered the unanswerable", "not retrieved", "answered the unanswerable")
    ]
    assert [json.loads(line)["id"] for line in Path("a.jsonl").read_text("utf-8").splitlines()] == list("1234")
    assert re.fullmatch(r"(\d Q0 harbour.txt:0-\d+ 1 \S+ epiqa\n){4}", Path("a.run").read_text("utf-8"))
    assert ElementTree.parse("a.xml").getroot()[0].get("failures") == "3"
    assert "Harbour budget 3?" in Path("a.html").read_text("utf-8")
    assert re.search(r"^ +value   95 % interval\nquestions +4\n", out)
    assert re.search(r"^f1 +0\.2500   0\.0000 to 0\.7500$", out, re.MULTILINE)
    assert re.search(r"^citation\.verbatim +1\.0000$", out, re.MULTILINE)


def test_standard_output_holds_one_form_and_nothing_else(evaluate: Evaluate) -> None:
    asked = write_set("set.jsonl")
    assert json.loads(evaluate(asked, "--json", "-").out)["questions"] == 4
    assert evaluate(asked, "--trec", "-").out.count(" Q0 ") == 4
    code, _, err = evaluate(asked, "--trec", "-", "--json", "-")
    assert (code, "would overwrite" in err) == (2, True)


def test_a_run_is_compared_with_its_baseline(evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = write_set("set.jsonl", 24)
    assert evaluate(asked, "--json", "old.json").code == 0
    code, out, _ = evaluate(asked, "--baseline", "old.json")
    assert code == 0
    assert "\nCompared with old.json on the 24 questions of both:\n      " in out
    assert re.search(r"^f1 +0\.2500 +0\.2500 +\+0\.0000   \+0\.0000 to \+0\.0000 +1\.0000$", out, re.MULTILINE)

    monkeypatch.setattr("epiqa.text_qa.load_reader", lambda name: UnsureReader())
    code, out, _ = evaluate(asked, "--baseline", "old.json", "--json", "new.json", "--report", "new.html")
    assert code == 0
    assert "  reader: keywords, now unsure\n" in out
    assert re.search(
        r"^no_answer_accuracy +0\.0000 +1\.0000 +\+1\.0000   \+1\.0000 to \+1\.0000 +0\.000\d$", out, re.M
    )
    found = json.loads(Path("new.json").read_text("utf-8"))["differences"]
    assert (found["f1"]["before"], found["f1"]["after"]) == (0.25, 0.5)
    # Six questions were right and are not, twelve the other way round: 31180 of 2**18 signs go that far, twice.
    assert found["f1"]["p_value"] == pytest.approx(2 * 31180 / 2**18, abs=0.015)

    assert (
        evaluate(write_set("more.jsonl", 26), "--baseline", "old.json").out.count(
            "on the 24 questions of both of 26 here and 24 there:"
        )
        == 1
    )


def test_a_baseline_that_does_not_fit_is_found_before_anything_is_asked(evaluate: Evaluate) -> None:
    Path("old.json").write_text('{"f1": 0.5}', encoding="utf-8")
    asked = write_set("set.jsonl", 24)
    # The missing index would be found as soon as a question is asked.
    code, out, err = evaluate(asked, "--baseline", "old.json", "--index", "none")
    assert (code, out) == (2, "")
    assert 'old.json: the baseline has no rows of questions ("per_question")' in err
    evaluate(write_set("few.jsonl", 2), "--json", "few.json")
    code, out, err = evaluate(asked, "--baseline", "few.json", "--index", "none")
    assert (code, out) == (2, "")
    assert "of the 24 asked here, 2 are among its 2 by id and text, and at least 20 must be" in err


def test_a_measure_that_misses_its_limit_exits_1_with_the_figure(evaluate: Evaluate) -> None:
    asked = write_set("set.jsonl")
    assert (
        evaluate(asked, "--fail-under", "f1=0.25", "--fail-under", "verbatim=1", "--fail-over", "seconds=60").code
        == 0
    )
    limits = ["--fail-under", "f1=0.8", "--fail-under", "recall@1=0.5", "--fail-over", "ece=0.1"]
    code, out, err = evaluate(asked, *limits, "--json", "a.json")
    assert code == 1
    assert err == (
        "epiqa: f1 is 0.25, less than 0.8 (--fail-under)\n"
        "epiqa: calibration.ece is 0.75, more than 0.1 (--fail-over)\n"
    )
    assert re.search(r"^f1 +0\.2500 ", out, re.MULTILINE)
    assert Path("a.json").exists()


def test_a_limit_that_cannot_be_kept_exits_2_before_anything_is_asked_if_that_is_known(evaluate: Evaluate) -> None:
    asked = write_set("set.jsonl")
    for limit in (["--fail-under", "f2=0.8"], ["--fail-under", "f1"], ["--fail-under", "ece=0.1"]):
        code, out, _ = evaluate(asked, *limit, "--index", "none")
        assert (code, out) == (2, "")
    code, out, err = evaluate(asked, "--fail-under", "ndcg@10=0.5", "--json", "a.json")
    assert (code, out, Path("a.json").exists()) == (2, "", False)
    assert "ndcg@10 does not apply to these questions" in err


def test_lines_that_are_skipped_are_said_on_standard_error(evaluate: Evaluate) -> None:
    path = Path(write_set("set.jsonl"))
    path.write_text(path.read_text("utf-8") + '{"question": 3}\n', encoding="utf-8")
    assert evaluate("set.jsonl").code == 2
    code, out, err = evaluate("set.jsonl", "--skip-invalid", "--json", "-")
    assert code == 0
    assert re.fullmatch(r'skipped set\.jsonl, line 5: lacks "question", a text\n', err)
    assert json.loads(out)["questions"] == 4
    assert len(json.loads(out)["skipped"]) == 1


def test_files_that_cannot_be_written_exit_2_before_anything_is_asked(evaluate: Evaluate) -> None:
    asked = write_set("set.jsonl")
    for option in ("--json", "--jsonl", "--trec", "--junit", "--report"):
        for path, message in (
            ("none/file", "none/file cannot be written: there is no folder none"),
            (".", ". cannot be written: it is a folder"),
            (asked, f"{option} would overwrite the question set, set.jsonl: give another file"),
        ):
            code, out, err = evaluate(asked, option, path, "--index", "none")
            assert (code, out) == (2, "")
            assert f"epiqa: {message}" in err
    assert "Harbour" in Path(asked).read_text("utf-8")


def test_a_trec_run_needs_a_search(evaluate: Evaluate) -> None:
    code, out, err = evaluate(write_set("set.jsonl"), "--mode", "reader", "--trec", "a.run")
    assert (code, out) == (2, "")
    assert "--trec needs --mode open" in err


def test_a_retrieval_set_can_be_compared_and_exported(evaluate: Evaluate) -> None:
    folder = Path("beir")
    folder.mkdir()
    texts = {"d 1": "harbour budget", "d2": "bridge opening"}
    for name, lines in {
        "corpus.jsonl": [json.dumps({"_id": name, "text": text}) for name, text in texts.items()],
        "queries.jsonl": ['{"_id": "q", "text": "harbour budget"}'],
        "qrels.tsv": ["q\td 1\t1"],
    }.items():
        (folder / name).write_text("\n".join(lines), encoding="utf-8")
    assert evaluate(folder, "--json", "old.json", "--trec", "a.run", "--junit", "a.xml").code == 0
    assert Path("a.run").read_text("utf-8").startswith("q Q0 d%201 1 ")
    code, out, _ = evaluate(folder, "--baseline", "old.json", "--fail-under", "ndcg@10=1")
    assert code == 0
    assert "Compared with old.json on the 1 questions of both:" in out
