"""README and docs say what there is: their commands and code are run, their options and links looked up."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

import epiqa
from epiqa import EpiQA, cli
from paths import ROOT

README = (ROOT / "README.md").read_text("utf-8")
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted(ROOT.glob("docs/*.md"))}
PAGES["README.md"] = README
# Pages whose prose keeps to the width of the code; tables may be wider.
WRAPPED = [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md", "training/README.md"]
SHARED_SEEDS = ROOT.parent / "shared" / "seeds"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[list[str]]:
    """Returns the page's commands that need neither a file of the reader's own nor a server."""
    lines = [line.partition("#")[0].strip() for block in blocks(page, "sh") for line in block.splitlines()]
    found = [shlex.split(line) for line in lines if line.startswith("epiqa ") and "PATH" not in line]
    return [command for command in found if "--host" not in command]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the seeds and the question set, and nothing else, to work in."""
    shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
    shutil.copytree(ROOT / "tests" / "data", tmp_path / "tests" / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if commands(page)])
def test_the_commands_of_a_page_run(
    name: str, checkout: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if name != "README.md":
        EpiQA.build("seeds")
    for command in commands(PAGES[name]):
        monkeypatch.setattr("sys.argv", command)
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        assert exit_.value.code in ((0,) if name == "README.md" else (0, 1)), command
    if name == "README.md":
        assert '"text": "Tan Zuojun"' in capsys.readouterr().out


@pytest.mark.parametrize("name", ["README.md", "docs/python.md"])
def test_the_code_of_a_page_runs(name: str, checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = next(block for block in blocks(PAGES[name], "python") if "EpiQA.build" in block)
    exec(compile(code, name, "exec"), {})
    answer, sentence = capsys.readouterr().out.splitlines()
    assert answer.startswith("Tan Zuojun 0.")
    assert "Tan Zuojun" in sentence
    assert "seeds/002_4240fd80c429d22d.txt" in sentence


def test_every_option_that_a_page_names_exists() -> None:
    group = get_command(cli.app)
    assert isinstance(group, TyperGroup)
    known = {"--user", "--json", "--constraint"}  # of curl and pip
    for command in group.commands.values():
        within = [command, *(command.commands.values() if isinstance(command, TyperGroup) else ())]
        known |= {name for each in within for parameter in each.params for name in parameter.opts}
        known |= {name for each in within for parameter in each.params for name in parameter.secondary_opts}
    for name, page in PAGES.items():
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page)) <= known | {"--help"}, name


def test_the_table_of_the_readme_lists_the_commands() -> None:
    group = get_command(cli.app)
    assert isinstance(group, TyperGroup)
    assert sorted(re.findall(r"^\| `epiqa (\w+)", README, re.MULTILINE)) == sorted(group.commands)


@pytest.mark.parametrize("name", [*WRAPPED, "benchmarks/history.md", "training/history.md"])
def test_every_link_of_a_page_leads_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / name).read_text("utf-8"))
    assert [link for link in links if not ((ROOT / name).parent / link.partition("#")[0]).exists()] == []


@pytest.mark.parametrize("name", WRAPPED)
def test_the_prose_of_a_page_keeps_its_width(name: str) -> None:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    assert [line for line in lines if len(line) > 116 and not line.startswith("|")] == []


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 120


def test_the_changelog_has_the_version() -> None:
    assert f"## {epiqa.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.skipif(not SHARED_SEEDS.is_dir(), reason="the originals of the seeds are not here")
def test_the_seeds_are_unchanged() -> None:
    originals = {path.name: path.read_bytes() for path in SHARED_SEEDS.iterdir()}
    assert {path.name: path.read_bytes() for path in (ROOT / "seeds").iterdir()} == originals
