"""`epiqa index` and `epiqa watch`: the index follows the files."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Annotated

import typer

from epiqa.cli.options import DEFAULT_INDEX, IndexOption, JsonOption
from epiqa.cli.progress import Advance, progress
from epiqa.cli.show import err, print_changes, print_report, report_as_json, say
from epiqa.errors import EpiQAError
from epiqa.sync.operations import add_paths
from epiqa.sync.options import UpdateOptions
from epiqa.sync.watcher import watch_paths
from epiqa.types import DEFAULT_CHUNKING, Chunking

INTERRUPTED = 130

Given = Annotated[
    list[str],
    typer.Argument(metavar="PATH...", help="Files, folders and patterns; - reads paths from standard input."),
]
EmbedderOption = Annotated[
    str | None,
    typer.Option("--embedder", metavar="NAME", help="A sentence-transformers model instead of the bundled one."),
]
ChunkWords = Annotated[
    str | None,
    typer.Option("--chunk-words", metavar="MIN-MAX", help="How many words a passage has, in a new index; 120-180."),
]
Titles = Annotated[
    bool | None,
    typer.Option("--titles/--no-titles", help="Search a passage with its document's title, in a new index."),
]
Prune = Annotated[
    bool, typer.Option("--prune", help="Remove documents whose files are gone from these folders and patterns.")
]
Rebuild = Annotated[
    bool,
    typer.Option(
        "--rebuild", help="Build the index anew, of PATH... alone; the old one, damaged or not, is set aside."
    ),
]
Ocr = Annotated[
    bool, typer.Option("--ocr", help="Read PDF pages without text, as English, by the program tesseract.")
]


def index_command(
    paths: Given,
    index: IndexOption = DEFAULT_INDEX,
    prune: Prune = False,
    ocr: Ocr = False,
    rebuild: Rebuild = False,
    as_json: JsonOption = False,
    embedder: EmbedderOption = None,
    chunk_words: ChunkWords = None,
    titles: Titles = None,
) -> None:
    """Add or update documents. Ctrl-C stops; the same command goes on from there."""
    interrupt = Interrupt()
    with interrupt.caught(), progress("files") as advance:
        options = UpdateOptions(
            embedder=embedder,
            chunking=_chunking(chunk_words, titles),
            prune=prune,
            is_recognising=ocr,
            rebuild=rebuild,
            on_progress=interrupt.working(advance),
            on_wait=lambda: interrupt.waiting(index),
            should_stop=interrupt.is_set,
        )
        report = add_paths(_listed(paths), index, options)
    if as_json:
        print(json.dumps(report_as_json(report), ensure_ascii=False))
    else:
        print_report(report)
    if report.index and not as_json:
        say(f"{index} holds {report.index.documents} documents in {report.index.chunks} chunks.")
    if report.left:
        say(
            f"epiqa: stopped with {report.left} files left. What was done is kept; the same command goes on there.",
            to=err,
        )
        raise typer.Exit(INTERRUPTED)


def watch_command(
    paths: Given,
    index: IndexOption = DEFAULT_INDEX,
    prune: Prune = False,
    ocr: Ocr = False,
    embedder: EmbedderOption = None,
    chunk_words: ChunkWords = None,
    titles: Titles = None,
) -> None:
    """Add documents, and go on as files change or are deleted, a line for each; Ctrl-C ends it."""
    interrupt = Interrupt()
    given = _listed(paths)
    with interrupt.caught(is_end=True):
        with progress("files") as advance:
            options = UpdateOptions(
                embedder=embedder,
                chunking=_chunking(chunk_words, titles),
                prune=prune,
                is_recognising=ocr,
                on_progress=interrupt.working(advance),
                on_wait=lambda: interrupt.waiting(index),
            )
            reports = watch_paths(given, index, options, stop=interrupt)
            first = next(reports, None)
        if first is not None:
            print_report(first)
            sys.stdout.flush()
        if not interrupt.is_set():
            say(f"Watching {', '.join(given)}; Ctrl-C ends it.", to=err)
        for report in reports:
            print_changes(report)
            sys.stdout.flush()


class Interrupt(Event):
    """Ctrl-C, once, as an event: what is at hand is finished first. Twice, or while waiting, it interrupts."""

    def __init__(self) -> None:
        super().__init__()
        self._is_at_work = False

    @contextmanager
    def caught(self, *, is_end: bool = False) -> Iterator[None]:
        """Catches Ctrl-C. With `is_end` it ends what is inside without an error."""

        def handle(number: int, frame: FrameType | None) -> None:
            if self.is_set() or not self._is_at_work:
                raise KeyboardInterrupt
            self.set()

        before = signal.signal(signal.SIGINT, handle)
        try:
            yield
        except KeyboardInterrupt:
            if not is_end:
                say("epiqa: stopped at once. What the index held by then is kept; start again to go on.", to=err)
                raise typer.Exit(INTERRUPTED) from None
        finally:
            signal.signal(signal.SIGINT, before)

    def waiting(self, index: Path) -> None:
        """Says that another process must be waited for."""
        self._is_at_work = False
        say(f"Another process is writing {index}; waiting until it is done.", to=err)

    def working(self, advance: Advance) -> Advance:
        """Returns a function that moves the progress bar, and notes that the waiting is over."""

        def advance_and_note(done: int, total: int, what: str) -> None:
            self._is_at_work = True
            advance(done, total, what)

        return advance_and_note


def _listed(paths: list[str]) -> list[str]:
    """Returns the paths; "-" is replaced by those on standard input, one a line or separated by NUL."""
    if "-" not in paths:
        return paths
    data = sys.stdin.buffer.read()
    lines = map(os.fsdecode, data.split(b"\0" if b"\0" in data else b"\n"))
    given = [line for line in (line.rstrip("\r\n") for line in lines) if line]
    at = paths.index("-")
    return [*paths[:at], *given, *(path for path in paths[at:] if path != "-")]


def _chunking(words: str | None, titles: bool | None) -> Chunking | None:
    """Returns the chunking that the options ask for, None without one."""
    if words is None and titles is None:
        return None
    least, _, most = (words or f"{DEFAULT_CHUNKING.min_words}-{DEFAULT_CHUNKING.max_words}").partition("-")
    if not (least.strip().isdecimal() and most.strip().isdecimal()):
        raise EpiQAError(f"--chunk-words is {words!r}: give the least and the most words, as 120-180")
    return Chunking(int(least), int(most), DEFAULT_CHUNKING.with_title if titles is None else titles)
