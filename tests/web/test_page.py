"""The page in a real browser: asking, not answering, hostile input, and that nothing leaves the host."""

from __future__ import annotations

import gc
import http.client
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import pytest

from epiqa import EpiQA
from epiqa.errors import EpiQAError
from epiqa.web import EXAMPLES, QuestionAnswerer, build_page, launch, serve
from epiqa.web.page import offered_examples

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

# Gradio makes an event loop for each lock of each block and never closes it (utils.safe_get_lock), and
# summarises its queue with options that newer versions of pandas no longer want.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning"),
    pytest.mark.filterwarnings(r"ignore:unclosed <socket\.socket fd=\d+, family=1, type=1:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting' is deprecated"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]

SEEDS = Path(__file__).parents[2] / "seeds"
ANSWERED = "Who chaired the city headquarters meeting on February 2?"
UNANSWERABLE = "How many vaccine doses did Dalian receive?"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@dataclass
class Visit:
    """A browser tab on the chat page, and what it asked for and complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def ask(self, question: str) -> None:
        answers = self.page.locator("#epiqa-chat .epiqa-answer")
        before = answers.count()
        self.page.locator("#epiqa-question textarea").fill(question)
        self.page.locator("#epiqa-question button").click()
        answers.nth(before).wait_for()

    def last_answer(self) -> Locator:
        return self.page.locator("#epiqa-chat .epiqa-answer").last

    def last_question(self) -> str:
        return self.page.locator("#epiqa-chat [data-testid=user]").last.inner_text()

    def foreign_requests(self) -> list[str]:
        home = urlsplit(self.page.url).netloc
        return [url for url in self.requests if urlsplit(url).netloc not in ("", home)]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def served(qa: QuestionAnswerer) -> Iterator[str]:
    page = build_page(qa)
    gc.collect()
    yield launch(page, port=free_port())
    page.close(verbose=False)
    del page
    gc.collect()


@pytest.fixture(scope="module")
def address(qa: QuestionAnswerer) -> Iterator[str]:
    yield from served(qa)


@pytest.fixture(scope="module")
def hostile_address(hostile_qa: QuestionAnswerer) -> Iterator[str]:
    yield from served(hostile_qa)


@pytest.fixture(scope="module")
def real_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from served(EpiQA.build([SEEDS], index=tmp_path_factory.mktemp("index")))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        assert "EPIQA_REQUIRE_BROWSER" not in os.environ, "CI must not skip the page's tests"
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


def visit(
    browser: Browser, address: str, *, width: int = 1400, color_scheme: Literal["light", "dark"] = "light"
) -> Visit:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=color_scheme)
    page.set_default_timeout(20_000)
    visit = Visit(page)
    page.on("request", lambda request: visit.requests.append(request.url))
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.on("console", lambda message: visit.complaints.append(message.text) if message.type != "log" else None)
    page.goto(address)
    page.locator("#epiqa-question textarea").wait_for()
    return visit


@pytest.fixture
def tab(browser: Browser, address: str) -> Iterator[Visit]:
    """A tab on the page; whatever a test does there, nothing may leave the host or go wrong."""
    tab = visit(browser, address)
    yield tab
    assert tab.foreign_requests() == []
    assert tab.complaints == []
    tab.page.close()


def test_an_answer_is_shown_in_its_sentence_and_marked_in_its_passage(tab: Visit) -> None:
    tab.ask(ANSWERED)
    answer = tab.last_answer()
    assert tab.last_question() == ANSWERED
    assert answer.locator(".epiqa-text").inner_text() == "Tan Zuojun"
    assert answer.locator("figure mark").first.inner_text() == "Tan Zuojun"
    assert "Confidence: likely, 0.82" in answer.inner_text()
    caption = answer.locator("figcaption").first.inner_text()
    assert "Tan Zuojun Presided Over" in caption
    assert "February 2" in caption
    assert "002_4240fd80c429d22d.txt" in caption
    tab.page.locator(".epiqa-passages li").first.wait_for()
    assert "Tan Zuojun" in tab.page.locator("#epiqa-passages details[open] mark").all_inner_texts()


def test_other_candidates_unfold(tab: Visit) -> None:
    tab.ask(ANSWERED)
    other = tab.last_answer().locator("details .epiqa-candidate").first
    assert not other.is_visible()
    tab.last_answer().locator("summary").first.click()
    assert other.inner_text().startswith("deputy commander-in-chief")


def test_an_unanswered_question_says_so_and_shows_the_nearest_passages(tab: Visit) -> None:
    tab.ask(UNANSWERABLE)
    answer = tab.last_answer()
    assert answer.locator(".epiqa-text").inner_text() == "The documents don't answer this."
    assert "3 documents were searched" in answer.inner_text()
    assert answer.locator("figure").count() == 3
    assert answer.locator("mark, details").count() == 0


def test_a_question_that_cannot_be_asked_gets_a_plain_reply(tab: Visit) -> None:
    tab.ask("   ")
    assert tab.last_answer().get_attribute("data-state") == "error"
    assert "empty" in tab.last_answer().inner_text()
    tab.ask(ANSWERED)
    assert tab.last_answer().get_attribute("data-state") == "answered"


def test_an_example_asks_its_question_and_clearing_brings_the_examples_back(tab: Visit) -> None:
    assert tab.page.locator("#epiqa-chat .example").all_inner_texts() == [question for _, question in EXAMPLES]
    tab.page.locator("#epiqa-chat .example").first.click()
    tab.last_answer().wait_for()
    assert tab.last_question() == EXAMPLES[0][1]
    tab.page.locator(".epiqa-passages li").first.wait_for()
    tab.page.get_by_role("button", name="Clear").click()
    tab.page.locator("#epiqa-chat .example").first.wait_for()
    tab.page.locator(".epiqa-passages li").first.wait_for(state="detached")


def test_each_question_stays_in_the_conversation(tab: Visit) -> None:
    for question in (ANSWERED, UNANSWERABLE, "<b>&amp; & \"x\" 'y'</b>"):
        tab.ask(question)
    questions = tab.page.locator("#epiqa-chat [data-testid=user]").all_inner_texts()
    assert questions == [ANSWERED, UNANSWERABLE, "<b>&amp; & \"x\" 'y'</b>"]
    states = [answer.get_attribute("data-state") for answer in tab.page.locator("#epiqa-chat .epiqa-answer").all()]
    assert states == ["answered", "unanswered", "unanswered"]


def test_there_is_nothing_to_flag_share_or_follow(tab: Visit) -> None:
    tab.ask(ANSWERED)
    assert tab.page.locator("a:visible").count() == 0
    assert tab.page.locator("footer:visible").count() == 0
    names = {
        button.get_attribute("aria-label") or button.inner_text() for button in tab.page.get_by_role("button").all()
    }
    assert names == {"Clear", "Ask"}


def test_hostile_strings_are_shown_to_the_letter_and_do_nothing(
    browser: Browser, hostile_address: str, hostile: str
) -> None:
    tab = visit(browser, hostile_address)
    tab.ask(hostile)
    assert tab.last_question() == hostile
    answer = tab.last_answer()
    assert answer.locator(".epiqa-text").inner_text() == hostile
    assert answer.locator("figure mark").first.inner_text() == hostile
    assert answer.locator("cite").first.inner_text() == hostile
    assert answer.locator(".epiqa-path").first.inner_text() == hostile
    tab.page.locator(".epiqa-passages li").first.wait_for()
    assert hostile in tab.page.locator("#epiqa-passages mark").all_inner_texts()
    tab.ask("$$x^2$$ ![a](http://attacker.invalid/c.png) unanswerable")
    assert tab.last_question() == "$$x^2$$ ![a](http://attacker.invalid/c.png) unanswerable"
    assert tab.page.evaluate("window.hacked") is None
    assert tab.page.locator("#epiqa-chat img, #epiqa-chat iframe, .katex").count() == 0
    assert tab.foreign_requests() == []
    assert tab.complaints == []


def test_the_browser_is_told_to_reach_no_other_host(browser: Browser, address: str) -> None:
    tab = visit(browser, address)
    outcome = tab.page.evaluate("fetch('http://attacker.invalid/').then(() => 'reached', () => 'refused')")
    assert outcome == "refused"
    assert any("Content Security Policy" in complaint for complaint in tab.complaints)


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "beside"), [(390, False), (820, False), (1400, True)])
def test_the_page_fits_its_window(
    browser: Browser, address: str, width: int, beside: bool, color_scheme: Literal["light", "dark"]
) -> None:
    tab = visit(browser, address, width=width, color_scheme=color_scheme)
    tab.ask(ANSWERED)
    tab.page.locator(".epiqa-passages li").first.wait_for()
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    chat = tab.page.locator("#epiqa-chat").bounding_box()
    panel = tab.page.locator(".epiqa-passages").bounding_box()
    quote = tab.last_answer().locator("blockquote").first.bounding_box()
    assert chat and panel and quote
    assert quote["x"] + quote["width"] <= chat["x"] + chat["width"]
    assert (panel["x"] >= chat["x"] + chat["width"]) == beside
    assert (panel["y"] >= chat["y"] + chat["height"]) == (not beside)


def test_an_answer_is_read_from_its_beginning(browser: Browser, address: str) -> None:
    tab = visit(browser, address, width=390)
    for _ in range(3):
        tab.ask(UNANSWERABLE)
    tab.page.wait_for_function(
        """() => {
          const log = document.querySelector("#epiqa-chat [role=log]").getBoundingClientRect();
          const question = [...document.querySelectorAll("#epiqa-chat [data-testid=user]")].pop();
          const top = question.getBoundingClientRect().top - log.top;
          return 0 <= top && top < 100;
        }"""
    )


def test_a_program_can_ask(address: str) -> None:
    gradio_client = pytest.importorskip("gradio_client")
    client = gradio_client.Client(address, verbose=False, analytics_enabled=False)
    reply = client.predict(ANSWERED, api_name="/ask")
    citation = reply["citations"][0]
    assert (reply["is_answered"], reply["text"], reply["confidence"]) == (True, "Tan Zuojun", 0.82)
    assert (citation["file"], citation["date"]) == ("002_4240fd80c429d22d.txt", "February 2")
    assert citation["quote"] == "Tan Zuojun"
    assert client.predict(UNANSWERABLE, api_name="/ask")["text"] is None
    with pytest.raises(gradio_client.exceptions.AppError, match="question is empty"):
        client.predict(" ", api_name="/ask")
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/ask"]


def test_examples_are_offered_for_documents_that_are_there(qa: QuestionAnswerer) -> None:
    assert offered_examples(qa.documents()) == list(EXAMPLES)
    only = [document for document in qa.documents() if document.path.startswith("004")]
    assert offered_examples(only) == [pair for pair in EXAMPLES if pair[0].startswith("004")]
    assert offered_examples([]) == []


def test_serve_says_where_it_is_and_ends_on_ctrl_c(
    qa: QuestionAnswerer, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    seen: list[int] = []

    def interrupt_once_open() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not capsys_says():
            time.sleep(0.05)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/")
        seen.append(connection.getresponse().status)
        connection.close()
        os.kill(os.getpid(), signal.SIGINT)

    printed = ""

    def capsys_says() -> bool:
        nonlocal printed
        printed += capsys.readouterr().out
        return "\n" in printed

    watcher = threading.Thread(target=interrupt_once_open)
    watcher.start()
    serve(qa, port=port)
    watcher.join()
    assert printed == f"EpiQA is at http://127.0.0.1:{port}\n"
    assert seen == [200]
    gc.collect()


def test_a_proxy_in_the_environment_is_not_asked_for_the_page(
    qa: QuestionAnswerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "intranet.invalid")
    monkeypatch.delenv("NO_PROXY", raising=False)
    page = build_page(qa)
    port = free_port()
    assert launch(page, port=port) == f"http://127.0.0.1:{port}"
    page.close(verbose=False)
    assert (os.environ["no_proxy"], os.environ.get("NO_PROXY")) == ("intranet.invalid", None)
    del page
    gc.collect()


def test_a_port_in_use_is_named_with_the_way_out(qa: QuestionAnswerer, address: str) -> None:
    port = int(address.rpartition(":")[2])
    with pytest.raises(EpiQAError, match=rf"127\.0\.0\.1 port {port} .*--port"):
        serve(qa, port=port)
    gc.collect()


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("127.0.0.1", 0, "Port 0 .*--port"),
        ("127.0.0.1", 65536, "Port 65536 .*--port"),
        ("no such host", 7860, "'no such host'.*--host"),
    ],
)
def test_an_impossible_address_is_named(qa: QuestionAnswerer, host: str, port: int, message: str) -> None:
    with pytest.raises(EpiQAError, match=message):
        serve(qa, host=host, port=port)
    gc.collect()


def test_the_pipeline_answers_on_the_page(browser: Browser, real_address: str) -> None:
    tab = visit(browser, real_address)
    tab.ask("Who presided over the meeting on February 2?")
    answer = tab.last_answer()
    assert answer.locator(".epiqa-text").inner_text() == "Tan Zuojun"
    assert answer.locator("mark").first.inner_text() == "Tan Zuojun"
    tab.ask("How many vaccine doses did Dalian receive?")
    assert tab.last_answer().get_attribute("data-state") == "unanswered"
    assert tab.foreign_requests() == []
    assert tab.complaints == []
    tab.page.close()
