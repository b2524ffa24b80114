"""An evaluation as one HTML page: the measures, and every question with what was expected and given.

Self-contained, without script; every string is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from epiqa.errors import EpiQAError
from epiqa.evaluation.run import Evaluation, Outcome

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0 2rem; }
th, td { border-bottom: 1px solid #8886; padding: .35rem .8rem .35rem 0; text-align: left; vertical-align: top; }
td.figure { font-variant-numeric: tabular-nums; text-align: right; }
.wrong { color: #b3261e; } .right { color: #1b7f3b; }
"""


def write_report(evaluation: Evaluation, questions: str, path: Path) -> None:
    """Writes the page; `questions` names the question set. Raises EpiQAError when it cannot be written."""
    try:
        path.write_text(render_report(evaluation, questions), encoding="utf-8")
    except OSError as error:
        raise EpiQAError(f"the report cannot be written to {path} ({error.strerror})") from error


def render_report(evaluation: Evaluation, questions: str) -> str:
    """Returns the page, worst questions first."""
    measures = "".join(
        f"<tr><th>{html.escape(name)}</th><td class=figure>{html.escape(value)}</td></tr>"
        for name, value in flat_measures(evaluation.measures)
    )
    title = f"EpiQA on {html.escape(questions)}"
    page = f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
    page += f"<h1>{title}</h1><table>{measures}</table>"
    if evaluation.outcomes:
        head = "".join(
            f"<th>{name}</th>"
            for name in (
                "Verdict",
                "Question",
                "Expected",
                "Given",
                "Best candidate",
                "Confidence",
                "F1",
                "Cited",
            )
        )
        worst_first = sorted(evaluation.outcomes, key=lambda outcome: (outcome.f1, -outcome.answer.confidence))
        page += f"<table><tr>{head}</tr>{''.join(_row(outcome) for outcome in worst_first)}</table>"
    return page + "</html>\n"


def flat_measures(measures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yields each measure's name, nested ones joined by a dot, with its value as text."""
    for name, value in measures.items():
        if isinstance(value, Mapping):
            yield from flat_measures(value, f"{prefix}{name}.")
        else:
            yield prefix + name, f"{value:.4f}" if isinstance(value, float) else str(value)


def verdict(outcome: Outcome) -> str:
    """Returns in a few words what went right or wrong with a question."""
    if not outcome.question.is_answerable:
        return "answered the unanswerable" if outcome.answer.is_answered else "right to abstain"
    if not outcome.answer.is_answered:
        return "wrongly abstained" if outcome.is_right else "abstained, and had not found it"
    if outcome.is_right:
        return "right"
    if outcome.hits is not None and not any(outcome.hits):
        return "not retrieved"
    return "misread"


def _row(outcome: Outcome) -> str:
    answer = outcome.answer
    said = verdict(outcome)
    cited = "; ".join(f"{c.path} [{c.start}:{c.end}]" for c in answer.citations)
    cells = [
        outcome.question.question,
        " | ".join(dict.fromkeys(outcome.question.answers)) or "—",
        answer.text or "—",
        answer.candidates[0].text if answer.candidates else "—",
        f"{answer.confidence:.2f}",
        f"{outcome.f1:.2f}",
        cited or "—",
    ]
    colour = "right" if said.startswith("right") else "wrong"
    return (
        f"<tr><td class={colour}>{said}</td>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
    )
