"""The report: every string escaped, the curves, the worst questions first, what to mend; and in a browser."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from epiqa.assistant import TOP_K
from epiqa.errors import EpiQAError
from epiqa.evaluation import Difference, Evaluation, Outcome, QueryOutcome, flat_measures, write_report
from epiqa.evaluation.outcomes import RankedPassage, verdict
from epiqa.evaluation.questions import Question
from epiqa.evaluation.report import render_report
from epiqa.types import Answer, Candidate, Citation

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTILE = """<script>alert('1')</script>"'><img src=x onerror=alert(1)>&amp;</style></title></svg>"""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMIUM_FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking")
WIDTHS = (400, 900, 1400)


class Source(HTMLParser):
    """What a browser would build of a page: tags, attributes, and the texts of the cells, by table and row.

    What is drawn is left to `drawings`.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.tables: defaultdict[str, list[list[str]]] = defaultdict(list)
        self.text = ""
        self.title = ""
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self._table = ""
        self._tag = ""
        self._is_in_cell = False
        self.feed(re.sub("<svg.*?</svg>", "", source, flags=re.DOTALL))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(attrs)
        self._tag = tag
        if tag == "table":
            self._table = dict(attrs)["class"] or ""
        elif tag == "tr":
            self.tables[self._table].append([])
        elif tag in ("td", "th"):
            self.tables[self._table][-1].append("")
            self._is_in_cell = True
        elif tag in ("small", "p", "li", "summary", "details"):
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""
        if tag in ("td", "th"):
            self._is_in_cell = False
            cells = self.tables[self._table][-1]
            cells[-1] = " ".join(cells[-1].split())

    def handle_data(self, data: str) -> None:
        if self._tag in ("script", "style"):
            (self.scripts if self._tag == "script" else self.styles).append(data)
        elif self._tag == "title":
            self.title += data
        else:
            self.text += data
        if self._is_in_cell:
            self.tables[self._table][-1][-1] += data


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
    context: str | None = None,
    latency_ms: float = 1.0,
    others: tuple[str, ...] = (),
    name: str = "",
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
        before=f"Before {path} ",
        after=" after.",
    )
    return Outcome(
        question=Question(question, golds, document=path, context=context, id=name),
        answer=Answer(
            question=question,
            is_answered=is_answered,
            text=text if is_answered else None,
            confidence=confidence,
            citations=(citation,) if is_answered else (),
            candidates=tuple(Candidate(each, confidence, (citation,)) for each in (text, *others)),
            passages=(),
        ),
        exact_match=float(f1 == 1.0),
        f1=f1,
        forced_f1=forced_f1,
        verbatim=(True,) if is_answered else (),
        hits=hits,
        latency_ms=latency_ms,
        retrieved=tuple(RankedPassage(path, 10 * i, 10 * i + 9, 0.5) for i in range(len(hits or ()))),
    )


def ranked(name: str, ranking: Sequence[str], relevant: dict[str, float], ndcg: float = 0.0) -> QueryOutcome:
    scores = tuple((document, 1 / (rank + 1)) for rank, document in enumerate(ranking))
    return QueryOutcome(name, f"query {name}", scores, relevant, {"ndcg@10": ndcg}, latency_ms=2.0)


def read(*outcomes: Outcome) -> Source:
    return Source(render_report(Evaluation({}, outcomes), "set.jsonl"))


def rows_of(source: Source) -> list[list[str]]:
    """Returns the questions' rows, without the head."""
    return source.tables["rows outcomes"][1:]


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


def drawing(source: str, name: str) -> ElementTree.Element:
    (svg,) = (svg for svg in drawings(source) if svg.attrib.get("aria-label", "").startswith(name))
    return svg


def line(svg: ElementTree.Element, kind: str) -> list[tuple[float, float]]:
    (path,) = (path for path in svg.iter("path") if path.attrib["class"] == kind)
    return places(path)


def box(svg: ElementTree.Element) -> tuple[float, float, float, float]:
    """Returns the left, right, bottom and top of a plot's square."""
    grid = line(svg, "grid")
    across, down = [x for x, _ in grid], [y for _, y in grid]
    return min(across), max(across), max(down), min(down)


def test_hostile_strings_are_shown_and_not_run() -> None:
    hostile = outcome(
        HOSTILE, golds=(HOSTILE, "a & b"), text=HOSTILE, path=HOSTILE, others=(HOSTILE,), name=HOSTILE
    )
    query = QueryOutcome(HOSTILE, HOSTILE, ((HOSTILE, 1.0),), {HOSTILE: 1.0}, {}, 1.0)
    for outcomes, queries in (((hostile,), ()), ((), (query,))):
        evaluation = Evaluation(
            {HOSTILE: HOSTILE}, outcomes, queries, {HOSTILE: {HOSTILE: HOSTILE}}, {}, (HOSTILE,)
        )
        page = render_report(evaluation, HOSTILE, [Difference(HOSTILE, 0.1, 0.2, 0.0, 0.2, 0.01)])
        source = Source(page)
        assert source.title == f"EpiQA on {HOSTILE}"
        assert not source.tags & {"img", "a b", "iframe", "object", "form", "svg"}
        assert not [name for name, _ in source.attributes if name.startswith("on") or name in ("src", "style")]
        assert len(source.scripts) == len(source.styles) == 1
        assert "alert" not in source.scripts[0] + source.styles[0]
        assert source.tables["measures"][1][:2] == [HOSTILE, HOSTILE]
        assert source.tables["settings"][1] == [f"{HOSTILE}.{HOSTILE}", HOSTILE]
        assert source.tables["differences"][1][0] == f"{HOSTILE} 0.1000 → 0.2000"
        assert any(HOSTILE in svg.attrib.get("aria-label", "") for svg in drawings(page))
        assert all(child.tag != "script" for svg in drawings(page) for child in svg.iter())
    (row,) = rows_of(read(hostile))
    cited = f"{HOSTILE} [3:{3 + len(HOSTILE)}]"
    assert row[:4] == ["right", f"{HOSTILE} {HOSTILE}", f"{HOSTILE} | a & b in {HOSTILE}", HOSTILE]
    assert row[4:7] == ["1", "0.50", "1.00"]
    assert row[7].startswith(
        f"{cited} Before {HOSTILE} {HOSTILE} after. {cited} Other candidates: {HOSTILE} (0.50)"
    )


@pytest.mark.parametrize("character", ["\0", "\x0b", "\x1b", "\x7f", "\x9b", "\r", "\ud800", "\uffff"])
def test_what_utf8_or_html_cannot_hold_is_replaced(character: str, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    text = f"a{character}b"
    evaluation = Evaluation(
        {text: text}, (outcome(text, golds=(text,), text=text, path=text),), settings={text: text}
    )
    write_report(evaluation, text, path, [Difference(text, 0.0, 1.0, 0.0, 1.0, 0.5)])
    source = path.read_bytes().decode("utf-8")
    assert character not in source
    assert rows_of(Source(source))[0][3] == "a\ufffdb"
    assert len(drawings(source)) > 4


def test_the_policy_lets_this_script_and_style_alone_be_run() -> None:
    source = read(outcome("Who?"))
    (policy,) = (value for name, value in source.attributes if name == "content" and "default-src" in (value or ""))
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (*source.styles, *source.scripts)
    ]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_a_report_fetches_nothing() -> None:
    page = render_report(Evaluation({"f1": 1.0}, (outcome("Who?"),)), "set.jsonl")
    assert re.findall(r"https?:|[\"'(]//|src=|url\(|@import", page) == []
    links = set(re.findall(r'<a [^>]*href="([^"]*)"', page))
    assert links == {"#questions", "#only-right"}
    assert all(f'id="{link[1:]}"' in page for link in links)


def test_worst_first_given_before_held_back_and_of_these_the_most_confident() -> None:
    source = read(
        outcome("best", f1=1.0, confidence=0.9),
        outcome("held back", f1=0.0, confidence=0.95, is_answered=False),
        outcome("wrong and unsure", f1=0.0, confidence=0.3),
        outcome("half", f1=0.5, confidence=0.99),
        outcome("wrong and sure", f1=0.0, confidence=0.8),
        outcome("right and unsure", f1=1.0, confidence=0.2),
    )
    assert [row[1] for row in rows_of(source)] == [
        "wrong and sure",
        "wrong and unsure",
        "held back",
        "half",
        "best",
        "right and unsure",
    ]


@pytest.mark.parametrize(
    ("given", "slug"),
    [
        (outcome("?", f1=0.5, forced_f1=0.5), "right"),
        (outcome("?", f1=0.4, forced_f1=0.4), "misread"),
        (outcome("?", f1=0.0, forced_f1=0.0, hits=None), "misread"),
        (outcome("?", f1=0.0, forced_f1=0.0, hits=(False, False)), "not-retrieved"),
        (outcome("?", is_answered=False, f1=0.0), "wrongly-abstained"),
        (outcome("?", is_answered=False, f1=0.0, forced_f1=0.0, hits=(False,)), "not-retrieved"),
        (outcome("?", golds=(), f1=0.0, forced_f1=0.0, hits=None), "answered-the-unanswerable"),
        (outcome("?", golds=(), is_answered=False, forced_f1=0.0, hits=None), "right-to-abstain"),
    ],
)
def test_what_is_said_of_a_question(given: Outcome, slug: str) -> None:
    source = read(given)
    said = verdict(given)
    assert said == slug.replace("-", " ")
    assert rows_of(source)[0][0] == said
    assert {("class", slug), ("href", f"#only-{slug}"), ("id", f"only-{slug}")} <= source.attributes
    assert f"1 {said} (100.0%)" in source.text
    is_right = said.startswith("right")
    assert f"{int(is_right)} of 1 questions went right" in source.text
    assert (f"The most frequent fault: {said} (1)." in source.text) != is_right


def test_the_overview_has_the_most_frequent_fault_first_and_says_what_to_mend() -> None:
    low = (*[False] * TOP_K, True)
    outcomes = (
        outcome("1"),
        outcome("2", golds=(), f1=1.0, forced_f1=0.0, is_answered=False, hits=None),
        outcome("3", f1=0.0, is_answered=False),
        *[outcome("4", f1=0.0, forced_f1=0.0, hits=low), outcome("5", f1=0.0, forced_f1=0.0, hits=(False,))],
        *[outcome("6", f1=0.0, forced_f1=0.0, hits=None), outcome("7", f1=0.0, forced_f1=0.0, is_answered=False)],
        outcome("8", f1=0.0, forced_f1=0.0, hits=None, context="The paragraph."),
    )
    page = render_report(Evaluation({}, outcomes), "x")
    text = Source(page).text
    assert "2 of 8 questions went right (25.0%). The most frequent fault: misread (3)." in text
    assert f" For 1 it was found below the {TOP_K} passages that are read." in text
    assert " For 1 it is not known whether the passage was there. Of the wrong answers, 1 was held back, 2" in text
    assert "No question: answered the unanswerable." in text
    svg = drawing(page, "Of 8 questions")
    expected = ["1 right", "1 right to abstain", "3 misread", "2 not retrieved", "1 wrongly abstained"]
    assert svg.attrib["aria-label"] == f"Of 8 questions: {', '.join(expected)}"
    parts = [part for part in svg if part.tag == "a"]
    assert [part.findtext("title") for part in parts] == expected
    widths = [float(rect.attrib["width"].rstrip("%")) for rect in svg.iter("rect")]
    assert widths == pytest.approx([12.5, 12.5, 37.5, 25.0, 12.5], abs=0.2)
    assert [text.text for text in svg.iter("text")] == ["1", "1", "3", "2", "1"]


def test_what_there_is_not_is_a_dash() -> None:
    bare = outcome("Who?", golds=(), is_answered=False, hits=None)
    answer = Answer("Who?", False, None, 0.25, (), (), ())
    bare = Outcome(Question("Who?", ()), answer, 1.0, 1.0, 0.0, (), None, bare.latency_ms)
    assert rows_of(read(bare))[0][1:] == ["Who?", "—", "abstained", "—", "0.25", "1.00", "—"]


def test_what_was_held_back_is_shown_with_its_place() -> None:
    (row,) = rows_of(read(outcome("Who?", is_answered=False, text="Ann", f1=0.0, hits=(False, True))))
    assert row[3:5] == ["abstained held back: Ann", "2"]
    assert row[7] == (
        "held back: a.txt [3:6] Before a.txt Ann after. a.txt [3:6] "
        "First retrieved (✓ holds the answer): a.txt [0:9] ✓ a.txt [10:19]"
    )


def test_equal_gold_answers_are_listed_once() -> None:
    assert rows_of(read(outcome("How many?", golds=("7", "seven", "7"))))[0][2] == "7 | seven in a.txt"


def test_an_answer_that_was_not_retrieved_is_not_among_so_many() -> None:
    assert rows_of(read(outcome("?", hits=(False,) * 20)))[0][4] == "not in 20"


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


def test_queries_stand_worst_first_with_what_was_found_and_what_is_relevant() -> None:
    many = {f"r{i}": 1.0 for i in range(6)} | {"best": 2.0}
    queries = (
        ranked("good", ["a", "b"], {"a": 1.0}, ndcg=1.0),
        ranked("high", ["a", "b", "c", "d"], {"b": 1.0}, ndcg=0.6),
        ranked("low", [*map(str, range(12)), "r5"], many, ndcg=0.1),
        ranked("none", [], {"z": 1.0}),
    )
    page = render_report(Evaluation({}, (), queries), "x")
    source = Source(page)
    rows = source.tables["rows queries"][1:]
    assert [row[0] for row in rows] == ["none found", "below the first 10", "in the first 10", "first"]
    assert rows[0][1:] == ["query none none", "0.00", "—", "—", "z grade 1, not found"]
    assert rows[1][3:5] == ["13", "0 1.000 1 0.500 2 0.333"]
    # The higher grade first, of equal ones those that were found.
    assert rows[1][5].startswith("best grade 2, not found r5 grade 1, rank 13 r0 grade 1, not found")
    assert rows[1][5].endswith("and 2 more")
    assert "2 of 4 queries have a relevant document among the first 10 (50.0%)." in source.text
    assert "Every query" in source.text


def test_differences_are_drawn_on_one_scale_and_judged() -> None:
    differences = (
        Difference("f1", 0.5, 0.55, 0.01, 0.1, 0.004),
        Difference("calibration.ece", 0.1, 0.05, -0.08, -0.02, 0.0004),
        Difference("abstention.false_answer_rate", 0.1, 0.2, 0.05, 0.15, 0.04),
        Difference("exact_match", 0.5, 0.45, -0.2, 0.1, 0.05),
        Difference("recall@5", 0.5, 0.5, 0.0, 0.0, 0.0),
        Difference("latency_ms.p50", 100.0, 90.0, -15.0, -5.0, 0.01),
    )
    page = render_report(Evaluation({"f1": 0.55}), "x", differences)
    source = Source(page)
    rows = source.tables["differences"][1:]
    assert [row[4] for row in rows] == ["better", "better", "worse", "within chance", "within chance", "better"]
    assert rows[0] == ["f1 0.5000 → 0.5500", "", "+0.0500 +0.0100 to +0.1000", "0.004", "better"]
    assert rows[1][3] == "< 0.001"
    assert rows[5][0] == "latency_ms.p50 100.0 → 90.0"
    assert "More than chance (p < 0.05): f1 +0.0500 (better), calibration.ece -0.0500 (better)" in source.text
    assert "of the other 2, chance alone could be the reason." in source.text
    drawn = [svg for svg in drawings(page) if svg.find("circle") is not None]
    assert [svg.attrib["aria-label"].split(":")[0] for svg in drawn] == [each.name for each in differences[:5]]
    # 0.2 is the scale's end: 48 % of the width to either side of the middle.
    low_high_dot = [
        tuple(float(svg.findall(path)[0].attrib[name].rstrip("%")) for path, name in spots)
        for svg in drawn
        for spots in [(("line[2]", "x1"), ("line[2]", "x2"), ("circle", "cx"))]
    ]
    assert low_high_dot[0] == pytest.approx((52.4, 74.0, 62.0))
    assert low_high_dot[3] == pytest.approx((2.0, 74.0, 38.0))


def test_runs_that_cannot_be_told_apart_are_said_to_be() -> None:
    page = render_report(Evaluation({}), "x", [Difference("f1", 0.5, 0.5, 0.0, 0.0, 1.0)])
    assert "No difference is more than chance (p < 0.05)" in Source(page).text


def test_flat_measures() -> None:
    measures = {"questions": 3, "f1": 2 / 3, "citation": {"verbatim": 1.0, "deep": {"er": 0.00004}}}
    flat = [("questions", "3"), ("f1", "0.6667"), ("citation.verbatim", "1.0000"), ("citation.deep.er", "0.0000")]
    assert list(flat_measures(measures)) == flat


def test_measures_have_intervals_and_meanings() -> None:
    measures = {"questions": 9, "recall@5": 0.5, "abstention": {"coverage@80": 0.25}, "latency_ms": {"p50": 1.25}}
    intervals = {"recall@5": (0.4, 0.625), "abstention.coverage@80": (0.0, 0.5)}
    of_answers = Source(render_report(Evaluation(measures, (outcome("?"),), intervals=intervals), "x"))
    assert of_answers.tables["measures"][1:] == [
        ["questions", "9", "", "Questions asked."],
        [
            "recall@5",
            "0.5000",
            "0.4000 – 0.6250",
            "Share of the questions with an expected answer in the first 5 passages.",
        ],
        [
            "abstention.coverage@80",
            "0.2500",
            "0.0000 – 0.5000",
            "Largest share of questions that can be answered with 80% of them right.",
        ],
        ["latency_ms.p50", "1.2", "", "Half the questions took no longer."],
    ]
    of_rankings = Source(render_report(Evaluation(measures, (), (ranked("1", ["a"], {"a": 1.0}),)), "x"))
    assert (
        of_rankings.tables["measures"][2][-1] == "Mean share of the relevant documents that are among the first 5."
    )


def test_the_measures_stand_above_and_without_outcomes_alone(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(Evaluation({"ndcg@10": 0.5, "new": 1}), "大连 <beir>", path)
    source = path.read_text(encoding="utf-8")
    assert drawings(source) == []
    page = Source(source)
    assert not page.tags & {"figure", "nav", "input"}
    assert page.title == "EpiQA on 大连 <beir>"
    assert [row[:2] for row in page.tables["measures"][1:]] == [["ndcg@10", "0.5000"], ["new", "1"]]
    assert set(page.tables) == {"measures"}


def test_settings_and_lines_left_out_stand_at_the_end() -> None:
    settings = {"mode": "open", "index": {"fingerprint": "ab12", "chunks": 41}, "threshold": 0.3512345}
    evaluation = Evaluation({}, (outcome("?"),), settings=settings, skipped=("x.jsonl, line 3: is not JSON",))
    source = Source(render_report(evaluation, "x"))
    assert source.tables["settings"][1:] == [
        ["mode", "open"],
        ["index.fingerprint", "ab12"],
        ["index.chunks", "41"],
        ["threshold", "0.3512345"],
    ]
    assert "Invalid lines that were left out: 1." in source.text
    assert source.text.endswith("Lines that were left out x.jsonl, line 3: is not JSON\n")


def test_a_report_that_cannot_be_written_is_an_error_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "no folder" / "report.html"
    with pytest.raises(EpiQAError, match=f"{re.escape(str(path))} cannot be written .No such file"):
        write_report(Evaluation({}), "x", path)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        assert "EPIQA_REQUIRE_BROWSER" not in os.environ, "CI must not skip the report's tests"
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of everything there can be, hostile strings included."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    long = "unbreakable" * 30
    outcomes = (
        outcome("Who chaired the meeting?", text="Tan Zuojun", latency_ms=100.0),
        outcome("Who spoke?", text="Governor Tang", f1=0.0, forced_f1=0.0),
        outcome(HOSTILE, golds=(HOSTILE,), text=HOSTILE, f1=0.0, forced_f1=0.0, path=HOSTILE),
        outcome(long, golds=(long,), text=long, path=long, f1=0.0, forced_f1=0.0, hits=(False,), confidence=0.9),
        outcome("How many?", golds=(), f1=1.0, forced_f1=0.0, is_answered=False, hits=None),
    )
    differences = [
        Difference("abstention.false_answer_rate", 0.5, 0.55, 0.01, 0.1, 0.004),
        Difference("f1", 0.5, 0.55, -0.01, 0.1, 0.2),
    ]
    evaluation = Evaluation(
        {"f1": 0.5, "abstention": {"false_answer_rate": 0.1}, "latency_ms": {"p50": 1.0}},
        outcomes,
        settings={"sha256": "0" * 64},
        intervals={"f1": (0.4, 0.6)},
        skipped=(HOSTILE, long),
    )
    write_report(evaluation, HOSTILE, path, differences)
    return path


@pytest.fixture(scope="module")
def ranking_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "ranking.html"
    queries = (ranked("1", ["a", HOSTILE], {"a": 1.0}, ndcg=1.0), ranked("2", ["a"], {"z" * 200: 1.0}))
    write_report(Evaluation({"ndcg@10": 0.5}, (), queries), "beir", path)
    return path


class Visits:
    """Opens reports in a browser, and keeps what they asked for and complained about."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.requests: list[str] = []
        self.complaints: list[str] = []

    def open(
        self, path: Path, *, width: int = 1400, dark: bool = False, has_script: bool = True, anchor: str = ""
    ) -> Page:
        scheme: Literal["dark", "light"] = "dark" if dark else "light"
        page = self._browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=has_script
        )
        page.set_default_timeout(20_000)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.goto(path.as_uri() + anchor)
        return page


@pytest.fixture
def visits(browser: Browser) -> Iterator[Visits]:
    """Whatever a test does on a report, nothing may be asked for but the report, and nothing go wrong."""
    visits = Visits(browser)
    yield visits
    assert [url for url in visits.requests if not url.startswith("file:") or ".html" not in url] == []
    assert visits.complaints == []


def shown(page: Page) -> list[str]:
    """Returns the verdicts of the rows that can be seen."""
    return page.locator(".rows tbody tr:visible .chip").all_inner_texts()


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no script"])
def test_the_table_is_filtered_by_verdict_with_and_without_script(
    visits: Visits, report: Path, *, has_script: bool
) -> None:
    page = visits.open(report, has_script=has_script)
    assert shown(page) == ["not retrieved", "misread", "misread", "right", "right to abstain"]
    assert page.locator("input").is_visible() == has_script
    page.locator(".kinds a", has_text="misread").click()
    assert shown(page) == ["misread", "misread"]
    assert page.locator(".only:visible").inner_text() == "Only misread: 2 of 5. Show all 5"
    page.locator(".filter a", has_text="right to abstain").click()
    assert shown(page) == ["right to abstain"]
    page.locator(".only:visible a").click()
    assert len(shown(page)) == 5
    page.locator("svg.bar a").nth(3).click()
    assert shown(page) == ["not retrieved"]
    page.go_back()
    assert len(shown(page)) == 5
    page.close()
    linked = visits.open(report, has_script=has_script, anchor="#only-right")
    assert shown(linked) == ["right"]
    linked.close()


def test_the_table_is_searched_by_all_the_words_within_the_verdict(visits: Visits, report: Path) -> None:
    page = visits.open(report)
    search, count = page.get_by_label("Search the table"), page.locator("output")
    assert count.inner_text() == "5 of 5 shown"
    search.fill("WHO tan")
    assert shown(page) == ["misread", "right"]
    assert count.inner_text() == "2 of 5 shown"
    page.locator(".filter a", has_text="misread").click()
    assert shown(page) == ["misread"]
    page.wait_for_function("document.querySelector('output').textContent === '1 of 5 shown'")
    search.fill("<script>")
    assert shown(page) == ["misread"]
    assert page.locator(".rows tbody tr:visible td:nth-child(2)").inner_text() == HOSTILE
    search.fill("nothing like it")
    assert shown(page) == []
    search.fill("")
    assert shown(page) == ["misread", "misread"]
    page.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_report_fits_its_page_and_axe_finds_nothing(
    visits: Visits, report: Path, ranking_report: Path, width: int, *, dark: bool
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for path in (report, ranking_report):
        page = visits.open(path, width=width, dark=dark)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        violations = axe.run(page).response["violations"]
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in violations] == []
        page.close()
