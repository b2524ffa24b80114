"""Draws the README's pictures: the page's main states in a browser, over the real pipeline.

`EPIQA_PICTURES=1 python -m pytest tests/web/test_pictures.py`, which is `make pictures`, writes the pictures into
`docs/`. Without the variable they are drawn, checked, and discarded.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from epiqa import EpiQA
from paths import ROOT
from web.visits import GRADIOS_WARNINGS, Visit, served, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = GRADIOS_WARNINGS

DOCS = ROOT / "docs"
QUESTIONS = ROOT / "tests" / "data" / "seeds_questions.jsonl"
FORMATS = ROOT / "tests" / "data" / "formats"
ANSWERED = "Who presided over the meeting on February 2?"
UNANSWERED = "How many vaccine doses did Dalian receive?"
ASKED_TO_MEASURE = 8
COLOURS = 64
MAX_BYTES = 80_000


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page as in the quick start, in a folder with seeds/ and index/, whose paths it shows."""
    folder, before = tmp_path_factory.mktemp("start"), Path.cwd()
    shutil.copytree(ROOT / "seeds", folder / "seeds")
    os.chdir(folder)
    try:
        qa = EpiQA.build(["seeds"], index="index")
        qa.ask("Are you ready?")
        yield from served(qa)
    finally:
        os.chdir(before)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures go."""
    return DOCS if os.environ.get("EPIQA_PICTURES") else tmp_path


def picture(tab: Visit, path: Path) -> None:
    """Draws what the window shows, in few colours, when no letter or bar moves any more."""
    tab.page.evaluate("document.fonts.ready")
    tab.page.mouse.move(0, 0)
    drawn = tab.page.screenshot(animations="disabled", caret="hide")
    for _ in range(20):
        tab.page.wait_for_timeout(250)
        before, drawn = drawn, tab.page.screenshot(animations="disabled", caret="hide")
        if drawn == before:
            break
    image = Image.open(io.BytesIO(drawn))
    image.quantize(COLOURS).save(path, optimize=True)
    size = tab.page.viewport_size
    assert size is not None
    assert image.size == (size["width"], size["height"])
    assert len(image.convert("RGB").getcolors(1 << 24) or []) > COLOURS  # something is drawn
    assert path.stat().st_size < MAX_BYTES
    tab.check()
    tab.page.context.close()


def opened(browser: Browser, address: str, width: int, height: int, **context: Any) -> Visit:
    tab = visit(browser, address, width=width, **context)
    tab.page.set_viewport_size({"width": width, "height": height})
    return tab


def test_an_answer_with_its_source_open(browser: Browser, address: str, pictures: Path) -> None:
    tab = opened(browser, address, 1280, 860)
    assert tab.ask(ANSWERED).get_attribute("data-state") == "answered"
    tab.source().wait_for()
    assert tab.is_source_in_view()
    picture(tab, pictures / "page.png")


def test_a_question_that_is_not_answered(browser: Browser, address: str, pictures: Path) -> None:
    tab = opened(browser, address, 820, 1000)
    assert tab.ask(UNANSWERED).get_attribute("data-state") == "unanswered"
    tab.page.get_by_text("Place 1 of").wait_for()
    picture(tab, pictures / "page-unanswered.png")


def test_a_narrow_window_in_the_dark_in_chinese(browser: Browser, address: str, pictures: Path) -> None:
    tab = opened(browser, address, 390, 800, locale="zh-CN", color_scheme="dark")
    assert "置信度" in tab.ask(ANSWERED).inner_text()
    assert tab.page.evaluate("document.body.classList.contains('dark')")
    picture(tab, pictures / "page-narrow.png")


def test_what_was_judged(browser: Browser, address: str, pictures: Path) -> None:
    tab = opened(browser, address, 1280, 640)
    tab.ask(UNANSWERED)
    tab.ask(ANSWERED).get_by_role("button", name="Right", exact=True).click()
    tab.last_answer().get_by_text("Saved as right").wait_for()
    tab.open_tab("Feedback")
    tab.page.locator("#epiqa-judged li").wait_for()
    tab.page.locator("#epiqa-unanswered li").first.wait_for()
    picture(tab, pictures / "page-feedback.png")


def test_documents_that_were_added(browser: Browser, address: str, pictures: Path) -> None:
    tab = opened(browser, address, 1280, 900)
    tab.open_tab("Documents")
    files = [FORMATS / name for name in ("writer.docx", "chromium.pdf", "chromium-scan.pdf")]
    tab.page.locator("#epiqa-upload input[type=file]").set_input_files(files)
    tab.page.get_by_text("Done: 2 added, 0 replaced, 0 unchanged, 1 not read.").wait_for()
    tab.page.locator("#epiqa-documents tr.epiqa-unread").wait_for()
    picture(tab, pictures / "page-documents.png")


def test_an_evaluation_in_the_dark(browser: Browser, address: str, pictures: Path, tmp_path: Path) -> None:
    some = tmp_path / "questions.jsonl"
    some.write_text("".join(QUESTIONS.read_text("utf-8").splitlines(keepends=True)[:ASKED_TO_MEASURE]), "utf-8")
    tab = opened(browser, address, 1280, 1150, color_scheme="dark")
    tab.open_tab("Evaluate")
    tab.page.locator("#epiqa-question-set-file input[type=file]").set_input_files(some)
    tab.page.wait_for_function("document.querySelector('#epiqa-question-set input').value === 'questions.jsonl'")
    tab.page.get_by_role("button", name="Run", exact=True).click()
    tab.page.get_by_text(f"questions.jsonl: {ASKED_TO_MEASURE} questions in").wait_for()
    assert tab.page.locator("#epiqa-evaluation svg[role=img]").count() >= 3
    picture(tab, pictures / "page-evaluate.png")
