"""The report: every string escaped, the worst questions first, and what went wrong with each."""

from __future__ import annotations

import re
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
    """What a browser would build: the tags with their attributes, and the texts of the cells, row by row."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.rows: list[list[str]] = []
        self.title = ""
        self._tag = ""
        self.feed(source)
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


def test_hostile_strings_are_shown_and_not_run() -> None:
    hostile = outcome(HOSTILE, golds=(HOSTILE, "a & b"), text=HOSTILE, path=HOSTILE)
    source = render_report(Evaluation({HOSTILE: HOSTILE}, (hostile,)), HOSTILE)
    page = Page(source)
    assert page.tags == {"html", "meta", "title", "style", "h1", "table", "tr", "th", "td"}
    assert page.attributes == {("lang", "en"), ("charset", "utf-8"), ("class", "figure"), ("class", "right")}
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
    assert ("class", colour) in page.attributes
    assert len(page.attributes) == 3


def test_what_there_is_not_is_a_dash() -> None:
    page = Page(render_report(Evaluation({}, (outcome("Who?", golds=(), is_answered=False, text="Ann"),)), "x"))
    assert page.rows[1][1:] == ["Who?", "—", "—", "Ann", "0.50", "1.00", "—"]


def test_equal_gold_answers_are_listed_once() -> None:
    page = Page(render_report(Evaluation({}, (outcome("How many?", golds=("7", "seven", "7")),)), "x"))
    assert page.rows[1][2] == "7 | seven"


def test_flat_measures() -> None:
    measures = {"questions": 3, "f1": 2 / 3, "citation": {"verbatim": 1.0, "deep": {"er": 0.00004}}}
    flat = [("questions", "3"), ("f1", "0.6667"), ("citation.verbatim", "1.0000"), ("citation.deep.er", "0.0000")]
    assert list(flat_measures(measures)) == flat


def test_the_measures_stand_above_and_without_outcomes_alone(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(Evaluation({"ndcg@10": 0.5, "latency_ms": {"p50": 1.25}}), "大连 <beir>", path)
    page = Page(path.read_text(encoding="utf-8"))
    assert page.title == "EpiQA on 大连 <beir>"
    assert page.rows == [["ndcg@10", "0.5000"], ["latency_ms.p50", "1.2500"]]


def test_a_report_that_cannot_be_written_is_an_error_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "no folder" / "report.html"
    with pytest.raises(EpiQAError, match=f"cannot be written to {re.escape(str(path))} .No such file"):
        write_report(Evaluation({}), "x", path)
