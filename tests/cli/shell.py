"""Running the `epiqa` command in tests: its output, errors and exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

COMMAND = [sys.executable, "-c", "from epiqa.cli import main; main()"]


ANSWERABLE = "Who presided over the meeting on February 2?"


UNANSWERABLE = "How many goals did Brazil score in 1970?"


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


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


def searched(run: Run, index: Path, query: str, *options: str) -> list[dict[str, Any]]:
    """Returns the passages that a search by the shell finds."""
    result = run("search", query, "--index", index, "--json", *options)
    assert (result.code, result.err) == (0, "")
    passages = one_object(result)["passages"]
    assert isinstance(passages, list)
    return passages
