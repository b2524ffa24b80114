"""The `epiqa` command. Results go to standard output, messages and progress to standard error.

Exit codes: 0 done, 1 no answer in the documents (`ask`) or a measure that misses its limit (`evaluate`), 2 the call
or its input was wrong, 3 the index is missing or damaged, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from epiqa import __version__
from epiqa.arguments import check_question
from epiqa.assistant import TOP_K, EpiQA
from epiqa.cli.folder import index_command, watch_command
from epiqa.cli.measure import calibrate_command, evaluate_command
from epiqa.cli.options import (
    DEFAULT_INDEX,
    Documents,
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
    found_as_json,
    out,
    print_answer,
    print_passage,
    say,
    visible,
)
from epiqa.errors import EpiQAError, QuestionError
from epiqa.filters import Filter
from epiqa.models.reader_loading import load_reader
from epiqa.sync.operations import remove_document, verify_index
from epiqa.types import DocumentInfo

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
        if isinstance(stream, io.TextIOWrapper):  # what a terminal cannot show or sends malformed is escaped
            stream.reconfigure(errors="replace" if stream is sys.stdin else "backslashreplace")
    try:
        options = {argument.partition("=")[0] for argument in sys.argv[2:]}
        if sys.argv[1:2] == ["ask"] and options.isdisjoint({"--help", "--reader"}):
            load_reader()  # which goes on while the command line is parsed and the index opened
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


app.command("index")(index_command)
app.command("watch")(watch_command)


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
        (d.id, d.date.written if d.date else "", str(d.chunks), d.path, d.title, _note(d)) for d in qa.documents()
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


def _note(document: DocumentInfo) -> str:
    """Returns the notes on a document, its further paths first."""
    return "; ".join([*(f"also {path}" for path in document.also), *([document.note] if document.note else [])])


@documents_app.command("remove")
def remove_command(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="As `documents list` shows it; of what could not be read, the path instead."
        ),
    ],
    index: OwnIndexOption = None,
) -> None:
    """Remove a document from the index, or what could not be read from its list; the file stays."""
    remove_document(name, index or context.obj)
    say(f"Removed {name}.")


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
    reader: ReaderOption = None,
) -> None:
    """Ask one question; the answer is quoted with its citations. Exit code 1: the documents don't answer."""
    within = Filter(tuple(documents or ()), tuple(paths or ()), since, until)
    check_question(question)
    qa = EpiQA.open(index, reader=reader)
    if qa.count_documents(within):  # else no model is needed to say so
        qa.preload()
    answer = qa.ask(
        question,
        top_k=top_k,
        min_confidence=min_confidence,
        within=within,
        method=method.value,
        rewrite=rewrite,
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
    rerank: Annotated[
        bool, typer.Option("--rerank", help="Let the reader read the first 20 and count for their order, too.")
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
        rerank=rerank,
    )
    if as_json:
        print(json.dumps(found_as_json(query, passages), ensure_ascii=False))
        return
    for rank, passage in enumerate(passages, start=1):
        print_passage(rank, passage)


@app.command("chat")
def chat_command(index: IndexOption = DEFAULT_INDEX, reader: ReaderOption = None) -> None:
    """Ask one question after the other; an empty line or Ctrl-D ends it."""
    qa = EpiQA.open(index, reader=reader)
    qa.preload()
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
    auth: Annotated[
        str | None,
        typer.Option(
            "--auth", metavar="USER:PASSWORD", help="Ask for a password; better in EPIQA_AUTH: `ps` shows this one."
        ),
    ] = None,
    auth_file: Annotated[
        Path | None, typer.Option("--auth-file", metavar="FILE", help="Passwords, a USER:PASSWORD on each line.")
    ] = None,
    allowed_hosts: Annotated[
        list[str] | None,
        typer.Option("--allowed-host", metavar="NAME", help="A name that a reverse proxy answers to; repeatable."),
    ] = None,
    reader: ReaderOption = None,
) -> None:
    """Open the chat page; on another address than this machine's own, behind a password."""
    if auth is not None and auth_file is not None:
        raise EpiQAError("--auth and --auth-file are both given: choose one.")
    qa = EpiQA.open(index, reader=reader)
    from epiqa.web import parse_accounts, read_accounts, serve  # late: Gradio takes seconds to import

    accounts = (
        read_accounts(auth_file) if auth_file else parse_accounts(auth, "--auth") if auth is not None else None
    )
    serve(qa, host=host, port=port, auth=accounts, allowed_hosts=allowed_hosts or ())


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
