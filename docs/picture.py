"""Takes the picture of the page that the README shows: `python docs/picture.py`, with Chromium installed."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from epiqa import EpiQA
from epiqa.web import build_page, launch

DOCS = Path(__file__).parent
PORT = 7869
QUESTION = "Who presided over the meeting on February 2?"


def main() -> None:
    with tempfile.TemporaryDirectory() as index, sync_playwright() as playwright:
        os.chdir(DOCS.parent)  # so that the paths on the page are those of the quick start
        page = build_page(EpiQA.build(["seeds"], index=index))
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
        picture = Image.open(io.BytesIO(tab.screenshot()))
        picture.quantize(64).save(DOCS / "page.png", optimize=True)
        browser.close()
        page.close(verbose=False)


if __name__ == "__main__":
    main()
