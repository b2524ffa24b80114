"""A report: hostile text, the order of questions, measures, differences, settings."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from epiqa.assistant import TOP_K
from epiqa.errors import EpiQAError
from epiqa.evaluation import Difference, Evaluation, Outcome, QueryOutcome, flat_measures, write_report
from epiqa.evaluation.outcomes import verdict
from epiqa.evaluation.questions import Question
from epiqa.evaluation.report import render_report
from epiqa.types import Answer

if TYPE_CHECKING:
    pass
from evaluation.reports import HOSTILE, drawing, drawings, outcome, ranked


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


def read(*outcomes: Outcome) -> Source:
    return Source(render_report(Evaluation({}, outcomes), "set.jsonl"))


def rows_of(source: Source) -> list[list[str]]:
    """Returns the questions' rows, without the head."""
    return source.tables["rows outcomes"][1:]


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
