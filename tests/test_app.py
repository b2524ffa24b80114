"""The chat page's entry point: it builds the index where there is none, and says what is wrong in one line."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from epiqa import EpiQA
from paths import ROOT


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[EpiQA]:
    """A checkout with the seeds to run in, and what was served there."""
    found: list[EpiQA] = []
    shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setitem(sys.modules, "epiqa.web", SimpleNamespace(serve=found.append))
    return found


def test_an_index_is_built_once_and_served(served: list[EpiQA], tmp_path: Path) -> None:
    import app

    assert (app.main(), app.main()) == (0, 0)
    assert [qa.info.generation for qa in served] == ["g000001", "g000001"]
    assert [Path(document.path).parent for document in served[0].documents()] == [Path("seeds")] * 3


def test_a_damaged_index_is_one_line_and_exit_code_3(
    served: list[EpiQA], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import app

    app.main()
    (tmp_path / "index" / "generations" / "g000001" / "text-0.sqlite").write_bytes(b"")
    assert app.main() == 3
    message = capsys.readouterr().err
    assert message.startswith("epiqa: the index in index is damaged: g000001/text-0.sqlite")
    assert message.count("\n") == 1
    assert len(served) == 1
