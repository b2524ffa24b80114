"""The exact HTML of answers: what is shown, what is held back, and that everything is escaped."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

import pytest

from epiqa.types import Answer, Candidate, Citation, DocumentDate, IndexInfo, Passage
from epiqa.web.services.conversation import Turn
from epiqa.web.texts import Language
from epiqa.web.views.answers import describe_confidence, render_header, render_turn

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
    page=3,
    section="Findings",
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
    passages=(),
)
UNANSWERED = dataclasses.replace(
    ANSWER, is_answered=False, text=None, confidence=0.1, citations=(), candidates=(), passages=(PASSAGE,)
)
VERDICT = (
    '<p class="epiqa-verdict"><span>Is this right?</span> '
    '<button type="button" class="epiqa-button" data-action="verdict" data-turn="4" data-verdict="right">Right'
    '</button> <button type="button" class="epiqa-button" data-action="verdict" data-turn="4" '
    'data-verdict="wrong">Wrong</button></p>'
)


def opens(place: int) -> str:
    return (
        f'<button type="button" class="epiqa-open" data-action="open" data-turn="4" data-place="{place}" '
        'aria-label="Show “Video Conference” at this place"><cite dir="auto">Video Conference</cite></button>'
    )


def figure(place: int) -> str:
    return (
        '<figure class="epiqa-citation"><blockquote dir="auto">On May 9th, <mark>four people</mark> tested '
        f"positive.</blockquote><figcaption>{opens(place)}"
        '<span class="epiqa-place"><span class="epiqa-date">2022-05-11 13:00</span>'
        '<span class="epiqa-path">notices/004.txt</span></span></figcaption></figure>'
    )


def rendered(answer: Answer, language: Language = "en", **turn: object) -> str:
    return render_turn(Turn("How many?", answer, documents=3, **turn), 4, language)  # type: ignore[arg-type]


class Skeleton(HTMLParser):
    """What a browser would build: the tags with their attributes, and the text between them."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.shown: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data: str) -> None:
        self.shown.append(data)


def test_an_answer_comes_first_with_its_confidence_its_sentence_and_its_source() -> None:
    answer = rendered(ANSWER)
    assert answer.startswith(
        '<section class="epiqa-answer" data-state="answered"><p class="epiqa-text" dir="auto">four people</p>'
        '<p class="epiqa-confidence"><strong>Confidence: likely, 0.82</strong> <span>About 82 of 100 '
        "answers with this confidence should be right. Check the sentence.</span></p>" + figure(0)
    )
    assert answer.endswith(VERDICT + "</section>")
    assert "<details>" not in answer


def test_an_answer_can_be_copied_with_its_citation_in_three_forms() -> None:
    skeleton = Skeleton(rendered(ANSWER))
    copies = [value for name, value in skeleton.attributes if name == "data-copy"]
    assert copies[0] == (
        "“four people”\nOn May 9th, four people tested positive.\n"
        "— Video Conference, 2022-05-11 13:00, notices/004.txt (0.82)"
    )
    assert copies[1] and copies[1].startswith("> On May 9th, **four people** tested positive.\n")
    assert copies[2] and copies[2].startswith("@misc{epiqa-d1,\n")


def test_more_places_and_other_candidates_fold_open_and_number_their_places() -> None:
    other = Candidate("two", 0.3, (CITATION,))
    answer = dataclasses.replace(
        ANSWER,
        citations=(CITATION, CITATION),
        candidates=(Candidate("four people", 0.824, (CITATION, CITATION)), other),
    )
    shown = rendered(answer)
    assert '<p class="epiqa-places">Found in 2 places:</p>' + figure(0) in shown
    assert f"<details><summary>1 more place</summary>{figure(1)}</details>" in shown
    assert (
        '<details><summary>1 other possible answer</summary><p class="epiqa-candidate"><span dir="auto">two</span> '
        f'<span class="epiqa-figure">doubtful, 0.30</span></p>{figure(2)}</details>' in shown
    )


def test_no_answer_comes_with_the_number_of_documents_and_the_nearest_passages() -> None:
    place = (
        '<span class="epiqa-place"><span class="epiqa-date">2022-05-11 13:00</span><span>page 3</span>'
        '<span class="epiqa-section" dir="auto">Findings</span>'
        '<span class="epiqa-path">notices/004.txt</span></span>'
    )
    assert rendered(UNANSWERED, unread=2) == (
        '<section class="epiqa-answer" data-state="unanswered"><p class="epiqa-text">The documents don&#x27;t '
        "answer this.</p><p>3 documents were searched. 2 files without readable text were not searched. The "
        f'nearest passages, which may help:</p><figure class="epiqa-citation"><blockquote dir="auto">{TEXT} …'
        f"</blockquote><figcaption>{opens(0)}{place}</figcaption></figure>{VERDICT}</section>"
    )
    named = rendered(UNANSWERED, unread=4, unread_files=("<a>.pdf", "b.pdf", "c.pdf"))
    assert "were not searched (&lt;a&gt;.pdf, b.pdf, c.pdf, …). The nearest" in named
    assert "<p>3 documents were searched.</p>" in rendered(dataclasses.replace(UNANSWERED, passages=()))


def test_a_likely_enough_candidate_that_was_held_back_is_folded_below_the_passages() -> None:
    held = dataclasses.replace(UNANSWERED, candidates=(Candidate("four people", 0.21, (CITATION,)),))
    shown = rendered(held)
    assert "<details><summary>A possible answer, held back because it is too uncertain</summary>" in shown
    assert figure(1) in shown
    unlikely = dataclasses.replace(held, candidates=(Candidate("four people", 0.19, (CITATION,)),))
    assert "four people</mark>" not in rendered(unlikely)


def test_a_verdict_takes_the_place_of_its_question() -> None:
    assert '<p class="epiqa-verdict" role="status"><span>Saved as right</span></p>' in rendered(
        ANSWER, verdict="right"
    )
    wrong = rendered(ANSWER, verdict="wrong")
    assert "<span>Saved as wrong</span> Do you know the right answer?" in wrong
    assert 'data-action="verdict"' not in wrong


def test_an_error_is_shown_as_a_reply() -> None:
    assert render_turn(Turn("?", error="<b> is empty"), 0, "en") == (
        '<section class="epiqa-answer" data-state="error"><p class="epiqa-error" role="alert">&lt;b&gt; is '
        "empty</p></section>"
    )


def test_a_reply_is_in_the_readers_language() -> None:
    assert "置信度：可能正确，0.82" in rendered(ANSWER, "zh")
    assert "文档没有回答这个问题。" in rendered(UNANSWERED, "zh")
    assert "搜索了 3 份文档。" in rendered(UNANSWERED, "zh")


@pytest.mark.parametrize(
    ("confidence", "expected"),
    [
        (1.0, ("very likely", "1.00")),
        (0.895, ("very likely", "0.90")),
        (0.894, ("likely", "0.89")),
        (0.70, ("likely", "0.70")),
        (0.694, ("possible", "0.69")),
        (0.40, ("possible", "0.40")),
        (0.394, ("doubtful", "0.39")),
        (0.0, ("doubtful", "0.00")),
    ],
)
def test_confidence_is_said_in_words_and_as_a_figure(confidence: float, expected: tuple[str, str]) -> None:
    assert describe_confidence(confidence) == expected


def test_the_head_says_how_much_is_searched() -> None:
    header = render_header(IndexInfo("1", 1, 5, "e", 1, unread=2), "en")
    assert "<strong>1 document</strong> · 2 files could not be read</p>" in header
    assert "<strong>5,486 documents</strong></p>" in render_header(IndexInfo("1", 5486, 9, "e", 1), "en")
    assert "<strong>1 份文档</strong>" in render_header(IndexInfo("1", 1, 5, "e", 1), "zh")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_string_of_a_document_or_a_question_becomes_markup(language: Language, hostile: str) -> None:
    citation = dataclasses.replace(
        CITATION,
        document_id=hostile,
        title=hostile,
        path=hostile,
        date=DocumentDate(hostile, 1, 1),
        section=hostile,
        quote=hostile,
        before=hostile,
        after=hostile,
    )
    passage = dataclasses.replace(PASSAGE, title=hostile, path=hostile, section=hostile, quote=hostile)
    candidates = (Candidate(hostile, 0.9, (citation, citation)), Candidate(hostile, 0.3, (citation,)))
    answer = Answer(hostile, True, hostile, 0.9, (citation, citation), candidates, (passage,))
    for given, harmless in (
        (answer, dataclasses.replace(ANSWER, citations=(CITATION,) * 2, candidates=_twice())),
        (
            dataclasses.replace(answer, is_answered=False, text=None, citations=()),
            dataclasses.replace(UNANSWERED, candidates=_twice(), passages=(PASSAGE,)),
        ),
    ):
        shown, plain = Skeleton(rendered(given, language)), Skeleton(rendered(harmless, language))
        same_tags = [tag for tag in plain.tags if tag != "span"]
        assert [tag for tag in shown.tags if tag != "span"] == same_tags
        assert {name for name, _ in shown.attributes} == {name for name, _ in plain.attributes}
        assert hostile in "".join(shown.shown)


def _twice() -> tuple[Candidate, ...]:
    return Candidate("four people", 0.9, (CITATION, CITATION)), Candidate("two", 0.3, (CITATION,))
