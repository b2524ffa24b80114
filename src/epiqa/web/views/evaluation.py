"""An evaluation's progress and figures as HTML: pure functions."""

from __future__ import annotations

from typing import Final

from epiqa.evaluation import Evaluation
from epiqa.evaluation.measures import flat_values
from epiqa.evaluation.report.plots import curves
from epiqa.web.services.evaluation import Progress
from epiqa.web.texts import Language, translate
from epiqa.web.translations import TEXTS
from epiqa.web.views.html import escape, translate_html

# The most telling measures; the report has them all.
SHOWN: Final = (
    "exact_match", "f1", "has_answer_f1", "no_answer_accuracy", "recall@5", "ndcg@10", "abstention.coverage@80",
    "citation.verbatim", "abstention.false_answer_rate", "calibration.ece", "latency_ms.p50",
)  # fmt: skip


def render_progress(progress: Progress | None, language: Language) -> str:
    """Returns the progress bar; `progress` is None before the first question."""
    if progress is None:
        return f'<p role="status">{translate_html(language, "preparing")}</p><progress aria-label="…"></progress>'
    said = translate_html(language, "running", done=progress.done, count=progress.count)
    bar = f'<progress aria-label="{said}" value="{progress.done}" max="{progress.count}"></progress>'
    return f'<p role="status">{said}</p>{bar}'


def render_evaluation(evaluation: Evaluation, name: str, language: Language) -> str:
    """Returns the main measures with their intervals, and the report's curves."""
    flat = flat_values(evaluation.measures)
    rows = []
    for key in SHOWN:
        if key in flat:
            bounds = evaluation.intervals.get(key)
            between = f"{_figure(bounds[0])} – {_figure(bounds[1])}" if bounds else ""
            label = translate(language, key) if key in TEXTS else key
            rows.append(
                f'<tr><th scope="row">{escape(label)}</th><td>{_figure(flat[key])}</td><td>{between}</td></tr>'
            )
    heads = "".join(
        f'<th scope="col">{translate_html(language, key)}</th>' for key in ("measure", "value", "interval")
    )
    count = len(evaluation.outcomes) or len(evaluation.queries)
    said = translate(language, "evaluated", name=name, count=count, seconds=f"{evaluation.measures['seconds']:.1f}")
    return (
        f'<section class="epiqa-evaluation"><p role="status">{escape(said)}</p>'
        f'<table class="epiqa-table epiqa-measures"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody>'
        f'</table><div class="epiqa-curves" lang="en">{curves(evaluation)}</div></section>'
    )


def _figure(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.3f}"
