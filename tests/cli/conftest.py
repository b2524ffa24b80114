"""Fixtures that these tests share."""

from __future__ import annotations

import io
import re
import shutil
import sys
from pathlib import Path

import pytest

from cli.shell import (
    Result,
    Run,
    run_process,
)
from epiqa import cli
from paths import SEEDS


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
