"""Makes a folder of broken and hostile files, each with what must become of it.

python tests/hostile.py FOLDER
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from paths import FORMATS as DATA

# What becomes of a file: it is read, or it is named with a reason that matches; of a link, the file is elsewhere.
READ = None
Outcome = str | None

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
LAUGHS = (
    '<!DOCTYPE l [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(12))
    + "]>"
)


def zipped(files: dict[str, bytes | str], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return data.getvalue()


def saying(data: bytes, size: int) -> bytes:
    """A ZIP file of one file, which now says that it unpacks to so many bytes."""
    at = data.rfind(b"PK\x01\x02")
    return data[: at + 24] + struct.pack("<I", size) + data[at + 28 :]


def bomb(name: str) -> bytes:
    """A ZIP file of 20 KB that unpacks to a thousand times as much."""
    return zipped({name: bytes(20 << 20)})


def docx(body: str, *, head: str = "") -> bytes:
    return zipped(
        {"word/document.xml": f'<?xml version="1.0"?>{head}<w:document {W}><w:body>{body}</w:body></w:document>'}
    )


def odt(content: str) -> bytes:
    return zipped({"content.xml": content})


def text_files() -> Iterator[tuple[str, bytes, Outcome]]:
    yield "nul.txt", b"text\0text", r"is not text \(it holds NUL"
    yield "only-nul.md", bytes(1000), r"is not text \(it holds NUL"
    yield "binary.txt", bytes(range(256)) * 20, "is not UTF-8 text"
    yield "cut-utf8.txt", "Café".encode()[:-1], READ  # as Windows-1252, "CafÃ"
    yield "half-utf16.txt", b"\xff\xfeT\0e\0x", "is not the UTF-16-LE text it says it is"
    yield "surrogate.txt", b"\xff\xfe\x00\xd8T\0", "is not the UTF-16-LE text it says it is"
    yield "long-line.txt", b"x" * 5_000_000, READ
    yield "long-line.md", b"# T\n" + b"=" * 3_000_000, READ
    yield "marks.txt", ("a" + "\u0315\u0300" * 400_000).encode(), "takes more than .* seconds"
    yield "bidi.txt", "Title \u202egpj\u202c of\u2066 the page".encode(), READ
    yield "escape.txt", b"\x1b[2J\x1b]0;owned\x07 Title", READ
    yield "empty.pdf", b"", "is broken, or no PDF"
    yield "gpj.\u202etxt.html", b"<p>a name that turns</p>", READ
    yield "line\nfeed \x1b[31m.txt", b"a name of two lines", READ
    yield "-rf.txt", b"a name like an option", READ
    yield "no.suffix", b"text", "files of this kind"


def page_files() -> Iterator[tuple[str, bytes, Outcome]]:
    yield "empty.html", b"", "is empty|cannot be read as HTML"
    yield "only-script.html", b"<script>alert(1)</script>", "is empty"
    yield "deep.html", b"<div>" * 100_000 + b"deep", "cannot be read as HTML"
    yield "unclosed.html", b"<table><tr><td>" * 3000 + b"cell", "cannot be read as HTML"
    yield "entity.html", f"<!DOCTYPE html SYSTEM 'file:///etc/passwd'>{LAUGHS}<p>&l; &e; fine</p>".encode(), READ
    yield "charset.html", b"<meta charset=utf-7><p>+ADw-script+AD4- fine</p>", READ
    yield "codec.html", b"<meta charset=zlib><p>fine</p>", READ
    yield "attributes.html", b"<p " + b"a=b " * 300_000 + b">fine</p>", ".*"
    yield "styles.html", b"<p style='" + b"display :" * 200_000 + b"'>fine</p>", READ
    yield "xss.html", b"<title><img src=x onerror=alert(1)></title><p>fine</p>", READ
    yield "quotes.csv", b'a,b\n"never closed,' + b"x" * 1000, READ
    yield "cell.csv", b'"' + b"x" * 11_000_000 + b'"', "cannot be read as a table"
    yield "columns.csv", b",".join([b"a"] * 100_000) + b"\n" + b",".join([b"1"] * 100_000), READ
    yield "deep.jsonl", b"[" * 100_000 + b"\n", "the line is not JSON"
    yield "number.jsonl", b'{"n": ' + b"9" * 10_000 + b', "text": "fine"}', ".*"
    yield "surrogate.jsonl", b'{"text": "\\ud800 fine"}', READ
    yield "keys.jsonl", b'{"text": null}\n{"text": ["a"]}\n"text"\n', "the line has no text.*2 more"


def mail_files() -> Iterator[tuple[str, bytes, Outcome]]:
    yield "not-a-mail.eml", b"\xff\xd8\xff\xe0 no mail at all", ".*"
    yield "charset.eml", b"Subject: s\nContent-Type: text/plain; charset=nonsense\n\nfine", READ
    yield "header.eml", b'Subject: =?utf-8?b?////?= =?x?q?=ZZ?=\nDate: never\nTo: "\n\nfine', READ
    yield "base64.eml", b"Subject: s\nContent-Transfer-Encoding: base64\n\n!!!!", READ
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(3000))
    yield "nested.eml", b"Subject: s\n" + nested + b"\nfine", ".*"
    yield "headers.eml", b"".join(b"To: a%d@b.c\n" % i for i in range(50_000)) + b"\nfine", READ


def office_files() -> Iterator[tuple[str, bytes, Outcome]]:
    good = (DATA / "writer.docx").read_bytes()
    yield "cut.docx", good[: len(good) // 2], "is broken, or no file of its kind"
    yield "cut.odt", (DATA / "writer.odt").read_bytes()[:-40], "is broken, or no file of its kind"
    yield "text.docx", b"no archive", "is broken, or no file of its kind"
    yield "other.docx", zipped({"a.txt": "a"}), "is no file of its kind"
    yield "zeros.docx", bomb("word/document.xml"), "is broken"
    yield "bomb.docx", saying(bomb("word/document.xml"), 600 << 20), "unpacks to 600 MB, more than 512"
    yield "lying.docx", saying(bomb("word/document.xml"), 1), "is broken"
    yield "laughs.docx", docx("<w:p><w:r><w:t>&l;</w:t></w:r></w:p>", head=LAUGHS), "is refused|is broken"
    outside = '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    yield "outside.docx", docx("<w:p><w:r><w:t>&x;</w:t></w:r></w:p>", head=outside), "is refused"
    yield "deep.docx", docx("<w:p>" * 5000 + "</w:p>" * 5000), "is broken|cannot be read"
    yield "empty.docx", docx("<w:p/>"), "is empty"
    yield "no-xml.odt", odt("no XML"), "is broken"
    spaces = '<text:p>a<text:s text:c="999999999999"/>b</text:p>'
    names = 'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    yield "spaces.odt", odt(f"<d {names}>{spaces}</d>"), READ
    yield "many-spaces.odt", odt(f"<d {names}>{spaces * 100_000}</d>"), ".*"


def pdf_files() -> Iterator[tuple[str, bytes, Outcome]]:
    good = (DATA / "chromium.pdf").read_bytes()
    yield "cut.pdf", good[: len(good) // 2], "is broken, or no PDF|has no text"
    yield "noise.pdf", b"%PDF-1.7\n" + bytes(range(256)) * 100, "is broken, or no PDF"
    yield "flipped.pdf", bytes(b ^ 0x55 if i % 97 == 0 and i > 200 else b for i, b in enumerate(good)), ".*"
    loop = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    loop += b"2 0 obj<</Type/Pages/Kids[2 0 R]/Count 9999999>>endobj\n"
    yield "loop.pdf", loop + b"trailer<</Root 1 0 R>>", ".*"
    yield "scan.pdf", (DATA / "chromium-scan.pdf").read_bytes(), "has no text on any page"
    yield "locked.pdf", (DATA / "writer-locked.pdf").read_bytes(), "is encrypted"


def archives() -> Iterator[tuple[str, bytes, Outcome]]:
    yield "bomb.zip", saying(bomb("a.txt"), 600 << 20), "unpacks to 600 MB, more than 512"
    yield "lying.zip", saying(bomb("a.txt"), 1), "is broken"
    yield "traversal.zip", zipped({"../../../etc/a.txt": "fine", "/b.txt": "fine"}), READ
    yield "nested.zip", zipped({"a.zip": zipped({"a.zip": b""})}), "is an archive in an archive"
    yield (
        "many.zip",
        zipped({f"{i}.png": b"" for i in range(51_000)}, method=zipfile.ZIP_STORED),
        "holds 51,000 files",
    )
    yield "empty.zip", zipped({}), "is empty"
    yield "names.zip", zipped({"a\u202etxt.txt": "fine", "b\x1b[2J\n.txt": "fine", "..": "x"}), ".*"
    yield "same.zip", zipped({"a/./b.txt": "fine", "a/b.txt": "twice"}), "has the name of another"
    yield "hidden.zip", zipped({".a.txt": "x", "__MACOSX/b.txt": "x"}), "is empty"


def special(folder: Path) -> dict[str, Outcome]:
    """Makes what is not made of bytes alone: a file of 2 GB, links, a pipe, a file without rights."""
    for name in ("huge.txt", "huge.pdf"):
        with (folder / name).open("wb") as file:
            file.truncate(2 << 30)
    (folder / "leaves.txt").symlink_to("/etc/hostname")
    (folder / "up.txt").symlink_to(folder.parent / "outside.txt")
    (folder.parent / "outside.txt").write_text("outside")
    (folder / "around").symlink_to(folder)
    (folder / "self.txt").symlink_to(folder / "self.txt")
    os.mkfifo(folder / "pipe.txt")
    return {
        "huge.txt": "is larger than 256 MB",
        "huge.pdf": "is larger than 256 MB",
        "leaves.txt": "is a link that leads out of the folder",
        "up.txt": "is a link that leads out of the folder",
        "self.txt": "Too many levels of symbolic links",
        "pipe.txt": "is not a regular file",
    }


GROUPS: tuple[Callable[[], Iterator[tuple[str, bytes, Outcome]]], ...] = (
    text_files,
    page_files,
    mail_files,
    office_files,
    pdf_files,
    archives,
)


def make(folder: Path) -> dict[str, Outcome]:
    """Makes all files; returns what must become of each, ".*" where it may be read or refused."""
    folder.mkdir(parents=True)
    outcomes: dict[str, Outcome] = {}
    for group in GROUPS:
        for name, data, outcome in group():
            (folder / name).write_bytes(data)
            outcomes[name] = outcome
    return outcomes | special(folder)


if __name__ == "__main__":
    print(json.dumps(make(Path(sys.argv[1])), indent=1, ensure_ascii=False))
