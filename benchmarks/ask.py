"""What someone waits who asks: from the shell to the answer, and in a process that runs.

    python benchmarks/ask.py PATH_TO_MEDQUAD [--questions 300]

On the seeds and on MedQuAD's 5,486 pages: the median wall time of `epiqa ask` in a fresh process, page cache warm,
and what of it goes to Python's start, to its imports, and to opening the index; then p50 and p95 of `EpiQA.ask` in
one warm process, in all and stage by stage, over the seeds' question set and over MedQuAD questions drawn with a
fixed seed. MedQuAD's index stays in `build/`, and is built anew (three or four minutes) for another embedder.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import record
from epiqa.assistant import EpiQA
from medquad import kept_index, read_medquad
from seeds import QUESTIONS, ROOT, RUNS, ask_in_a_fresh_process

ASKED = 300
WARM_UP = 5
SEED = 7
STAGES = ("retrieve", "read", "answer", "total")
WANTED = {"seeds": {"shell_s": 1.0}, "medquad": {"shell_s": 1.5, "p50_ms": 150, "p95_ms": 300}}


def fresh_python(code: str) -> float:
    """Returns the median seconds of a fresh Python that runs some code, after a run that warms the page cache."""
    seconds = []
    for _ in range(RUNS + 1):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds[1:])


def from_the_shell(index: Path, question: str) -> dict[str, float]:
    """Returns the seconds of `epiqa ask`, and of what comes before the question in it."""
    opening = f"import epiqa.cli; from epiqa.assistant import EpiQA; EpiQA.open({str(index)!r})"
    start, imports, opened = (fresh_python(code) for code in ("pass", "import epiqa.cli", opening))
    parts = {
        "shell_s": ask_in_a_fresh_process(str(index), question),
        "of_which_python_s": start,
        "of_which_imports_s": imports - start,
        "of_which_opening_s": opened - imports,
    }
    return {name: round(value, 3) for name, value in parts.items()}


def in_a_warm_process(index: Path, questions: Sequence[str]) -> dict[str, Any]:
    """Asks all questions, one after another; returns the milliseconds, in all and by stage."""
    qa = EpiQA.open(index)
    for question in questions[:WARM_UP]:
        qa.ask(question)
    taken: dict[str, list[float]] = {stage: [] for stage in STAGES}
    answered = 0
    for question in questions:
        answer = qa.ask(question)
        answered += answer.is_answered
        for stage in STAGES:
            taken[stage].append(answer.timings_ms[stage])
    percentiles = {stage: statistics.quantiles(values, n=20, method="inclusive") for stage, values in taken.items()}
    return {
        "questions": len(questions),
        "answered": answered,
        **{
            stage: {"p50_ms": round(cuts[9], 1), "p95_ms": round(cuts[18], 1)}
            for stage, cuts in percentiles.items()
        },
    }


def measure(index: Path, questions: Sequence[str]) -> dict[str, Any]:
    return {**from_the_shell(index, questions[0]), "warm": in_a_warm_process(index, questions)}


def missed(figures: dict[str, Any]) -> list[str]:
    """Returns what is slower than it should be, in words."""
    found = []
    for corpus, limits in WANTED.items():
        values = {**figures[corpus], **figures[corpus]["warm"]["total"]}
        found += [
            f"{corpus}: {name} {values[name]}, {limit} wanted"
            for name, limit in limits.items()
            if values[name] > limit
        ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("medquad", type=Path)
    parser.add_argument("--questions", type=int, default=ASKED, help=f"how many of MedQuAD's are asked ({ASKED})")
    arguments = parser.parse_args()
    medquad = read_medquad(arguments.medquad)
    kept = kept_index(medquad)
    asked = random.Random(SEED).sample(list(medquad.queries.values()), arguments.questions)
    with tempfile.TemporaryDirectory() as folder:
        EpiQA.build([ROOT / "seeds"], index=folder)
        lines = QUESTIONS.read_text("utf-8").splitlines()
        figures = {"seeds": measure(Path(folder), [json.loads(line)["question"] for line in lines])}
    figures["medquad"] = measure(kept, asked)
    record.write("ask", figures)
    print("\n".join(missed(figures)) or "As fast as wanted.")


if __name__ == "__main__":
    main()
