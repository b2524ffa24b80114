"""The exact HTML of the source panel; and that only originals of the index can be downloaded."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from epiqa import EpiQA
from epiqa.types import DocumentInfo
from epiqa.web.server import routes_of
from epiqa.web.services.conversation import Turn
from epiqa.web.views.source_panel import (
    AROUND_CHARACTERS,
    WHOLE_CHARACTERS,
    SourceView,
    marked,
    render_document,
    render_no_source,
    render_source,
    window,
)
from web.views.test_answers import ANSWER, CITATION, PASSAGE, TEXT, UNANSWERED


class OneDocument:
    """A library of one text, with or without its file."""

    def __init__(self, text: str = TEXT, file: Path | None = None) -> None:
        self.text, self.file = text, file

    def document_text(self, document_id: str) -> str | None:
        return self.text if document_id == "d1" else None

    def original(self, document_id: str) -> Path | None:
        return self.file


def test_the_panel_shows_the_document_with_the_quote_marked(tmp_path: Path) -> None:
    place = (
        '<span class="epiqa-place"><span class="epiqa-date">2022-05-11 13:00</span>'
        '<span class="epiqa-path">notices/004.txt</span></span>'
    )
    assert render_source(Turn("?", ANSWER), SourceView(4, 0), OneDocument(file=tmp_path), "en") == (
        '<section class="epiqa-source" data-asked><div class="epiqa-bar"><h2 tabindex="-1">Source</h2>'
        '<button type="button" class="epiqa-button epiqa-back" data-back="">Back to the answer</button></div>'
        f'<div class="epiqa-head"><p class="epiqa-title" dir="auto">Video Conference</p><p>{place} '
        '<a class="epiqa-link" href="original/d1" download>Download the original file</a></p></div>'
        '<div class="epiqa-document">'
        '<div class="epiqa-body" dir="auto" data-document="d1" data-start="0" contenteditable="true" '
        'tabindex="0" role="textbox" aria-multiline="true" aria-readonly="true" inputmode="none" '
        'spellcheck="false" autocorrect="off" aria-describedby="epiqa-keys" aria-label="Text of the document">'
        "On May 9th, "
        '<mark class="epiqa-current">four people</mark> tested positive. Response began. Then more.</div></div>'
        '<p id="epiqa-keys" class="epiqa-unseen">The arrow keys move through the text. With Shift, they select '
        'the right answer. Enter moves on to saving.</p><p class="epiqa-marked epiqa-unseen" role="status" '
        'data-said="Selected as the right answer: {quote}"></p></section>'
    )


def test_a_source_that_opens_by_itself_takes_no_focus() -> None:
    shown = render_source(Turn("?", ANSWER), SourceView(0, 0, asked=False), OneDocument(), "en")
    assert "data-asked" not in shown
    assert "data-back" not in shown
    assert "original/" not in shown


def test_the_places_before_and_after_are_a_button_away() -> None:
    turn = Turn("?", dataclasses.replace(ANSWER, candidates=(*ANSWER.candidates, *ANSWER.candidates)))
    shown = render_source(turn, SourceView(4, 1), OneDocument(), "en")
    assert "<span>Place 2 of 2</span>" in shown
    assert 'data-turn="4" data-place="0" aria-label="Previous place">‹</button>' in shown
    assert 'data-turn="4" data-place="2" aria-label="Next place" disabled>›</button>' in shown


@pytest.mark.parametrize("text", [None, "another text than the one that was quoted"])
def test_a_document_that_is_gone_or_changed_is_not_shown_as_the_source(text: str | None) -> None:
    library = OneDocument(text or TEXT)
    turn = Turn("?", ANSWER)
    if text is None:
        turn = Turn("?", dataclasses.replace(UNANSWERED, passages=(dataclasses.replace(PASSAGE, document_id="x"),)))
    shown = render_source(turn, SourceView(0, 0), library, "en")
    assert "This document is no longer in the index." in shown
    assert "epiqa-body" not in shown


def test_a_long_document_is_shown_around_its_quote_with_the_rest_a_button_away() -> None:
    line = "x" * 99 + "\n"
    before, after = line * 300, line * 300
    library = OneDocument(before + TEXT + after)
    citation = dataclasses.replace(CITATION, start=12 + len(before), end=23 + len(before))
    candidate = dataclasses.replace(ANSWER.candidates[0], citations=(citation,))
    turn = Turn("?", dataclasses.replace(ANSWER, citations=(citation,), candidates=(candidate,)))
    shown = render_source(turn, SourceView(4, 0), library, "en")
    start, end = window(len(library.text), citation.start, library.text)
    assert f'data-start="{start}" contenteditable' in shown
    assert ">xxx" in shown
    assert '<mark class="epiqa-current">four people</mark>' in shown
    assert f'data-place="0" data-start="{start - AROUND_CHARACTERS}">Show the text before</button>' in shown
    assert f'data-place="0" data-start="{end + AROUND_CHARACTERS}">Show the text after</button>' in shown
    further = render_source(turn, SourceView(4, 0, end + AROUND_CHARACTERS), library, "en")
    assert f'data-start="{end}" contenteditable' in further
    assert "<mark" not in further


@pytest.mark.parametrize("at", [0, 1, 15_000, 29_999, 30_000, 99_999])
def test_a_window_holds_its_place_and_is_cut_at_line_breaks(at: int) -> None:
    whole = ("y" * 49 + "\n") * 600
    start, end = window(len(whole), at, whole)
    assert 0 <= start <= min(at, len(whole)) <= end <= len(whole)
    assert start == 0 or whole[start - 1] == "\n"
    assert end == len(whole) or whole[end - 1] == "\n"
    assert end - start <= 2 * AROUND_CHARACTERS
    assert window(WHOLE_CHARACTERS, at, whole[:WHOLE_CHARACTERS]) == (0, WHOLE_CHARACTERS)


def test_quotes_that_overlap_the_current_one_are_not_marked() -> None:
    assert marked("0123456789", 1, 9, [(0, 2), (3, 6), (5, 8), (8, 9)], (5, 7)) == (
        '1234<mark class="epiqa-current">56</mark>7<mark>8</mark>'
    )
    assert marked("<b>", 0, 3, [], (0, 1)) == '<mark class="epiqa-current">&lt;</mark>b&gt;'


def test_a_document_can_be_read_without_a_question() -> None:
    document = DocumentInfo("d1", "A <title>", "a.txt", None, len(TEXT), 1)
    shown = render_document(document, 0, OneDocument(), "en")
    assert "A &lt;title&gt;" in shown
    assert f'data-start="0">{TEXT}</div>' in shown
    assert "<mark" not in shown
    assert "Click a source below an answer" in render_no_source("en")


def test_only_files_of_the_index_are_downloaded_and_none_is_displayed(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    page, secret = folder / "页 1.html", folder / "secret.txt"
    page.write_text("<title>A page</title><p>It says that ten people came.", encoding="utf-8")
    secret.write_text("secret", encoding="utf-8")
    qa = EpiQA.build([page], index=tmp_path / "index")
    (document,) = qa.documents()
    client = TestClient(Starlette(routes=[*routes_of(qa)]))
    reply = client.get(f"/original/{document.id}")
    assert reply.content == page.read_bytes()
    assert reply.headers["content-disposition"].startswith("attachment")
    assert reply.headers["content-type"] == "application/octet-stream"
    for tried in (
        "secret.txt",
        str(secret),
        str(secret).replace("/", "%2F"),
        f"{document.id}/../secret.txt",
        f"{document.id}%2F..%2Fsecret.txt",
        "..%2f..%2fetc%2fpasswd",
        f"{document.id}%00",
        "' OR 1=1 --",
        "*",
        "",
    ):
        assert client.get(f"/original/{tried}").status_code == 404, tried
    assert client.post(f"/original/{document.id}").status_code == 405
    page.unlink()
    assert client.get(f"/original/{document.id}").status_code == 404
