"""Unusual use of the page: two tabs, impatience, odd documents, an index that changes or breaks meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from epiqa import EpiQA
from fakes import KeywordReader, WordEmbedder
from web.visits import GRADIOS_WARNINGS, Visit, served, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = GRADIOS_WARNINGS

LONG_TITLE = "Notice" + "🦠ofthehealthoffice" * 100
HEBREW = "הודעה של משרד הבריאות"
DOCUMENTS = {
    "harbour.txt": "Harbour notice\n\nThe harbour has an answer: Ann Lee opened it. Ferries go on Mondays.",
    "school.txt": "School notice\n\nThe school has an answer: Bo Chen leads it. Pupils come on Tuesdays.",
    "long.txt": f"{LONG_TITLE}\n\nThe clinic has an answer: Cy Young visits it. " + "Patients wait there. " * 40,
    "hebrew.txt": f"{HEBREW}\n\nהמרפאה hospital פתוחה answer: שעות הבוקר ואחר כך סגורה.",
}
HARBOUR, SCHOOL = "What is the harbour answer?", "What is the school answer?"


@pytest.fixture
def pipeline(tmp_path: Path) -> EpiQA:
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, content in DOCUMENTS.items():
        (folder / name).write_text(content, encoding="utf-8")
    return EpiQA.build([folder], index=tmp_path / "index", embedder=WordEmbedder(), reader=KeywordReader())


@pytest.fixture
def address(pipeline: EpiQA) -> Iterator[str]:
    yield from served(pipeline)


@pytest.fixture
def tab(browser: Browser, address: str) -> Iterator[Visit]:
    tab = visit(browser, address)
    yield tab
    tab.page.context.close()


def only(tab: Visit, name: str) -> None:
    """Confines the search to a document."""
    tab.open_tab("Documents")
    row = tab.page.locator("#epiqa-documents tbody tr", has_text=name)
    row.get_by_role("button", name="Ask only this one").click()
    tab.page.locator(".epiqa-chip").wait_for()


def test_two_tabs_keep_what_each_of_them_shows(tab: Visit, address: str) -> None:
    second = Visit(tab.page.context.new_page())
    second.page.goto(address)
    second.page.locator("#epiqa-sources .epiqa-source").wait_for()
    tab.ask(HARBOUR)
    second.ask(SCHOOL)
    assert (tab.questions(), second.questions()) == ([HARBOUR], [SCHOOL])
    tab.last_answer().locator(".epiqa-open").first.click()
    tab.source().wait_for()
    assert tab.ask("Who opened it?") is not None
    assert tab.questions() == [HARBOUR, "Who opened it?"]
    second.page.reload()
    second.last_answer().wait_for()
    second.ask("Anything else?")
    assert second.questions()[-1] == "Anything else?"


def test_a_reload_during_a_question_leaves_a_page_that_answers(tab: Visit) -> None:
    tab.ask(HARBOUR)
    tab.page.locator("#epiqa-question textarea").fill(SCHOOL)
    tab.page.keyboard.press("Enter")
    tab.page.reload()
    tab.last_answer().wait_for()
    assert tab.questions()[0] == HARBOUR
    assert tab.ask(SCHOOL).get_attribute("data-state") == "answered"
    tab.check()


def test_the_back_button_leads_back_to_the_conversation(tab: Visit, address: str) -> None:
    tab.ask(HARBOUR)
    tab.open_tab("Documents")
    tab.page.goto(f"{address}/gradio_api/openapi.json")
    tab.page.go_back()
    tab.last_answer().wait_for()
    assert tab.questions() == [HARBOUR]
    assert tab.ask(SCHOOL).get_attribute("data-state") == "answered"


@pytest.mark.parametrize("width", [390, 1440])
def test_long_questions_and_titles_leave_room_for_the_rest(browser: Browser, address: str, width: int) -> None:
    tab = visit(browser, address, width=width)
    reply = tab.ask("why " * 2000)
    assert reply.get_attribute("data-state") == "error"
    assert "more than 1000" in reply.inner_text()
    only(tab, "long.txt")
    assert tab.ask("x" * 900).get_attribute("data-state") == "answered"
    tab.source().wait_for()
    for shown in ("#epiqa-sources .epiqa-title", "#epiqa-chat .epiqa-answer figcaption", ".epiqa-chip"):
        box = tab.page.locator(shown).last.bounding_box()
        assert box is not None
        assert box["height"] < 250, shown
        assert box["x"] + box["width"] <= width, shown
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    tab.open_tab("Documents")
    row = tab.page.locator("#epiqa-documents tbody tr", has_text="long.txt").bounding_box()
    assert row is not None
    assert row["height"] < 450
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    tab.check()
    tab.page.context.close()


def test_text_from_right_to_left_keeps_its_direction_and_its_offsets(tab: Visit) -> None:
    only(tab, "hebrew.txt")
    answer = tab.ask("hospital")
    assert answer.locator(".epiqa-text").inner_text() == "שעות הבוקר ואחר כך סגורה"
    for shown in ("#epiqa-sources .epiqa-body", "#epiqa-sources .epiqa-title", "#epiqa-chat .epiqa-text"):
        assert tab.page.locator(shown).last.evaluate("(e) => getComputedStyle(e).direction") == "rtl", shown
    assert tab.source().inner_text() == "שעות הבוקר ואחר כך סגורה"
    tab.check()


def test_a_document_removed_while_its_source_is_open_is_reported_missing(tab: Visit, pipeline: EpiQA) -> None:
    tab.ask(SCHOOL)
    only(tab, "harbour.txt")
    tab.ask(HARBOUR)
    (document,) = [d for d in pipeline.documents() if d.path.endswith("harbour.txt")]
    pipeline.remove(document.id)
    tab.page.locator("#epiqa-right-answer textarea").fill("Ann Lee")
    tab.page.get_by_role("button", name="Save as the right answer").click()
    tab.page.get_by_text("is not in this document word for word").wait_for()
    tab.last_answer().get_by_role("button", name="Right", exact=True).click()
    tab.page.get_by_text("This document is no longer in the index.").first.wait_for()
    tab.last_answer().locator(".epiqa-open").first.click()
    tab.page.locator("#epiqa-sources .epiqa-error").wait_for()
    assert "no longer in the index" in tab.page.locator("#epiqa-sources").inner_text()
    assert tab.ask(HARBOUR).get_attribute("data-state") == "error"  # the filter names it
    tab.page.locator(".epiqa-chip").click()
    tab.page.locator(".epiqa-chip").wait_for(state="detached")
    assert tab.ask(SCHOOL).get_attribute("data-state") == "answered"
    tab.check()


def test_fifty_files_are_added_at_once_and_one_more_is_refused(tab: Visit, tmp_path: Path) -> None:
    files = [tmp_path / f"note-{number:02}.txt" for number in range(51)]
    for number, file in enumerate(files):
        file.write_text(f"Note {number}\n\nThis is what note {number} says.", encoding="utf-8")
    tab.open_tab("Documents")
    upload = tab.page.locator("#epiqa-upload input[type=file]")
    upload.set_input_files(files)
    tab.page.locator("#epiqa-uploads [role=alert], .toast-body").first.wait_for()
    assert "50 files" in tab.page.locator("body").inner_text()
    upload.set_input_files(files[:50])
    tab.page.get_by_text("Done: 50 added, 0 replaced, 0 unchanged, 0 not read.").wait_for()
    assert tab.page.locator("#epiqa-uploads li").count() == 50
    tab.page.get_by_text("Documents 1 to 50 of 54").wait_for()
    tab.page.get_by_role("button", name="Later").click()
    tab.page.get_by_text("Documents 51 to 54 of 54").wait_for()


def test_an_index_that_is_damaged_while_it_is_served_is_named(tab: Visit, pipeline: EpiQA) -> None:
    for path in pipeline.directory.rglob("*.sqlite"):
        path.write_bytes(bytes(path.stat().st_size))  # in place: the open file is the same
    reply = tab.ask(SCHOOL)
    assert reply.get_attribute("data-state") == "error"
    assert "--rebuild" in reply.inner_text()
    tab.open_tab("Documents")
    tab.page.locator("#epiqa-documents").get_by_role("button", name="Read", exact=True).first.click()
    tab.page.locator(".toast-body", has_text="--rebuild").first.wait_for()
