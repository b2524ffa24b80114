"""What of a conversation is kept in the browser, what of it is taken back, and what is exported and copied."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from epiqa.cli.show import answer_as_json
from epiqa.types import Candidate, DocumentDate, IndexInfo
from epiqa.web.services.conversation import (
    EXCERPT_CHARACTERS,
    MAX_TURNS,
    Turn,
    add_turn,
    export_json,
    export_markdown,
    from_json,
    shortened,
    to_json,
)
from epiqa.web.views.citations import as_bibtex, as_markdown, as_text, markdown_text
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
        (("answer", "candidates"), []),
        (("answer", "candidates", 0, "confidence"), "high"),
        (("answer", "candidates", 0, "citations", 0, "page"), "<script>"),
        (("answer", "candidates", 0, "citations", 0, "start"), None),
        (("answer", "candidates", 0, "citations", 0, "date"), "today"),
        (("answer", "is_answered"), 1),
    ],
)
def test_a_turn_that_was_changed_on_the_way_is_left_out(place: tuple[str | int, ...], value: object) -> None:
    kept = through_the_browser(TURNS)
    holder = kept[0]
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value
    assert from_json(kept) == TURNS[1:]


@pytest.mark.parametrize("kept", [None, "x", 3, {}, [None, 3, "x", {}, []]])
def test_what_is_no_conversation_is_an_empty_one(kept: object) -> None:
    assert from_json(kept) == []


def test_a_long_conversation_keeps_its_last_turns() -> None:
    turns: list[Turn] = []
    for number in range(MAX_TURNS + 2):
        turns = add_turn(turns, Turn(str(number)))
    assert [turn.question for turn in turns] == [str(number) for number in range(2, MAX_TURNS + 2)]
    assert from_json(through_the_browser([Turn("first"), *turns])) == turns


def test_of_passages_only_excerpts_are_kept_to_the_letter_and_only_without_an_answer() -> None:
    long = dataclasses.replace(PASSAGE, quote="word " * 100, end=500)
    (kept, *more) = shortened(dataclasses.replace(UNANSWERED, passages=(long,) * 5)).passages
    assert len(more) == 2
    assert kept.quote == long.quote[: kept.end - kept.start]
    assert EXCERPT_CHARACTERS - 10 < len(kept.quote) <= EXCERPT_CHARACTERS
    assert kept.quote.endswith("word")
    unbroken = dataclasses.replace(PASSAGE, quote="字" * 500, end=500)
    assert len(shortened(dataclasses.replace(UNANSWERED, passages=(unbroken,))).passages[0].quote) == 240
    assert shortened(dataclasses.replace(ANSWER, passages=(long,))).passages == ()


def test_the_places_of_a_turn_are_those_it_shows() -> None:
    assert TURNS[0].places == (CITATION,)
    assert TURNS[2].places == ()
    held = dataclasses.replace(UNANSWERED, candidates=(Candidate("four people", 0.3, (CITATION,)),))
    assert Turn("?", held).places == (PASSAGE, CITATION)
    unlikely = dataclasses.replace(UNANSWERED, candidates=(Candidate("four people", 0.1, (CITATION,)),))
    assert Turn("?", unlikely).places == (PASSAGE,)


def test_a_conversation_is_exported_as_markdown_and_json() -> None:
    assert export_markdown(TURNS, "en") == (
        "## How many?\n\n> On May 9th, **four people** tested positive.\n>\n"
        "> — Video Conference, 2022-05-11 13:00, notices/004.txt (0.82)\n\n"
        "## Who?\n\nThe documents don't answer this.\n\n## " + " \n\nthe question is empty\n"
    )
    answered, unanswered, error = json.loads(export_json(TURNS))
    in_the_shell = answer_as_json(ANSWER, IndexInfo("1", 3, 5, "e", 1))
    assert answered == {name: in_the_shell[name] for name in answered if name != "verdict"} | {"verdict": "right"}
    assert list(answered) == ["question", "is_answered", "text", "confidence", "answers", "verdict"]
    assert (unanswered["text"], unanswered["answers"], unanswered["verdict"]) == (None, [], None)
    assert error == {"question": " ", "error": "the question is empty", "verdict": None}


def test_markdown_shows_a_citation_to_the_letter() -> None:
    citation = dataclasses.replace(
        CITATION,
        before="1. See *this*\n",
        quote="<b>_x_</b> ",
        after="[a](http://b.invalid)",
        page=2,
        section="A|B",
    )
    assert as_markdown(citation, 0.5, "en") == (
        "> 1\\. See \\*this\\* **\\<b\\>\\_x\\_\\</b\\>** \\[a\\](http://b.invalid)\n>\n"
        "> — Video Conference, 2022-05-11 13:00, page 2, A\\|B, notices/004.txt (0.50)"
    )
    assert markdown_text("- a\n+ b\n12) c\n2022-05-11") == "\\- a\n\\+ b\n12\\) c\n2022\\-05-11"


def test_text_has_the_quote_its_sentence_and_its_source() -> None:
    assert as_text(dataclasses.replace(CITATION, page=2), 0.824, "zh") == (
        "“four people”\nOn May 9th, four people tested positive.\n"
        "— Video Conference, 2022-05-11 13:00, 第 2 页, notices/004.txt (0.82)"
    )


def test_bibtex_names_the_document_and_the_place() -> None:
    citation = dataclasses.replace(CITATION, title="50% & {more}\\x", page=2, section="Part #1", quote="a_b ~ c^")
    assert as_bibtex(citation) == (
        "@misc{epiqa-d1,\n"
        "  title = {{50\\% \\& \\{more\\}\\textbackslash{}x}},\n"
        "  date = {2022-05-11},\n"
        "  year = {2022},\n"
        "  pages = {2},\n"
        "  note = {``a\\_b \\textasciitilde{} c\\textasciicircum{}'', notices/004.txt, Part \\#1, "
        "characters 12--23},\n}\n"
    )
    without_year = dataclasses.replace(CITATION, date=DocumentDate("February 3", 2, 3))
    assert "  howpublished = {February 3},\n" in as_bibtex(without_year)
    assert "year" not in as_bibtex(dataclasses.replace(CITATION, date=None))
