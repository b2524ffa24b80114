"""Each format: the text that is read, and the title, date, sections and pages that a citation needs."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from epiqa.errors import IngestError
from epiqa.ingest import normalise, read_documents
from epiqa.ingest.dates import parse_date
from epiqa.ingest.encodings import marked
from epiqa.ingest.parsed import Builder
from epiqa.types import Document


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is parsed is the same in the process with limits, which `test_hostile` and `test_citations` use."""
    monkeypatch.setattr("epiqa.ingest.sandbox._is_harmless", lambda data, name: True)


def write(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def documents(path: Path) -> list[Document]:
    found = list(read_documents(path))
    assert all(isinstance(document, Document) for document in found), found
    return [document for document in found if isinstance(document, Document)]


def read(path: Path, data: bytes | str) -> Document:
    """Reads one document and checks what holds for all."""
    (document,) = documents(write(path, data))
    assert normalise(document.text) == document.text
    offsets = [start for start, _ in document.sections]
    assert offsets == sorted(set(offsets))
    assert all(0 <= start < len(document.text) for start in offsets)
    return document


def under(document: Document) -> dict[str, str]:
    """Returns the first line of each section by its label."""
    return {label: document.text[start:].split("\n")[0] for start, label in document.sections}


def test_the_builder_counts_offsets_in_normalised_text() -> None:
    builder = Builder()
    builder.page()
    builder.add("  ")
    builder.page()
    builder.section("  First\n heading ")
    builder.add(unicodedata.normalize("NFD", "Café\r\n"))
    builder.section("Second")
    builder.add("\u0301x\x00y\ufffe")
    builder.page()
    parsed = builder.build(title=" A \n b ", language="en_GB")
    assert parsed.text == "Café\n\n\u0301x y" == normalise(parsed.text)
    assert parsed.pages == (0, 0, 10)
    assert parsed.sections == ((0, "First heading"), (6, "Second"))
    assert (parsed.title, parsed.language) == ("A b", "en-GB")


def test_markdown_has_its_headings_for_sections_and_stays_as_written(tmp_path: Path) -> None:
    text = "# A #\n\none\n\nB b\n---\n\n```sh\n# no heading\n```\n\n- item\n\n---\n\n### C#\ntwo\n"
    document = read(tmp_path / "a.md", text)
    assert document.text == text
    assert under(document) == {"A": "# A #", "B b": "B b", "C#": "### C#"}
    assert document.title == "A"


@pytest.mark.parametrize("line", ["x" * 1_000_000, "# " + " #" * 500_000, " " * 1_000_000 + "x"])
def test_a_long_line_of_markdown_takes_one_pass(tmp_path: Path, line: str) -> None:
    assert read(tmp_path / "a.md", f"# T\n{line}\n=== no").title == "T"


PAGE = """<!DOCTYPE html><html lang="en-GB"><head><title>The &amp; title</title><style>p {}</style>
<meta property="article:published_time" content="2022-05-11T08:00:00Z"></head><body><nav>Home</nav>
<h1>Health<br>office</h1><p>Dandong   opened <b>three</b>
sites&nbsp;&mdash; all free.</p><p hidden>never</p><div style="display: none">never</div><script>never()</script>
<h2>Sites</h2><table><tr><th>Site</th><th>Hours</th></tr><tr><td><p>North</p><p>Square</p></td><td>8&ndash;20</td></tr>
<tr><td>Inn</td><td><table><tr><td>a</td><td>b</td></tr></table></td></tr></table>
<ul><li>first<li>second <i>one</i></ul><pre>as  it
  stands</pre>tail</body></html>"""


def test_html_is_its_visible_text_in_blocks_and_rows(tmp_path: Path) -> None:
    document = read(tmp_path / "a.html", PAGE)
    assert document.text == (
        "Health\noffice\n\nDandong opened three sites — all free.\n\nSites\n\n| Site | Hours |\n| North Square |"
        " 8–20 |\n| Inn | a b |\n\n- first\n- second one\n\nas  it\n  stands\n\ntail"
    )
    assert under(document) == {"Health office": "Health", "Sites": "Sites"}
    assert (document.title, document.language) == ("The & title", "en-GB")
    assert document.date is not None
    assert document.date.iso == "2022-05-11"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030", "iso-8859-1"])
def test_html_in_the_encoding_it_declares(tmp_path: Path, encoding: str) -> None:
    page = f'<html><head><meta charset="{encoding}"></head><body><p>Zoë und M\xfcller</p></body></html>'
    assert read(tmp_path / "a.html", page.encode(encoding)).text == "Zoë und Müller"


def test_a_table_has_its_columns_in_each_row_and_row_numbers(tmp_path: Path) -> None:
    document = read(tmp_path / "sites.csv", 'town;beds\nDandong;120\n\n"North;\nSquare";\n')
    assert document.text == "| town | beds |\n| town: Dandong | beds: 120 |\n| town: North; Square |"
    assert under(document) == {
        "row 1": "| town | beds |",
        "row 2": "| town: Dandong | beds: 120 |",
        "row 4": "| town: North; Square |",
    }
    assert document.title == "sites"
    assert read(tmp_path / "a.tsv", "1\t2,5\n3\t\n").text == "| 1 | 2,5 |\n| 3 |  |"


def test_json_lines_are_a_document_each(tmp_path: Path) -> None:
    lines = (
        '{"text": "One\\u2028site.", "title": "T", "date": "2022-05-11", "lang": "en"}\n\n'
        '{"content": "Two"}\n{"text": 3}\nno\n[]\n'
    )
    path = write(tmp_path / "a.jsonl", lines)
    one, two, *wrong = read_documents(path)
    assert isinstance(one, Document)
    assert isinstance(two, Document)
    assert (one.path, one.location) == (f"{path}#1", f"{path}//#1")
    assert (one.text, one.title, one.date and one.date.iso, one.language) == (
        "One\u2028site.",
        "T",
        "2022-05-11",
        "en",
    )
    assert (two.path, two.text) == (f"{path}#3", "Two")
    assert [str(error) for error in wrong] == [
        f"{path}#4: the line has no text, content, contents or body, and so it is with 1 more lines",
        f"{path}#5: the line is not JSON",
    ]


MAIL = b"""From: =?utf-8?q?Zo=C3=AB?= Lee <zoe@example.org>\r
To: office@example.org\r
Date: Mon, 3 Feb 2020 10:00:00 +0800\r
Subject: =?gb2312?B?yM7D/A==?= on\r
 Monday\r
Content-Type: multipart/mixed; boundary=B\r
\r
--B\r
Content-Type: multipart/alternative; boundary=C\r
\r
--C\r
Content-Type: text/plain; charset=iso-8859-1\r
Content-Transfer-Encoding: quoted-printable\r
\r
The caf=E9 is closed.\r
--C\r
Content-Type: text/html\r
\r
<p>never</p>\r
--C--\r
--B\r
Content-Type: text/csv\r
Content-Disposition: attachment; filename="a/plan.csv"\r
\r
town,beds\r
Dandong,120\r
--B\r
Content-Type: image/png\r
Content-Disposition: attachment; filename=photo.png\r
\r
x\r
--B\r
Content-Type: message/rfc822\r
Content-Disposition: attachment; filename=old.eml\r
\r
Subject: old\r
\r
old\r
--B--\r
"""


def test_a_mail_has_its_subject_and_date_and_its_attachments_are_documents(tmp_path: Path) -> None:
    path = write(tmp_path / "a.eml", MAIL)
    document, plan, *wrong = read_documents(path)
    assert isinstance(document, Document)
    assert isinstance(plan, Document)
    assert (plan.path, plan.location) == (f"{path}/1/a_plan.csv", f"{path}//1/a_plan.csv")
    assert (plan.title, plan.text.splitlines()[1]) == ("a_plan", "| town: Dandong | beds: 120 |")
    assert [str(error).removeprefix(str(path))[:30] for error in wrong if isinstance(error, IngestError)] == [
        "/2/photo.png: files of this ki",
        "/3/old.eml: is a container in a"[:30],
    ]
    assert document.text == (
        "From: Zoë Lee <zoe@example.org>\nTo: office@example.org\nDate: Mon, 3 Feb 2020 10:00:00 +0800\n"
        "Subject: 任命 on Monday\n\nThe café is closed."
    )
    assert document.title == "任命 on Monday"
    assert document.date is not None
    assert (document.date.written, document.date.iso) == ("Mon, 3 Feb 2020 10:00:00 +0800", "2020-02-03")


def test_a_mail_in_html_alone_is_read_as_a_page(tmp_path: Path) -> None:
    mail = b"Subject: S\nContent-Type: text/html; charset=utf-8\n\n<p>one</p><p>tw\xc3\xb6</p>"
    assert read(tmp_path / "a.eml", mail).text == "Subject: S\n\none\n\ntwö"


@pytest.mark.parametrize(
    ("stated", "iso"),
    [
        ("2022-05-11", "2022-05-11"),
        ("2022-5-1T10:00", "2022-05-01"),
        ("May 11, 2022", "2022-05-11"),
        ("Wed, 11 May 2022 10:00:00 GMT", "2022-05-11"),
        ("2022-13-11", None),
        ("soon", None),
        ("", None),
    ],
)
def test_dates_as_files_state_them(stated: str, iso: str | None) -> None:
    date = parse_date(stated)
    assert (date and date.iso) == iso


CHINESE = "根据防控指挥部的通知，全市学校于二月三日停课，恢复时间另行通知。"
FRENCH = "Le préfet a décidé de fermer l'école jusqu'à la fin de l'été, où il fera 30 °C – « c'est clair »."
GERMAN = "Größe: ÄÖÜ. Die Straße wird für Busse gesperrt."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *[(text, encoding) for text in (CHINESE, FRENCH, GERMAN) for encoding in ("utf-8-sig", "utf-16", "utf-32")],
        (CHINESE, "utf-8"),
        (CHINESE, "gb18030"),
        (CHINESE, "gbk"),
        ("任命通知", "gb18030"),
        ("Notice 任命通知 of the city, in English but for four characters", "gb18030"),
        (FRENCH, "cp1252"),
        (GERMAN, "cp1252"),
        (GERMAN, "latin-1"),
        ("Année", "latin-1"),
        (FRENCH, "utf-16-le"),
        (GERMAN, "utf-16-be"),
    ],
)
def test_encodings_are_told_apart(tmp_path: Path, text: str, encoding: str) -> None:
    assert read(tmp_path / "a.txt", text.encode(encoding)).text == text


@pytest.mark.parametrize("text", [CHINESE, FRENCH * 2])
def test_broken_utf_8_is_not_taken_for_another_encoding(tmp_path: Path, text: str) -> None:
    with pytest.raises(IngestError, match=r"is UTF-8 text, but broken at byte \d+ \(0x.."):
        read(tmp_path / "a.txt", text.encode() + "é".encode()[:1])


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Порт открыт по воскресеньям, школы закрыты.", "cp1251"),
        ("Порт открыт по воскресеньям, школы закрыты.", "koi8-r"),
        ("学校は二月三日から休みになります。お知らせします。", "shift-jis"),
    ],
)
def test_other_encodings_are_refused_not_guessed(tmp_path: Path, text: str, encoding: str) -> None:
    with pytest.raises(IngestError, match="save it as UTF-8"):
        list(read_documents(write(tmp_path / "a.txt", text.encode(encoding))))


@pytest.mark.parametrize(
    ("data", "declared", "expected"),
    [
        (b"\xc1", "koi8-r", "\ufeffа".encode()),
        (b"odd", "utf-16", b"odd"),  # which it is not
        (b"\xfc", "us-ascii", b"\xfc"),
        (b"\xfc", "no such encoding", b"\xfc"),
        (b"\xfc", None, b"\xfc"),
    ],
)
def test_an_encoding_declared_beside_a_text_is_believed_where_it_can_be(
    data: bytes, declared: str | None, expected: bytes
) -> None:
    assert marked(data, "a.txt", declared) == expected
