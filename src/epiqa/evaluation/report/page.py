"""The page: what went wrong and how often, what changed, the measures, the curves, and every question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from epiqa.evaluation.compare import Difference
from epiqa.evaluation.export import write_text
from epiqa.evaluation.outcomes import Evaluation
from epiqa.evaluation.report.kinds import KINDS_STYLE, count_kinds, filters, overview
from epiqa.evaluation.report.markup import document, escape
from epiqa.evaluation.report.plots import curves
from epiqa.evaluation.report.rows import ROWS_STYLE, outcomes_table, queries_table
from epiqa.evaluation.report.summary import differences_table, measures_table, settings_table


def write_report(
    evaluation: Evaluation, questions: str, path: Path, differences: Sequence[Difference] = ()
) -> None:
    """Writes the page; `questions` names the question set. Raises EpiQAError when it cannot be written."""
    write_text(path, render_report(evaluation, questions, differences))


def render_report(evaluation: Evaluation, questions: str, differences: Sequence[Difference] = ()) -> str:
    """Returns the page, worst questions first; `differences` are from an earlier run on the same questions."""
    title = f"EpiQA on {questions}"
    body = f"<h1>{escape(title)}</h1>"
    has_questions = bool(evaluation.outcomes or evaluation.queries)
    counts = count_kinds(evaluation)
    if has_questions:
        body += overview(evaluation, counts)
    if evaluation.skipped:
        body += (
            f"<p class=worse>Invalid lines that were left out: {len(evaluation.skipped)}. "
            '<a href="#skipped">They are listed at the end.</a></p>'
        )
    if differences:
        body += _section("differences", "Against the earlier run", differences_table(differences))
    if evaluation.measures:
        body += _section("measures", "Measures", measures_table(evaluation))
    if has_questions:
        body += _section("curves", "Curves", curves(evaluation))
        rows = queries_table(evaluation.queries) if evaluation.queries else outcomes_table(evaluation.outcomes)
        body += _section(
            "questions", "Every question" if evaluation.outcomes else "Every query", filters(counts) + rows
        )
    if evaluation.settings:
        body += _section("settings", "Settings and versions", settings_table(evaluation.settings))
    if evaluation.skipped:
        lines = "".join(f"<li>{escape(line)}</li>" for line in evaluation.skipped)
        body += _section("skipped", "Lines that were left out", f"<ul>{lines}</ul>")
    return document(title, body, KINDS_STYLE + ROWS_STYLE)


def _section(name: str, heading: str, content: str) -> str:
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{heading}</h2>{content}</section>'
