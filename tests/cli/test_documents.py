"""`epiqa documents`: the list, and what is removed from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.shell import (
    ANSWERABLE,
    Run,
    listed,
    one_object,
    run_process,
)


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


def test_a_document_id_of_invalid_bytes_is_unknown(own_index: Path) -> None:
    assert run_process("documents", "remove", b"\xff", "--index", own_index).code == 2
