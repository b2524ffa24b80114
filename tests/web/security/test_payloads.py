"""No document or question runs, loads or sends anything: 440 hostile strings in a real browser.

The browser ignores the page's content security policy here, so that the escaping alone is tested; `test_page.py`
tests the policy. The first test proves that the strings run where nothing stops them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from epiqa.types import Document, DocumentDate
from web.conftest import FakeAnswerer
from web.payloads import HOST, LOADS, RUNS, payloads
from web.visits import GRADIOS_WARNINGS, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

pytestmark = GRADIOS_WARNINGS

PAYLOADS = payloads()
BATCH = 74
ASKED = "What do the documents say?"

# `ran` is called by what runs; frames tell the page they stand in.
WATCH = "window.hits = window.hits || []; window.ran = number => { top.hits.push(number); return false; }"

# What an attribute would do on a click or a hover, or without a request to be seen.
AUDIT = """root => {
  const live = /^(on.*|href|xlink:href|src|srcset|srcdoc|action|formaction|data|poster|ping|background|style)$/i;
  const found = [];
  const walk = inside => inside.querySelectorAll("*").forEach(element => {
    for (const {name, value} of element.attributes)
      if (live.test(name) && /ran\\(|attacker/.test(value)) found.push(`${element.tagName} ${name}=${value}`);
    if (element.shadowRoot) walk(element.shadowRoot);
    if (/^(STYLE|SCRIPT)$/.test(element.tagName) && /^[^{]*attacker|@import .http/.test(element.textContent))
      found.push(element.outerHTML.slice(0, 200));
  });
  walk(root ?? document);
  return found;
}"""


@dataclass
class Watched:
    """A page with everything that was run, asked of the attacker, opened or said on it."""

    page: Page
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    popups: list[str] = field(default_factory=list)

    def dismiss(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def hits(self) -> set[int]:
        return set(self.page.evaluate("window.hits"))

    def loads(self) -> set[int]:
        return {int(number) for number in re.findall(rf"{HOST}/(\d+)", "\n".join(self.requests))}

    def foreign(self, home: str) -> list[str]:
        return [url for url in self.requests if not url.startswith((home, "data:", "blob:", "about:"))]


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    context = browser.new_context(bypass_csp=True, viewport={"width": 1400, "height": 900}, locale="en-US")
    context.add_init_script(WATCH)
    page = context.new_page()
    page.set_default_timeout(30_000)
    watched = Watched(page)
    page.on("request", lambda request: watched.requests.append(request.url))
    page.on("dialog", watched.dismiss)
    page.on("popup", lambda popup: watched.popups.append(popup.url))
    yield watched
    context.close()


def test_the_payloads_run_where_nothing_stops_them(watched: Watched) -> None:
    """Put unescaped into plain pages, one frame for each, most of the strings do what they are made for."""
    page = watched.page
    page.route(
        "http://plain.invalid/", lambda route: route.fulfill(body="<title>plain</title>", content_type="text/html")
    )
    page.goto("http://plain.invalid/")
    page.evaluate(
        """strings => strings.forEach(string => {
          const frame = document.createElement("iframe");
          frame.srcdoc = `<!doctype html><p>${string}</p>`;
          document.body.append(frame);
        })""",
        PAYLOADS,
    )
    page.wait_for_function("hits.length > 90")
    page.wait_for_timeout(2000)
    done = watched.hits() | watched.loads()
    found = page.evaluate(
        f"[...document.querySelectorAll('iframe')].map(frame => ({AUDIT})(frame.contentDocument).length > 0)"
    )
    waiting = {number for number, is_live in enumerate(found) if is_live}
    kinds = len(RUNS) + len(LOADS)
    for way_out in range(3):
        own = range(way_out * kinds, (way_out + 1) * kinds)
        assert len(done.intersection(own)) >= 55
        assert len((done | waiting).intersection(own)) >= 80  # also what waits for a click
    assert not (done | waiting).intersection(range(3 * kinds, 4 * kinds))  # escaped


def hostile_documents(strings: Sequence[str]) -> list[Document]:
    """A document for each string, which is its title, path, date and text; and one that holds them all."""
    documents = [
        Document(f"d{number}", string, f"{number} {string}", string, f"{string}\n\nIt says {string} here.\n",
                 DocumentDate(string, 1, 1))
        for number, string in enumerate(strings)
    ]  # fmt: skip
    text = "All of them\n\n" + "\n".join(string.replace("\n", " ") for string in strings) + "\n"
    return [*documents, Document("all", "All", "all.txt", "all.txt", text, None)]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    quotes = [(string.replace("\n", " "), 0.5) for string in PAYLOADS]
    answers: dict[str, Any] = {ASKED: ("all.txt", quotes)}
    yield from served(FakeAnswerer(hostile_documents(PAYLOADS), answers, top_k=len(PAYLOADS)))


def ask(page: Page, question: str) -> None:
    """Asks on whatever page there is, and waits for the reply."""
    replies = page.locator("[data-testid=bot]")
    before = replies.count()
    box = page.get_by_role("textbox", name="Question")
    box.fill(question)
    box.press("Enter")
    page.wait_for_function(
        "count => document.querySelectorAll('[data-testid=bot] section, [data-testid=bot] p').length"
        " && document.querySelectorAll('[data-testid=bot]').length > count",
        arg=before,
    )


def open_everything(page: Page) -> None:
    """Shows all that the page can show: each tab, and all that is folded."""
    for tab in page.get_by_role("tab").all():
        tab.click()
        page.wait_for_timeout(500)
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
    page.wait_for_timeout(500)


def assert_nothing_happened(watched: Watched, address: str) -> None:
    assert watched.hits() == set()
    assert watched.page.evaluate(AUDIT) == []
    assert watched.dialogs == watched.popups == watched.foreign(address) == []
    assert watched.page.url.startswith(address)


def test_nothing_of_a_document_runs(watched: Watched, address: str) -> None:
    watched.page.goto(address)
    ask(watched.page, ASKED)
    open_everything(watched.page)
    shown = watched.page.locator("body").text_content() or ""
    missing = [string for string in PAYLOADS if _bare(string) not in _bare(shown)]
    assert missing == [], "the page no longer shows these, so this test shows nothing: mend it"
    assert_nothing_happened(watched, address)


def test_nothing_of_a_question_runs(watched: Watched, address: str) -> None:
    watched.page.goto(address)
    for start in range(0, len(PAYLOADS), BATCH):
        ask(watched.page, "\n\n".join(PAYLOADS[start : start + BATCH]))
    shown = watched.page.locator("body").inner_text()
    assert [string for string in PAYLOADS if _bare(string) not in _bare(shown)] == []
    open_everything(watched.page)
    assert_nothing_happened(watched, address)


def _bare(text: str) -> str:
    return "".join(text.split())
