"""The exact text of exported conversations and copied citations."""

from __future__ import annotations

import dataclasses
import json

from epiqa.cli.show import answer_as_json
from epiqa.types import DocumentDate, IndexInfo
from epiqa.web.views.citations import as_bibtex, as_markdown, as_text, markdown_text
from epiqa.web.views.export import export_json, export_markdown
from web.services.test_conversation import TURNS
from web.views.test_answers import ANSWER, CITATION


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


def test_markdown_shows_a_citation_verbatim() -> None:
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
