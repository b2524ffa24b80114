"""`epiqa search`: passages, filters, and ways of searching."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.shell import (
    ANSWERABLE,
    Run,
    one_object,
    run_process,
    searched,
    seed_text,
)
from paths import SEEDS

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


def test_a_query_of_invalid_bytes_is_searched(seeds_index: Path) -> None:
    result = run_process("search", b"grid management \xff", "--index", seeds_index, "--json")
    assert (result.code, result.err) == (0, "")
    assert "grid management" in one_object(result)["passages"][0]["text"]
