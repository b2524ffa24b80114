"""The measures in tables: with their intervals, beside those of an earlier run, and the settings they hold for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from markupsafe import Markup, escape

from epiqa.evaluation.compare import Difference
from epiqa.evaluation.measures import LOWER_IS_BETTER, TIMES, flat_values
from epiqa.evaluation.outcomes import Evaluation
from epiqa.evaluation.report.markup import macros
from epiqa.evaluation.report.plots import interval, interval_axis, reach

SIGNIFICANT = 0.05
_LEAST_P = 0.001  # A smaller one is shown as smaller than this.

_MEANINGS = {
    "questions": "Questions asked.",
    "answerable": "Questions with an expected answer.",
    "exact_match": "Share answered in an expected answer's very words, or rightly left unanswered (SQuAD).",
    "f1": "Mean overlap in words with the expected answer; an abstention counts 1 or 0 (SQuAD).",
    "has_answer_f1": "F1 of the best candidate on answerable questions, held back or not.",
    "no_answer_accuracy": "Share of the unanswerable questions on which EpiQA abstained.",
    "citation.verbatim": "Share of citations that stand in their document to the letter. Below 1 is a defect.",
    "citation.document_accuracy": "Share of answers cited from the document that the set names.",
    "abstention.auroc": "Probability that a right candidate has more confidence than a wrong one; 0.5 is chance.",
    "abstention.false_answer_rate": "Share of the unanswerable questions that were answered. Lower is better.",
    "calibration.ece": "Mean gap between confidence and accuracy. Lower is better.",
    "calibration.brier": "Mean squared error of the confidence. Lower is better.",
    "latency_ms.p50": "Half the questions took no longer.",
    "latency_ms.p95": "95% of the questions took no longer.",
    "seconds": "The whole run.",
}
_OF_ANSWERS = {
    "recall": "Share of the questions with an expected answer in the first {k} passages.",
    "mrr": "Mean of 1 / rank of the first passage with an expected answer; 0 beyond rank {k}.",
    "coverage": "Largest share of questions that can be answered with {k}% of them right.",
}
_OF_RANKINGS = {
    "recall": "Mean share of the relevant documents that are among the first {k}.",
    "mrr": "Mean of 1 / rank of the first relevant document; 0 beyond rank {k}.",
    "ndcg": "Graded relevance of the first {k} documents, discounted by rank; 1 is the ideal order.",
}
_AT_CUTOFF = re.compile(r"(?:abstention\.)?(recall|mrr|ndcg|coverage)@(\d+)")


def flat_measures(measures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields each measure's name, nested ones joined by a dot, with its value as text."""
    for name, value in flat_values(measures).items():
        yield name, f"{value:.4f}" if isinstance(value, float) else str(value)


def measures_table(evaluation: Evaluation) -> Markup:
    """Returns every measure with its interval and meaning."""
    has_intervals = bool(evaluation.intervals)
    between = [("95% interval", "figure")] if has_intervals else []
    columns = [("Measure", ""), ("Value", "figure"), *between, ("What it says", "meaning")]
    caption = "Intervals are of a bootstrap over the questions." if has_intervals else "Of the whole set."
    rows = [
        {
            "name": name,
            "value": _as_text(name, value),
            "interval": " – ".join(_as_text(name, bound) for bound in evaluation.intervals.get(name, ())),
            "meaning": _meaning(name, of_rankings=bool(evaluation.queries)),
        }
        for name, value in flat_values(evaluation.measures).items()
    ]
    return cast(Markup, macros().measures(caption, columns, rows, has_intervals))


def differences_table(differences: Sequence[Difference]) -> Markup:
    """Returns the differences of two runs, drawn on one scale, and in words which are more than chance."""
    end = reach([each for each in differences if each.name not in TIMES])
    columns = (
        ("Measure", ""),
        (Markup(interval_axis(end)), "plot"),
        ("After − before", "figure"),
        ("p", "figure"),
        ("Verdict", ""),
    )
    caption = (
        "Dot: after − before; hollow: within chance. Line: 95% interval of a paired bootstrap. "
        f"Of equally good runs, one measure in twenty falls below p = {SIGNIFICANT} all the same."
    )
    rows = [_difference_row(each, end) for each in differences]
    sure = [row for row in rows if row["judged"] != "within chance"]
    said = macros().verdict(sure, len(rows) - len(sure), SIGNIFICANT)
    return cast(Markup, said + macros().differences(caption, columns, rows))


def settings_table(settings: Mapping[str, Any]) -> Markup:
    """Returns what was asked how, on what, and with which versions."""
    return cast(Markup, macros().settings(flat_values(settings).items()))


def _meaning(name: str, *, of_rankings: bool) -> str:
    at_cutoff = _AT_CUTOFF.fullmatch(name)
    if at_cutoff:
        kind, k = at_cutoff.groups()
        return (_OF_RANKINGS if of_rankings else _OF_ANSWERS).get(kind, "").format(k=k)
    return _MEANINGS.get(name, "")


def _judge(difference: Difference) -> str:
    """Returns "better" or "worse" for a difference that is more than chance, else "within chance"."""
    if difference.p_value >= SIGNIFICANT or difference.after == difference.before:
        return "within chance"
    is_higher = difference.after > difference.before
    return "better" if is_higher != (difference.name in LOWER_IS_BETTER) else "worse"


def _difference_row(each: Difference, end: float) -> dict[str, Any]:
    """Returns what a measure's row shows."""
    judged, digits = _judge(each), _digits(each.name)
    change = f"{each.after - each.before:+.{digits}f}"
    bounds = f"{each.low:+.{digits}f} to {each.high:+.{digits}f}"
    title = escape(f"{each.name}: {change}, {bounds}, {judged}")
    return {
        "name": each.name,
        "before": f"{each.before:.{digits}f}",
        "after": f"{each.after:.{digits}f}",
        "change": change,
        "bounds": bounds,
        "colour": judged if judged in ("better", "worse") else "chance",
        "judged": judged,
        "p": f"{each.p_value:.3f}" if each.p_value >= _LEAST_P else f"< {_LEAST_P}",
        "plot": Markup("" if each.name in TIMES else interval(each, end, title)),
    }


def _as_text(name: str, value: Any) -> str:
    return f"{value:.{_digits(name)}f}" if isinstance(value, float) else str(value)


def _digits(name: str) -> int:
    return 1 if name in TIMES else 4
