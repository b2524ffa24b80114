"""The report: every string escaped, the curves, the worst questions first, and what went wrong with each."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import pytest

from epiqa.errors import EpiQAError
from epiqa.evaluation import Evaluation, Outcome, flat_measures, write_report
from epiqa.evaluation.questions import Question
from epiqa.evaluation.report import render_report, verdict
from epiqa.types import Answer, Candidate, Citation

HOSTILE = """<script>alert('1')</script>"'><img src=x onerror=alert(1)>&amp;"""


class Page(HTMLParser):
    """What a browser would build: the tags with their attributes, and the texts of the cells, row by row.

    What is drawn is left to `drawings`.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.rows: list[list[str]] = []
        self.title = ""
        self._tag = ""
        self.feed(re.sub("<svg.*?</svg>", "", source, flags=re.DOTALL))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(attrs)
        self._tag = tag
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag in ("td", "th"):
            self.rows[-1][-1] += data
        elif self._tag == "title":
            self.title += data


def outcome(
    question: str,
    *,
    golds: tuple[str, ...] = ("seven",),
    text: str = "seven",
    is_answered: bool = True,
    confidence: float = 0.5,
    f1: float = 1.0,
    forced_f1: float = 1.0,
    hits: tuple[bool, ...] | None = (True,),
    path: str = "a.txt",
) -> Outcome:
    citation = Citation(
        document_id="d",
        title="A title",
        path=path,
        date=None,
        page=None,
        start=3,
        end=3 + len(text),
        quote=text,
        before="",
        after="",
    )
    return Outcome(
        question=Question(question, golds, document=path),
        answer=Answer(
            question=question,
            is_answered=is_answered,
            text=text if is_answered else None,
            confidence=confidence,
            citations=(citation,) if is_answered else (),
            candidates=(Candidate(text, confidence, (citation,)),),
            passages=(),
        ),
        exact_match=float(f1 == 1.0),
        f1=f1,
        forced_f1=forced_f1,
        verbatim=(True,) if is_answered else (),
        hits=hits,
        latency_ms=1.0,
    )


def drawings(source: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall("<svg.*?</svg>", source, re.DOTALL)]


def places(curve: ElementTree.Element) -> list[tuple[float, float]]:
    """Returns the points of a path in its plot's units."""
    points = [point.split() for point in re.split("[ML]", curve.attrib["d"])[1:]]
    return [(float(x), float(y)) for x, y in points]


def dots(svg: ElementTree.Element) -> list[tuple[float, float, float, str | None]]:
    return [
        (float(dot.attrib["cx"]), float(dot.attrib["cy"]), float(dot.attrib["r"]), dot.findtext("title"))
        for dot in svg.iter("circle")
    ]


def test_hostile_strings_are_shown_and_not_run() -> None:
    hostile = outcome(HOSTILE, golds=(HOSTILE, "a & b"), text=HOSTILE, path=HOSTILE)
    source = render_report(Evaluation({HOSTILE: HOSTILE}, (hostile,)), HOSTILE)
    page = Page(source)
    tags = {
        "html",
        "meta",
        "title",
        "style",
        "h1",
        "table",
        "tr",
        "th",
        "td",
        "div",
        "figure",
        "figcaption",
        "strong",
    }
    assert page.tags == tags
    classes = {("class", name) for name in ("figure", "right", "curves", "wide")}
    viewport = {("name", "viewport"), ("content", "width=device-width")}
    assert page.attributes == {("lang", "en"), ("charset", "utf-8")} | viewport | classes
    assert "alert" not in "".join(re.findall("<svg.*?</svg>", source, re.DOTALL))
    assert page.title == f"EpiQA on {HOSTILE}"
    assert page.rows[0] == [HOSTILE, HOSTILE]
    cited = f"{HOSTILE} [3:{3 + len(HOSTILE)}]"
    assert page.rows[2] == ["right", HOSTILE, f"{HOSTILE} | a & b", HOSTILE, HOSTILE, "0.50", "1.00", cited]


def test_a_report_fetches_nothing() -> None:
    source = render_report(Evaluation({"f1": 1.0}, (outcome("Who?"),)), "set.jsonl")
    assert re.findall(r"https?:|//|src=|href=|url\(|@import|<script", source) == []


def test_worst_first_and_of_these_the_most_confident() -> None:
    outcomes = (
        outcome("best", f1=1.0, confidence=0.9),
        outcome("wrong and unsure", f1=0.0, confidence=0.3),
        outcome("half", f1=0.5, confidence=0.99),
        outcome("wrong and sure", f1=0.0, confidence=0.8),
        outcome("right and unsure", f1=1.0, confidence=0.2),
    )
    page = Page(render_report(Evaluation({}, outcomes), "set.jsonl"))
    assert [row[1] for row in page.rows[1:]] == [
        "wrong and sure",
        "wrong and unsure",
        "half",
        "best",
        "right and unsure",
    ]


@pytest.mark.parametrize(
    ("given", "said", "colour"),
    [
        (outcome("?", f1=0.5, forced_f1=0.5), "right", "right"),
        (outcome("?", f1=0.4, forced_f1=0.4), "misread", "wrong"),
        (outcome("?", f1=0.0, forced_f1=0.0, hits=None), "misread", "wrong"),
        (outcome("?", f1=0.0, forced_f1=0.0, hits=(False, True)), "misread", "wrong"),
        (outcome("?", f1=0.0, forced_f1=0.0, hits=(False, False)), "not retrieved", "wrong"),
        (outcome("?", is_answered=False, f1=0.0), "wrongly abstained", "wrong"),
        (outcome("?", is_answered=False, f1=0.0, forced_f1=0.0), "abstained, and had not found it", "wrong"),
        (outcome("?", golds=(), f1=0.0, forced_f1=0.0, hits=None), "answered the unanswerable", "wrong"),
        (outcome("?", golds=(), is_answered=False, forced_f1=0.0, hits=None), "right to abstain", "right"),
    ],
)
def test_what_is_said_of_a_question(given: Outcome, said: str, colour: str) -> None:
    assert verdict(given) == said
    page = Page(render_report(Evaluation({}, (given,)), "set.jsonl"))
    assert page.rows[1][0] == said
    assert page.attributes & {("class", "right"), ("class", "wrong")} == {("class", colour)}


def test_what_there_is_not_is_a_dash() -> None:
    page = Page(render_report(Evaluation({}, (outcome("Who?", golds=(), is_answered=False, text="Ann"),)), "x"))
    assert page.rows[1][1:] == ["Who?", "—", "—", "Ann", "0.50", "1.00", "—"]


def test_equal_gold_answers_are_listed_once() -> None:
    page = Page(render_report(Evaluation({}, (outcome("How many?", golds=("7", "seven", "7")),)), "x"))
    assert page.rows[1][2] == "7 | seven"


def test_accuracy_by_coverage_is_drawn_with_the_threshold() -> None:
    outcomes = (
        outcome("a", confidence=0.9),
        outcome("b", confidence=0.7, forced_f1=0.0),
        outcome("c", confidence=0.7),
        outcome("d", confidence=0.4, is_answered=False),
        outcome("e", confidence=0.0, is_answered=False, forced_f1=0.0, golds=()),
    )
    source = render_report(Evaluation({}, outcomes), "x")
    svg = drawings(source)[0]
    (curve,) = (path for path in svg.iter("path") if path.attrib["class"] == "curve")
    (level,) = (path for path in svg.iter("path") if path.attrib["class"] == "dashed")
    (left, at_80), (right, also_at_80) = places(level)
    assert at_80 == also_at_80
    # Of the first one, three, four and five, these shares are right; the curve's first point is at 100 %.
    (_, top), *_ = drawn = places(curve)
    expected = [(0.2, 1.0), (0.6, 2 / 3), (0.8, 0.75), (1.0, 0.6)]
    shares = [((x - left) / (right - left), 1 - (y - top) / (at_80 - top) * 0.2) for x, y in drawn]
    assert shares == [pytest.approx(point, abs=1e-3) for point in expected]
    assert dots(svg) == [
        (*drawn[3], 3.0, "100.0% answered, 60.0% of them rightly"),
        (*drawn[1], 6.0, "60.0% answered, 66.7% of them rightly"),
    ]
    assert "60.0% are answered, 66.7% of them rightly; were all answered, 60.0% would be right" in source
    assert "With 80% right (dashed), 20.0% can be answered." in source


def test_a_threshold_that_none_reaches_is_not_drawn() -> None:
    source = render_report(Evaluation({}, (outcome("a", confidence=0.3, is_answered=False, f1=0.0),)), "x")
    svg = drawings(source)[0]
    assert [title for *_, title in dots(svg)] == ["100.0% answered, 100.0% of them rightly"]
    assert "threshold" not in [text.text for text in svg.iter("text")]
    assert "At the threshold no question is answered" in source


def test_reliability_is_drawn_with_a_dot_for_each_bin_that_has_questions() -> None:
    confidences_and_f1 = [(0.0, 0.0), (0.42, 1.0), (0.48, 0.0), (0.95, 1.0), (1.0, 1.0), (0.93, 1.0), (0.92, 0.0)]
    outcomes = tuple(outcome("?", confidence=confidence, forced_f1=f1) for confidence, f1 in confidences_and_f1)
    source = render_report(Evaluation({}, outcomes), "x")
    svg = drawings(source)[1]
    (exact,) = (path for path in svg.iter("path") if path.attrib["class"] == "dashed")
    (left, bottom), (right, top) = places(exact)
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
    assert "Expected calibration error (ECE): 0.1286." in source


def test_the_drawings_have_names_and_stay_within_their_boxes() -> None:
    corners = [(0.0, 0.0), (0.05, 1.0), (1.0, 1.0), (0.95, 0.0)]
    for each in corners:
        outcomes = tuple(outcome("?", confidence=c, forced_f1=f1) for c, f1 in [*corners, *[each] * 999])
        for svg in drawings(render_report(Evaluation({}, outcomes), "x")):
            assert svg.attrib["role"] == "img"
            assert svg.attrib["aria-label"]
            _, _, width, height = map(float, svg.attrib["viewBox"].split())
            for x, y, radius, _ in dots(svg):
                assert radius <= x <= width - radius
                assert radius <= y <= height - radius
            for text in svg.iter("text"):
                assert 0 <= float(text.attrib["x"]) <= width
                assert 10 <= float(text.attrib["y"]) <= height


def test_flat_measures() -> None:
    measures = {"questions": 3, "f1": 2 / 3, "citation": {"verbatim": 1.0, "deep": {"er": 0.00004}}}
    flat = [("questions", "3"), ("f1", "0.6667"), ("citation.verbatim", "1.0000"), ("citation.deep.er", "0.0000")]
    assert list(flat_measures(measures)) == flat


def test_the_measures_stand_above_and_without_outcomes_alone(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(Evaluation({"ndcg@10": 0.5, "latency_ms": {"p50": 1.25}}), "大连 <beir>", path)
    source = path.read_text(encoding="utf-8")
    assert drawings(source) == []
    page = Page(source)
    assert "figure" not in page.tags
    assert page.title == "EpiQA on 大连 <beir>"
    assert page.rows == [["ndcg@10", "0.5000"], ["latency_ms.p50", "1.2500"]]


def test_a_report_that_cannot_be_written_is_an_error_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "no folder" / "report.html"
    with pytest.raises(EpiQAError, match=f"cannot be written to {re.escape(str(path))} .No such file"):
        write_report(Evaluation({}), "x", path)
