"""Takes the picture of the page that the README shows: `python docs/picture.py`, with Chromium installed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from epiqa import EpiQA
from epiqa.web import build_page, launch

DOCS = Path(__file__).parent
PORT = 7869
QUESTION = "Who presided over the meeting on February 2?"


def main() -> None:
    with tempfile.TemporaryDirectory() as index, sync_playwright() as playwright:
        page = build_page(EpiQA.build([DOCS.parent / "seeds"], index=index))
        address = launch(page, port=PORT)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        tab = browser.new_page(viewport={"width": 1280, "height": 800})
        tab.goto(address)
        tab.locator("#epiqa-question textarea").fill(QUESTION)
        tab.locator("#epiqa-question button").click()
        tab.locator("#epiqa-chat .epiqa-answer").wait_for()
        tab.wait_for_timeout(1000)
        tab.screenshot(path=DOCS / "page.png")
        browser.close()
        page.close(verbose=False)


if __name__ == "__main__":
    main()
