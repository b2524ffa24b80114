"""The `epiqa` command. Results go to standard output, messages and progress to standard error.

Exit codes: 0 done, 1 no answer in the documents (`ask`) or a measure that misses its limit (`evaluate`), 2 the call
or its input was wrong, 3 the index is missing or damaged.
"""

from __future__ import annotations

import io
import json
import os
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from epiqa import __version__
from epiqa.cli.measure import calibrate_command, evaluate_command
from epiqa.cli.options import (
    DEFAULT_INDEX,
    Documents,
    Expand,
    IndexOption,
    JsonOption,
    MethodOption,
    MinConfidence,
    OwnIndexOption,
    Paths,
    ReaderOption,
    Rewrite,
    SearchMethod,
    Since,
    TopK,
    Until,
)
from epiqa.cli.show import (
    answer_as_json,
    err,
    out,
    passage_as_json,
    print_answer,
    print_passage,
    print_report,
    progress,
    say,
    visible,
)
from epiqa.errors import EpiQAError, QuestionError
from epiqa.filters import Filter
from epiqa.pipeline import TOP_K, EpiQA, add_paths, remove_document, verify_index
from epiqa.types import DEFAULT_CHUNKING, Chunking

app = typer.Typer(
    help="Answers questions about a folder of documents, offline, in the documents' own words.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
documents_app = typer.Typer(help="What is in the index.", invoke_without_command=True, rich_markup_mode=None)
app.add_typer(documents_app, name="documents")


def main() -> None:
    """Runs the command; an EpiQAError becomes one message and its exit code."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what the terminal cannot show, or sent amiss, is no error
            stream.reconfigure(errors="replace" if stream is sys.stdin else "backslashreplace")
    try:
        app(prog_name="epiqa")
    except EpiQAError as error:
        say(f"epiqa: {error}", to=err)
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
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", help="Files, folders and patterns to add; - reads paths from standard input."
        ),
    ],
    index: IndexOption = DEFAULT_INDEX,
    embedder: Annotated[
        str | None,
        typer.Option(
            "--embedder", metavar="NAME", help="A sentence-transformers model instead of the bundled one."
        ),
    ] = None,
    chunk_words: Annotated[
        str | None,
        typer.Option(
            "--chunk-words", metavar="MIN-MAX", help="How many words a passage has, in a new index; 120-180."
        ),
    ] = None,
    titles: Annotated[
        bool | None,
        typer.Option("--titles/--no-titles", help="Search a passage with its document's title, in a new index."),
    ] = None,
) -> None:
    """Add or update documents."""

    def say_waiting() -> None:
        say(f"Another process is writing {index}; waiting until it is done.", to=err)

    with progress() as advance:
        report = add_paths(
            _listed(paths),
            index,
            embedder=embedder,
            chunking=_chunking(chunk_words, titles),
            on_progress=advance,
            on_wait=say_waiting,
        )
    print_report(report)
    info = EpiQA.open(index).info
    say(f"{index} holds {info.documents} documents in {info.chunks} chunks.")


def _listed(paths: list[str]) -> list[str]:
    """Returns the paths, in place of "-" those on standard input: one a line, or parted by NUL (find -print0)."""
    if "-" not in paths:
        return paths
    data = sys.stdin.buffer.read()
    lines = map(os.fsdecode, data.split(b"\0" if b"\0" in data else b"\n"))
    given = [line for line in (line.rstrip("\r\n") for line in lines) if line]
    at = paths.index("-")
    return [*paths[:at], *given, *(path for path in paths[at:] if path != "-")]


def _chunking(words: str | None, titles: bool | None) -> Chunking | None:
    """Returns what the options of `index` ask for, None when they ask for nothing."""
    if words is None and titles is None:
        return None
    least, _, most = (words or f"{DEFAULT_CHUNKING.min_words}-{DEFAULT_CHUNKING.max_words}").partition("-")
    if not (least.strip().isdecimal() and most.strip().isdecimal()):
        raise EpiQAError(f"--chunk-words is {words!r}: give the least and the most words, as 120-180")
    return Chunking(int(least), int(most), DEFAULT_CHUNKING.with_title if titles is None else titles)


@documents_app.callback()
def _documents(context: typer.Context, index: IndexOption = DEFAULT_INDEX) -> None:
    """What is in the index."""
    context.obj = index
    if context.invoked_subcommand is None:
        list_command(context)


@documents_app.command("list")
def list_command(context: typer.Context, index: OwnIndexOption = None) -> None:
    """List the documents: id, date, chunks, path, title, and what could not be read."""
    columns = ("ID", "Date", "Chunks", "Path", "Title", "Note")
    qa = EpiQA.open(index or context.obj)
    rows = [
        (d.id, d.date.written if d.date else "", str(d.chunks), d.path, d.title, d.note or "")
        for d in qa.documents()
    ]
    rows += [("-", "", "0", path, "", f"not read: {reason}") for path, reason in qa.unread()]
    if not out.is_terminal:
        for row in (columns, *rows):
            say("\t".join(" ".join(cell.split()) for cell in row))
        return
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(visible(cell), overflow="fold") for cell in row))
    Console().print(table)


@documents_app.command("remove")
def remove_command(
    context: typer.Context,
    document_id: Annotated[str, typer.Argument(metavar="ID", help="As `documents list` shows it.")],
    index: OwnIndexOption = None,
) -> None:
    """Remove a document from the index; its file stays."""
    remove_document(document_id, index or context.obj)
    say(f"Removed {document_id}.")


@app.command("ask")
def ask_command(
    question: Annotated[str, typer.Argument(metavar="QUESTION")],
    index: IndexOption = DEFAULT_INDEX,
    as_json: JsonOption = False,
    top_k: TopK = TOP_K,
    min_confidence: MinConfidence = None,
    documents: Documents = None,
    paths: Paths = None,
    since: Since = None,
    until: Until = None,
    method: MethodOption = SearchMethod.fused,
    rewrite: Rewrite = True,
    expand: Expand = False,
    reader: ReaderOption = None,
) -> None:
    """Ask one question; the answer is quoted with its citations. Exit code 1: the documents don't answer."""
    qa = EpiQA.open(index, reader=reader)
    within = Filter(tuple(documents or ()), tuple(paths or ()), since, until)
    answer = qa.ask(
        question,
        top_k=top_k,
        min_confidence=min_confidence,
        within=within,
        method=method.value,
        rewrite=rewrite,
        expand=expand,
    )
    if as_json:
        print(json.dumps(answer_as_json(answer, qa.info), ensure_ascii=False))
    else:
        print_answer(answer, qa.count_documents(within))
    if not answer.is_answered:
        raise typer.Exit(1)


@app.command("search")
def search_command(
    query: Annotated[str, typer.Argument(metavar="QUERY")],
    index: IndexOption = DEFAULT_INDEX,
    as_json: JsonOption = False,
    top_k: TopK = 10,
    documents: Documents = None,
    paths: Paths = None,
    since: Since = None,
    until: Until = None,
    method: MethodOption = SearchMethod.fused,
    rewrite: Rewrite = True,
    expand: Expand = False,
    rerank: Annotated[
        bool, typer.Option("--rerank", help="Let the reader put first the passages in which it finds an answer.")
    ] = False,
    reader: ReaderOption = None,
) -> None:
    """Show the passages that a query finds, best first."""
    passages = EpiQA.open(index, reader=reader).search(
        query,
        top_k=top_k,
        within=Filter(tuple(documents or ()), tuple(paths or ()), since, until),
        method=method.value,
        rewrite=rewrite,
        expand=expand,
        rerank=rerank,
    )
    if as_json:
        found = {"query": query, "passages": [passage_as_json(passage) for passage in passages]}
        print(json.dumps(found, ensure_ascii=False))
        return
    for rank, passage in enumerate(passages, start=1):
        print_passage(rank, passage)


@app.command("chat")
def chat_command(index: IndexOption = DEFAULT_INDEX, reader: ReaderOption = None) -> None:
    """Ask one question after the other; an empty line or Ctrl-D ends it."""
    qa = EpiQA.open(index, reader=reader)
    say(f"{qa.info.documents} documents. An empty line ends the conversation.")
    while question := _next_question():
        try:
            print_answer(qa.ask(question), qa.info.documents)
        except QuestionError as error:
            say(f"epiqa: {error}", to=err)


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


app.command("evaluate")(evaluate_command)
app.command("calibrate")(calibrate_command)


@app.command("verify")
def verify_command(index: IndexOption = DEFAULT_INDEX) -> None:
    """Re-hash every file of the index and check every chunk against its document."""
    info = verify_index(index)
    say(
        f"{index} is sound: generation {info.generation}, {info.documents} documents,"
        f" {info.chunks} chunks, each the text of its document to the letter; vectors: {info.vectors}.",
    )


def _next_question() -> str:
    try:
        return input("? " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return ""
