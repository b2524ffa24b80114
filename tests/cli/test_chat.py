"""`epiqa chat`: a conversation on standard input."""

from __future__ import annotations

from pathlib import Path

from cli.shell import (
    ANSWERABLE,
    UNANSWERABLE,
    Run,
    run_process,
)


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


def test_chat_goes_on_after_invalid_bytes(seeds_index: Path) -> None:
    result = run_process("chat", "--index", seeds_index, stdin=b"who \xff?\n" + ANSWERABLE.encode() + b"\n")
    assert result.code == 0
    assert "Tan Zuojun" in result.out
