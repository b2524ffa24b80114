"""What the commands print: answers, passages and reports for people, and the JSON that programs read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from epiqa.answering.answer import NO_ANSWER, held_back
from epiqa.api.schemas import answer_json, found_json, index_json, with_path
from epiqa.types import Answer, Citation, IndexInfo, IndexReport, Passage

NEAREST_PASSAGES = 3
FURTHER_CANDIDATES = 2
LISTED_PATHS = 5
LISTED_REMARKS = 20

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

# What would move the cursor or colour the terminal, were it printed as it is.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def answer_as_json(answer: Answer, info: IndexInfo) -> dict[str, Any]:
    """Returns what `ask --json` prints; of an answer found in several places, each is a row of `answers`."""
    return dict(with_path(answer_json(answer, info)))


def found_as_json(query: str, passages: Sequence[Passage]) -> dict[str, Any]:
    """Returns what `search --json` prints."""
    return dict(with_path(found_json(query, passages)))


def report_as_json(report: IndexReport) -> dict[str, Any]:
    """Returns what `index --json` prints; `left` are the files that were not reached."""
    info = report.index
    return {
        "added": report.added,
        "unchanged": report.unchanged,
        "replaced": report.replaced,
        "moved": [{"from": earlier, "path": path} for earlier, path in report.moved],
        "removed": report.removed,
        "skipped": [{"path": path, "reason": reason} for path, reason in report.skipped],
        "notes": [{"path": path, "note": note} for path, note in report.notes],
        "left": report.left,
        "set_aside": report.set_aside,
        "index": info and index_json(info),
    }


def print_report(report: IndexReport) -> None:
    """Prints what became of the files: how many, and the first of each kind."""
    for label, paths in _changes(report):
        if paths:
            say(f"{label} {len(paths)}: {_some(paths)}")
    if report.unchanged:
        say(f"unchanged {len(report.unchanged)}: {_some(report.unchanged)}")
    if report.set_aside:
        say(f"The index that was there lies in {report.set_aside}; delete that folder when it is not needed.")
    _print_remarks("note", report.notes)
    _print_remarks("skipped", report.skipped)


def _print_remarks(label: str, remarks: Sequence[tuple[str, str]]) -> None:
    for path, remark in remarks[:LISTED_REMARKS]:
        say(f"{label} {path}: {remark}", to=err)
    if len(remarks) > LISTED_REMARKS:
        say(f"{label} {len(remarks) - LISTED_REMARKS} more: --json lists them all", to=err)


def print_changes(report: IndexReport) -> None:
    """Prints each change on a line of its own."""
    for label, paths in _changes(report):
        for path in paths:
            say(f"{label} {path}")
    for path, note in report.notes:
        say(f"note {path}: {note}")
    for path, reason in report.skipped:
        say(f"skipped {path}: {reason}")


def _changes(report: IndexReport) -> list[tuple[str, Sequence[str]]]:
    return [
        ("added", report.added),
        ("replaced", report.replaced),
        ("moved", [f"{earlier} → {path}" for earlier, path in report.moved]),
        ("removed", report.removed),
    ]


def _some(paths: Sequence[str]) -> str:
    shown = ", ".join(paths[:LISTED_PATHS])
    return shown if len(paths) <= LISTED_PATHS else f"{shown} and {len(paths) - LISTED_PATHS} more"


def print_answer(answer: Answer, documents: int) -> None:
    """Prints the answer with its citations, or the nearest passages; `documents` were searched."""
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
