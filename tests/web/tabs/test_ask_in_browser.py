"""The tabs "Ask" and "Documents" in a real browser, over known documents and answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from epiqa.web import EXAMPLES
from web.visits import GRADIOS_WARNINGS, Visit, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser
from web.visits import ANSWERED, UNANSWERABLE

pytestmark = GRADIOS_WARNINGS


def test_an_answer_is_shown_in_its_sentence_and_its_source_is_opened_at_the_quote(tab: Visit) -> None:
    answer = tab.ask(ANSWERED)
    assert tab.questions() == [ANSWERED]
    assert answer.locator(".epiqa-text").inner_text() == "Tan Zuojun"
    assert answer.locator("figure mark").first.inner_text() == "Tan Zuojun"
    assert "Confidence: likely, 0.82" in answer.inner_text()
    caption = answer.locator("figcaption").first.inner_text()
    assert "Tan Zuojun Presided Over" in caption
    assert "February 2" in caption
    assert "002_4240fd80c429d22d.txt" in caption
    tab.source().wait_for()
    assert tab.source().inner_text() == "Tan Zuojun"
    assert tab.is_source_in_view()


def test_a_click_on_a_citation_shows_its_quote_and_the_places_before_and_after(tab: Visit) -> None:
    answer = tab.ask(ANSWERED)
    other = answer.locator("details .epiqa-candidate")
    assert not other.is_visible()
    answer.locator("summary").click()
    assert other.inner_text().startswith("deputy commander-in-chief")
    answer.locator("details .epiqa-open").click()
    tab.page.get_by_text("Place 2 of 2").wait_for()
    assert tab.source().inner_text() == "deputy commander-in-chief"
    assert tab.is_source_in_view()
    assert tab.page.get_by_role("button", name="Next place").is_disabled()
    tab.page.get_by_role("button", name="Previous place").click()
    tab.page.get_by_text("Place 1 of 2").wait_for()
    assert tab.source().inner_text() == "Tan Zuojun"
    with tab.page.expect_download() as saved:
        tab.page.get_by_role("link", name="Download the original file").click()
    assert saved.value.suggested_filename == "002_4240fd80c429d22d.txt"


def test_no_answer_says_so_and_shows_the_nearest_passages_which_open(tab: Visit) -> None:
    answer = tab.ask(UNANSWERABLE)
    assert answer.locator(".epiqa-text").inner_text() == "The documents don't answer this."
    assert (
        "3 documents were searched. 1 file without readable text was not searched (scan.pdf)."
        in answer.inner_text()
    )
    assert answer.locator("figure").count() == 3
    assert answer.locator("mark, details").count() == 0
    answer.locator(".epiqa-open").nth(1).click()
    tab.page.get_by_text("Place 2 of 3").wait_for()
    assert tab.is_source_in_view()


def test_a_question_that_cannot_be_asked_gets_a_plain_reply(tab: Visit) -> None:
    assert tab.ask("   ").get_attribute("data-state") == "error"
    assert "empty" in tab.last_answer().inner_text()
    for _ in range(3):
        tab.ask(UNANSWERABLE)
    tab.ask("   ")
    tab.page.wait_for_function(
        """() => {
          const log = document.querySelector("#epiqa-chat [role=log]").getBoundingClientRect();
          const reply = [...document.querySelectorAll("#epiqa-chat .epiqa-answer")].pop().getBoundingClientRect();
          return log.top <= reply.top && reply.bottom <= log.bottom;
        }"""
    )
    assert tab.ask(ANSWERED).get_attribute("data-state") == "answered"


def test_an_example_asks_its_question_and_a_new_conversation_brings_the_examples_back(tab: Visit) -> None:
    examples = tab.page.locator("#epiqa-chat .example")
    examples.first.wait_for()
    assert examples.all_inner_texts() == [question for _, question in EXAMPLES]
    examples.first.click()
    tab.last_answer().wait_for()
    assert tab.questions() == [EXAMPLES[0][1]]
    tab.page.get_by_role("button", name="New conversation").click()
    examples.first.wait_for()
    tab.page.get_by_text("Click a source below an answer").wait_for()
    tab.page.reload()
    examples.first.wait_for()


def test_the_conversation_outlasts_a_reload_and_goes_on(tab: Visit) -> None:
    asked = [ANSWERED, UNANSWERABLE, "<b>&amp; & \"x\" 'y'</b>"]
    for question in asked:
        tab.ask(question)
    tab.page.reload()
    tab.last_answer().wait_for()
    assert tab.questions() == asked
    states = [answer.get_attribute("data-state") for answer in tab.page.locator("#epiqa-chat .epiqa-answer").all()]
    assert states == ["answered", "unanswered", "unanswered"]
    tab.page.locator("#epiqa-chat .epiqa-open").first.click()
    tab.source().wait_for()
    assert tab.source().inner_text() == "Tan Zuojun"
    tab.ask("One more")
    assert tab.questions() == [*asked, "One more"]


def test_an_answer_is_copied_with_its_citation(browser: Browser, address: str) -> None:
    tab = visit(browser, address, permissions=["clipboard-read", "clipboard-write"])
    answer = tab.ask(ANSWERED)
    for form, expected in (("Text", "“Tan Zuojun”\n"), ("Markdown", "> Tan Zuojun"), ("BibTeX", "@misc{epiqa-")):
        answer.get_by_role("button", name=form, exact=True).click()
        tab.page.get_by_text("Copied").wait_for()
        copied = tab.page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith(expected) or expected.lstrip("> ") in copied
        assert "002" in copied
        tab.page.get_by_text("Copied").wait_for(state="detached")
    tab.check()


def test_a_conversation_is_exported(tab: Visit) -> None:
    tab.ask(ANSWERED)
    with tab.page.expect_download() as saved:
        tab.page.get_by_role("button", name="Export as Markdown").click()
    assert saved.value.suggested_filename == "epiqa-conversation.md"
    exported = Path(saved.value.path()).read_text(encoding="utf-8")
    assert exported.startswith(f"## {ANSWERED}\n\n> ")
    assert "**Tan Zuojun**" in exported
    with tab.page.expect_download() as saved:
        tab.page.get_by_role("button", name="Export as JSON").click()
    (turn,) = json.loads(Path(saved.value.path()).read_text(encoding="utf-8"))
    assert (turn["question"], turn["text"], turn["verdict"]) == (ANSWERED, "Tan Zuojun", None)
    assert turn["answers"][0]["citation"]["path"] == "002_4240fd80c429d22d.txt"


def test_a_filter_shows_as_a_chip_and_is_obeyed_until_it_is_removed(tab: Visit) -> None:
    tab.open_tab("Documents")
    row = tab.page.locator("#epiqa-documents tbody tr", has_text="Hu Yuting Attended")
    row.get_by_role("button", name="Ask only this one").click()
    chip = tab.page.locator(".epiqa-chip")
    chip.wait_for()
    assert chip.inner_text().startswith("Hu Yuting Attended")
    assert tab.page.get_by_text("1 document matches").is_visible()
    assert tab.ask(ANSWERED).get_attribute("data-state") == "unanswered"
    assert "1 document was searched." in tab.last_answer().inner_text()
    tab.page.get_by_role("button", name="Search only some documents").click()
    tab.page.get_by_label("From this day").fill("yesterday")
    tab.page.get_by_label("From this day").blur()
    alert = tab.page.locator("#epiqa-chips [role=alert]")
    alert.wait_for()
    assert "since is 'yesterday', not a day" in alert.inner_text()
    tab.page.get_by_label("From this day").fill("2022")
    tab.page.get_by_label("From this day").blur()
    tab.page.get_by_role("button", name="Remove “from 2022”").click()
    chip.nth(1).wait_for(state="detached")  # the other is drawn anew with it
    tab.page.get_by_role("button", name="Remove “Hu Yuting").click()
    chip.first.wait_for(state="detached")
    assert tab.ask(ANSWERED).get_attribute("data-state") == "answered"


def test_documents_are_searched_and_unreadable_files_are_listed(tab: Visit) -> None:
    tab.open_tab("Documents")
    rows = tab.page.locator("#epiqa-documents tbody tr")
    rows.last.wait_for()
    assert rows.count() == 4
    assert "not read: its pages have no text" in rows.last.inner_text()
    tab.page.get_by_label("Find a document").fill("hu yuting")
    tab.page.get_by_text("Documents 1 to 1 of 1").wait_for()
    tab.page.get_by_label("Find a document").fill("no such")
    tab.page.get_by_text("No document matches.").wait_for()
    tab.page.get_by_label("Find a document").fill("")
    tab.page.get_by_label("With problems").click()
    tab.page.get_by_text("Documents 1 to 1 of 1").wait_for()
    tab.page.get_by_label("All", exact=True).click()
    rows.nth(1).get_by_role("button", name="Read").click()
    tab.page.locator("#epiqa-sources .epiqa-body").wait_for()
    assert tab.page.locator("#epiqa-sources .epiqa-body").inner_text().startswith("Tan Zuojun Presided Over")
