"""Answers: confidence, grouping, abstention, and citations whose every part is verbatim."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from epiqa.answering.answer import answer, cite, normalise_answer
from epiqa.answering.calibration import FEATURES, Calibration
from epiqa.types import Passage, Span
from fakes import make_passage

QUESTION = "Who presided over the meeting?"
# Right as often as not at a margin of zero, and the margin alone counts.
MARGIN = Calibration(0.0, dict.fromkeys(FEATURES, 0.0) | {"margin": 1.0}, threshold=0.5, reader="")


def span(passage: Passage, quote: str, margin: float = 2.0) -> Span:
    start = passage.start + passage.quote.index(quote)
    return Span(
        passage=passage,
        start=start,
        end=start + len(quote),
        quote=quote,
        score=margin + 1.0,
        null_score=1.0,
        probability=0.5,
    )


def test_equal_answers_are_one_candidate_with_all_their_citations() -> None:
    one = make_passage("The Mayor presided.", document_id="one")
    two = make_passage("In May, mayor! presided.", document_id="two")
    three = make_passage("A governor presided.", document_id="three")
    spans = [span(three, "governor", 1.0), span(two, "mayor!", 2.0), span(one, "The Mayor", 3.0)]
    result = answer(QUESTION, spans, [one, two, three], MARGIN)
    assert result.is_answered
    assert result.text == "The Mayor"
    assert result.confidence == pytest.approx(1 / (1 + math.exp(-3)))
    assert [(c.document_id, c.quote) for c in result.citations] == [("one", "The Mayor"), ("two", "mayor!")]
    assert [(c.text, round(c.confidence, 4)) for c in result.candidates] == [
        ("The Mayor", 0.9526),
        ("governor", 0.7311),
    ]
    assert result.passages == (one, two, three)


def test_of_overlapping_spans_the_most_confident_stays() -> None:
    passage = make_passage("The mayor of the city presided over all.")
    spans = [
        span(passage, "The mayor of the city", 1.0),
        span(passage, "The mayor", 2.0),
        span(passage, "the city", 0.5),
    ]
    assert [c.text for c in answer(QUESTION, spans, [passage], MARGIN).candidates] == ["The mayor", "the city"]


def test_further_candidates_are_likely_enough_to_be_read() -> None:
    passage = make_passage("The mayor, a judge and the governor presided.")
    spans = [
        span(passage, quote, margin) for quote, margin in (("mayor", -3.0), ("judge", -2.9), ("governor", -4.0))
    ]
    assert [c.text for c in answer(QUESTION, spans, [passage], MARGIN).candidates] == ["judge"]
    spans[0] = span(passage, "mayor", -2.94)
    assert [c.text for c in answer(QUESTION, spans, [passage], MARGIN).candidates] == ["judge", "mayor"]


def test_the_same_place_in_two_chunks_is_one_citation() -> None:
    one = make_passage("It began. The mayor presided.", start=0)
    two = make_passage("The mayor presided. It ended.", start=10)
    result = answer(QUESTION, [span(one, "The mayor"), span(two, "The mayor")], [one, two], MARGIN)
    assert [(c.start, c.end) for c in result.citations] == [(10, 19)]


@pytest.mark.parametrize(("margin", "is_answered"), [(0.01, True), (-0.01, False)])
def test_below_the_threshold_there_is_no_answer(margin: float, is_answered: bool) -> None:
    passage = make_passage("The mayor presided.")
    result = answer(QUESTION, [span(passage, "The mayor", margin)], [passage], MARGIN)
    assert result.is_answered is is_answered
    assert result.text == ("The mayor" if is_answered else None)
    assert len(result.citations) == is_answered
    assert result.confidence == pytest.approx(0.5, abs=0.01)
    assert [c.text for c in result.candidates] == ["The mayor"]
    assert result.passages == (passage,)


@pytest.mark.parametrize(
    ("min_confidence", "is_answered"), [(0.0, True), (0.88, True), (0.89, False), (1.0, False)]
)
def test_an_asked_for_confidence_takes_the_place_of_the_threshold(min_confidence: float, is_answered: bool) -> None:
    passage = make_passage("The mayor presided.")
    for threshold in (0.0, 1.0):
        calibration = replace(MARGIN, threshold=threshold)
        spans = [span(passage, "The mayor", 2.0)]
        result = answer(QUESTION, spans, [passage], calibration, min_confidence=min_confidence)
        assert result.is_answered is is_answered
        assert result.confidence == pytest.approx(1 / (1 + math.exp(-2)))


def test_without_spans_there_is_no_answer_and_no_confidence() -> None:
    result = answer(QUESTION, [], [], MARGIN)
    assert (result.is_answered, result.text, result.confidence, result.candidates) == (False, None, 0.0, ())


def test_a_span_of_punctuation_is_no_candidate() -> None:
    passage = make_passage("The mayor — presided.")
    assert answer(QUESTION, [span(passage, "—")], [passage], MARGIN).candidates == ()


def test_a_citation_holds_the_sentence_around_the_quote() -> None:
    passage = make_passage("It began. On May 1, Dr. Wu, the mayor, presided. It ended.", start=100)
    citation = cite(span(passage, "Dr. Wu"))
    assert (citation.before, citation.quote, citation.after) == ("On May 1, ", "Dr. Wu", ", the mayor, presided.")
    begin = citation.start - len(citation.before) - 100
    assert (
        passage.quote[begin : citation.end + len(citation.after) - 100] == "On May 1, Dr. Wu, the mayor, presided."
    )


def test_the_sentence_of_a_citation_runs_over_lines_wrapped_by_hand() -> None:
    text = "of the whole province. The inspection team went to the north and\nthe south of the city. It rained."
    citation = cite(span(make_passage(text), "team"))
    assert (citation.before, citation.after) == (
        "The inspection ",
        " went to the north and\nthe south of the city.",
    )


def test_a_citation_over_two_sentences_holds_both() -> None:
    passage = make_passage("It began at noon. The mayor presided. It ended.")
    citation = cite(span(passage, "noon. The mayor"))
    assert (citation.before, citation.after) == ("It began at ", " presided.")


@pytest.mark.parametrize(
    ("text", "normal"),
    [("The  Mayor,", "mayor"), ("a an the", ""), ("May 10th!", "may 10th"), ("“Été” 24-hour", "“été” 24hour")],
)
def test_normalisation_is_that_of_squad(text: str, normal: str) -> None:
    assert normalise_answer(text) == normal
