"""Visits to the page in a real browser: a tab, its requests and its complaints."""

from __future__ import annotations

import gc
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import gradio as gr
import pytest

from epiqa.web import Assistant, build_page, launch
from epiqa.web.server import routes_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Locator, Page

# Gradio never closes the event loops of its locks (utils.safe_get_lock), and uses deprecated options of pandas.
GRADIOS_WARNINGS = [
    pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning"),
    pytest.mark.filterwarnings(r"ignore:unclosed <socket\.socket fd=\d+, family=1, type=1:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting' is deprecated"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]
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
TIMEOUT_MS = 60_000
NO_PROXY = {**os.environ, "no_proxy": "127.0.0.1"}
ANSWERED = "Who chaired the city headquarters meeting on February 2?"
UNANSWERABLE = "How many vaccine doses did Dalian receive?"


@dataclass
class Visit:
    """A browser tab on the page, and what it asked for and complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def ask(self, question: str) -> Locator:
        answers = self.page.locator("#epiqa-chat .epiqa-answer")
        before = answers.count()
        self.page.locator("#epiqa-question textarea").fill(question)
        self.page.locator("#epiqa-question button").click()
        answers.nth(before).wait_for()
        return self.last_answer()

    def last_answer(self) -> Locator:
        return self.page.locator("#epiqa-chat .epiqa-answer").last

    def questions(self) -> list[str]:
        return self.page.locator("#epiqa-chat [data-testid=user]").all_inner_texts()

    def source(self) -> Locator:
        """The quote that the sources panel shows."""
        return self.page.locator("#epiqa-sources mark.epiqa-current")

    def open_tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name, exact=True).click()

    def is_source_in_view(self) -> bool:
        """Whether the quote is on screen: inside its box, and the box inside the window."""
        return bool(
            self.source().evaluate(
                """(mark) => {
                  const quote = mark.getBoundingClientRect();
                  const box = mark.closest(".epiqa-document").getBoundingClientRect();
                  return box.top - 1 <= quote.top && quote.top < Math.min(box.bottom, innerHeight);
                }"""
            )
        )

    def note(self, message: ConsoleMessage) -> None:
        """Records a console message as a complaint, except for Gradio's after each upload."""
        if message.type != "log" and message.text != "Method not implemented.":
            self.complaints.append(message.text)

    def check(self) -> None:
        """Nothing left the host, and nothing went wrong; to be called before the tab is closed."""
        home = urlsplit(self.page.url).netloc
        assert [url for url in self.requests if urlsplit(url).netloc not in ("", home)] == []
        assert self.complaints == []


def visit(browser: Browser, address: str, *, width: int = 1440, **context: Any) -> Visit:
    page = browser.new_context(viewport={"width": width, "height": 900}, **context).new_page()
    page.set_default_timeout(TIMEOUT_MS)
    visit = Visit(page)
    page.on("request", lambda request: visit.requests.append(request.url))
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.on("console", visit.note)
    page.goto(address)
    for filled in ("#epiqa-sources .epiqa-source", "#epiqa-header h1"):  # from the server
        page.locator(filled).wait_for()
    return visit


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def served(qa: Assistant, **options: Any) -> Iterator[str]:
    yield from served_page(build_page(qa), routes=routes_of(qa), **options)


def served_page(page: gr.Blocks, **options: Any) -> Iterator[str]:
    gc.collect()
    yield launch(page, port=free_port(), **options)
    page.close(verbose=False)
    del page
    gc.collect()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Starts the browser; skips the test where there is none, unless CI says that it must not."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        assert "EPIQA_REQUIRE_BROWSER" not in os.environ, "CI must not skip the page's tests"
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()
