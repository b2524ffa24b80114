"""A scanned page, read by tesseract where that is on the machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pypdfium2
import pytest

from epiqa import EpiQA
from epiqa.errors import EpiQAError, IngestError
from epiqa.ingest import pdf
from epiqa.store.embedded import verify
from epiqa.sync.operations import add_paths
from epiqa.sync.options import UpdateOptions
from fakes import WordEmbedder
from paths import FORMATS as DATA

needs_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not on this machine")


def save_scan(path: Path) -> None:
    """Saves a picture of a page, as a scanner does."""
    page = pypdfium2.PdfDocument(DATA / "chromium-pages.pdf")[0]
    page.render(scale=200 / 72).to_pil().save(path)


@needs_tesseract
def test_a_scan_is_read_when_asked_for_and_says_so(tmp_path: Path) -> None:
    index = tmp_path / "index"
    scan = tmp_path / "scan.pdf"
    save_scan(scan)
    shutil.copy(DATA / "chromium-pages.pdf", tmp_path / "pages.pdf")
    first = add_paths([tmp_path], index, UpdateOptions(embedder=WordEmbedder()))
    assert [path for path, _ in first.skipped] == [str(scan)]
    report = add_paths([tmp_path], index, UpdateOptions(embedder=WordEmbedder(), is_recognising=True))
    assert str(scan) in report.added
    verify(index)
    qa = EpiQA.open(index, embedder=WordEmbedder())
    (info,) = [info for info in qa.documents() if info.path == str(scan)]
    assert info.note == "page 1 read by text recognition, which errs: quotes are of what it saw"
    assert qa.document_text(info.id) == "The first page names the head of the office, Ann Lee."
    answer = qa.search("head of the office", top_k=1)[0]
    assert (answer.path, answer.page) == (str(scan), 1)
    (pages,) = [info for info in qa.documents() if info.path != str(scan)]
    assert pages.note == "no text on page 2 of 3, and text recognition sees none"
    assert qa.unread() == []
    embedder = WordEmbedder()
    for ocr in (True, False):  # what was recognised stays, and costs nothing again
        again = add_paths([tmp_path], index, UpdateOptions(embedder=embedder, is_recognising=ocr))
        assert (len(again.unchanged), again.skipped, embedder.encoded) == (2, (), [])


def test_without_the_program_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(EpiQAError, match="apt-get install tesseract-ocr"):
        add_paths([tmp_path], tmp_path / "index", UpdateOptions(is_recognising=True))
    assert not (tmp_path / "index").exists()


@needs_tesseract
def test_without_data_for_english_the_error_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(EpiQAError, match="apt-get install tesseract-ocr-eng, or set TESSDATA_PREFIX"):
        add_paths([tmp_path], tmp_path / "index", UpdateOptions(is_recognising=True))


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("cat > /dev/null; echo no such luck >&2; exit 3", "tesseract ended with 3: no such luck"),
        ("sleep 60", "tesseract takes more than 1 seconds"),
        (None, "tesseract cannot be started: No such file or directory"),
        ("cat > /dev/null", None),
    ],
)
def test_a_page_that_cannot_be_recognised_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, reason: str | None
) -> None:
    scan, program = tmp_path / "scan.pdf", tmp_path / "tesseract"
    save_scan(scan)
    if script is not None:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("EPIQA_TESSERACT", str(program))
    monkeypatch.setattr("epiqa.ingest.recognition.PAGE_TIMEOUT_S", 1.0)
    found = f"failed ({reason})" if reason else "sees none"
    with pytest.raises(IngestError) as caught:
        pdf.parse(scan.read_bytes(), "scan.pdf")
    assert caught.value.reason == f"has no text on any page (page 1), and text recognition {found}"
