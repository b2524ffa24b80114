"""The curves of a report, by worked example."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING

import pytest

from epiqa.evaluation import Evaluation, Outcome
from epiqa.evaluation.report import render_report

if TYPE_CHECKING:
    pass
from evaluation.reports import drawing, drawings, outcome, ranked


def places(curve: ElementTree.Element) -> list[tuple[float, float]]:
    """Returns the points of a path in its plot's units."""
    points = [point.split() for point in re.split("[ML]", curve.attrib["d"])[1:]]
    return [(float(x), float(y)) for x, y in points]


def dots(svg: ElementTree.Element) -> list[tuple[float, float, float, str | None]]:
    return [
        (float(dot.attrib["cx"]), float(dot.attrib["cy"]), float(dot.attrib["r"]), dot.findtext("title"))
        for dot in svg.iter("circle")
    ]


def line(svg: ElementTree.Element, kind: str) -> list[tuple[float, float]]:
    (path,) = (path for path in svg.iter("path") if path.attrib["class"] == kind)
    return places(path)


def box(svg: ElementTree.Element) -> tuple[float, float, float, float]:
    """Returns the left, right, bottom and top of a plot's square."""
    grid = line(svg, "grid")
    across, down = [x for x, _ in grid], [y for _, y in grid]
    return min(across), max(across), max(down), min(down)


def test_risk_by_coverage_is_drawn_with_the_threshold() -> None:
    outcomes = (
        outcome("a", confidence=0.9),
        outcome("b", confidence=0.7, forced_f1=0.0),
        outcome("c", confidence=0.7),
        outcome("d", confidence=0.4, is_answered=False),
        outcome("e", confidence=0.0, is_answered=False, forced_f1=0.0, golds=()),
    )
    page = render_report(Evaluation({}, outcomes), "x")
    svg = drawing(page, "Curve of risk")
    left, right, bottom, top = box(svg)
    drawn = line(svg, "curve")
    # Of the first one, three, four and five, these shares are wrong.
    expected = [(0.2, 0.0), (0.6, 1 / 3), (0.8, 0.25), (1.0, 0.4)]
    shares = [((x - left) / (right - left), (bottom - y) / (bottom - top)) for x, y in drawn]
    assert shares == [pytest.approx(point, abs=1e-3) for point in expected]
    assert [(bottom - y) / (bottom - top) for _, y in line(svg, "dashed")] == pytest.approx([0.2, 0.2], abs=1e-3)
    assert dots(svg) == [
        (*drawn[3], 3.0, "100.0% answered, 40.0% of them wrongly"),
        (*drawn[1], 6.0, "60.0% answered, 33.3% of them wrongly"),
    ]
    assert "60.0% are answered, 33.3% of them wrongly; were all answered, 40.0% would be wrong" in page
    assert "With 20% wrong (dashed), 20.0% can be answered." in page


def test_a_threshold_that_none_reaches_is_not_drawn() -> None:
    page = render_report(Evaluation({}, (outcome("a", confidence=0.3, is_answered=False, f1=0.0),)), "x")
    svg = drawing(page, "Curve of risk")
    assert [title for *_, title in dots(svg)] == ["100.0% answered, 0.0% of them wrongly"]
    assert "threshold" not in [text.text for text in svg.iter("text")]
    assert "At the threshold no question is answered" in page


def test_reliability_is_drawn_with_a_dot_for_each_bin_that_has_questions() -> None:
    confidences_and_f1 = [(0.0, 0.0), (0.42, 1.0), (0.48, 0.0), (0.95, 1.0), (1.0, 1.0), (0.93, 1.0), (0.92, 0.0)]
    outcomes = tuple(outcome("?", confidence=confidence, forced_f1=f1) for confidence, f1 in confidences_and_f1)
    page = render_report(Evaluation({}, outcomes), "x")
    svg = drawing(page, "Reliability")
    (left, bottom), (right, top) = line(svg, "dashed")
    titles = [
        "Confidence 0.0%, 0.0% right, questions: 1",
        "Confidence 45.0%, 50.0% right, questions: 2",
        "Confidence 95.0%, 75.0% right, questions: 4",
    ]
    drawn = dots(svg)
    assert [title for *_, title in drawn] == titles
    assert [text.text for text in svg.iter("text")][-3:] == ["1", "2", "4"]
    assert all(title in svg.attrib["aria-label"] for title in titles)
    assert [(x - left) / (right - left) for x, *_ in drawn] == pytest.approx([0, 0.45, 0.95], abs=1e-3)
    assert [(bottom - y) / (bottom - top) for _, y, *_ in drawn] == pytest.approx([0, 0.5, 0.75], abs=1e-3)
    assert [(radius / drawn[-1][2]) ** 2 for _, _, radius, _ in drawn] == pytest.approx([1 / 4, 1 / 2, 1], abs=0.01)
    # |0 - 0|, |0.9 - 1| and |3.8 - 3| over seven questions.
    assert "Expected calibration error (ECE): 0.1286." in page


def test_recall_is_drawn_at_every_rank_to_20() -> None:
    def found_at(rank: int | None) -> Outcome:
        return outcome("?", hits=tuple(place == rank for place in range(1, 21)))

    outcomes = (found_at(1), found_at(3), found_at(20), found_at(None), outcome("?", golds=(), hits=None))
    svg = drawing(render_report(Evaluation({}, outcomes), "x"), "Recall")
    _, _, bottom, top = box(svg)
    shares = [(bottom - y) / (bottom - top) for _, y in line(svg, "curve")]
    assert shares == pytest.approx([0.25] * 2 + [0.5] * 17 + [0.75], abs=1e-3)
    assert [title for *_, title in dots(svg)] == ["Recall at 1: 25.0%", "Recall at 5: 50.0%", "Recall at 20: 75.0%"]


def test_recall_of_queries_is_the_mean_share_of_their_documents() -> None:
    queries = (ranked("1", ["a", "b", "c"], {"a": 1.0, "c": 2.0}), ranked("2", ["a"], {"z": 1.0}))
    svg = drawing(render_report(Evaluation({}, (), queries), "x"), "Recall")
    _, _, bottom, top = box(svg)
    shares = [(bottom - y) / (bottom - top) for _, y in line(svg, "curve")]
    assert shares == pytest.approx([0.25, 0.25] + [0.5] * 18, abs=1e-3)


def test_without_a_search_there_is_no_curve_of_recall() -> None:
    page = render_report(Evaluation({}, (outcome("?", hits=None, context="x"),)), "x")
    assert not any("Recall" in svg.attrib.get("aria-label", "") for svg in drawings(page))


def test_latency_is_drawn_with_one_slow_question_in_the_last_column() -> None:
    latencies_ms = [5.0] * 10 + [12.0] * 60 + [30.0] * 30 + [4000.0]
    outcomes = tuple(outcome("?", latency_ms=latency) for latency in latencies_ms)
    page = render_report(Evaluation({}, outcomes), "x")
    svg = drawing(page, "Histogram of latency")
    columns = [rect.findtext("title") for rect in svg.iter("rect")]
    assert len(columns) == 20
    assert [title for title in columns if title and not title.endswith(": 0")] == [
        "3 to 6 ms: 10",
        "12 to 15 ms: 60",
        "30 to 33 ms: 30",
        "57 to 60 ms and more (1): 1",
    ]
    heights = [float(rect.attrib["height"]) for rect in svg.iter("rect")]
    assert heights[4] == 6 * heights[1] == 2 * heights[10]
    texts = [text.text for text in svg.iter("text")]
    assert {"p50 12 ms", "p95 30 ms", "0", "20", "40", "60"} <= set(texts)
    assert "Half the questions took up to 12 ms (p50), 95% up to 30 ms (p95), the slowest 4000 ms." in page
    assert "The last column holds 1 beyond 60 ms." in page


@pytest.mark.parametrize("latency_ms", [0.0, 0.003, 1.0, 50.0, 1e6])
def test_equal_latencies_are_drawn(latency_ms: float) -> None:
    page = render_report(Evaluation({}, (outcome("?", latency_ms=latency_ms),)), "x")
    titles = [rect.findtext("title") for rect in drawing(page, "Histogram").iter("rect")]
    assert sum(str(title).endswith(": 1") for title in titles) == 1


def test_the_drawings_have_names_and_stay_within_their_boxes() -> None:
    corners = [(0.0, 0.0), (0.05, 1.0), (1.0, 1.0), (0.95, 0.0)]
    for each in corners:
        outcomes = tuple(
            outcome("?", confidence=c, forced_f1=f1, latency_ms=1000 * c + 1) for c, f1 in [*corners, *[each] * 999]
        )
        plots = [svg for svg in drawings(render_report(Evaluation({}, outcomes), "x")) if "viewBox" in svg.attrib]
        assert len(plots) == 4
        for svg in plots:
            assert svg.attrib["role"] == "img"
            assert svg.attrib["aria-label"]
            _, _, width, height = map(float, svg.attrib["viewBox"].split())
            for x, y, radius, _ in dots(svg):
                assert radius <= x <= width - radius
                assert radius <= y <= height - radius
            for text in svg.iter("text"):
                assert 0 <= float(text.attrib["x"]) <= width
                assert 10 <= float(text.attrib["y"]) <= height
