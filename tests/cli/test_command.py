"""The command as a whole: wrong calls, help, `serve`, and interrupts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cli.shell import (
    COMMAND,
    Run,
    run_process,
)
from epiqa import __version__
from epiqa.errors import QuestionError


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


def test_the_console_script_is_this_command(seeds_index: Path) -> None:
    script = Path(sys.executable).with_name("epiqa")
    process = subprocess.run(
        [script, "verify", "--index", seeds_index], capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert f"{seeds_index} is sound: generation g000001, 3 documents" in process.stdout


def test_an_index_named_in_invalid_bytes_can_be_used(folder: Path) -> None:
    index = os.fsencode(folder.parent) + b"/\xff"
    assert run_process("index", folder / "good.md", "--index", index).code == 0
    assert run_process("verify", "--index", index).code == 0


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
