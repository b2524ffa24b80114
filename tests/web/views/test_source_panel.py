"""The sources panel and the table of documents, to the letter; and that originals cannot be had by a trick."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from epiqa import EpiQA
from epiqa.filters import Filter
from epiqa.types import DocumentDate, DocumentInfo
from epiqa.web.services.conversation import Turn
from epiqa.web.services.uploads import Upload
from epiqa.web.views.documents import ROWS, Listing, render_documents, render_uploads
from epiqa.web.views.examples import offered_examples
from epiqa.web.views.filter_chips import filter_of, render_chips
from epiqa.web.views.source_panel import (
    AROUND_CHARACTERS,
    WHOLE_CHARACTERS,
    View,
    marked,
    originals_route,
    render_document,
    render_no_source,
    render_source,
    window,
)
from paths import SEEDS
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
    assert render_source(Turn("?", ANSWER), View(4, 0), OneDocument(file=tmp_path), "en") == (
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
        '<p id="epiqa-keys" class="epiqa-unseen">The arrow keys move through the text; with Shift, they mark the '
        'right answer; Enter goes on to save it.</p><p class="epiqa-marked epiqa-unseen" role="status" '
        'data-said="Marked as the right answer: {quote}"></p></section>'
    )


def test_a_source_that_opens_by_itself_takes_no_focus() -> None:
    shown = render_source(Turn("?", ANSWER), View(0, 0, asked=False), OneDocument(), "en")
    assert "data-asked" not in shown
    assert "data-back" not in shown
    assert "original/" not in shown


def test_the_places_before_and_after_are_a_button_away() -> None:
    turn = Turn("?", dataclasses.replace(ANSWER, candidates=(*ANSWER.candidates, *ANSWER.candidates)))
    shown = render_source(turn, View(4, 1), OneDocument(), "en")
    assert "<span>Place 2 of 2</span>" in shown
    assert 'data-turn="4" data-place="0" aria-label="Previous place">‹</button>' in shown
    assert 'data-turn="4" data-place="2" aria-label="Next place" disabled>›</button>' in shown


@pytest.mark.parametrize("text", [None, "another text than the one that was quoted"])
def test_a_document_that_is_gone_or_changed_is_not_shown_as_the_source(text: str | None) -> None:
    library = OneDocument(text or TEXT)
    turn = Turn("?", ANSWER)
    if text is None:
        turn = Turn("?", dataclasses.replace(UNANSWERED, passages=(dataclasses.replace(PASSAGE, document_id="x"),)))
    shown = render_source(turn, View(0, 0), library, "en")
    assert "This document is no longer in the index." in shown
    assert "epiqa-body" not in shown


def test_a_long_document_is_shown_around_its_quote_with_the_rest_a_button_away() -> None:
    line = "x" * 99 + "\n"
    before, after = line * 300, line * 300
    library = OneDocument(before + TEXT + after)
    citation = dataclasses.replace(CITATION, start=12 + len(before), end=23 + len(before))
    candidate = dataclasses.replace(ANSWER.candidates[0], citations=(citation,))
    turn = Turn("?", dataclasses.replace(ANSWER, citations=(citation,), candidates=(candidate,)))
    shown = render_source(turn, View(4, 0), library, "en")
    start, end = window(len(library.text), citation.start, library.text)
    assert f'data-start="{start}" contenteditable' in shown
    assert ">xxx" in shown
    assert '<mark class="epiqa-current">four people</mark>' in shown
    assert f'data-place="0" data-start="{start - AROUND_CHARACTERS}">Show the text before</button>' in shown
    assert f'data-place="0" data-start="{end + AROUND_CHARACTERS}">Show the text after</button>' in shown
    further = render_source(turn, View(4, 0, end + AROUND_CHARACTERS), library, "en")
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


def test_quotes_that_overlap_the_one_at_hand_give_way() -> None:
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


def test_only_files_that_the_index_knows_can_be_downloaded_and_none_is_shown(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    page, secret = folder / "页 1.html", folder / "secret.txt"
    page.write_text("<title>A page</title><p>It says that ten people came.", encoding="utf-8")
    secret.write_text("secret", encoding="utf-8")
    qa = EpiQA.build([page], index=tmp_path / "index")
    (document,) = qa.documents()
    client = TestClient(Starlette(routes=[originals_route(qa)]))
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


def info(number: int, **changes: object) -> DocumentInfo:
    values = DocumentInfo(f"id{number}", f"Title {number}", f"a/{number}.pdf", None, 10, 3)
    return dataclasses.replace(values, **changes)  # type: ignore[arg-type]


def test_the_table_has_a_row_for_each_document_and_each_file_that_could_not_be_read() -> None:
    date = DocumentDate("May 1", 5, 1)
    listing = Listing([info(1, date=date, pages=2, note="page 2 has no text")], [("<scan>.pdf", "has no text")])
    shown = render_documents(listing, "", "all", 0, "en")
    assert "<caption>Documents 1 to 2 of 2</caption>" in shown
    assert (
        '<tr><th scope="row"><span dir="auto">Title 1</span> <span class="epiqa-path">a/1.pdf</span></th>'
        '<td data-column="Date"><span class="epiqa-date">May 1</span></td><td data-column="Pages">2</td>'
        '<td data-column="Chunks">3</td><td data-column="State">read, but page 2 has no text</td>' in shown
    )
    assert (
        '<tr class="epiqa-unread"><th scope="row"><span class="epiqa-path">&lt;scan&gt;.pdf</span></th>'
        '<td colspan="3"></td><td data-column="State">not read: has no text</td>'
        '<td data-column="Actions"><div class="epiqa-actions"><details><summary>Remove</summary>'
        '<button type="button" class="epiqa-button" data-action="remove" data-file="&lt;scan&gt;.pdf">'
        "Yes, take it off this list</button></details></div></td></tr>" in shown
    )
    assert "<button" not in render_documents(Listing([], [("a.pdf", "bad")]), "", "all", 0, "en", removable=False)
    assert 'data-action="remove" data-document="id1">Yes, remove it from the index</button>' in shown


def test_the_table_is_searched_filtered_and_turned() -> None:
    listing = Listing(
        [info(number, note="n" if number == 7 else None) for number in range(120)], [("x.pdf", "bad")]
    )
    assert len(listing.chosen("", "all")) == 121
    assert [row.id for row in listing.chosen("TITLE a/11", "read") if isinstance(row, DocumentInfo)] == [
        f"id{number}" for number in (11, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119)
    ]
    assert listing.chosen("", "problems") == [listing.documents[7], ("x.pdf", "bad")]
    first = render_documents(listing, "", "all", 0, "en")
    assert first.count("<tr>") - 1 == ROWS
    assert 'data-first="50">Later' in first
    assert "Earlier" not in first
    last = render_documents(listing, "", "all", 100, "en")
    assert "Documents 101 to 121 of 121" in last
    assert 'data-first="50">Earlier' in last
    assert "Documents 1 to 50 of 121" in render_documents(listing, "", "all", 9999, "en")
    assert "No document fits." in render_documents(listing, "zzz", "all", 0, "en")
    assert "add some above" in render_documents(Listing([], []), "", "all", 0, "en")


def test_uploads_show_a_bar_each_and_what_became_of_them() -> None:
    going = [Upload("a.txt", "read"), Upload("b.txt", "reading"), Upload("c.txt")]
    shown = render_uploads(going, "en")
    assert '<p role="status">Reading 2 of 3 files. You can go on asking.</p>' in shown
    assert (
        '<li data-state="reading"><span class="epiqa-path">b.txt</span> <progress aria-label="b.txt"></progress> '
        "<span>being read</span></li>" in shown
    )
    assert '<progress aria-label="c.txt" value="0"></progress> <span>waiting</span>' in shown
    done = render_uploads([Upload("a.txt", "added"), Upload("<b>", "skipped", "is <empty>")], "en")
    assert "Done: 1 added, 0 replaced, 0 unchanged, 1 not read." in done
    assert "not read: is &lt;empty&gt;</span>" in done
    assert render_uploads([], "en") == ""


def test_chips_show_the_filter_by_title_and_day() -> None:
    within = filter_of(["d1", "<x>"], " 2022 ", "")
    assert within == Filter(documents=("d1", "<x>"), since="2022")
    shown = render_chips(within, {"d1": "A title"}, 1, "en")
    assert (
        '<button type="button" class="epiqa-chip" data-action="unfilter" data-field="documents" data-value="d1" '
        'aria-label="Remove “A title”"><span dir="auto">A title</span> <span aria-hidden="true">×</span></button>'
        in shown
    )
    assert 'data-value="&lt;x&gt;"' in shown
    assert 'data-field="since" data-value="2022" aria-label="Remove “from 2022”"' in shown
    assert "1 document fits" in shown
    assert render_chips(filter_of(None, None, None), {}, 3, "en") == ""


def test_examples_are_of_the_documents_at_hand_or_none() -> None:
    seeds = [info(1, path=str(path)) for path in sorted(SEEDS.glob("*.txt"))]
    assert len(offered_examples(seeds)) == 6
    assert all("students" in q or "Jinpu" in q for q in offered_examples(seeds[2:]))
    questions = [info(1, title="What is  influenza ?"), info(2, title="Influenza"), info(3, title="x" * 99 + "?")]
    assert offered_examples(questions) == ["What is influenza ?"]
    assert offered_examples([]) == []
