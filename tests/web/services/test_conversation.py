"""A conversation: which turns the browser keeps, and which of them are accepted back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from epiqa.types import Candidate
from epiqa.web.services.conversation import (
    EXCERPT_CHARACTERS,
    MAX_TURNS,
    Turn,
    add_turn,
    from_json,
    shortened,
    to_json,
)
from web.views.test_answers import ANSWER, CITATION, PASSAGE, UNANSWERED

TURNS = [
    Turn("How many?", ANSWER, documents=3, verdict="right"),
    Turn("Who?", shortened(UNANSWERED), documents=3, unread=1, unread_files=("<scan>.pdf",)),
    Turn(" ", error="the question is empty"),
]


def through_the_browser(turns: list[Turn]) -> Any:
    return json.loads(json.dumps(to_json(turns)))


def test_a_conversation_comes_back_from_the_browser_as_it_was() -> None:
    assert from_json(through_the_browser(TURNS)) == TURNS


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("question",), 3),
        (("verdict",), "<b>"),
        (("documents",), "3"),
        (("documents",), True),
        (("documents",), 3.5),
        (("unread_files",), [1]),
        (("answer",), "<b>"),
        (("answer", "candidates"), []),
        (("answer", "candidates", 0, "confidence"), "high"),
        (("answer", "candidates", 0, "citations", 0, "page"), "<script>"),
        (("answer", "candidates", 0, "citations", 0, "start"), None),
        (("answer", "candidates", 0, "citations", 0, "date"), "today"),
        (("answer", "is_answered"), 1),
    ],
)
def test_a_turn_that_the_browser_changed_is_left_out(place: tuple[str | int, ...], value: object) -> None:
    kept = through_the_browser(TURNS)
    holder = kept[0]
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value
    assert from_json(kept) == TURNS[1:]


def test_the_text_of_an_answer_is_that_of_its_best_candidate() -> None:
    kept = through_the_browser(TURNS)
    kept[0]["answer"] |= {"text": "made up", "citations": []}
    kept[1]["answer"] |= {"text": "made up"}
    assert from_json(kept) == TURNS


@pytest.mark.parametrize("kept", [None, "x", 3, {}, [None, 3, "x", {}, []]])
def test_an_invalid_conversation_is_read_as_an_empty_one(kept: object) -> None:
    assert from_json(kept) == []


def test_a_long_conversation_keeps_its_last_turns() -> None:
    turns: list[Turn] = []
    for number in range(MAX_TURNS + 2):
        turns = add_turn(turns, Turn(str(number)))
    assert [turn.question for turn in turns] == [str(number) for number in range(2, MAX_TURNS + 2)]
    assert from_json(through_the_browser([Turn("first"), *turns])) == turns


def test_passages_are_kept_as_verbatim_excerpts_and_only_without_an_answer() -> None:
    long = dataclasses.replace(PASSAGE, quote="word " * 100, end=500)
    (kept, *more) = shortened(dataclasses.replace(UNANSWERED, passages=(long,) * 5)).passages
    assert len(more) == 2
    assert kept.quote == long.quote[: kept.end - kept.start]
    assert EXCERPT_CHARACTERS - 10 < len(kept.quote) <= EXCERPT_CHARACTERS
    assert kept.quote.endswith("word")
    unbroken = dataclasses.replace(PASSAGE, quote="字" * 500, end=500)
    assert len(shortened(dataclasses.replace(UNANSWERED, passages=(unbroken,))).passages[0].quote) == 240
    assert shortened(dataclasses.replace(ANSWER, passages=(long,))).passages == ()


def test_the_sources_of_a_turn_are_those_it_shows() -> None:
    assert TURNS[0].sources == (CITATION,)
    assert TURNS[2].sources == ()
    held = dataclasses.replace(UNANSWERED, candidates=(Candidate("four people", 0.3, (CITATION,)),))
    assert Turn("?", held).sources == (PASSAGE, CITATION)
    unlikely = dataclasses.replace(UNANSWERED, candidates=(Candidate("four people", 0.1, (CITATION,)),))
    assert Turn("?", unlikely).sources == (PASSAGE,)
