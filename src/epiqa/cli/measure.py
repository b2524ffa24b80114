"""`epiqa evaluate` and `epiqa calibrate`: measuring on a question set, and fitting the confidence to one."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from epiqa.cli.options import DEFAULT_INDEX, IndexOption, ReaderOption
from epiqa.cli.show import progress, say, write
from epiqa.confidence import MAX_FALSE_ANSWERS
from epiqa.errors import EpiQAError
from epiqa.pipeline import CALIBRATION, EpiQA


class Mode(str, Enum):
    """How `evaluate` asks a SQuAD file."""

    open = "open"
    reader = "reader"


def evaluate_command(
    questions: Annotated[Path, typer.Argument(metavar="QUESTIONS", help="JSONL, SQuAD JSON, or a BEIR folder.")],
    index: IndexOption = DEFAULT_INDEX,
    mode: Annotated[
        Mode, typer.Option("--mode", help="Of a SQuAD file: the question alone, or with its paragraph.")
    ] = Mode.open,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the measures as JSON; - is standard output."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.html", help="Write a page with every question.")
    ] = None,
    reader: ReaderOption = None,
) -> None:
    """Measure the answers, or the retrieval, on a question set."""
    from epiqa import evaluation

    for path in (json_file, report):
        if path is not None and not path.parent.is_dir():
            raise EpiQAError(f"{path} cannot be written: there is no folder {path.parent}")
    with progress() as advance:
        result = evaluation.evaluate(
            questions,
            index=index,
            mode=mode.value,
            reader=reader,
            on_progress=lambda done, total: advance(done, total, "questions"),
        )
    if report is not None:
        evaluation.write_report(result, str(questions), report)
    text = json.dumps(result.measures, indent=2)
    if json_file == Path("-"):
        print(text)
        return
    if json_file is not None:
        write(json_file, text + "\n")
    for name, value in evaluation.flat_measures(result.measures):
        say(f"{name:<28} {value:>10}")


def calibrate_command(
    questions: Annotated[Path, typer.Argument(metavar="QUESTIONS", help="JSONL, one question a line.")],
    index: IndexOption = DEFAULT_INDEX,
    max_false_answers: Annotated[
        float,
        typer.Option(
            "--max-false-answers",
            metavar="P",
            min=0.0,
            max=1.0,
            help="The share of the unanswerable questions that may be answered.",
        ),
    ] = MAX_FALSE_ANSWERS,
    reader: ReaderOption = None,
) -> None:
    """Fit the confidence and the threshold to your own questions; kept in the index directory."""
    from epiqa import evaluation

    qa = EpiQA.open(index, reader=reader)
    with progress() as advance:
        result = evaluation.calibrate(
            questions,
            qa,
            max_false_answers=max_false_answers,
            on_progress=lambda done, total: advance(done, total, "questions"),
        )
    say(f"{'':<28} {'before':>10} {'after':>10}")
    for name in (name for name in result.before if name in result.after):
        say(f"{name:<28} {result.before[name]:>10.4f} {result.after[name]:>10.4f}")
    qa.use_calibration(result.calibration)
    say(f"Kept in {index / CALIBRATION}; delete that file to go back to the bundled calibration.")
