"""What the commands print: answers, passages and reports for people, and the JSON that programs read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from epiqa.answer import NO_ANSWER, held_back
from epiqa.types import Answer, Citation, IndexInfo, IndexReport, Passage

NEAREST_PASSAGES = 3
FURTHER_CANDIDATES = 2
LISTED_PATHS = 5

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

# What would move the cursor or colour the terminal, were it printed as it is.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


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
        "page": passage.page,
        "section": passage.section,
        "start": passage.start,
        "end": passage.end,
        "text": passage.quote,
        "score": passage.score,
        "dense": passage.dense,
        "lexical": passage.lexical,
    }


def _citation_as_json(citation: Citation) -> dict[str, Any]:
    fields = asdict(citation) | {"date": citation.date.written if citation.date else None}
    where = ("document_id", "title", "path", "date", "page", "section")
    return {name: fields[name] for name in dict.fromkeys([*where, *fields])}


@contextmanager
def progress() -> Iterator[Callable[[int, int, str], None]]:
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


def print_report(report: IndexReport) -> None:
    for label, paths in (
        ("added", report.added),
        ("replaced", report.replaced),
        ("unchanged", report.unchanged),
        ("removed", report.removed),
    ):
        if paths:
            say(f"{label} {len(paths)}: {_some(paths)}")
    if report.set_aside:
        say(f"The index that was there lies in {report.set_aside}; delete that folder when it is not needed.")
    for path, note in report.notes:
        say(f"note {path}: {note}", to=err)
    for path, reason in report.skipped:
        say(f"skipped {path}: {reason}", to=err)


def _some(paths: Sequence[str]) -> str:
    shown = ", ".join(paths[:LISTED_PATHS])
    return shown if len(paths) <= LISTED_PATHS else f"{shown} and {len(paths) - LISTED_PATHS} more"


def print_answer(answer: Answer, documents: int) -> None:
    """Prints the answer with its citations, or what is nearest to one in the so many documents searched."""
    if answer.text is None:
        say(f"{NO_ANSWER} {documents} document{'s were' if documents != 1 else ' was'} searched.")
        if best := held_back(answer):
            say(f"Held back, because it is not sure enough: {best.text}  (confidence {best.confidence:.2f})")
            _print_citation(best.citations[0])
        if answer.passages:
            say("The nearest passages:")
        for rank, passage in enumerate(answer.passages[:NEAREST_PASSAGES], start=1):
            print_passage(rank, passage)
        return
    out.print(Text(visible(answer.text), "bold"), Text(f" (confidence {answer.confidence:.2f})"))
    for citation in answer.citations:
        _print_citation(citation)
    for candidate in answer.candidates[1 : 1 + FURTHER_CANDIDATES]:
        say(f"or: {candidate.text}  (confidence {candidate.confidence:.2f})")


def _print_citation(citation: Citation) -> None:
    before, quote, after = (visible(part) for part in (citation.before, citation.quote, citation.after))
    out.print(Text.assemble(f"  “{before}", (quote, "bold"), f"{after}”"))
    say(f"  — {_source(citation)}")


def print_passage(rank: int, passage: Passage) -> None:
    say(f"{rank}. {_source(passage)}, score {passage.score:.4f}")
    say(passage.quote)


def say(text: str, to: Console = out) -> None:
    to.print(Text(visible(text)))


def visible(text: str) -> str:
    """Shows control characters as escapes; everything else stays to the letter."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def _source(place: Citation | Passage) -> str:
    date = f", {place.date.written}" if place.date else ""
    page = f", page {place.page}" if place.page else ""
    section = f", {place.section}" if place.section else ""
    return f"{place.title}{date}, {place.path}{page}{section}, characters {place.start} to {place.end}"
