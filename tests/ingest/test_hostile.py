"""Broken and hostile files: each is read or named with its reason, and none keeps the rest from being read."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import hostile
from epiqa.errors import IngestError
from epiqa.ingest import Sandbox, find_files, normalise, printable, read_documents
from epiqa.sync.operations import add_paths
from epiqa.sync.options import UpdateOptions
from epiqa.types import Document
from fakes import WordEmbedder

TIMEOUT_S = 3.0  # of the one file that takes for ever; a busy machine starts a process slowly


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[hostile.Outcome, list[str], list[Document]]]:
    """What must become of each file, what was said of it, and the documents read from it."""
    folder = tmp_path_factory.mktemp("hostile") / "folder"
    expected = hostile.make(folder)
    files, errors = find_files([folder])
    said = {name: [e.reason for e in errors if e.path == printable(folder / name)] for name in expected}
    read: dict[str, list[Document]] = {name: [] for name in expected}
    with Sandbox() as patient, Sandbox(timeout_s=TIMEOUT_S) as hasty:
        for path in files:
            try:
                for one in read_documents(path, hasty if path.name == "marks.txt" else patient):
                    if isinstance(one, IngestError):
                        said[path.name].append(one.reason)
                    else:
                        read[path.name].append(one)
            except IngestError as error:
                said[path.name].append(error.reason)
    return {name: (outcome, said[name], read[name]) for name, outcome in expected.items()}


Outcomes = dict[str, tuple[hostile.Outcome, list[str], list[Document]]]


def test_each_hostile_file_comes_to_what_was_decided(outcomes: Outcomes) -> None:
    assert len(outcomes) >= 60
    wrong = {}
    for name, (expected, said, read) in outcomes.items():
        as_expected = read and not said if expected is None else any(re.match(expected, reason) for reason in said)
        if not as_expected and not (expected == ".*" and read):
            wrong[name] = (expected, said, len(read))
    assert wrong == {}


def test_what_was_read_holds_what_every_document_does(outcomes: Outcomes) -> None:
    documents = [document for _, _, read in outcomes.values() for document in read]
    for document in documents:
        assert document.text.strip()
        assert normalise(document.text) == document.text
        assert all(0 <= start <= len(document.text) for start in document.pages)
        assert all(0 <= start < len(document.text) for start, _ in document.sections)
        assert document.path == printable(document.path)
    assert len({document.location for document in documents}) == len(documents)
    assert not any("root:" in document.text for document in documents)


def test_a_hostile_neighbour_costs_a_good_file_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.docx").write_bytes(hostile.saying(hostile.bomb("word/document.xml"), 600 << 20))
    (folder / "b.txt").write_text("good")
    report = add_paths([folder], tmp_path / "index", UpdateOptions(embedder=WordEmbedder()))
    assert report.added == (str(folder / "b.txt"),)
    assert report.skipped == ((str(folder / "a.docx"), "unpacks to 600 MB, more than 512"),)


def child(code: str) -> list[str]:
    return [sys.executable, "-c", f"import sys, os, time\nsys.stdin.buffer.readline()\n{code}"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("while True: pass", "takes more than 1 seconds to be read"),
        ("os.kill(os.getpid(), 11)", r"broke the process that reads it \(signal SIGSEGV\)"),
        ("os.kill(os.getpid(), 24)", "takes more than 1 seconds to be read"),
        ("sys.exit(3)", r"broke the process that reads it \(exit code 3\)"),
        ("print('no JSON', flush=True); time.sleep(9)", "broke the process that reads it$"),
        ("print('{}', flush=True); time.sleep(9)", "broke the process that reads it$"),
        ("print('[1]', flush=True); time.sleep(9)", "broke the process that reads it$"),
        ('print(\'{"part": {"text": 3}}\', flush=True); time.sleep(9)', "broke the process that reads it$"),
        ("while True: os.write(1, b'x' * 65536)", "holds more than 1 MB of text"),
        ('while True: print(\'{"unreadable": {"member": "", "reason": ""}}\')', "holds more than 1 MB of text"),
    ],
)
def test_what_a_parser_does_to_its_process_is_named(
    code: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("epiqa.ingest.sandbox.MAX_OUTPUT_BYTES", 1 << 20)
    ready = "time.sleep(0)"  # the time that Python takes to start counts, too
    with Sandbox(
        timeout_s=1.0 if "while True: pass" in code else 20.0, command=child(f"{ready}\n{code}")
    ) as sandbox:
        with pytest.raises(IngestError, match=reason.replace("1 seconds", r"\d+ seconds")):
            list(sandbox.parse(b"a,b", "a.csv"))
        assert sandbox._process is None


def test_the_process_goes_on_after_a_failure() -> None:
    with Sandbox() as sandbox:
        assert [part.member for part in sandbox.parse(b"a,b\n1,2", "a.csv")] == [""]
        first = sandbox._process
        with pytest.raises(IngestError, match="is broken"):
            list(sandbox.parse(b"", "a.pdf"))
        assert sandbox._process is first
        assert len(list(sandbox.parse(b'{"text": "a"}\n{"text": "b"}', "a.jsonl"))) == 2
        next(iter(sandbox.parse(b'{"text": "a"}\n{"text": "b"}', "a.jsonl")))  # the rest is not asked for
        assert len(list(sandbox.parse(b'{"text": "c"}', "a.jsonl"))) == 1


def test_too_much_memory_is_named_and_the_next_file_is_read() -> None:
    limit = 1200 << 20
    command = [sys.executable, "-m", "epiqa.ingest.worker", str(limit), "60", "1000000000"]
    with Sandbox(command=command) as sandbox:
        with pytest.raises(IngestError, match=r"needs more than .* MB of memory"):
            list(sandbox.parse("é".encode() * 80_000_000, "a.csv"))
        assert len(list(sandbox.parse(b"a,b\n1,2", "a.csv"))) == 1


def test_the_time_of_whoever_takes_the_documents_does_not_count() -> None:
    with Sandbox(timeout_s=20.0) as sandbox:
        parts: Iterator[object] = iter(sandbox.parse(b'{"text": "a"}\n' * 3, "a.jsonl"))
        next(parts)
        sandbox._timeout_s = 2.0
        time.sleep(3)
        assert len(list(parts)) == 2


def test_asking_imports_no_parser() -> None:
    code = "import sys, epiqa; print([m for m in ('lxml', 'pypdfium2', 'email', 'zipfile') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "lxml" not in done.stdout
    assert "pypdfium2" not in done.stdout
