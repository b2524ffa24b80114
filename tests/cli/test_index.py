"""`epiqa index` and `epiqa verify`: what becomes of good and bad files, full disks and missing rights."""

from __future__ import annotations

import os
import re
import resource
import shutil
from pathlib import Path

import pytest

from cli.shell import (
    Run,
    listed,
    one_object,
    run_process,
)
from epiqa.ingest.formats import BY_SUFFIX
from paths import FORMATS, SEEDS


def test_the_index_is_looked_for_in_the_working_directory(
    run: Run, seeds_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("verify") == (
        3,
        "",
        "epiqa: there is no index in index: build one with epiqa index PATH… --index index\n",
    )
    monkeypatch.chdir(seeds_index.parent)
    code, out, _ = run("verify")
    assert code == 0
    assert re.match(r"index is sound: generation g000001, 3 documents, \d+ chunks", out)


def test_verify_finds_a_changed_byte(run: Run, own_index: Path) -> None:
    text = own_index / "generations" / "g000001" / "text-0.sqlite"
    data = bytearray(text.read_bytes())
    data[len(data) // 2] ^= 1
    text.write_bytes(data)
    code, out, err = run("verify", "--index", own_index)
    assert (code, out) == (3, "")
    assert "g000001/text-0.sqlite is not the file that was written" in err


def test_bad_files_are_named_with_the_reason_and_the_rest_is_indexed(
    run: Run, own_index: Path, folder: Path, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.txt"
    code, out, err = run("index", folder, missing, "--index", own_index)
    assert code == 0
    assert f"added 1: {folder / 'good.md'}\n" in out
    assert re.search(r"holds 4 documents in \d+ chunks\.\n$", out)
    assert sorted(line for line in err.splitlines() if line) == sorted(
        f"skipped {path}: {reason}"
        for path, reason in (
            (missing, "there is no such file or folder"),
            (folder / "empty.txt", "is empty"),
            (folder / "blank.txt", "is empty"),
            (
                folder / "binary.txt",
                "is not UTF-8 text (byte 0 is 0x89), nor UTF-16, GB18030 or Latin-1: save it as UTF-8",
            ),
            (folder / "nul.txt", "is not text (it holds NUL characters)"),
            (
                folder / "russian.txt",
                "is not UTF-8 text (byte 0 is 0xcf), nor UTF-16, GB18030 or Latin-1: save it as UTF-8",
            ),
            (folder / "photo.png", f"files of this kind (.png) are not read, only {', '.join(BY_SUFFIX)}"),
            (folder / "[red]x[.txt", "is empty"),
        )
    )
    code, out, _ = run("ask", "Who is the harbour master?", "--index", own_index)
    assert code == 0
    assert out.startswith("Ann Lee  (confidence ")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
def test_paths_are_read_from_standard_input(own_index: Path, tmp_path: Path, end: bytes) -> None:
    names = [tmp_path / "a b.txt", tmp_path / "c.md"]
    for name in names:
        name.write_text(f"{name.name} is here")
    result = run_process(
        "index", "-", "--index", own_index, stdin=end.join(os.fsencode(name) for name in names) + end
    )
    assert result.code == 0
    assert f"added 2: {names[0]}, {names[1]}\n" in result.out
    nothing = run_process("index", "-", "--index", own_index)
    assert (nothing.code, nothing.err) == (2, "epiqa: nothing was indexed: no path was given\n")


def test_sections_notes_and_unread_files_are_shown(run: Run, own_index: Path, tmp_path: Path) -> None:
    for name in ("chromium-pages.pdf", "chromium-scan.pdf"):
        shutil.copy(FORMATS / name, tmp_path)
    (tmp_path / "a.csv").write_text("town,harbour master\nDandong,Ann Lee\n")
    result = run("index", tmp_path / "a.csv", *sorted(tmp_path.glob("*.pdf")), "--index", own_index)
    note = "no text on page 2 of 3, which may be scans (epiqa index --ocr reads those)"
    reason = "has no text on any page (page 1): it may be a scan (epiqa index --ocr reads those)"
    assert f"note {tmp_path / 'chromium-pages.pdf'}: {note}\n" in result.err
    assert f"skipped {tmp_path / 'chromium-scan.pdf'}: {reason}\n" in result.err
    listing = run("documents", "--index", own_index).out
    rows = [line.split() for line in listing.splitlines()]
    assert any(row[-len(note.split()) :] == note.split() and "scan" in row for row in rows)
    unread = ["-", "0", str(tmp_path / "chromium-scan.pdf"), *f"not read: {reason}".split()]
    assert rows[-1] == unread
    assert run("documents", "remove", tmp_path / "chromium-scan.pdf", "--index", own_index).code == 0
    assert "chromium-scan.pdf" not in run("documents", "--index", own_index).out
    found = run("search", "harbour master", "--document", "a.csv", "--index", own_index).out
    assert f"1. a, {tmp_path / 'a.csv'}, row 1, characters 0 to " in found


def test_indexing_again_says_what_is_unchanged_and_what_was_replaced(
    run: Run, tmp_path: Path, folder: Path
) -> None:
    index = tmp_path / "index"
    good, other = folder / "good.md", folder / "other.txt"
    other.write_text("Schools\n\nSchools reopen on Monday.\n")
    assert run("index", good, other, "--index", index).out.startswith(f"added 2: {good}, {other}\n")
    other.write_text("Schools\n\nSchools reopen on Tuesday.\n")
    code, out, err = run("index", good, other, "--index", index)
    assert (code, err.strip()) == (0, "")
    assert out == f"replaced 1: {other}\nunchanged 1: {good}\n{index} holds 2 documents in 2 chunks.\n"
    texts = [
        passage["text"] for passage in one_object(run("search", "Monday", "--index", index, "--json"))["passages"]
    ]
    assert any("Tuesday" in text for text in texts)
    assert not any("Monday" in text for text in texts)
    assert run("index", good, "--index", index).out.startswith(f"unchanged 1: {good}\n")


@pytest.mark.parametrize("name", ["empty.txt", "binary.txt", "photo.png", "missing.txt", "latin.txt"])
def test_a_bad_file_alone_exits_2_and_loses_nothing(run: Run, own_index: Path, folder: Path, name: str) -> None:
    before = listed(run, own_index)
    code, out, err = run("index", folder / name, "--index", own_index)
    assert (code, out) == (2, "")
    assert f"epiqa: nothing was indexed: {folder / name}: " in err
    assert len(before) == 3
    assert listed(run, own_index) == before


def test_an_index_that_cannot_be_written_exits_2(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    code, out, err = run("index", SEEDS, "--index", tmp_path / "file" / "index")
    assert (code, out) == (2, "")
    assert f"epiqa: the index cannot be written to {tmp_path / 'file' / 'index'} (Not a directory)" in err


def test_files_named_in_invalid_bytes_are_indexed_or_named(folder: Path, tmp_path: Path) -> None:
    good = os.fsencode(folder) + b"/harbour \xff.txt"
    Path(os.fsdecode(good)).write_text("Harbour\n\nThe harbour is closed.\n")
    result = run_process("index", good, b"none\xfe.txt", "--index", tmp_path / "index")
    assert result.code == 0
    assert "harbour \\xff.txt" in result.out
    assert "skipped none\\xfe.txt: there is no such file or folder" in result.err


def test_a_path_longer_than_the_system_allows_is_named(run: Run, tmp_path: Path) -> None:
    code, _, err = run("index", "a" * 300, SEEDS, "--index", tmp_path / "index")
    assert code == 0
    assert "File name too long" in err


def test_a_full_disk_exits_2_and_changes_nothing(own_index: Path, folder: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    result = run_process("index", folder / "good.md", "--index", own_index, before=limit)
    assert (result.code, result.out) == (2, "")
    assert run_process("verify", "--index", own_index).code == 0
