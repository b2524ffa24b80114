"""Takes the pictures of the page in docs/, with Chromium installed: `python docs/picture.py`."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from epiqa import EpiQA
from epiqa.web import build_page, launch
from epiqa.web.sources import originals_route

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
PORT = 7869
ANSWERED = "Who presided over the meeting on February 2?"
UNANSWERED = "How many vaccine doses did Dalian receive?"
QUESTIONS = ROOT / "tests" / "data" / "seeds_questions.jsonl"

SHOWN_QUESTIONS = 8  # enough for a picture


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        shutil.copytree(ROOT / "seeds", Path(folder, "seeds"))
        os.chdir(folder)  # so that the paths on the page are those of the quick start
        qa = EpiQA.build(["seeds"], index="index")
        qa.ask("Are you ready?")
        page = build_page(qa)
        address = launch(page, port=PORT, routes=[originals_route(qa)])
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        answered(_tab(browser, address, 1280, 800))
        unanswered(_tab(browser, address, 820, 1000))
        narrow(_tab(browser, address, 390, 800, locale="zh-CN", color_scheme="dark"))
        documents(_tab(browser, address, 1280, 800))
        evaluation(_tab(browser, address, 1280, 1150, color_scheme="dark"))
        browser.close()
        page.close(verbose=False)
        os.chdir(ROOT)


def answered(tab: Page) -> None:
    _ask(tab, ANSWERED)
    _save(tab, "page")


def unanswered(tab: Page) -> None:
    _ask(tab, UNANSWERED)
    _save(tab, "page-unanswered")


def narrow(tab: Page) -> None:
    _ask(tab, ANSWERED)
    _save(tab, "page-narrow")


def documents(tab: Page) -> None:
    tab.get_by_role("tab", name="Documents").click()
    formats = ROOT / "tests" / "data" / "formats"
    files = [formats / name for name in ("writer.docx", "chromium.pdf", "chromium-scan.pdf")]
    tab.locator("#epiqa-upload input[type=file]").set_input_files(files)
    tab.get_by_text("Done:").wait_for()
    _save(tab, "page-documents")


def evaluation(tab: Page) -> None:
    some = Path("questions.jsonl")
    some.write_text("".join(QUESTIONS.read_text(encoding="utf-8").splitlines(keepends=True)[:SHOWN_QUESTIONS]))
    tab.get_by_role("tab", name="Evaluate").click()
    tab.locator("#epiqa-question-set-file input[type=file]").set_input_files(some)
    tab.wait_for_function(f"document.querySelector('#epiqa-question-set input').value === '{some.name}'")
    tab.get_by_role("button", name="Run", exact=True).click()
    tab.locator(".epiqa-curves").wait_for()
    _save(tab, "page-evaluate")


def _tab(browser: Browser, address: str, width: int, height: int, **context: Any) -> Page:
    tab = browser.new_context(viewport={"width": width, "height": height}, **context).new_page()
    tab.set_default_timeout(120_000)
    tab.goto(address)
    tab.locator("#epiqa-sources .epiqa-source").wait_for()
    return tab


def _ask(tab: Page, question: str) -> None:
    tab.locator("#epiqa-question textarea").fill(question)
    tab.locator("#epiqa-question button").click()
    tab.locator("#epiqa-sources mark").first.wait_for()


def _save(tab: Page, name: str) -> None:
    tab.wait_for_timeout(1500)
    picture = Image.open(io.BytesIO(tab.screenshot()))
    picture.quantize(64).save(DOCS / f"{name}.png", optimize=True)
    tab.context.close()


if __name__ == "__main__":
    main()
