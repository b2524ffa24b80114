"""The page in a real browser, over documents and answers that are known: what it shows, keeps, and never does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from epiqa.evaluation.questions import QuestionSet, read_questions
from epiqa.web import EXAMPLES, QuestionAnswerer
from epiqa.web.services.feedback import FEEDBACK
from web.visits import GRADIOS_WARNINGS, Visit, chromium, served, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = GRADIOS_WARNINGS

ANSWERED = "Who chaired the city headquarters meeting on February 2?"
UNANSWERABLE = "How many vaccine doses did Dalian receive?"
TABS = ("Ask", "Documents", "Evaluate", "Feedback")
# What axe finds in Gradio's own components, and nothing of ours may add to: rule and a part of the element.
GRADIOS_VIOLATIONS = {
    ("aria-valid-attr-value", 'role="tab"'),  # aria-controls="" on tabs
}


@pytest.fixture(scope="module")
def address(qa: QuestionAnswerer) -> Iterator[str]:
    yield from served(qa)


@pytest.fixture(scope="module")
def hostile_address(hostile_qa: QuestionAnswerer) -> Iterator[str]:
    yield from served(hostile_qa)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def tab(browser: Browser, address: str) -> Iterator[Visit]:
    """A tab on the page; whatever a test does there, nothing may leave the host or go wrong."""
    tab = visit(browser, address)
    yield tab
    tab.check()
    tab.page.context.close()


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
        "3 documents were searched. 1 file had no text that could be read, and was not (scan.pdf)."
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
    assert tab.page.get_by_text("1 document fits").is_visible()
    assert tab.ask(ANSWERED).get_attribute("data-state") == "unanswered"
    assert "1 document was searched." in tab.last_answer().inner_text()
    tab.page.get_by_role("button", name="Search only some documents").click()
    tab.page.get_by_label("From this day").fill("yesterday")
    tab.page.get_by_label("From this day").blur()
    alert = tab.page.locator("#epiqa-chips [role=alert]")
    alert.wait_for()
    assert "'yesterday' is no day" in alert.inner_text()
    tab.page.get_by_label("From this day").fill("2022")
    tab.page.get_by_label("From this day").blur()
    tab.page.get_by_role("button", name="Remove “from 2022”").click()
    chip.nth(1).wait_for(state="detached")  # the other is drawn anew with it
    tab.page.get_by_role("button", name="Remove “Hu Yuting").click()
    chip.first.wait_for(state="detached")
    assert tab.ask(ANSWERED).get_attribute("data-state") == "answered"


def test_documents_are_looked_for_and_what_could_not_be_read_is_named(tab: Visit) -> None:
    tab.open_tab("Documents")
    rows = tab.page.locator("#epiqa-documents tbody tr")
    rows.last.wait_for()
    assert rows.count() == 4
    assert "not read: its pages have no text" in rows.last.inner_text()
    tab.page.get_by_label("Find a document").fill("hu yuting")
    tab.page.get_by_text("Documents 1 to 1 of 1").wait_for()
    tab.page.get_by_label("Find a document").fill("no such")
    tab.page.get_by_text("No document fits.").wait_for()
    tab.page.get_by_label("Find a document").fill("")
    tab.page.get_by_label("With problems").click()
    tab.page.get_by_text("Documents 1 to 1 of 1").wait_for()
    tab.page.get_by_label("All", exact=True).click()
    rows.nth(1).get_by_role("button", name="Read").click()
    tab.page.locator("#epiqa-sources .epiqa-body").wait_for()
    assert tab.page.locator("#epiqa-sources .epiqa-body").inner_text().startswith("Tan Zuojun Presided Over")


def test_a_verdict_and_a_marked_answer_become_a_question_set(tab: Visit, qa: QuestionAnswerer) -> None:
    feedback = qa.directory / FEEDBACK
    tab.ask(ANSWERED).get_by_role("button", name="Right", exact=True).click()
    tab.last_answer().get_by_text("Saved as right").wait_for()
    tab.ask(UNANSWERABLE)
    tab.page.get_by_text("Place 1 of 3").wait_for()
    # What a reader does with a mouse: marks a word in the source.
    tab.page.evaluate(
        """() => {
          const body = document.querySelector("#epiqa-sources .epiqa-body");
          const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
          let node = walker.nextNode();
          while (!node.data.includes("Tang Yijun")) node = walker.nextNode();
          const range = document.createRange();
          range.setStart(node, node.data.indexOf("Tang Yijun"));
          range.setEnd(node, node.data.indexOf("Tang Yijun") + "Tang Yijun ".length);
          getSelection().removeAllRanges();
          getSelection().addRange(range);
        }"""
    )
    tab.page.wait_for_function("document.querySelector('#epiqa-right-answer textarea').value === 'Tang Yijun'")
    tab.page.get_by_role("button", name="Save as the right answer").click()
    tab.page.get_by_text("Saved: the right answer to").wait_for()
    questions = read_questions(feedback)
    assert isinstance(questions, QuestionSet)
    assert {question.question: question.answers for question in questions.questions} == {
        ANSWERED: ("Tan Zuojun",),
        UNANSWERABLE: ("Tang Yijun",),
    }
    assert all(question.places for question in questions.questions)
    tab.ask(UNANSWERABLE)
    tab.page.locator("#epiqa-right-answer textarea").fill("a word that is not there")
    tab.page.get_by_role("button", name="Save as the right answer").click()
    tab.page.get_by_text("does not stand in this document").wait_for()
    tab.page.get_by_role("button", name="The documents don't answer it").click()
    tab.page.get_by_text("Saved: the documents don't answer").wait_for()
    assert [q.answers for q in read_questions(feedback).questions] == [("Tan Zuojun",), ()]  # type: ignore[union-attr]
    tab.ask("What is the answer to everything?")
    tab.open_tab("Feedback")
    open_questions = tab.page.locator("#epiqa-unanswered li", has_text="What is the answer to everything?")
    open_questions.wait_for()
    assert UNANSWERABLE not in tab.page.locator("#epiqa-unanswered").inner_text()
    assert tab.page.locator("#epiqa-judged li").count() == 2
    open_questions.get_by_role("button", name="Ask again").click()
    tab.page.wait_for_function("document.querySelector('#epiqa-question textarea').value.startsWith('What is')")
    tab.open_tab("Feedback")
    open_questions.get_by_role("button", name="Delete").click()
    open_questions.wait_for(state="detached")


def test_the_keyboard_is_enough(tab: Visit) -> None:
    press = tab.page.keyboard.press

    def reach(selector: str, key: str = "Tab") -> None:
        for _ in range(40):
            if tab.page.evaluate("(s) => document.activeElement.matches(s)", selector):
                return
            press(key)
        raise AssertionError(f"{selector} cannot be reached with {key}")

    reach("#epiqa-question textarea")
    tab.page.keyboard.type(ANSWERED)
    press("Enter")
    tab.last_answer().wait_for()
    reach("#epiqa-chat .epiqa-answer summary", "Shift+Tab")
    press("Enter")
    reach("#epiqa-chat details .epiqa-open")
    press("Enter")
    tab.page.get_by_text("Place 2 of 2").wait_for()
    assert tab.page.evaluate("document.activeElement.matches('#epiqa-sources h2')")
    reach("#epiqa-sources [aria-label='Previous place']")
    press("Enter")
    tab.page.get_by_text("Place 1 of 2").wait_for()
    reach("#epiqa-sources .epiqa-body")
    reach("#epiqa-right-answer textarea")
    reach("[role=tab]", "Shift+Tab")


def test_the_right_answer_is_marked_by_keyboard_alone_and_nothing_changes_the_text(
    tab: Visit, qa: QuestionAnswerer
) -> None:
    press = tab.page.keyboard.press
    body = tab.page.locator("#epiqa-sources .epiqa-body")
    answer = tab.page.locator("#epiqa-right-answer textarea")
    tab.ask(ANSWERED)
    tab.source().wait_for()
    before = body.inner_html()
    tab.page.locator("#epiqa-sources a").focus()
    press("Tab")
    assert body.evaluate("(body) => body === document.activeElement")
    assert body.get_attribute("aria-readonly") == "true"
    described = tab.page.locator(f"#{body.get_attribute('aria-describedby')}").inner_text()
    assert described.startswith("The arrow keys move through the text")
    # The caret is at the quote, which the keys go on from.
    for _ in "Tan ":
        press("ArrowRight")
    for _ in "Zuojun":
        press("Shift+ArrowRight")
    tab.page.locator(".epiqa-marked", has_text="Marked as the right answer: Zuojun").wait_for(state="attached")
    tab.page.wait_for_function("document.querySelector('#epiqa-right-answer textarea').value === 'Zuojun'")
    tab.page.keyboard.type("overwritten ")
    press("Delete")
    press("Control+x")
    press("Control+v")
    input_method = tab.page.context.new_cdp_session(tab.page)
    input_method.send("Input.imeSetComposition", {"text": "ni", "selectionStart": 0, "selectionEnd": 2})
    input_method.send("Input.insertText", {"text": "你"})
    assert body.inner_html() == before
    tab.page.locator("#epiqa-sources a").focus()
    press("Tab")
    press("Control+Shift+ArrowRight")
    press("Control+Shift+ArrowRight")
    press("Enter")  # at once, before the mark was sent
    assert answer.evaluate("(field) => field === document.activeElement")
    tab.page.wait_for_function("document.querySelector('#epiqa-right-answer textarea').value === 'Tan Zuojun'")
    press("Enter")
    tab.page.get_by_text("Saved: the right answer to").wait_for()
    saved = read_questions(qa.directory / FEEDBACK)
    assert isinstance(saved, QuestionSet)
    assert ("Tan Zuojun",) in [question.answers for question in saved.questions if question.question == ANSWERED]


def test_there_is_nothing_to_flag_share_or_follow(tab: Visit) -> None:
    tab.ask(ANSWERED)
    tab.source().wait_for()
    links = [link.get_attribute("href") for link in tab.page.locator("a:visible").all()]
    assert links == ["original/002_4240fd80c429d22d"]
    assert tab.page.locator("footer:visible").count() == 0


def test_hostile_strings_are_shown_to_the_letter_and_do_nothing(
    browser: Browser, hostile_address: str, hostile: str
) -> None:
    tab = visit(browser, hostile_address)
    answer = tab.ask(hostile)
    assert tab.questions() == [hostile]
    assert answer.locator(".epiqa-text").inner_text() == hostile
    assert answer.locator("figure mark").first.inner_text() == hostile
    assert answer.locator("cite").first.inner_text() == hostile
    assert answer.locator(".epiqa-path").first.inner_text() == hostile
    tab.source().wait_for()
    assert tab.source().inner_text() == hostile
    answer.get_by_role("button", name="Right", exact=True).click()
    tab.last_answer().get_by_text("Saved as right").wait_for()
    tab.ask("$$x^2$$ ![a](http://attacker.invalid/c.png) unanswerable")
    assert tab.questions()[-1] == "$$x^2$$ ![a](http://attacker.invalid/c.png) unanswerable"
    tab.open_tab("Documents")
    assert tab.page.locator("#epiqa-documents tbody th").first.inner_text().startswith(hostile[:20])
    tab.page.get_by_role("button", name="Ask only this one").click()
    assert tab.page.locator(".epiqa-chip").inner_text().startswith(hostile[:20])
    tab.open_tab("Feedback")
    tab.page.locator("#epiqa-judged li").first.wait_for()
    assert tab.page.evaluate("window.hacked") is None
    assert tab.page.locator("img, iframe, .katex").count() == 0
    tab.check()


def test_the_browser_is_told_to_reach_no_other_host(browser: Browser, address: str) -> None:
    tab = visit(browser, address)
    outcome = tab.page.evaluate("fetch('http://attacker.invalid/').then(() => 'reached', () => 'refused')")
    assert outcome == "refused"
    assert any("Content Security Policy" in complaint for complaint in tab.complaints)


@pytest.mark.parametrize(
    ("width", "color_scheme", "beside"),
    [(390, "light", False), (390, "dark", False), (820, "light", True), (1440, "dark", True)],
)
def test_the_page_fits_its_window(
    browser: Browser, address: str, width: int, beside: bool, color_scheme: Literal["light", "dark"]
) -> None:
    tab = visit(browser, address, width=width, color_scheme=color_scheme)
    tab.ask(UNANSWERABLE)
    answer = tab.ask(ANSWERED)
    # The answer is read from its beginning: the question stands at the top.
    tab.page.wait_for_function(
        """() => {
          const log = document.querySelector("#epiqa-chat [role=log]").getBoundingClientRect();
          const question = [...document.querySelectorAll("#epiqa-chat [data-testid=user]")].pop();
          const top = question.getBoundingClientRect().top - log.top;
          return 0 <= top && top < 100;
        }"""
    )
    chat = tab.page.locator("#epiqa-chat").bounding_box()
    panel = tab.page.locator("#epiqa-sources").bounding_box()
    quote = answer.locator("blockquote").first.bounding_box()
    assert chat and panel and quote
    assert quote["x"] + quote["width"] <= chat["x"] + chat["width"]
    assert (panel["x"] >= chat["x"] + chat["width"]) == beside
    assert (panel["y"] >= chat["y"] + chat["height"]) == (not beside)
    answer.locator(".epiqa-open").first.click()
    tab.page.wait_for_function("document.activeElement.matches('#epiqa-sources h2')")
    assert tab.is_source_in_view()
    if not beside:
        tab.page.get_by_role("button", name="Back to the answer").click()
        assert answer.locator(".epiqa-open").first.evaluate("(button) => button === document.activeElement")
    for name in TABS:
        tab.open_tab(name)
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width, name
    tab.check()
    tab.page.context.close()


def test_a_chinese_browser_gets_chinese_texts(browser: Browser, address: str) -> None:
    tab = visit(browser, address, locale="zh-CN")
    tabs = tab.page.get_by_role("tab").all_inner_texts()
    assert tabs == ["提问", "文档", "评测", "反馈"]
    assert "用文档的原话回答" in tab.page.locator("#epiqa-header").inner_text()
    assert tab.page.locator("#epiqa-question textarea").get_attribute("placeholder") == "您的问题"
    answer = tab.ask(ANSWERED)
    assert answer.locator(".epiqa-text").inner_text() == "Tan Zuojun"
    assert "置信度：可能正确，0.82" in answer.inner_text()
    assert tab.ask(UNANSWERABLE).locator(".epiqa-text").inner_text() == "文档没有回答这个问题。"
    for name in tabs:
        tab.open_tab(name)
        assert "epiqa." not in tab.page.locator("body").inner_text()  # a key without its text
    tab.check()
    tab.page.context.close()


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_axe_finds_nothing_beyond_what_is_gradios_own(
    browser: Browser, address: str, color_scheme: Literal["light", "dark"]
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab = visit(browser, address, color_scheme=color_scheme)
    tab.ask(ANSWERED)
    tab.source().wait_for()
    found = set()
    for name in TABS:
        tab.open_tab(name)
        tab.page.wait_for_timeout(300)
        for violation in axe.run(tab.page).response["violations"]:
            found |= {(violation["id"], node["html"]) for node in violation["nodes"]}
    ours = {
        (rule, html)
        for rule, html in found
        if not any(rule == known and part in html for known, part in GRADIOS_VIOLATIONS)
    }
    assert ours == set()
    tab.page.context.close()


def test_programs_find_the_functions_by_name_with_their_schema(address: str) -> None:
    gradio_client = pytest.importorskip("gradio_client")
    client = gradio_client.Client(address, verbose=False, analytics_enabled=False)
    reply = client.predict(ANSWERED, api_name="/ask")
    citation = reply["answers"][0]["citation"]
    assert (reply["is_answered"], reply["text"], reply["confidence"]) == (True, "Tan Zuojun", 0.82)
    assert (citation["file"], citation["date"]) == ("002_4240fd80c429d22d.txt", "February 2")
    assert citation["quote"] == "Tan Zuojun"
    text = client.predict(citation["document_id"], api_name="/document_text")
    assert text[citation["start"] : citation["end"]] == "Tan Zuojun"
    assert client.predict(UNANSWERABLE, api_name="/ask")["text"] is None
    assert client.predict(ANSWERED, ["004_5d92a0e4b413dfa2.txt"], api_name="/ask")["text"] is None
    assert len(client.predict("canteens", 2, api_name="/search")["passages"]) == 2
    assert [row["pages"] for row in client.predict(api_name="/documents")] == [0, 0, 0]
    with pytest.raises(gradio_client.exceptions.AppError, match="question is empty"):
        client.predict(" ", api_name="/ask")
    with pytest.raises(gradio_client.exceptions.AppError, match="'x' is no day"):
        client.predict("When?", None, "x", api_name="/ask")
    with pytest.raises(gradio_client.exceptions.AppError, match="there is no document 'x'"):
        client.predict("x", api_name="/document_text")
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert sorted(endpoints) == ["/add", "/ask", "/document_text", "/documents", "/remove", "/search"]
