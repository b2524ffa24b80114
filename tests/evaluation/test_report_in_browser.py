"""A report in Chromium: filtered, searched, and accessible at three widths."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from epiqa.evaluation import Difference, Evaluation, write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
from evaluation.reports import HOSTILE, outcome, ranked

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


CHROMIUM_FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking")


WIDTHS = (400, 900, 1400)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        assert "EPIQA_REQUIRE_BROWSER" not in os.environ, "CI must not skip the report's tests"
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of everything there can be, hostile strings included."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    long = "unbreakable" * 30
    outcomes = (
        outcome("Who chaired the meeting?", text="Tan Zuojun", latency_ms=100.0),
        outcome("Who spoke?", text="Governor Tang", f1=0.0, forced_f1=0.0),
        outcome(HOSTILE, golds=(HOSTILE,), text=HOSTILE, f1=0.0, forced_f1=0.0, path=HOSTILE),
        outcome(long, golds=(long,), text=long, path=long, f1=0.0, forced_f1=0.0, hits=(False,), confidence=0.9),
        outcome("How many?", golds=(), f1=1.0, forced_f1=0.0, is_answered=False, hits=None),
    )
    differences = [
        Difference("abstention.false_answer_rate", 0.5, 0.55, 0.01, 0.1, 0.004),
        Difference("f1", 0.5, 0.55, -0.01, 0.1, 0.2),
    ]
    evaluation = Evaluation(
        {"f1": 0.5, "abstention": {"false_answer_rate": 0.1}, "latency_ms": {"p50": 1.0}},
        outcomes,
        settings={"sha256": "0" * 64},
        intervals={"f1": (0.4, 0.6)},
        skipped=(HOSTILE, long),
    )
    write_report(evaluation, HOSTILE, path, differences)
    return path


@pytest.fixture(scope="module")
def ranking_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "ranking.html"
    queries = (ranked("1", ["a", HOSTILE], {"a": 1.0}, ndcg=1.0), ranked("2", ["a"], {"z" * 200: 1.0}))
    write_report(Evaluation({"ndcg@10": 0.5}, (), queries), "beir", path)
    return path


class Visits:
    """Opens reports in a browser, and keeps what they asked for and complained about."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.requests: list[str] = []
        self.complaints: list[str] = []

    def open(
        self, path: Path, *, width: int = 1400, dark: bool = False, has_script: bool = True, anchor: str = ""
    ) -> Page:
        scheme: Literal["dark", "light"] = "dark" if dark else "light"
        page = self._browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=has_script
        )
        page.set_default_timeout(20_000)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.goto(path.as_uri() + anchor)
        return page


@pytest.fixture
def visits(browser: Browser) -> Iterator[Visits]:
    """Whatever a test does on a report, nothing may be asked for but the report, and nothing go wrong."""
    visits = Visits(browser)
    yield visits
    assert [url for url in visits.requests if not url.startswith("file:") or ".html" not in url] == []
    assert visits.complaints == []


def shown(page: Page) -> list[str]:
    """Returns the verdicts of the rows that can be seen."""
    return page.locator(".rows tbody tr:visible .chip").all_inner_texts()


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no script"])
def test_the_table_is_filtered_by_verdict_with_and_without_script(
    visits: Visits, report: Path, *, has_script: bool
) -> None:
    page = visits.open(report, has_script=has_script)
    assert shown(page) == ["not retrieved", "misread", "misread", "right", "right to abstain"]
    assert page.locator("input").is_visible() == has_script
    page.locator(".kinds a", has_text="misread").click()
    assert shown(page) == ["misread", "misread"]
    assert page.locator(".only:visible").inner_text() == "Only misread: 2 of 5. Show all 5"
    page.locator(".filter a", has_text="right to abstain").click()
    assert shown(page) == ["right to abstain"]
    page.locator(".only:visible a").click()
    assert len(shown(page)) == 5
    page.locator("svg.bar a").nth(3).click()
    assert shown(page) == ["not retrieved"]
    page.go_back()
    assert len(shown(page)) == 5
    page.close()
    linked = visits.open(report, has_script=has_script, anchor="#only-right")
    assert shown(linked) == ["right"]
    linked.close()


def test_the_table_is_searched_by_all_the_words_within_the_verdict(visits: Visits, report: Path) -> None:
    page = visits.open(report)
    search, count = page.get_by_label("Search the table"), page.locator("output")
    assert count.inner_text() == "5 of 5 shown"
    search.fill("WHO tan")
    assert shown(page) == ["misread", "right"]
    assert count.inner_text() == "2 of 5 shown"
    page.locator(".filter a", has_text="misread").click()
    assert shown(page) == ["misread"]
    page.wait_for_function("document.querySelector('output').textContent === '1 of 5 shown'")
    search.fill("<script>")
    assert shown(page) == ["misread"]
    assert page.locator(".rows tbody tr:visible td:nth-child(2)").inner_text() == HOSTILE
    search.fill("nothing like it")
    assert shown(page) == []
    search.fill("")
    assert shown(page) == ["misread", "misread"]
    page.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_report_fits_its_page_and_axe_finds_nothing(
    visits: Visits, report: Path, ranking_report: Path, width: int, *, dark: bool
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for path in (report, ranking_report):
        page = visits.open(path, width=width, dark=dark)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        violations = axe.run(page).response["violations"]
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in violations] == []
        page.close()
