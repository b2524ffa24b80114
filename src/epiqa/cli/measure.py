"""`epiqa evaluate` and `epiqa calibrate`: measuring on a question set, and fitting the confidence to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from epiqa.answering.calibration import CALIBRATION, MAX_FALSE_ANSWERS
from epiqa.assistant import EpiQA
from epiqa.cli.options import (
    DEFAULT_INDEX,
    IndexOption,
    MethodOption,
    ReaderOption,
    Rewrite,
    SearchMethod,
)
from epiqa.cli.progress import progress
from epiqa.cli.show import err, say
from epiqa.errors import EpiQAError

if TYPE_CHECKING:
    from epiqa.evaluation import Difference, Evaluation
    from epiqa.evaluation.questions import QuestionSet, RetrievalSet


class Mode(str, Enum):
    """How `evaluate` asks a SQuAD file."""

    open = "open"
    reader = "reader"


QuestionsArgument = Annotated[
    Path, typer.Argument(metavar="QUESTIONS", help="JSONL, CSV, SQuAD JSON, or a BEIR folder.")
]
ModeOption = Annotated[
    Mode, typer.Option("--mode", help="Of a SQuAD file: the question alone, or with its paragraph.")
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write measures, settings and questions; - is standard output."),
]
ReportFile = Annotated[
    Path | None, typer.Option("--report", metavar="FILE.html", help="Write a page with every question.")
]
BaselineFile = Annotated[
    Path | None,
    typer.Option("--baseline", metavar="OLD.json", help="Compare with an earlier run's --json FILE."),
]
FailUnder = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-under", metavar="NAME=VALUE", help="Exit with 1 if the measure is less. Can be given again."
    ),
]
FailOver = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-over", metavar="NAME=VALUE", help="The same for errors and times: exit with 1 if it is more."
    ),
]
TrecFile = Annotated[
    Path | None, typer.Option("--trec", metavar="FILE", help="Write what was retrieved as a TREC run.")
]
JsonlFile = Annotated[
    Path | None, typer.Option("--jsonl", metavar="FILE", help="Write each question on a line of JSON.")
]
JunitFile = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Write each question as a JUnit test case.")
]
SkipInvalid = Annotated[
    bool, typer.Option("--skip-invalid", help="Leave invalid lines of the question set out, and name them.")
]


def evaluate_command(
    questions: QuestionsArgument,
    index: IndexOption = DEFAULT_INDEX,
    mode: ModeOption = Mode.open,
    json_file: JsonFile = None,
    report: ReportFile = None,
    baseline: BaselineFile = None,
    fail_under: FailUnder = None,
    fail_over: FailOver = None,
    trec: TrecFile = None,
    jsonl: JsonlFile = None,
    junit: JunitFile = None,
    skip_invalid: SkipInvalid = False,
    method: MethodOption = SearchMethod.fused,
    rewrite: Rewrite = True,
    reader: ReaderOption = None,
) -> None:
    """Measure the answers, or the retrieval, on a question set. Exit code 1: a measure misses its limit."""
    from epiqa import evaluation
    from epiqa.evaluation.compare import check_baseline, read_baseline
    from epiqa.evaluation.export import STANDARD_OUTPUT
    from epiqa.evaluation.limits import check_limits, parse_limits, unmet

    limits = parse_limits(fail_under or (), fail_over or ())
    files = {"--json": json_file, "--jsonl": jsonl, "--trec": trec, "--junit": junit}
    _check_files(files, report, questions, mode)
    old = None if baseline is None else read_baseline(baseline)

    def check(given: QuestionSet | RetrievalSet) -> None:
        check_limits(limits, given, mode.value)
        if old is not None:
            check_baseline(given, old)

    with progress("questions") as advance:
        result = evaluation.evaluate(
            questions,
            index=index,
            mode=mode.value,
            reader=reader,
            search={"method": method.value, "rewrite": rewrite},
            skip_invalid=skip_invalid,
            check=check,
            on_progress=lambda done, total: advance(done, total, ""),
        )
    for message in result.skipped:
        say(f"skipped {message}", to=err)
    differences = () if old is None else evaluation.compare(result, old)
    _write_files(result, differences, files)
    if report is not None:
        evaluation.write_report(result, str(questions), report, differences=differences)
    if STANDARD_OUTPUT not in files.values():
        _print_measures(result)
        if old is not None:
            _print_differences(result, old, differences, str(baseline))
    _exit_if_missed(unmet(result.measures, limits))


def _check_files(files: Mapping[str, Path | None], report: Path | None, questions: Path, mode: Mode) -> None:
    """Raises EpiQAError where a file cannot be written, or has nothing to hold."""
    from epiqa.evaluation.export import check_writable

    check_writable({**files, "--report": report}, inputs=[questions])
    if files["--trec"] is not None and mode is Mode.reader:
        raise EpiQAError("--trec needs --mode open: with its paragraph given, a question retrieves nothing")


def _exit_if_missed(missed: Sequence[str]) -> None:
    """Ends the command with 1 where a measure misses its limit."""
    for message in missed:
        say(f"epiqa: {message}", to=err)
    if missed:
        raise typer.Exit(1)


def _write_files(
    evaluation: Evaluation, differences: Sequence[Difference], files: Mapping[str, Path | None]
) -> None:
    """Writes the evaluation to the file of each option that was given."""
    from epiqa.evaluation import export

    forms = {
        "--json": lambda: export.as_json(evaluation, differences),
        "--jsonl": lambda: export.as_jsonl(evaluation),
        "--trec": lambda: export.as_trec_run(evaluation),
        "--junit": lambda: export.as_junit(evaluation),
    }
    for option, path in files.items():
        if path is not None:
            export.write_text(path, forms[option]())


def _print_measures(evaluation: Evaluation) -> None:
    from epiqa.evaluation import flat_measures

    say(f"{'':<28} {'value':>10}   95 % interval")
    for name, value in flat_measures(evaluation.measures):
        interval = "   {:.4f} to {:.4f}".format(*evaluation.intervals[name]) if name in evaluation.intervals else ""
        say(f"{name:<28} {value:>10}{interval}")


def _print_differences(
    evaluation: Evaluation, old: Mapping[str, Any], differences: Sequence[Difference], baseline: str
) -> None:
    from epiqa.evaluation.compare import changed_settings, shared_rows

    shared, here, there = (
        len(shared_rows(evaluation, old)[0]),
        evaluation.measures["questions"],
        old["per_question"],
    )
    of = "" if shared == here == len(there) else f" of {here} here and {len(there)} there"
    say(f"\nCompared with {baseline} on the {shared} questions of both{of}:")
    for name, before, after in changed_settings(evaluation, old):
        say(f"  {name}: {before}, now {after}")
    say(f"{'':<28} {'before':>10} {'after':>10} {'difference':>10}   {'95 % interval':<18} {'p':>6}")
    for each in differences:
        interval = f"{each.low:+.4f} to {each.high:+.4f}"
        say(
            f"{each.name:<28} {each.before:>10.4f} {each.after:>10.4f} {each.after - each.before:>+10.4f}"
            f"   {interval:<18} {each.p_value:>6.4f}"
        )


def calibrate_command(
    questions: Annotated[
        Path, typer.Argument(metavar="QUESTIONS", help="JSONL, CSV, or the page's feedback.json.")
    ],
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
    skip_invalid: SkipInvalid = False,
    reader: ReaderOption = None,
) -> None:
    """Fit the confidence and the threshold to your own questions; kept in the index directory."""
    from epiqa import evaluation

    qa = EpiQA.open(index, reader=reader)
    with progress("questions") as advance:
        result = evaluation.calibrate(
            questions,
            qa,
            max_false_answers=max_false_answers,
            skip_invalid=skip_invalid,
            on_progress=lambda done, total: advance(done, total, ""),
        )
    say(f"{'':<28} {'before':>10} {'after':>10}")
    for name in (name for name in result.before if name in result.after):
        say(f"{name:<28} {result.before[name]:>10.4f} {result.after[name]:>10.4f}")
    qa.use_calibration(result.calibration)
    say(f"Kept in {index / CALIBRATION}; delete that file to go back to the bundled calibration.")
