"""The page: what went wrong and how often, what changed, the measures, the curves, and every question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from epiqa.evaluation.compare import Difference
from epiqa.evaluation.export import write_text
from epiqa.evaluation.outcomes import Evaluation
from epiqa.evaluation.report.kinds import KINDS_STYLE, count_kinds, filters, overview
from epiqa.evaluation.report.markup import document, macros
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
    has_questions = bool(evaluation.outcomes or evaluation.queries)
    counts, parts = count_kinds(evaluation), list[Markup]()
    section = macros().section
    if has_questions:
        parts.append(overview(evaluation, counts))
    if evaluation.skipped:
        parts.append(macros().left_out(len(evaluation.skipped)))
    if differences:
        parts.append(section("differences", "Against the earlier run", differences_table(differences)))
    if evaluation.measures:
        parts.append(section("measures", "Measures", measures_table(evaluation)))
    if has_questions:
        parts.append(section("curves", "Curves", Markup(curves(evaluation))))
        rows = queries_table(evaluation.queries) if evaluation.queries else outcomes_table(evaluation.outcomes)
        heading = "Every question" if evaluation.outcomes else "Every query"
        parts.append(section("questions", heading, filters(counts) + rows))
    if evaluation.settings:
        parts.append(section("settings", "Settings and versions", settings_table(evaluation.settings)))
    if evaluation.skipped:
        parts.append(section("skipped", "Lines that were left out", macros().lines(evaluation.skipped)))
    return document(f"EpiQA on {questions}", Markup().join(parts), KINDS_STYLE + ROWS_STYLE)
