"""The `epiqa` command. Results go to standard output, messages and progress to standard error.

Exit codes: 0 done, 1 no answer in the documents (`ask` alone), 2 the call or its input was wrong, 3 the
index is missing or damaged.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from epiqa import __version__
from epiqa.answer import NO_ANSWER, held_back
from epiqa.confidence import MAX_FALSE_ANSWERS
from epiqa.errors import EpiQAError, QuestionError
from epiqa.pipeline import CALIBRATION, TOP_K, EpiQA, add_paths, remove_document, verify_index
from epiqa.types import Answer, Citation, IndexInfo, IndexReport, Passage

NEAREST_PASSAGES = 3
FURTHER_CANDIDATES = 2
LISTED_PATHS = 5

app = typer.Typer(
    help="Answers questions about a folder of documents, offline, in the documents' own words.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
documents_app = typer.Typer(help="What is in the index.", invoke_without_command=True, rich_markup_mode=None)
app.add_typer(documents_app, name="documents")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

# What would move the cursor or colour the terminal, were it printed as it is.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

IndexOption = Annotated[Path, typer.Option("--index", metavar="DIR", help="The index directory.")]
# Of a command below `documents`, which takes the option, too.
OwnIndexOption = Annotated[Path | None, typer.Option("--index", metavar="DIR", help="The index directory.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
TopK = Annotated[int, typer.Option("--top-k", metavar="N", min=1, max=1000, help="How many passages.")]
ReaderOption = Annotated[
    str | None,
    typer.Option("--reader", metavar="DIR", help="A question-answering model instead of the bundled one."),
]
MinConfidence = Annotated[
    float | None,
    typer.Option(
        "--min-confidence",
        metavar="P",
        min=0.0,
        max=1.0,
        help="Hold back answers less sure than this, from 0 to 1.",
    ),
]
DEFAULT_INDEX = Path("index")


class Mode(str, Enum):
    """How `evaluate` asks a SQuAD file."""

    open = "open"
    reader = "reader"


def main() -> None:
    """Runs the command; an EpiQAError becomes one message and its exit code."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what the terminal cannot show, or sent amiss, is no error
            stream.reconfigure(errors="replace" if stream is sys.stdin else "backslashreplace")
    try:
        app(prog_name="epiqa")
    except EpiQAError as error:
        _say(f"epiqa: {error}", to=err)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        err.print("epiqa: stopped")
        sys.exit(130)


def _print_version(*, value: bool) -> None:
    if value:
        print(f"epiqa {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda value: _print_version(value=value),
            is_eager=True,
            help="Print the version.",
        ),
    ] = False,
) -> None:
    """Answers questions about a folder of documents, offline, in the documents' own words."""


@app.command("index")
def index_command(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files and folders to add.")],
    index: IndexOption = DEFAULT_INDEX,
    embedder: Annotated[
        str | None,
        typer.Option(
            "--embedder", metavar="NAME", help="A sentence-transformers model instead of the bundled one."
        ),
    ] = None,
) -> None:
    """Add or update documents."""

    def say_waiting() -> None:
        _say(f"Another process is writing {index}; waiting until it is done.", to=err)

    with _progress() as advance:
        report = add_paths(paths, index, embedder=embedder, on_progress=advance, on_wait=say_waiting)
    _print_report(report)
    info = EpiQA.open(index).info
    _say(f"{index} holds {info.documents} documents in {info.chunks} chunks.")


@documents_app.callback()
def _documents(context: typer.Context, index: IndexOption = DEFAULT_INDEX) -> None:
    """What is in the index."""
    context.obj = index
    if context.invoked_subcommand is None:
        list_command(context)


@documents_app.command("list")
def list_command(context: typer.Context, index: OwnIndexOption = None) -> None:
    """List the documents: id, date, chunks, path and title."""
    columns = ("ID", "Date", "Chunks", "Path", "Title")
    rows = [
        (d.id, d.date.written if d.date else "", str(d.chunks), d.path, d.title)
        for d in EpiQA.open(index or context.obj).documents()
    ]
    if not out.is_terminal:
        for row in (columns, *rows):
            _say("\t".join(" ".join(cell.split()) for cell in row))
        return
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(_visible(cell), overflow="fold") for cell in row))
    Console().print(table)


@documents_app.command("remove")
def remove_command(
    context: typer.Context,
    document_id: Annotated[str, typer.Argument(metavar="ID", help="As `documents list` shows it.")],
    index: OwnIndexOption = None,
) -> None:
    """Remove a document from the index; its file stays."""
    remove_document(document_id, index or context.obj)
    _say(f"Removed {document_id}.")


@app.command("ask")
def ask_command(
    question: Annotated[str, typer.Argument(metavar="QUESTION")],
    index: IndexOption = DEFAULT_INDEX,
    as_json: JsonOption = False,
    top_k: TopK = TOP_K,
    min_confidence: MinConfidence = None,
    reader: ReaderOption = None,
) -> None:
    """Ask one question; the answer is quoted with its citations. Exit code 1: the documents don't answer."""
    qa = EpiQA.open(index, reader=reader)
    answer = qa.ask(question, top_k=top_k, min_confidence=min_confidence)
    if as_json:
        print(json.dumps(answer_as_json(answer, qa.info), ensure_ascii=False))
    else:
        _print_answer(answer, qa.info)
    if not answer.is_answered:
        raise typer.Exit(1)


@app.command("search")
def search_command(
    query: Annotated[str, typer.Argument(metavar="QUERY")],
    index: IndexOption = DEFAULT_INDEX,
    as_json: JsonOption = False,
    top_k: TopK = 10,
) -> None:
    """Show the passages that a query finds, best first."""
    passages = EpiQA.open(index).search(query, top_k=top_k)
    if as_json:
        found = {"query": query, "passages": [passage_as_json(passage) for passage in passages]}
        print(json.dumps(found, ensure_ascii=False))
        return
    for rank, passage in enumerate(passages, start=1):
        _print_passage(rank, passage)


@app.command("chat")
def chat_command(index: IndexOption = DEFAULT_INDEX, reader: ReaderOption = None) -> None:
    """Ask one question after the other; an empty line or Ctrl-D ends it."""
    qa = EpiQA.open(index, reader=reader)
    _say(f"{qa.info.documents} documents. An empty line ends the conversation.")
    while question := _next_question():
        try:
            _print_answer(qa.ask(question), qa.info)
        except QuestionError as error:
            _say(f"epiqa: {error}", to=err)


@app.command("serve")
def serve_command(
    index: IndexOption = DEFAULT_INDEX,
    host: Annotated[str, typer.Option("--host", metavar="H", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="P", help="The port to listen on.")] = 7860,
    reader: ReaderOption = None,
) -> None:
    """Open the chat page."""
    qa = EpiQA.open(index, reader=reader)
    from epiqa.web import serve  # late: Gradio takes seconds to import

    serve(qa, host=host, port=port)


@app.command("evaluate")
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
    with _progress() as advance:
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
        _write(json_file, text + "\n")
    for name, value in evaluation.flat_measures(result.measures):
        _say(f"{name:<28} {value:>10}")


@app.command("calibrate")
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
    with _progress() as advance:
        result = evaluation.calibrate(
            questions,
            qa,
            max_false_answers=max_false_answers,
            on_progress=lambda done, total: advance(done, total, "questions"),
        )
    _say(f"{'':<28} {'before':>10} {'after':>10}")
    for name in (name for name in result.before if name in result.after):
        _say(f"{name:<28} {result.before[name]:>10.4f} {result.after[name]:>10.4f}")
    qa.use_calibration(result.calibration)
    _say(f"Kept in {index / CALIBRATION}; delete that file to go back to the bundled calibration.")


@app.command("verify")
def verify_command(index: IndexOption = DEFAULT_INDEX) -> None:
    """Re-hash every file of the index and check every chunk against its document."""
    info = verify_index(index)
    _say(
        f"{index} is sound: generation {info.generation}, {info.documents} documents,"
        f" {info.chunks} chunks, each the text of its document to the letter.",
    )


def answer_as_json(answer: Answer, info: IndexInfo) -> dict[str, Any]:
    """Returns what `ask --json` prints; of an answer found in several places, each is a row of `answers`."""
    return {
        "question": answer.question,
        "is_answered": answer.is_answered,
        "text": answer.text,
        "confidence": round(answer.confidence, 4),
        "answers": [
            {
                "text": citation.quote,
                "confidence": round(candidate.confidence, 4),
                "citation": _citation_as_json(citation),
            }
            for candidate in (answer.candidates if answer.is_answered else ())
            for citation in candidate.citations
        ],
        "timings_ms": dict(answer.timings_ms),
        "index": {"generation": info.generation, "documents": info.documents, "chunks": info.chunks},
    }


def passage_as_json(passage: Passage) -> dict[str, Any]:
    """Returns a row of what `search --json` prints."""
    return {
        "document_id": passage.document_id,
        "title": passage.title,
        "path": passage.path,
        "start": passage.start,
        "end": passage.end,
        "text": passage.quote,
        "score": passage.score,
        "dense": passage.dense,
        "lexical": passage.lexical,
    }


def _citation_as_json(citation: Citation) -> dict[str, Any]:
    return asdict(citation) | {"date": citation.date.written if citation.date else None}


@contextmanager
def _progress() -> Iterator[Callable[[int, int, str], None]]:
    """Shows a bar on standard error, where that is a terminal; yields the function that moves it."""
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total, what: progress.update(task, completed=done, total=total, description=what)


def _print_report(report: IndexReport) -> None:
    for label, paths in (
        ("added", report.added),
        ("replaced", report.replaced),
        ("unchanged", report.unchanged),
    ):
        if paths:
            _say(f"{label} {len(paths)}: {_some(paths)}")
    for path, reason in report.skipped:
        _say(f"skipped {path}: {reason}", to=err)


def _some(paths: Sequence[str]) -> str:
    shown = ", ".join(paths[:LISTED_PATHS])
    return shown if len(paths) <= LISTED_PATHS else f"{shown} and {len(paths) - LISTED_PATHS} more"


def _print_answer(answer: Answer, info: IndexInfo) -> None:
    if answer.text is None:
        _say(f"{NO_ANSWER} {info.documents} documents were searched.")
        if best := held_back(answer):
            _say(f"Held back, because it is not sure enough: {best.text}  (confidence {best.confidence:.2f})")
            _print_citation(best.citations[0])
        if answer.passages:
            _say("The nearest passages:")
        for rank, passage in enumerate(answer.passages[:NEAREST_PASSAGES], start=1):
            _print_passage(rank, passage)
        return
    out.print(Text(_visible(answer.text), "bold"), Text(f" (confidence {answer.confidence:.2f})"))
    for citation in answer.citations:
        _print_citation(citation)
    for candidate in answer.candidates[1 : 1 + FURTHER_CANDIDATES]:
        _say(f"or: {candidate.text}  (confidence {candidate.confidence:.2f})")


def _print_citation(citation: Citation) -> None:
    before, quote, after = (_visible(part) for part in (citation.before, citation.quote, citation.after))
    out.print(Text.assemble(f"  “{before}", (quote, "bold"), f"{after}”"))
    _say(f"  — {_source(citation)}")


def _print_passage(rank: int, passage: Passage) -> None:
    _say(f"{rank}. {_source(passage)}, score {passage.score:.4f}")
    _say(passage.quote)


def _say(text: str, to: Console = out) -> None:
    to.print(Text(_visible(text)))


def _visible(text: str) -> str:
    """Shows control characters as escapes; everything else stays to the letter."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def _source(place: Citation | Passage) -> str:
    date = f", {place.date.written}" if place.date else ""
    page = f", page {place.page}" if place.page else ""
    return f"{place.title}{date}, {place.path}{page}, characters {place.start} to {place.end}"


def _next_question() -> str:
    try:
        return input("? " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return ""


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EpiQAError(f"{path} cannot be written ({error.strerror})") from error
