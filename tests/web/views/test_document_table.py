"""The exact HTML of the table of documents, uploads, filter chips and examples."""

from __future__ import annotations

import dataclasses

from epiqa.filters import Filter
from epiqa.types import DocumentDate, DocumentInfo
from epiqa.web.services.examples import offered_examples
from epiqa.web.services.filter_fields import filter_of
from epiqa.web.services.uploads import Upload
from epiqa.web.views.documents import ROWS, DocumentList, render_documents, render_uploads
from epiqa.web.views.filter_chips import render_chips
from paths import SEEDS


def info(number: int, **changes: object) -> DocumentInfo:
    values = DocumentInfo(f"id{number}", f"Title {number}", f"a/{number}.pdf", None, 10, 3)
    return dataclasses.replace(values, **changes)  # type: ignore[arg-type]


def test_the_table_has_a_row_for_each_document_and_each_unreadable_file() -> None:
    date = DocumentDate("May 1", 5, 1)
    listing = DocumentList(
        [info(1, date=date, pages=2, note="page 2 has no text")], [("<scan>.pdf", "has no text")]
    )
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
    assert 'data-action="remove" data-document="id1">Yes, remove it from the index</button>' in shown


def test_the_table_is_searched_filtered_and_turned() -> None:
    listing = DocumentList(
        [info(number, note="n" if number == 7 else None) for number in range(120)], [("x.pdf", "bad")]
    )
    assert len(listing.matching("", "all")) == 121
    assert [row.id for row in listing.matching("TITLE a/11", "read") if isinstance(row, DocumentInfo)] == [
        f"id{number}" for number in (11, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119)
    ]
    assert listing.matching("", "problems") == [listing.documents[7], ("x.pdf", "bad")]
    first = render_documents(listing, "", "all", 0, "en")
    assert first.count("<tr>") - 1 == ROWS
    assert 'data-first="50">Later' in first
    assert "Earlier" not in first
    last = render_documents(listing, "", "all", 100, "en")
    assert "Documents 101 to 121 of 121" in last
    assert 'data-first="50">Earlier' in last
    assert "Documents 1 to 50 of 121" in render_documents(listing, "", "all", 9999, "en")
    assert "No document matches." in render_documents(listing, "zzz", "all", 0, "en")
    assert "add some above" in render_documents(DocumentList([], []), "", "all", 0, "en")


def test_each_upload_shows_its_progress_and_outcome() -> None:
    going = [Upload("a.txt", "read"), Upload("b.txt", "reading"), Upload("c.txt")]
    shown = render_uploads(going, "en")
    assert '<p role="status">Reading 2 of 3 files. You can keep asking.</p>' in shown
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
    assert "1 document matches" in shown
    assert render_chips(filter_of(None, None, None), {}, 3, "en") == ""


def test_examples_come_from_the_documents_of_the_index() -> None:
    seeds = [info(1, path=str(path)) for path in sorted(SEEDS.glob("*.txt"))]
    assert len(offered_examples(seeds)) == 6
    assert all("students" in q or "Jinpu" in q for q in offered_examples(seeds[2:]))
    questions = [info(1, title="What is  influenza ?"), info(2, title="Influenza"), info(3, title="x" * 99 + "?")]
    assert offered_examples(questions) == ["What is influenza ?"]
    assert offered_examples([]) == []
