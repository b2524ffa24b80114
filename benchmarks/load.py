"""Many people at once on the chat page: how long each waits for an answer, and who is told that it is busy.

    python benchmarks/load.py [--people 50] [--every 10] [--minutes 5]    # each asks again and again
    python benchmarks/load.py --at-once [--people 200]                    # each asks once, all in the same moment
    python benchmarks/load.py --url http://127.0.0.1:7860                 # a page that is running already

Starts `epiqa serve` on the seeds, unless told where a page is, and asks as a browser or curl would: a POST, then
the answer as server-sent events. A person's time is from the question sent to the answer received. No question is
asked twice. Who is slow to get an answer asks the next one as soon as it is there. The server's processor time for
an answer says how many the machine could give, also where other work disturbs the waiting times.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np

import record
from epiqa.assistant import EpiQA

ROOT = Path(__file__).parent.parent
QUESTIONS = (ROOT / "tests" / "data" / "seeds_questions.jsonl", ROOT / "training" / "notices_questions.jsonl")
OPENINGS = (
    *("", "Please: ", "Tell me: ", "In the notices: ", "As far as the documents say: ", "I want to know: "),
    *(
        "According to the notices: ",
        "A question: ",
        "Can you say: ",
        "We were asked: ",
        "For the record: ",
        "Again: ",
    ),
)
PATIENCE_S = 120.0
SEED = 7


def questions() -> Iterator[str]:
    """Yields the project's own questions, then each again with another opening; 1,656 in all."""
    asked = [json.loads(line)["question"] for path in QUESTIONS for line in path.read_text("utf-8").splitlines()]
    for opening, question in itertools.product(OPENINGS, asked):
        yield opening + question


async def ask(browser: httpx.AsyncClient, question: str) -> tuple[str, float]:
    """Asks one question; returns what came of it ("answered", "busy" or an error's name) and the seconds."""
    begun = time.perf_counter()
    try:
        sent = await browser.post("/gradio_api/call/v2/ask", json={"question": question})
        if sent.status_code == 503:
            return "busy", time.perf_counter() - begun
        sent.raise_for_status()
        event = sent.json()["event_id"]
        answer = await browser.get(f"/gradio_api/call/ask/{event}")
        answer.raise_for_status()
    except httpx.HTTPError as error:
        return type(error).__name__, time.perf_counter() - begun
    is_answer = "event: complete" in answer.text and '"is_answered"' in answer.text
    return "answered" if is_answer else "no answer came", time.perf_counter() - begun


def summary(outcomes: list[tuple[str, float]]) -> dict[str, Any]:
    """Returns how many questions came to what, and the seconds until an answer or "busy"."""
    figures: dict[str, Any] = {"questions": len(outcomes), **Counter(kind for kind, _ in outcomes)}
    for kind in ("answered", "busy"):
        if seconds := [took for outcome, took in outcomes if outcome == kind]:
            p50, p95, slowest = np.percentile(seconds, [50, 95, 100])
            figures[f"{kind}_s"] = {"p50": round(p50, 2), "p95": round(p95, 2), "max": round(slowest, 2)}
    return figures


def browser_of(url: str) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, limits=limits, trust_env=False)


async def again_and_again(url: str, people: int, every_s: float, minutes: float) -> dict[str, Any]:
    """Lets each person ask every so many seconds, from a moment of their own; returns the figures."""
    asked = questions()
    outcomes: list[tuple[str, float]] = []
    starts = random.Random(SEED)
    end = time.perf_counter() + minutes * 60

    async def person(browser: httpx.AsyncClient) -> None:
        due = time.perf_counter() + starts.uniform(0, every_s)
        while due < end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            outcomes.append(await ask(browser, next(asked)))
            due = max(due + every_s, time.perf_counter())

    async with browser_of(url) as browser:
        await ask(browser, "Is anyone there?")
        await asyncio.gather(*(person(browser) for _ in range(people)))
    figures = summary(outcomes)
    answered = figures.get("answered", 0)
    return {
        **figures,
        "wanted_a_second": round(people / every_s, 2),
        "answered_a_second": round(answered / minutes / 60, 2),
    }


async def all_at_once(url: str, people: int) -> dict[str, Any]:
    """Lets everyone ask one question in the same moment, and someone another one afterwards."""
    asked = questions()
    async with browser_of(url) as browser:
        await ask(browser, "Is anyone there?")
        outcomes = await asyncio.gather(*(ask(browser, next(asked)) for _ in range(people)))
        kind, seconds = await ask(browser, next(asked))
    return {**summary(outcomes), "afterwards": kind, "afterwards_s": round(seconds, 2)}


@contextmanager
def page() -> Iterator[tuple[str, int]]:
    """Serves the seeds in a process of their own; yields the address and the process id."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    with tempfile.TemporaryDirectory() as index:
        EpiQA.build([ROOT / "seeds"], index=index)
        command = [
            sys.executable,
            "-c",
            "from epiqa.cli import main; main()",
            "serve",
            "--index",
            index,
            "--port",
            port,
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                yield server.stdout.readline().split()[-1], server.pid
            finally:
                server.terminate()


def processor_seconds(process: int) -> float:
    """Returns the processor time that a process has used, its own and the system's for it."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, help="how many; 50, or 200 with --at-once")
    parser.add_argument("--every", type=float, default=10, metavar="SECONDS", help="between a person's questions")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--at-once", action="store_true", help="each asks once, all in the same moment")
    parser.add_argument("--url", help="a page that is running; by default one is started on the seeds")
    given = parser.parse_args()
    people = given.people or (200 if given.at_once else 50)

    def measure(url: str) -> dict[str, Any]:
        if given.at_once:
            return {"people": people, **asyncio.run(all_at_once(url, people))}
        figures = asyncio.run(again_and_again(url, people, given.every, given.minutes))
        return {"people": people, "every_s": given.every, "minutes": given.minutes, **figures}

    if given.url:
        figures = measure(given.url)
    else:
        with page() as (url, process):
            before = processor_seconds(process)
            figures = measure(url)
            used = processor_seconds(process) - before
        if answered := figures.get("answered"):
            figures["processor_s_an_answer"] = round(used / answered, 3)
    figures["load_average"] = [round(load, 1) for load in os.getloadavg()]
    record.write("load_at_once" if given.at_once else "load", figures)


if __name__ == "__main__":
    main()
