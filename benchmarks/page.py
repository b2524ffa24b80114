"""How long someone waits on the chat page: from Enter to the answer drawn, in Chromium.

    python benchmarks/page.py                      # on the seeds
    python benchmarks/page.py --medquad FOLDER     # on MedQuAD as well, in BEIR's form

Each corpus is served by `epiqa serve` in a process of its own, as for a reader. Questions are asked by keyboard in
one conversation; they are spread over the corpus's own, and none is asked twice. The clock runs in the browser:
from the key to the frame in which the answer, and the source beside it, are drawn. The first question is reported
apart: it comes as soon as the page is there, while the models may still be loading. MedQuAD's index is the one that
`ask.py` keeps in `build/`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

import record
from epiqa.assistant import EpiQA
from load import processor_seconds
from medquad import kept_index, read_medquad
from retrieval import ROOT, read_corpus

ASKED = 19  # and the first: the page shows the last twenty
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")
TIMEOUT_MS = 120_000

# Answer and source come in one message. What stands in the page at the beginning of a frame is drawn at the next.
WATCH = """
() => {
  const replies = () => document.querySelectorAll("#epiqa-chat .epiqa-answer");
  window.waited = null;
  const before = replies().length;
  document.querySelector("#epiqa-question textarea").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const begun = event.timeStamp;
    const observer = new MutationObserver(() => {
      const shown = replies();
      const reply = shown[shown.length - 1];
      if (shown.length <= before || !reply.getBoundingClientRect().height) return;
      observer.disconnect();
      const done = (now) => { window.waited = { ms: now - begun, state: reply.dataset.state }; };
      requestAnimationFrame(() => requestAnimationFrame(done));
    });
    observer.observe(document.body, { childList: true, subtree: true });
  }, { once: true });
}
"""


def spread(questions: Sequence[str], count: int) -> list[str]:
    """Returns so many different questions, at equal distances."""
    different = list(dict.fromkeys(questions))
    return [different[i * len(different) // count] for i in range(min(count, len(different)))]


@contextmanager
def served(directory: Path) -> Iterator[tuple[str, int]]:
    """Runs `epiqa serve`; yields its address and its process id."""
    command = [sys.executable, "-c", "from epiqa.cli import main; main()", "serve", "--index", str(directory)]
    with subprocess.Popen([*command, "--port", str(free_port())], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if not line:
                raise SystemExit(f"{directory} could not be served: see above")
            yield line.split()[-1], server.pid
        finally:
            server.terminate()


def ask(tab: Page, question: str) -> dict[str, Any]:
    """Asks by keyboard; returns the milliseconds until the answer was drawn, and whether there was one."""
    tab.locator("#epiqa-question textarea").focus()
    tab.evaluate(WATCH)
    tab.keyboard.insert_text(question)
    tab.keyboard.press("Enter")
    waited = dict(tab.wait_for_function("window.waited").json_value())
    print(f"{waited['ms']:6.0f} ms, {waited['state']}: {question}", flush=True)
    return waited


def measure(directory: Path, questions: Sequence[str]) -> dict[str, Any]:
    """Opens the page on an index and asks; returns the figures."""
    with served(directory) as (address, process), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        tab.set_default_timeout(TIMEOUT_MS)
        tab.goto(address)
        tab.locator("#epiqa-sources .epiqa-source").wait_for()
        tab.locator("#epiqa-header h1").wait_for()
        first = ask(tab, questions[0])
        before = processor_seconds(process)
        waits = [ask(tab, question) for question in questions[1:]]
        used = processor_seconds(process) - before
        browser.close()
    states = [wait["state"] for wait in waits]
    if "error" in states or first["state"] == "error":
        raise SystemExit(f"a question was not answered but refused: {states}")
    p50, p95, slowest = np.percentile([wait["ms"] for wait in waits], [50, 95, 100])
    return {
        "questions": len(waits),
        "answered": states.count("answered"),
        "first_ms": round(first["ms"]),
        "p50_ms": round(p50),
        "p95_ms": round(p95),
        "slowest_ms": round(slowest),
        "processor_s_a_question": round(used / len(waits), 3),
        "load_average": [round(load, 1) for load in os.getloadavg()],
    }


def free_port() -> int:
    """Returns a port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def chromium() -> str:
    """Returns the browser's path."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        raise SystemExit(f"none of {', '.join(CHROMIUM)} is installed")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--medquad", type=Path, metavar="FOLDER", help="a corpus in BEIR's form")
    parser.add_argument("--questions", type=int, default=ASKED, help="how many, beside the first")
    given = parser.parse_args()
    chromium()
    with tempfile.TemporaryDirectory() as folder:
        EpiQA.build([ROOT / "seeds"], index=folder)
        corpus = read_corpus("seeds", None)
        figures = {"seeds": measure(Path(folder), spread([q for q, _ in corpus.questions], given.questions + 1))}
    if given.medquad is not None:
        medquad = read_medquad(given.medquad)
        asked = spread(list(medquad.queries.values()), given.questions + 1)
        figures["medquad"] = measure(kept_index(medquad), asked)
    record.write("page", figures)


if __name__ == "__main__":
    main()
