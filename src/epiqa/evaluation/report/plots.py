"""The curves, as inline SVG: risk by coverage, reliability, recall, latency, and the differences of two runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from epiqa.evaluation import metrics
from epiqa.evaluation.compare import Difference
from epiqa.evaluation.measures import CUTOFFS
from epiqa.evaluation.outcomes import Evaluation

# Units of the plots' viewBox, near to pixels on a narrow page: a square, with room for names and figures around it.
_WIDTH, _HEIGHT, _LEFT, _TOP, _SIDE = 320, 326, 46, 26, 252
_SHARES = tuple((tick / 10, f"{tick * 10}%") for tick in range(0, 11, 2))
_LETTER = 6.5
_LARGEST_RADIUS = 10
_LOW = 0.1  # There is no room for a label under so low a dot.
_BESIDE = 6.0  # from a dot to the label on its right
_RISK = 0.2
_RANKS = max(CUTOFFS)
_BINS = 20
_MOST_TICKS = 5
_PERCENTILES = (50, 95)


def curves(evaluation: Evaluation) -> str:
    """Returns every figure that the outcomes allow."""
    outcomes, figures = evaluation.outcomes, ""
    if outcomes:
        confidences = [outcome.answer.confidence for outcome in outcomes]
        right = [outcome.is_right for outcome in outcomes]
        answered = [outcome.is_right for outcome in outcomes if outcome.answer.is_answered]
        figures += _risk_figure(confidences, right, answered) + _reliability_figure(confidences, right)
    figures += _recall_figure(evaluation)
    latencies = [each.latency_ms for each in outcomes] + [each.latency_ms for each in evaluation.queries]
    figures += _latency_figure(latencies) if latencies else ""
    return f"<div class=curves>{figures}</div>"


def _risk_figure(confidences: Sequence[float], right: Sequence[bool], answered: Sequence[bool]) -> str:
    """Returns risk by coverage; `answered` says for each given answer whether it is right."""
    accuracies = metrics.accuracy_by_coverage(confidences, right)
    points = [_point(share, 1 - accuracy) for share, accuracy in accuracies]
    overall = 1 - sum(right) / len(right)
    marks = _line("dashed", (0, _RISK), (1, _RISK))
    marks += f'<path class="curve" d="M{"L".join(dict.fromkeys(points))}"/>'
    marks += _dot(1, overall, 3, f"100.0% answered, {overall:.1%} of them wrongly")
    said = "At the threshold no question is answered"
    if answered:
        share, risk = len(answered) / len(right), 1 - sum(answered) / len(answered)
        marks += _line("dotted", (share, risk), (share, 0))
        marks += _dot(share, risk, 6, f"{share:.1%} answered, {risk:.1%} of them wrongly")
        marks += _label(share, risk, -10, "threshold")
        said = f"At the threshold (large dot), {share:.1%} are answered, {risk:.1%} of them wrongly"
    said += (
        f"; were all answered, {overall:.1%} would be wrong. With {_RISK:.0%} wrong (dashed), "
        f"{metrics.coverage(confidences, right, 1 - _RISK):.1%} can be answered. Wrong means an F1 below "
        f"{metrics.RIGHT_F1}, or any answer to an unanswerable question. Lower is better."
    )
    names = ("Coverage: share answered, most confident first", "Risk: share wrong among those answered")
    return _figure("Risk by coverage", said, _plot("Curve of risk by coverage", *names, marks))


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


def recalls(evaluation: Evaluation) -> list[float]:
    """Returns recall at each rank from 1: of passages with an answer, or of relevant documents."""
    ranks = range(1, _RANKS + 1)
    searched = [outcome.hits for outcome in evaluation.outcomes if outcome.hits is not None]
    if searched:
        return [sum(any(hits[:k]) for hits in searched) / len(searched) for k in ranks]
    ranked = [([name for name, _ in query.ranking], set(query.relevant)) for query in evaluation.queries]
    return [sum(metrics.recall(*each, k) for each in ranked) / len(ranked) for k in ranks] if ranked else []


def _recall_figure(evaluation: Evaluation) -> str:
    values = recalls(evaluation)
    if not values:
        return ""
    points = [((rank - 1) / (_RANKS - 1), value) for rank, value in enumerate(values, start=1)]
    marks = f'<path class="curve" d="M{"L".join(_point(*point) for point in points)}"/>'
    for rank in CUTOFFS:
        x, value = points[rank - 1]
        marks += _dot(x, value, 4, f"Recall at {rank}: {value:.1%}")
        shift = 18 if value > _LOW else -10
        if rank == CUTOFFS[-1]:
            marks += _label(x, value, shift, f"{value:.1%}")
        else:  # to the right, where a rising curve leaves room
            marks += _text(_across(x) + _BESIDE, _down(value) + shift, "start", f"{value:.1%}")
    ticks = [((rank - 1) / (_RANKS - 1), str(rank)) for rank in (1, 5, 10, 15, 20)]
    unit = "passages" if evaluation.outcomes else "documents"
    what = (
        "the questions with a passage among the first k that holds an expected answer"
        if evaluation.outcomes
        else "the relevant documents among the first k, mean over the queries"
    )
    said = f"Share of {what}. What search does not find, no reader can answer."
    label = ". ".join(["Recall by rank", *(f"At {rank}: {values[rank - 1]:.1%}" for rank in CUTOFFS)])
    svg = _plot(label, f"k, the number of {unit}", "Recall at k", marks, x_ticks=ticks)
    return _figure("Recall at k", said, svg)


def _latency_figure(latencies_ms: Sequence[float]) -> str:
    percentiles = [float(np.percentile(latencies_ms, percent)) for percent in _PERCENTILES]
    # One slow question, often the first, must not press all the others into one bin.
    largest = min(max(latencies_ms), 2 * percentiles[-1])
    x_step = _step(largest)
    end = x_step * math.ceil(round(largest / x_step, 6)) or x_step
    counts, edges = np.histogram(np.minimum(latencies_ms, end), bins=_BINS, range=(0, end))
    y_step = max(1.0, _step(float(counts.max())))
    top = y_step * math.ceil(1.2 * counts.max() / y_step)  # The percentiles' names stand above the columns.
    slower = sum(latency > end for latency in latencies_ms)
    marks = ""
    for i, count in enumerate(counts):
        last = f" and more ({slower})" if i == _BINS - 1 and slower else ""
        title = f"{edges[i]:g} to {edges[i + 1]:g} ms{last}: {count}"
        marks += _column(i / _BINS, (i + 1) / _BINS, count / top, title)
    for line, (percent, latency) in enumerate(zip(_PERCENTILES, percentiles, strict=True)):
        marks += _line("dashed", (latency / end, 0), (latency / end, 1))
        marks += _label(latency / end, 1, 12 + 16 * line, f"p{percent} {latency:.0f} ms")
    x_ticks = [(x_step * i / end, f"{x_step * i:g}") for i in range(round(end / x_step) + 1)]
    y_ticks = [(y_step * i / top, f"{y_step * i:g}") for i in range(round(top / y_step) + 1)]
    half, most = percentiles
    said = f"Half the questions took up to {half:.0f} ms (p50), 95% up to {most:.0f} ms (p95)"
    said += f", the slowest {max(latencies_ms):.0f} ms."
    if slower:
        said += f" The last column holds {slower} beyond {end:g} ms."
    svg = _plot(
        f"Histogram of latency. {said}", "Milliseconds", "Questions", marks, x_ticks=x_ticks, y_ticks=y_ticks
    )
    return _figure("Latency", said, svg)


def _step(largest: float) -> float:
    """Returns the least of 1, 2 or 5 times a power of ten that reaches `largest` in at most five steps."""
    if largest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest / _MOST_TICKS))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * _MOST_TICKS >= largest * (1 - 1e-9))


def reach(differences: Sequence[Difference]) -> float:
    """Returns the largest of the differences' bounds, the end of the scale that `interval` draws on."""
    return max((abs(bound) for each in differences for bound in (each.low, each.high)), default=0.0) or 1.0


def interval(difference: Difference, end: float, label: str) -> str:
    """Returns a difference as a dot on its interval and a line at zero, between -end and end."""

    def place(value: float) -> str:
        return f"{50 + 48 * value / end:.2f}%"

    after_before = place(difference.after - difference.before)
    return (
        f'<svg role="img" aria-label="{label}">'
        '<line class="grid" x1="50%" x2="50%" y1="0" y2="100%"/>'
        f'<line x1="{place(difference.low)}" x2="{place(difference.high)}" y1="50%" y2="50%"/>'
        f'<circle cx="{after_before}" cy="50%" r="5"/></svg>'
    )


def interval_axis(end: float) -> str:
    """Returns the scale above the intervals."""
    return (
        f'<svg role="img" aria-label="Difference, from {-end:+.3f} to {end:+.3f}">'
        f'<text x="2%" y="70%" text-anchor="start">{-end:+.3f}</text>'
        '<text x="50%" y="70%" text-anchor="middle">0</text>'
        f'<text x="98%" y="70%" text-anchor="end">{end:+.3f}</text></svg>'
    )


def _figure(name: str, said: str, svg: str) -> str:
    return f"<figure>{svg}<figcaption><strong>{name}.</strong> {said}</figcaption></figure>"


def _plot(
    label: str,
    x_name: str,
    y_name: str,
    marks: str,
    *,
    x_ticks: Sequence[tuple[float, str]] = _SHARES,
    y_ticks: Sequence[tuple[float, str]] = _SHARES,
) -> str:
    """Returns the marks in a square, with a grid and the axes' names; a tick is a place in [0, 1] and a text."""
    grid = "".join(f"M{_point(x, 0)}L{_point(x, 1)}" for x, _ in x_ticks)
    grid += "".join(f"M{_point(0, y)}L{_point(1, y)}" for y, _ in y_ticks)
    texts = "".join(_text(_across(x), _down(0) + 24, "middle", text) for x, text in x_ticks)
    texts += "".join(_text(_LEFT - 10, _down(y) + 4, "end", text) for y, text in y_ticks)
    texts += _text(_across(1), _down(0) + 42, "end", x_name) + _text(0, 12, "start", y_name)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
        f'<path class="grid" d="{grid}"/>{texts}{marks}</svg>'
    )


def _dot(x: float, y: float, radius: float, title: str) -> str:
    return f'<circle cx="{_across(x):.1f}" cy="{_down(y):.1f}" r="{radius:.1f}"><title>{title}</title></circle>'


def _column(start: float, end: float, height: float, title: str) -> str:
    return (
        f'<rect class="bin" x="{_across(start) + 0.5:.1f}" y="{_down(height):.1f}" '
        f'width="{(end - start) * _SIDE - 1:.1f}" height="{height * _SIDE:.1f}"><title>{title}</title></rect>'
    )


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
