"""Verdicts and right answers in a real browser, by mouse and by keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epiqa.evaluation.questions import QuestionSet, read_questions
from epiqa.web import Assistant
from epiqa.web.services.feedback import FEEDBACK
from web.visits import GRADIOS_WARNINGS, Visit

if TYPE_CHECKING:
    pass
from web.visits import ANSWERED, UNANSWERABLE

pytestmark = GRADIOS_WARNINGS


def test_a_verdict_and_a_marked_answer_become_a_question_set(tab: Visit, qa: Assistant) -> None:
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
    tab.page.get_by_text("is not in this document word for word").wait_for()
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


def test_the_right_answer_is_marked_by_keyboard_alone_and_nothing_changes_the_text(
    tab: Visit, qa: Assistant
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
    tab.page.locator(".epiqa-marked", has_text="Selected as the right answer: Zuojun").wait_for(state="attached")
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
