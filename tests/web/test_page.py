"""The whole page in a browser: hostile strings, widths, languages, accessibility, and functions for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import pytest

from epiqa.web import Assistant
from web.visits import GRADIOS_WARNINGS, Visit, served, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser
from web.visits import ANSWERED, UNANSWERABLE

pytestmark = GRADIOS_WARNINGS


TABS = ("Ask", "Documents", "Evaluate", "Feedback")


# The violations that axe finds in Gradio's own components: rule, and a part of the element.
GRADIOS_VIOLATIONS = {
    ("aria-valid-attr-value", 'role="tab"'),  # aria-controls="" on tabs
}


@pytest.fixture(scope="module")
def hostile_address(hostile_qa: Assistant) -> Iterator[str]:
    yield from served(hostile_qa)


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


def test_there_is_nothing_to_flag_share_or_follow(tab: Visit) -> None:
    tab.ask(ANSWERED)
    tab.source().wait_for()
    links = [link.get_attribute("href") for link in tab.page.locator("a:visible").all()]
    assert links == ["original/002_4240fd80c429d22d"]
    assert tab.page.locator("footer:visible").count() == 0


def test_hostile_strings_are_shown_verbatim_and_do_nothing(
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
    with pytest.raises(gradio_client.exceptions.AppError, match="since is 'x', not a day"):
        client.predict("When?", None, "x", api_name="/ask")
    with pytest.raises(gradio_client.exceptions.AppError, match="there is no document 'x'"):
        client.predict("x", api_name="/document_text")
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert sorted(endpoints) == ["/add", "/ask", "/document_text", "/documents", "/remove", "/search"]
