"""An evaluation as one HTML page: the measures, two curves, and every question with what was expected and given.

Self-contained, without script; every string is escaped.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from epiqa.errors import EpiQAError
from epiqa.evaluation import metrics
from epiqa.evaluation.run import Evaluation, Outcome

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0 2rem; }
th, td { border-bottom: 1px solid #8886; padding: .35rem .8rem .35rem 0; text-align: left; vertical-align: top; }
td.figure { font-variant-numeric: tabular-nums; text-align: right; }
.wrong { color: #b3261e; } .right { color: #1b7f3b; }
.curves { display: flex; flex-wrap: wrap; gap: 0 3rem; }
figure { flex: 0 1 27rem; margin: 0 0 2rem; break-inside: avoid; } figcaption { margin-top: .75rem; }
h1 { overflow-wrap: anywhere; } @media screen { .wide { overflow-x: auto; } }
svg { display: block; width: 100%; max-width: 100%; height: auto; }
svg text { font-size: 12px; fill: currentColor; paint-order: stroke; stroke: Canvas; stroke-width: 3px; }
svg path { fill: none; stroke: currentColor; } svg .grid { stroke: #8886; } svg .dashed { stroke-dasharray: 5 4; }
svg .dotted { stroke-dasharray: 1 3; } svg .curve { stroke-width: 2px; stroke-linejoin: round; }
svg circle { fill: currentColor; stroke: Canvas; }
"""

# Units of the plots' viewBox, near to pixels on a narrow page: a square, with room for names and figures around it.
_WIDTH, _HEIGHT, _LEFT, _TOP, _SIDE = 320, 326, 46, 26, 252
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_LETTER = 6.5
_LARGEST_RADIUS = 10
_LOW = 0.1  # There is no room for a label under so low a dot.
_ACCURACY = 0.8


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
    page = "<!doctype html><html lang=en><meta charset=utf-8>"
    page += "<meta name=viewport content='width=device-width'>"
    page += f"<title>{title}</title><style>{_STYLE}</style>"
    page += f"<h1>{title}</h1><table>{measures}</table>"
    if evaluation.outcomes:
        page += _curves(evaluation.outcomes)
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
        rows = "".join(_row(outcome) for outcome in worst_first)
        page += f"<div class=wide><table><tr>{head}</tr>{rows}</table></div>"
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


def _curves(outcomes: Sequence[Outcome]) -> str:
    confidences = [outcome.answer.confidence for outcome in outcomes]
    right = [outcome.is_right for outcome in outcomes]
    answered = [outcome.is_right for outcome in outcomes if outcome.answer.is_answered]
    figures = _coverage_figure(confidences, right, answered) + _reliability_figure(confidences, right)
    return f"<div class=curves>{figures}</div>"


def _coverage_figure(confidences: Sequence[float], right: Sequence[bool], answered: Sequence[bool]) -> str:
    """Returns accuracy by coverage; `answered` tells of each answer given whether it is right."""
    points = [_point(*each) for each in metrics.accuracy_by_coverage(confidences, right)]
    overall = sum(right) / len(right)
    marks = _line("dashed", (0, _ACCURACY), (1, _ACCURACY))
    marks += f'<path class="curve" d="M{"L".join(dict.fromkeys(points))}"/>'
    marks += _dot(1, overall, 3, f"100.0% answered, {overall:.1%} of them rightly")
    said = "At the threshold no question is answered"
    if answered:
        share, accuracy = len(answered) / len(right), sum(answered) / len(answered)
        marks += _line("dotted", (share, accuracy), (share, 0))
        marks += _dot(share, accuracy, 6, f"{share:.1%} answered, {accuracy:.1%} of them rightly")
        marks += _label(share, 0 if accuracy > _LOW else accuracy, -10, "threshold")
        said = f"At the threshold (large dot), {share:.1%} are answered, {accuracy:.1%} of them rightly"
    said += (
        f"; were all answered, {overall:.1%} would be right. With {_ACCURACY:.0%} right (dashed), "
        f"{metrics.coverage(confidences, right, _ACCURACY):.1%} can be answered. Right means an F1 of at least "
        f"{metrics.RIGHT_F1}; no answer to an unanswerable question is right."
    )
    names = ("Share of questions answered, most confident first", "Share right among those answered")
    return _figure("Accuracy by coverage", said, _plot("Curve of accuracy by coverage", *names, marks))


def _reliability_figure(confidences: Sequence[float], right: Sequence[bool]) -> str:
    bins = metrics.reliability(confidences, right)
    most = max(count for _, _, count in bins)
    marks, titles = _line("dashed", (0, 0), (1, 1)), []
    for confidence, accuracy, count in bins:
        titles.append(f"Confidence {confidence:.1%}, {accuracy:.1%} right, questions: {count}")
        # The number of questions is the dot's area.
        radius = max(2.0, _LARGEST_RADIUS * math.sqrt(count / most))
        marks += _dot(confidence, accuracy, radius, titles[-1])
        marks += _label(confidence, accuracy, radius + 12 if accuracy > _LOW else -radius - 4, str(count))
    said = (
        "A dot is a tenth of the range of confidence, with the number of its questions. On the dashed line "
        "confidence is exact, below it too high. Expected calibration error (ECE): "
        f"{metrics.expected_calibration_error(confidences, right):.4f}."
    )
    label = f"Reliability by confidence. {'. '.join(titles)}"
    return _figure("Reliability", said, _plot(label, "Mean confidence", "Share right", marks))


def _figure(name: str, said: str, svg: str) -> str:
    return f"<figure>{svg}<figcaption><strong>{name}.</strong> {said}</figcaption></figure>"


def _plot(label: str, x_name: str, y_name: str, marks: str) -> str:
    """Returns the marks in a square of two shares, with a grid and the names of the axes."""
    grid = "".join(f"M{_point(0, t)}L{_point(1, t)}M{_point(t, 0)}L{_point(t, 1)}" for t in _TICKS)
    texts = "".join(
        _text(_across(tick), _down(0) + 24, "middle", f"{tick:.0%}")
        + _text(_LEFT - 10, _down(tick) + 4, "end", f"{tick:.0%}")
        for tick in _TICKS
    )
    texts += _text(_across(1), _down(0) + 42, "end", x_name) + _text(0, 12, "start", y_name)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
        f'<path class="grid" d="{grid}"/>{texts}{marks}</svg>'
    )


def _dot(x: float, y: float, radius: float, title: str) -> str:
    return f'<circle cx="{_across(x):.1f}" cy="{_down(y):.1f}" r="{radius:.1f}"><title>{title}</title></circle>'


def _label(x: float, y: float, shift: float, text: str) -> str:
    """Returns a text centred below a place (above, if `shift` is negative), kept within the square."""
    half = len(text) * _LETTER / 2
    return _text(min(max(_across(x), _across(0) + half), _across(1) - half), _down(y) + shift, "middle", text)


def _line(kind: str, start: tuple[float, float], end: tuple[float, float]) -> str:
    return f'<path class="{kind}" d="M{_point(*start)}L{_point(*end)}"/>'


def _text(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _point(x: float, y: float) -> str:
    return f"{_across(x):.1f} {_down(y):.1f}"


def _across(share: float) -> float:
    return _LEFT + share * _SIDE


def _down(share: float) -> float:
    return _TOP + (1 - share) * _SIDE
