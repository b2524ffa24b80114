"""The HTML of answers, to the letter: what is shown, what is held back, and that nothing is raw."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

import pytest

from epiqa.errors import QuestionError
from epiqa.types import Answer, Candidate, Citation, DocumentDate, IndexInfo, Passage
from epiqa.web import render

TEXT = "On May 9th, four people tested positive. Response began. Then more."
CITATION = Citation(
    document_id="d1",
    title="Video Conference",
    path="notices/004.txt",
    date=DocumentDate("2022-05-11 13:00", 5, 11, 2022),
    page=None,
    start=12,
    end=23,
    quote="four people",
    before="On May 9th, ",
    after=" tested positive.",
)
PASSAGE = Passage(
    document_id="d1",
    title="Video Conference",
    path="notices/004.txt",
    date=CITATION.date,
    page=None,
    start=0,
    end=len(TEXT),
    quote=TEXT,
    score=1.0,
)
ANSWER = Answer(
    question="How many?",
    is_answered=True,
    text="four people",
    confidence=0.824,
    citations=(CITATION,),
    candidates=(Candidate("four people", 0.824, (CITATION,)),),
    passages=(PASSAGE,),
)
UNANSWERED = dataclasses.replace(ANSWER, is_answered=False, text=None, confidence=0.1, citations=())

FIGURE = (
    '<figure class="epiqa-citation"><blockquote dir="auto">On May 9th, <mark>four people</mark> tested '
    'positive.</blockquote><figcaption><cite dir="auto">Video Conference</cite>'
    '<span class="epiqa-date">2022-05-11 13:00</span><span class="epiqa-path">notices/004.txt</span>'
    "</figcaption></figure>"
)


class Skeleton(HTMLParser):
    """What a browser would build: the tags with their attributes, and the text between them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    ("confidence", "described"),
    [
        (1.0, "very likely, 1.00"),
        (0.9, "very likely, 0.90"),
        (0.896, "very likely, 0.90"),
        (0.894, "likely, 0.89"),
        (0.82, "likely, 0.82"),
        (0.7, "likely, 0.70"),
        (0.69, "possible, 0.69"),
        (0.4, "possible, 0.40"),
        (0.39, "doubtful, 0.39"),
        (0.0, "doubtful, 0.00"),
    ],
)
def test_the_word_for_a_confidence_agrees_with_its_figure(confidence: float, described: str) -> None:
    assert render.describe_confidence(confidence) == described


def test_an_answer_comes_first_and_its_sentence_marks_it() -> None:
    assert render.render_answer(ANSWER, 3) == (
        '<section class="epiqa-answer" data-state="answered"><p class="epiqa-text" dir="auto">four people</p>'
        f'<p class="epiqa-confidence">Confidence: likely, 0.82</p>{FIGURE}</section>'
    )


def test_a_citation_names_its_page_and_leaves_out_a_date_it_has_not() -> None:
    citation = dataclasses.replace(CITATION, date=None, page=7)
    html = render.render_answer(dataclasses.replace(ANSWER, citations=(citation,)), 3)
    assert '</cite><span>page 7</span><span class="epiqa-path">notices/004.txt</span></figcaption>' in html
    assert "epiqa-date" not in html


def test_a_citation_names_its_section_escaped() -> None:
    section = '<span class="epiqa-section" dir="auto">&lt;b&gt; row 7</span>'
    citation = dataclasses.replace(CITATION, page=7, section="<b> row 7")
    html = render.render_answer(dataclasses.replace(ANSWER, citations=(citation,)), 3)
    assert f"<span>page 7</span>{section}<span" in html
    passage = dataclasses.replace(PASSAGE, page=7, section="<b> row 7")
    html = render.render_passages(dataclasses.replace(ANSWER, passages=(passage,)))
    assert f", page 7, {section}, characters" in html


@pytest.mark.parametrize(
    ("places", "shown", "folded"), [(2, 1, "1 more place"), (4, 1, "3 more places"), (6, 1, "5 more places")]
)
def test_all_citations_are_listed_the_first_unfolded(places: int, shown: int, folded: str) -> None:
    html = render.render_answer(dataclasses.replace(ANSWER, citations=(CITATION,) * places), 3)
    before, _, after = html.partition("<details>")
    assert f"Found in {places} places:" in html
    assert before.count(FIGURE) == shown
    assert after.count(FIGURE) == places - shown
    assert f"<summary>{folded}</summary>" in html if folded else "<details" not in html


def test_other_candidates_are_folded_with_their_own_confidence() -> None:
    other = Candidate("two", 0.31, (dataclasses.replace(CITATION, quote="two"),))
    html = render.render_answer(dataclasses.replace(ANSWER, candidates=(*ANSWER.candidates, other)), 3)
    head, _, folded = html.partition("<details><summary>1 other possible answer</summary>")
    assert "two" not in head
    assert folded.startswith(
        '<p class="epiqa-candidate"><span dir="auto">two</span> '
        '<span class="epiqa-confidence">doubtful, 0.31</span></p><figure'
    )


def test_an_unanswered_question_gets_the_nearest_passages_and_no_candidate() -> None:
    answer = dataclasses.replace(
        UNANSWERED,
        candidates=(Candidate("held back", 0.1, (dataclasses.replace(CITATION, quote="held back"),)),),
        passages=tuple(dataclasses.replace(PASSAGE, quote=f"passage {n}") for n in range(5)),
    )
    html = render.render_answer(answer, 3)
    assert html.startswith(
        '<section class="epiqa-answer" data-state="unanswered">'
        '<p class="epiqa-text">The documents don\'t answer this.</p>'
        "<p>3 documents were searched. The nearest passages, which may help:</p>"
        '<figure class="epiqa-citation"><blockquote dir="auto">passage 0</blockquote>'
    )
    assert [f"passage {n}" in html for n in range(5)] == [True, True, True, False, False]
    assert "held back" not in html
    assert "<mark>" not in html


@pytest.mark.parametrize(("confidence", "is_shown"), [(0.19, False), (0.2, True), (0.41, True)])
def test_a_likely_candidate_that_was_held_back_is_shown_as_such(confidence: float, is_shown: bool) -> None:
    best = Candidate("<b>held</b>", confidence, (dataclasses.replace(CITATION, quote="<b>held</b>"),))
    html = render.render_answer(dataclasses.replace(UNANSWERED, candidates=(best,)), 3)
    assert ("A possible answer, held back because it is not sure enough" in html) is is_shown
    assert ("&lt;b&gt;held&lt;/b&gt;" in html) is is_shown
    assert "<b>" not in html
    assert 'data-state="unanswered"' in html


@pytest.mark.parametrize(
    ("documents", "searched"),
    [(0, "0 documents were"), (1, "1 document was"), (12000, "12,000 documents were")],
)
def test_an_unanswered_question_says_how_much_was_searched(documents: int, searched: str) -> None:
    html = render.render_answer(dataclasses.replace(UNANSWERED, candidates=(), passages=()), documents)
    assert Skeleton(html).text == f"The documents don't answer this.{searched} searched."


@pytest.mark.parametrize(
    ("text", "excerpt"),
    [
        ("a" * 240, "a" * 240),
        ("word " * 60, "word " * 47 + "word …"),
        ("字" * 300, "字" * 240 + " …"),
        ("some words " * 15 + "x" * 300, ("some words " * 15 + "x" * 300)[:240] + " …"),
    ],
)
def test_an_excerpt_ends_between_words_where_there_are_any(text: str, excerpt: str) -> None:
    passage = dataclasses.replace(PASSAGE, quote=text)
    html = render.render_answer(dataclasses.replace(UNANSWERED, passages=(passage,)), 1)
    assert f'<blockquote dir="auto">{excerpt}</blockquote>' in html


def test_the_panel_marks_the_answer_in_its_passage_and_unfolds_it() -> None:
    elsewhere = dataclasses.replace(PASSAGE, document_id="d2", date=None, page=2, start=5000, end=5067)
    html = render.render_passages(dataclasses.replace(ANSWER, passages=(elsewhere, PASSAGE)))
    assert html == (
        '<section class="epiqa-passages"><h2>Passages</h2><p>2 passages read, best first.</p><ol>'
        '<li><details><summary><span class="epiqa-rank">1</span> '
        '<span class="epiqa-title" dir="auto">Video Conference</span></summary>'
        f'<blockquote dir="auto">{TEXT}</blockquote><p class="epiqa-place">'
        '<span class="epiqa-path">notices/004.txt</span>, page 2, characters 5,000 to 5,067</p>'
        "</details></li>"
        '<li><details open><summary><span class="epiqa-rank">2</span> '
        '<span class="epiqa-title" dir="auto">Video Conference</span> '
        '<span class="epiqa-date">2022-05-11 13:00</span></summary>'
        '<blockquote dir="auto">On May 9th, <mark>four people</mark> tested positive. '
        'Response began. Then more.</blockquote><p class="epiqa-place">'
        '<span class="epiqa-path">notices/004.txt</span>, characters 0 to 67</p></details></li>'
        "</ol></section>"
    )


def test_the_panel_marks_by_place_and_not_by_words() -> None:
    text = "four people or four people"
    passage = dataclasses.replace(PASSAGE, start=100, end=126, quote=text)
    second = dataclasses.replace(CITATION, start=115, end=126)
    html = render.render_passages(dataclasses.replace(ANSWER, citations=(second,), passages=(passage,)))
    assert "four people or <mark>four people</mark></blockquote>" in html


@pytest.mark.parametrize(
    ("places", "marked"),
    [
        ([(12, 23), (3, 6)], "On <mark>May</mark> 9th, <mark>four people</mark> tested"),
        ([(12, 23), (12, 23)], "<mark>four people</mark> tested"),
        ([(12, 23), (17, 30)], "<mark>four people</mark> tested positive"),
        ([(60, 68)], "Then more."),
        ([(-1, 5)], "On May 9th"),
    ],
)
def test_the_panel_marks_whole_quotes_once(places: list[tuple[int, int]], marked: str) -> None:
    citations = tuple(dataclasses.replace(CITATION, start=start, end=end) for start, end in places)
    html = render.render_passages(dataclasses.replace(ANSWER, citations=citations))
    assert marked in html
    assert Skeleton(html).text.count(TEXT) == 1


def test_the_panel_unfolds_the_first_passage_when_none_holds_an_answer() -> None:
    html = render.render_passages(dataclasses.replace(UNANSWERED, passages=(PASSAGE, PASSAGE)))
    assert html.count("<details open>") == 1
    assert html.index("<details open>") < html.index("<details>")
    assert "No passage came near" in render.render_passages(dataclasses.replace(UNANSWERED, passages=()))


def test_the_header_counts_the_documents() -> None:
    assert "<strong>1 document</strong> is searched" in render.render_header(IndexInfo("1", 1, 9, "fake", 1))
    assert "<strong>1,200 documents</strong> are searched" in render.render_header(
        IndexInfo("1", 1200, 9, "fake", 1)
    )


def test_the_header_says_that_files_could_not_be_read() -> None:
    header = render.render_header(IndexInfo("1", 1, 9, "fake", 1, unread=2))
    assert "is searched. 2 files could not be read: <code>epiqa documents</code> says why.</p>" in header


def test_the_legend_gives_every_cut_point() -> None:
    assert "very likely from 0.90, likely from 0.70, possible from 0.40, doubtful below." in render.render_legend()


def test_hostile_strings_stay_text(hostile: str) -> None:
    date = DocumentDate(hostile, 1, 1)
    citation = Citation(hostile, hostile, hostile, date, None, 0, len(hostile), hostile, hostile, hostile)
    passage = Passage(hostile, hostile, hostile, date, None, 0, len(hostile), hostile, 1.0)
    candidate = Candidate(hostile, 0.5, (citation,))
    answered = Answer(hostile, True, hostile, 0.5, (citation,) * 4, (candidate, candidate), (passage,))
    unanswered = dataclasses.replace(answered, is_answered=False, text=None, citations=())
    harmless = {
        *("section", "h2", "p", "ol", "li", "details", "summary", "span", "mark"),
        *("figure", "figcaption", "blockquote", "cite"),
    }
    shown = {
        render.render_answer(answered, 1): 1 + 4 * 6 + 1 + 6,  # text, citations, other candidate, its citation
        render.render_passages(answered): 4,
        render.render_passages(unanswered): 4,
        render.render_error(QuestionError(hostile)): 1,
    }
    for html, times in shown.items():
        skeleton = Skeleton(html)
        assert skeleton.tags <= harmless
        assert skeleton.attributes <= {"class", "dir", "data-state", "role", "open"}
        assert skeleton.text.count(hostile) == times
    excerpt = Skeleton(render.render_answer(unanswered, 1))
    assert excerpt.tags <= harmless
    assert hostile[:200] in excerpt.text
