"""Files to documents: what is read, what is refused and why, and what a document says of itself."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from epiqa.errors import IngestError
from epiqa.ingest import find_files, make_document, normalise, printable, read_document
from epiqa.ingest.dates import find_date
from epiqa.ingest.formats import BY_SUFFIX
from paths import SEEDS


def write(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize(
    ("name", "title", "written", "iso"),
    [
        (
            "000_b85568a49fec7b60.txt",
            "Tang Yijun Went to Dalian to Investigate and Guide Epidemic Prevention and Control Work",
            "February 3",
            "--02-03",
        ),
        (
            "002_4240fd80c429d22d.txt",
            "Tan Zuojun Presided Over the Municipal Pneumonia Epidemic Prevention and Control Headquarters Infected"
            " by New Coronavirus Meeting and Made a Speech",
            "February 2",
            "--02-02",
        ),
        (
            "004_5d92a0e4b413dfa2.txt",
            "Hu Yuting Attended Video Conference of Novel Coronavirus Pneumonia Epidemic Prevention-Control"
            " Headquarters",
            "2022-05-11 13:00",
            "2022-05-11",
        ),
    ],
)
def test_titles_and_dates_of_the_seeds(name: str, title: str, written: str, iso: str) -> None:
    document = read_document(SEEDS / name)
    assert document.title == title
    assert document.date is not None
    assert document.date.written == written
    assert document.date.iso == iso
    assert written in document.text


@pytest.mark.parametrize(
    ("text", "written", "iso"),
    [
        ("T\n\nOn May 10th, we met.", "May 10th", "--05-10"),
        ("T\n\nOn May 10, 2021, we met.", "May 10, 2021", "2021-05-10"),
        ("T\n\nOn 3 February 2020, it began.", "3 February 2020", "2020-02-03"),
        ("T\n\nOn 2nd of March all met.", "2nd of March", "--03-02"),
        ("On May 3, the city met.\n\nOn May 4, it did not.", "May 3", "--05-03"),
        ("T\n\nOn February 3, 1200 people were tested.", "February 3", "--02-03"),
        ("T\n\nOn February 3 2020 cases were found.", "February 3", "--02-03"),
        ("On February 30 nothing.\n\nOn March 2, all met.", "March 2", "--03-02"),
        ("T\n\nThe shore.\n\nOn July 4, 1776, it began.", None, None),
        ("T\n2022-5-1\n\nOn May 3, we met.", "2022-5-1", "2022-05-01"),
        ("T\n2020-02-30\n\nOn February 29, we met.", "February 29", "--02-29"),
        ("T\n\nWe met on May 10.", None, None),
        ("T\n\nOn February 31, we met.", None, None),
        ("T\n\nOn Mayhem 3 we met. Version 2022-05-11 came.", None, None),
    ],
)
def test_dates_as_written(text: str, written: str | None, iso: str | None) -> None:
    date = find_date(text)
    assert (date and date.written, date and date.iso) == (written, iso)


def test_text_is_normalised_once_and_offsets_refer_to_it(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Café")
    document = read_document(write(tmp_path / "a.txt", f"\ufeffTitle\r\n\r\n{decomposed}.\rEnd"))
    assert document.text == "Title\n\nCafé.\nEnd"
    assert document.title == "Title"
    assert normalise(document.text) == document.text


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("intro\n\n# The  heading #\n\ntext", "The heading"),
        ("intro\n\nUnderlined\n===\n\n# Later", "Underlined"),
        ("just text\n\nmore", "just text"),
        ("#not a heading\n\n## Second level", "Second level"),
    ],
)
def test_the_title_of_markdown_is_its_first_heading(tmp_path: Path, text: str, title: str) -> None:
    assert read_document(write(tmp_path / "a.md", text)).title == title


def test_a_first_line_too_long_for_a_title_gives_way_to_the_file_name(tmp_path: Path) -> None:
    assert read_document(write(tmp_path / "notice.txt", "word " * 100)).title == "notice"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b" \n\r\n\t", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"abc\xff\x81", "is not UTF-8 text (byte 3 is 0xff), nor UTF-16, GB18030 or Latin-1: save it as UTF-8"),
        (b"PK\x03\x04\x00\x00", "is not text (it holds NUL characters)"),
    ],
)
def test_unreadable_files_are_named_with_the_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    path = write(tmp_path / "bad.txt", data)
    with pytest.raises(IngestError) as caught:
        read_document(path)
    assert (caught.value.path, caught.value.reason) == (str(path), reason)
    assert str(caught.value) == f"{path}: {reason}"


def test_a_pipe_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(IngestError, match="not a regular file"):
        read_document(tmp_path / "pipe.txt")


def test_a_broken_link_is_named(tmp_path: Path) -> None:
    (tmp_path / "link.txt").symlink_to(tmp_path / "gone.txt")
    assert (
        str(find_files([tmp_path / "link.txt"])[1][0])
        == f"{tmp_path / 'link.txt'}: there is no such file or folder"
    )
    files, errors = find_files([tmp_path])
    assert errors == []
    with pytest.raises(IngestError, match="No such file"):
        read_document(files[0])


def test_folders_are_searched_to_the_bottom_in_order(tmp_path: Path) -> None:
    for name in ("b.txt", "a.MD", "sub/c.txt", ".hidden.txt", ".git/d.txt", "e.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, "text")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    (tmp_path / "z.txt").symlink_to(tmp_path / "b.txt")
    (tmp_path / "out.txt").symlink_to(SEEDS / "000_b85568a49fec7b60.txt")
    (tmp_path / "out").symlink_to(SEEDS)
    (tmp_path / "up").symlink_to(tmp_path.parent)
    files, errors = find_files([tmp_path, tmp_path / "none", tmp_path / "b.txt"])
    assert [str(path.relative_to(tmp_path)) for path in files] == ["a.MD", "b.txt", "sub/c.txt"]
    assert [(error.path, error.reason) for error in errors] == [
        *(
            (str(tmp_path / name), "is a link that leads out of the folder: name its target")
            for name in ("out", "up", "out.txt")
        ),
        (str(tmp_path / "none"), "there is no such file or folder"),
        (str(tmp_path / "e.png"), f"files of this kind (.png) are not read, only {', '.join(BY_SUFFIX)}"),
    ]


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    assert [str(error) for error in find_files([tmp_path])[1]] == [f"{tmp_path}: the folder has no files"]


def test_a_name_that_is_not_unicode_can_be_read_and_shown(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/n\xffme.txt"))
    write(path, "Title\n\nText.")
    document = read_document(path)
    assert document.path == f"{tmp_path}/n\\xffme.txt" == printable(path)
    assert document.path.encode()


def test_a_name_cannot_pass_for_another(tmp_path: Path) -> None:
    path = write(tmp_path / "gpj.\u202etxt.\x1b[2J\nx.txt", "Title")
    assert read_document(path).path == f"{tmp_path}/gpj.\\u202etxt.\\x1b[2J\\nx.txt"


def test_the_id_depends_on_path_and_content_alone() -> None:
    def id_of(text: str, path: str, location: str) -> str:
        return make_document(text, path=path, location=location).id

    assert id_of("text", "a.txt", "/x/a.txt") == id_of("text", "a.txt", "/y/a.txt")
    assert len({id_of("text", "a.txt", ""), id_of("text", "b.txt", ""), id_of("texts", "a.txt", "")}) == 3


def test_patterns_stand_for_the_files_they_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.txt", "a.md", "sub/deep/c.txt", "[d].txt", "d.txt", ".hidden.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / name, "text")
    monkeypatch.chdir(tmp_path)

    def found(*patterns: str) -> list[str]:
        return [str(path) for path in find_files(patterns)[0]]

    assert found("*.txt") == ["[d].txt", "b.txt", "d.txt"]
    assert found("**/*.txt") == ["[d].txt", "b.txt", "d.txt", "sub/deep/c.txt"]
    assert found("[d].txt") == ["[d].txt"]
    assert found("[ab].*", "sub") == ["a.md", "b.txt", "sub/deep/c.txt"]
    assert [str(error) for error in find_files(["*.odt", "a\0b"])[1]] == [
        "*.odt: there is no such file or folder",
        "a\\x00b: embedded null byte",
    ]
