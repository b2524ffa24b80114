"""What the README says is what there is: its commands and its code are run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

import epiqa
from epiqa import cli
from paths import ROOT

README = (ROOT / "README.md").read_text("utf-8")
SHARED_SEEDS = ROOT.parent / "shared" / "seeds"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the seeds and the question set, and nothing else, to work in."""
    shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
    shutil.copytree(ROOT / "tests" / "data", tmp_path / "tests" / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_of_the_readme_run(
    checkout: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line.partition("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith("epiqa ") and "PATH" not in line]
    assert {command[1] for command in commands} == {"index", "ask", "search", "documents", "verify", "evaluate"}
    for command in commands:
        monkeypatch.setattr("sys.argv", command)
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        assert exit_.value.code == 0, command
    assert '"text": "Tan Zuojun"' in capsys.readouterr().out


def test_the_code_of_the_readme_runs(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = next(block for block in blocks("python") if "EpiQA.build" in block)
    exec(compile(code, "README.md", "exec"), {})
    answer, sentence = capsys.readouterr().out.splitlines()
    assert answer.startswith("Tan Zuojun 0.")
    assert "Tan Zuojun" in sentence
    assert "seeds/002_4240fd80c429d22d.txt" in sentence


def test_the_table_of_the_readme_lists_the_commands() -> None:
    group = get_command(cli.app)
    assert isinstance(group, TyperGroup)
    assert sorted(re.findall(r"^\| `epiqa (\w+)", README, re.MULTILINE)) == sorted(group.commands)


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_version_is_one() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    assert re.findall(r'^version = "(.+)"$', project, re.MULTILINE) == [epiqa.__version__]
    assert f"## {epiqa.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.skipif(not SHARED_SEEDS.is_dir(), reason="the originals of the seeds are not here")
def test_the_seeds_are_unchanged() -> None:
    originals = {path.name: path.read_bytes() for path in SHARED_SEEDS.iterdir()}
    assert {path.name: path.read_bytes() for path in (ROOT / "seeds").iterdir()} == originals
