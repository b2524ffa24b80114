"""The short form: what is felt, in under five minutes, beside what was recorded last; `make bench` runs it.

    python benchmarks/short.py [--no-record]

Times, each a median: both readers on eight passages of 180 tokens, a question of the seeds' set in a warm process,
`epiqa ask` in a fresh one, opening an index, embedding a text of 180 tokens, and building the seeds' index. Says
what became slower by more than a fifth than in the results of the last commit that has some, and exits with 1 then.
Only figures of one machine, with nothing else running on it, can be compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import cycle
from typing import Any

import record
from epiqa.assistant import EpiQA
from epiqa.models.cascade import ReaderCascade
from epiqa.models.embedder import load_embedder
from epiqa.models.reader_loading import LARGE, SMALL, load_reader
from reader import PASSAGE_TOKENS, PASSAGES, QUESTION, passage
from seeds import QUESTIONS, ROOT, ask_in_a_fresh_process

NAME = "short"
RUNS = 15
TEXTS = 32
SLOWER = 1.2


def median_ms(run: Callable[[], object], runs: int = RUNS) -> float:
    """Returns the median time of a call, in milliseconds, after one that is not counted."""
    run()
    seconds = []
    for _ in range(runs):
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
    return round(statistics.median(seconds) * 1000, 1)


def measure() -> dict[str, float]:
    passages = [passage(PASSAGE_TOKENS)] * PASSAGES
    texts = [f"{number} {passages[0].quote}" for number in range(TEXTS)]
    embedder = load_embedder()
    figures = {}
    both = load_reader()
    assert isinstance(both, ReaderCascade)
    for name, reader in ((SMALL, both.first), (LARGE, both.second)):
        read = partial(reader.read, QUESTION, passages)
        figures[f"{name}, {PASSAGES} passages, ms"] = median_ms(read)
    figures["a text embedded, ms"] = round(median_ms(lambda: embedder.encode(texts)) / TEXTS, 2)
    with tempfile.TemporaryDirectory() as index:
        begun = time.perf_counter()
        qa = EpiQA.build([ROOT / "seeds"], index=index, embedder=embedder)
        figures["the seeds indexed, ms"] = round((time.perf_counter() - begun) * 1000, 1)
        lines = QUESTIONS.read_text("utf-8").splitlines()
        questions = cycle(json.loads(line)["question"] for line in lines)
        figures["a question, ms"] = median_ms(lambda: qa.ask(next(questions)), runs=len(lines))
        figures["an index opened, ms"] = median_ms(lambda: EpiQA.open(index))
        figures["epiqa ask, ms"] = round(ask_in_a_fresh_process(index) * 1000, 1)
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--no-record", action="store_true", help="leave benchmarks/results/ alone")
    arguments = parser.parse_args()
    last = record.last(NAME)
    figures = measure()
    if not arguments.no_record:
        record.write(NAME, figures)
    commit, before = last if last else ("none", dict[str, Any]())
    slower = []
    print(f"\n{'':32}{'now':>10}{commit:>12}")
    for name, value in figures.items():
        earlier = before.get(name)
        is_slower = earlier is not None and value > SLOWER * earlier
        slower += [name] if is_slower else []
        print(f"{name:32}{value:>10}{earlier if earlier is not None else '-':>12}{'  slower' if is_slower else ''}")
    print(f"Slower by more than a fifth: {', '.join(slower) or 'nothing'}.")
    return 1 if slower else 0


if __name__ == "__main__":
    raise SystemExit(main())
