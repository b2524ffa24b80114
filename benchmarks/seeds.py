"""The seeds: the question set of `tests/data`, and the time from the shell to an answer.

    python benchmarks/seeds.py

Figures: the measures of `epiqa evaluate`, the two shares that the project holds itself to, the same after
`epiqa calibrate` with the other set of questions about these notices, `training/notices_questions.jsonl`, and the
median wall time of `epiqa ask` in a fresh process, page cache warm.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import record
from epiqa.assistant import EpiQA
from epiqa.evaluation import Evaluation, calibrate, evaluate
from epiqa.evaluation.metrics import RIGHT_F1

ROOT = Path(__file__).parent.parent
QUESTIONS = ROOT / "tests" / "data" / "seeds_questions.jsonl"
CALIBRATION_QUESTIONS = ROOT / "training" / "notices_questions.jsonl"
RUNS = 7


def ask_in_a_fresh_process(index: str, question: str = "Who presided over the meeting?") -> float:
    """Returns the median seconds of `epiqa ask`, after a run that warms the page cache.

    Exit code 1, the documents don't answer, is as good as 0; raises CalledProcessError for any other.
    """
    command = [str(Path(sys.executable).with_name("epiqa")), "ask", question, "--index", index]
    seconds = []
    for _ in range(RUNS + 1):
        begun = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        seconds.append(time.perf_counter() - begun)
        if done.returncode > 1:
            done.check_returncode()
    return statistics.median(seconds[1:])


def figures(evaluation: Evaluation) -> dict[str, Any]:
    answerable = [outcome for outcome in evaluation.outcomes if outcome.question.is_answerable]
    unanswerable = [outcome for outcome in evaluation.outcomes if not outcome.question.is_answerable]
    return {
        "answerable_right": round(sum(o.f1 >= RIGHT_F1 for o in answerable) / len(answerable), 4),
        "answerable_right_if_forced": round(sum(o.is_right for o in answerable) / len(answerable), 4),
        "unanswerable_answered": round(sum(o.answer.is_answered for o in unanswerable) / len(unanswerable), 4),
        "measures": evaluation.measures,
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as index:
        qa = EpiQA.build([ROOT / "seeds"], index=index)
        found = figures(evaluate(QUESTIONS, index=Path(index)))
        found["shell_to_answer_s"] = round(ask_in_a_fresh_process(index), 3)
        result = calibrate(CALIBRATION_QUESTIONS, qa)
        qa.use_calibration(result.calibration)
        found["calibrated"] = figures(evaluate(QUESTIONS, index=Path(index)))
        found["calibrated"]["threshold"] = result.calibration.threshold
    record.write("seeds", found)


if __name__ == "__main__":
    main()
