"""A scanned page, read by tesseract where that is on the machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pypdfium2
import pytest

from epiqa import EpiQA
from epiqa.errors import EpiQAError
from epiqa.index import verify
from epiqa.indexing import add_paths
from fakes import WordEmbedder

DATA = Path(__file__).parents[1] / "data" / "formats"
needs_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not on this machine")


@needs_tesseract
def test_a_scan_is_read_when_asked_for_and_says_so(tmp_path: Path) -> None:
    index = tmp_path / "index"
    scan = tmp_path / "scan.pdf"
    page = pypdfium2.PdfDocument(DATA / "chromium-pages.pdf")[0]
    page.render(scale=200 / 72).to_pil().save(scan)
    shutil.copy(DATA / "chromium-pages.pdf", tmp_path / "pages.pdf")
    first = add_paths([tmp_path], index, embedder=WordEmbedder())
    assert [path for path, _ in first.skipped] == [str(scan)]
    report = add_paths([tmp_path], index, embedder=WordEmbedder(), ocr=True)
    assert str(scan) in report.added
    verify(index)
    qa = EpiQA.open(index, embedder=WordEmbedder())
    (info,) = [info for info in qa.documents() if info.path == str(scan)]
    assert info.note == "page 1 read by text recognition, which errs: quotes are of what it saw"
    assert (qa.document_text(info.id) or "").strip() == "The first page names the head of the office, Ann Lee."
    assert qa.unread() == []
    embedder = WordEmbedder()
    for ocr in (True, False):  # what was recognised stays, and costs nothing again
        again = add_paths([tmp_path], index, embedder=embedder, ocr=ocr)
        assert (len(again.unchanged), again.skipped, embedder.encoded) == (2, (), [])


def test_without_the_program_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(EpiQAError, match="apt-get install tesseract-ocr"):
        add_paths([tmp_path], tmp_path / "index", ocr=True)
    assert not (tmp_path / "index").exists()
