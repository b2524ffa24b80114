"""What `epiqa index` and `epiqa documents` print of a folder: summary, JSON, progress."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from cli.shell import Result, Run
from epiqa.cli import progress, show


def index(run: Run, folder: Path, *options: str) -> Result:
    return run("index", folder, "--index", folder.parent / "index", *options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.txt").write_text("Beds\n\nThere are forty beds.")
    (folder / "b.txt").write_text("Masks\n\nMasks are worn.")
    (folder / "bad.txt").write_bytes(b"a\0b")
    return folder


def test_json_says_what_became_of_each_file(run: Run, folder: Path) -> None:
    first = json.loads(index(run, folder, "--json").out)
    assert list(first) == [
        "added",
        "unchanged",
        "replaced",
        "moved",
        "removed",
        "skipped",
        "notes",
        "left",
        "set_aside",
        "index",
    ]
    assert first["added"] == [str(folder / "a.txt"), str(folder / "b.txt")]
    assert first["index"] == {"generation": "g000001", "documents": 2, "chunks": 2}
    (folder / "copy.txt").write_text("Beds\n\nThere are forty beds.")
    (folder / "b.txt").rename(folder / "z.txt")
    (folder / "new.txt").write_text("Ferries")
    code, out, err = index(run, folder, "--json")
    assert (code, err.strip()) == (0, "")
    assert json.loads(out) == {
        "added": [str(folder / "copy.txt"), str(folder / "new.txt")],
        "unchanged": [str(folder / "a.txt")],
        "replaced": [],
        "moved": [{"from": str(folder / "b.txt"), "path": str(folder / "z.txt")}],
        "removed": [],
        "skipped": [{"path": str(folder / "bad.txt"), "reason": "is not text (it holds NUL characters)"}],
        "notes": [
            {
                "path": str(folder / "copy.txt"),
                "note": f"has the same content as {folder / 'a.txt'}: it is indexed once",
            }
        ],
        "left": 0,
        "set_aside": None,
        "index": {"generation": "g000002", "documents": 3, "chunks": 3},
    }
    (folder / "z.txt").unlink()
    (folder / "a.txt").write_text("Beds\n\nThere are fifty beds.")
    report = json.loads(index(run, folder, "--json", "--prune").out)
    assert report["removed"] == [str(folder / "z.txt")]
    assert report["replaced"] == [str(folder / "a.txt")]
    assert report["unchanged"] == [str(folder / "copy.txt"), str(folder / "new.txt")]


def test_the_summary_says_it_in_short(run: Run, folder: Path) -> None:
    index(run, folder)
    (folder / "copy.txt").write_text("Beds\n\nThere are forty beds.")
    (folder / "b.txt").rename(folder / "z.txt")
    for number in range(30):
        (folder / f"bad{number:02}.txt").write_bytes(b"a\0b%d" % number)
    code, out, err = index(run, folder)
    assert code == 0
    assert out.splitlines() == [
        f"added 1: {folder / 'copy.txt'}",
        f"moved 1: {folder / 'b.txt'} → {folder / 'z.txt'}",
        f"unchanged 1: {folder / 'a.txt'}",
        f"{folder.parent / 'index'} holds 2 documents in 2 chunks.",
    ]
    lines = err.strip().splitlines()
    assert lines[0].startswith(f"note {folder / 'copy.txt'}: has the same content as")
    assert len([line for line in lines if line.startswith(f"skipped {folder}")]) == show.LISTED_REMARKS
    assert lines[-1] == "skipped 11 more: --json lists them all"
    listing = run("documents", "--index", folder.parent / "index").out
    assert any("also" in row and str(folder / "copy.txt") in row for row in listing.splitlines())


def test_a_prune_that_is_refused_exits_2_and_changes_nothing(run: Run, folder: Path) -> None:
    index(run, folder)
    folder.rename(folder.parent / "away")
    code, out, err = index(run, folder, "--prune")
    assert (code, out) == (2, "")
    assert "there is no such file or folder. Nothing was changed" in err
    assert len(run("documents", "--index", folder.parent / "index").out.splitlines()) == 1 + 3


def test_progress_has_a_rate_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("epiqa.cli.progress.time.monotonic", lambda: now[0])
    screen = io.StringIO()
    monkeypatch.setattr(progress, "err", Console(file=screen))
    lines: list[str] = []
    monkeypatch.setattr(progress, "say", lambda text, to: lines.append(text))
    with progress.progress("files") as advance:
        for done in range(0, 1001, 50):
            advance(done, 1000, "a.txt")
            now[0] += 1.0
    assert lines == [
        "500 of 1,000 files, 50.0 a second, 10 s left: a.txt",
        "1,000 of 1,000 files, 50.0 a second, 0 s left: a.txt",
    ]
    monkeypatch.setattr(progress, "err", Console(file=screen, force_terminal=True, width=100))
    with progress.progress("files") as advance:
        for done in range(0, 1001, 100):
            now[0] += 1.0
            advance(done, 2000, "a\x1b.txt")
            now[0] += 1.0
    assert "1000/2000" in screen.getvalue()
    assert "files/s" in screen.getvalue()
    assert "a\\x1b.txt" in screen.getvalue()


def test_watch_takes_what_index_takes(run: Run, tmp_path: Path) -> None:
    assert run("watch", tmp_path / "none", "--index", tmp_path / "index").code == 2
