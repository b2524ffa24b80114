"""Files that LibreOffice, Chromium, mail programs and Info-ZIP made: what a citation needs comes out of them."""

from __future__ import annotations

import pytest

from epiqa.errors import IngestError
from epiqa.ingest import normalise, read_document, read_documents
from epiqa.types import Document
from paths import FORMATS as DATA

HEADINGS = ("Notice of the health office", "Testing sites", "Who may come")


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is parsed is the same in the process with limits, which `test_hostile` and `test_citations` use."""
    monkeypatch.setattr("epiqa.ingest.sandbox._is_harmless", lambda data, name: True)


@pytest.mark.parametrize("name", ["writer.docx", "writer.odt", "writer.html"])
def test_what_writer_wrote_has_headings_rows_items_and_notes(name: str) -> None:
    document = read_document(DATA / name)
    assert normalise(document.text) == document.text
    assert document.title == HEADINGS[0]
    assert document.date is not None
    assert document.date.written == "May 11"
    sections = {label: document.text[start:].splitlines()[0] for start, label in document.sections}
    assert {label: sections[label] for label in HEADINGS} == {label: label for label in HEADINGS}
    assert "| Site | Hours |\n| North Square | 8 to 20 |\n| Harbour School | 9 to 17 |\n" in document.text
    assert "- Residents of the district" in document.text
    assert "- Guests with a booking" in document.text
    assert "Zoë Müller answers questions at extension 4711." in document.text
    note = "A fourth one, at the station, opened on May 14."
    assert document.text.endswith(note)
    assert sections.get("footnotes", note) == note


@pytest.mark.parametrize("name", ["writer.pdf", "chromium.pdf"])
def test_the_text_of_a_pdf_comes_line_by_line(name: str) -> None:
    document = read_document(DATA / name)
    assert normalise(document.text) == document.text
    assert document.title == HEADINGS[0]
    assert document.pages == (0,)
    assert (document.date and document.date.iso) == ("--05-11" if name == "writer.pdf" else None)
    assert "\nNorth Square 8 to 20\nHarbour School 9 to 17\n" in document.text
    assert "Zoë Müller answers questions" in document.text
    assert ("- Residents" in document.text) is (name == "writer.pdf")


def test_a_page_without_text_is_noted() -> None:
    document = read_document(DATA / "chromium-pages.pdf")
    assert document.note == "no text on page 2 of 3, which may be scans (epiqa index --ocr reads those)"
    assert [document.text[start:].split("\n")[0][:14] for start in document.pages] == [
        "The first page",
        "The last page ",
        "The last page ",
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("chromium-scan.pdf", r"has no text on any page \(page 1\): it may be a scan"),
        ("writer-locked.pdf", "is encrypted: unlock it first"),
    ],
)
def test_a_pdf_without_readable_text_says_why(name: str, reason: str) -> None:
    with pytest.raises(IngestError, match=reason):
        read_document(DATA / name)


def test_each_file_of_an_archive_is_read_or_named() -> None:
    found = list(read_documents(DATA / "zip.zip"))
    path = str(DATA / "zip.zip")
    documents = [one for one in found if isinstance(one, Document)]
    assert [document.path.removeprefix(path) for document in documents] == [
        "/a.jsonl#1",
        "/büro.txt",
        "/reports/writer.odt",
    ]
    assert documents[0].location == f"{path}//a.jsonl#1"
    assert [str(error).removeprefix(path)[:40] for error in found if isinstance(error, IngestError)] == [
        "/locked.txt: is encrypted: unlock it fir",
        "/photo.png: files of this kind (.png) ar",
        "/reports/chromium-scan.pdf: has no text ",
    ]


def test_a_mail_from_git_has_its_headers_its_text_and_names_its_attachment() -> None:
    mail, patch = read_documents(DATA / "git.eml")
    assert isinstance(mail, Document)
    assert mail.title == "[PATCH] Open the site at North Square, with Ms. Müller"
    assert mail.date is not None
    assert (mail.date.written, mail.date.iso) == ("Wed, 11 May 2022 08:00:00 +0800", "2022-05-11")
    assert "From: Zoë Lee <zoe@example.org>\n" in mail.text
    assert "opens on May 12. Ms. Müller leads it." in mail.text
    assert isinstance(patch, IngestError)
    assert patch.path.endswith("git.eml/1/0001-Open-the-site-at-North-Square-with-Ms.-M-ller.patch")


def test_a_mail_that_mutt_saved_is_read_with_its_attachments() -> None:
    mail, table, text = (
        document for document in read_documents(DATA / "mutt.eml") if isinstance(document, Document)
    )
    assert mail.title == "Öffnung am Nordplatz: the site at North Square, with Ms. Müller"
    assert (mail.date and mail.date.iso) == "2026-11-28"
    assert mail.text.startswith("From: Zoë Lee <zoe@example.org>\nTo: Ann Lee <ann@example.org>\n")
    assert "Ms. Müller leads it – bring your card, and read the long line that follows, for it is" in mail.text
    assert "\nFrom Monday on, it is open from 8 to 20.\n. a line that begins with a point\n" in mail.text
    assert (table.path, table.text) == (
        f"{DATA / 'mutt.eml'}/1/öffnungszeiten.csv",
        "| site | hours |\n| site: North Square | hours: 8 to 20 |\n| site: Harbour School | hours: 9 to 17 |",
    )
    assert text.text == "Anhang\n\nDer Hafen öffnet um neun.\n"


def test_a_page_whose_encoding_stands_in_the_header_of_its_mail_alone_is_read() -> None:
    mail = read_document(DATA / "mutt-html.eml")
    assert mail.title == "Открытие пункта"
    assert mail.text.endswith(
        "\n\nОткрытие пункта\n\nПункт на Северной площади открывается 12 мая. Руководит им Анна Мюллер."
    )


def test_a_mail_from_s_nail_has_two_encodings_and_names_in_a_third() -> None:
    mail, text, table = (
        document for document in read_documents(DATA / "s-nail.eml") if isinstance(document, Document)
    )
    assert (mail.title, mail.date and mail.date.iso) == ("北广场检测点开放", "2022-05-11")
    assert "北广场检测点将于5月12日开放，负责人是李安。\n\n请携带身份证。" in mail.text
    assert text.path == f"{DATA / 's-nail.eml'}/1/часы.txt"
    assert text.text == "Часы работы\n\nПункт открыт с восьми до двадцати часов.\n"
    assert table.title == "öffnungszeiten"
