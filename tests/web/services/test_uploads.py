"""Uploads over a real index: what is refused, what is kept, and the outcome of each file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from gradio.utils import get_upload_folder

from epiqa import EpiQA
from epiqa.errors import EpiQAError
from epiqa.types import IndexReport
from epiqa.web.services import uploads
from epiqa.web.services.uploads import (
    UPLOADS,
    Upload,
    add_uploads,
    forget_unread,
    remove_document,
    scratch_folder,
)
from fakes import KeywordReader, WordEmbedder
from paths import FORMATS


@pytest.fixture
def qa(tmp_path: Path) -> EpiQA:
    first = tmp_path / "first.txt"
    first.write_text("A first document. It says nothing more.", encoding="utf-8")
    return EpiQA.build([first], index=tmp_path / "index", embedder=WordEmbedder(), reader=KeywordReader())


def uploaded(tmp_path: Path, name: str, content: str | bytes = "Some text of it.") -> str:
    folder = tmp_path / "gradio" / str(len(list(tmp_path.rglob("*"))))
    folder.mkdir(parents=True)
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def outcome(qa: EpiQA, *files: str) -> list[Upload]:
    *_, last = add_uploads(qa, files, "en")
    return last


def test_files_are_kept_beside_the_index_and_answer_at_once(qa: EpiQA, tmp_path: Path) -> None:
    file = uploaded(tmp_path, "new.txt", "The answer: forty two. That is all.")
    assert outcome(qa, file) == [Upload("new.txt", "added")]
    assert not Path(file).exists()
    (document,) = [document for document in qa.documents() if document.path.endswith("new.txt")]
    kept = qa.directory / UPLOADS / "new.txt"
    assert qa.original(document.id) == kept.resolve()
    assert qa.ask("What is the answer?").text == "forty two"


def test_each_file_is_shown_waiting_being_read_and_done(qa: EpiQA, tmp_path: Path) -> None:
    files = [uploaded(tmp_path, name, f"The text of {name}.") for name in ("a.txt", "b.txt")]
    states = [[upload.state for upload in step] for step in add_uploads(qa, files, "en")]
    assert states[0] == ["waiting", "waiting"]
    assert ["reading", "waiting"] in states
    assert ["read", "reading"] in states
    assert states[-1] == ["added", "added"]


def test_a_refused_file_is_neither_read_nor_kept(
    qa: EpiQA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_FILE_BYTES", 1 << 20)
    files = [
        uploaded(tmp_path, "a.exe"),
        uploaded(tmp_path, "empty.txt", ""),
        uploaded(tmp_path, "large.txt", "x" * ((1 << 20) + 1)),
        uploaded(tmp_path, ".hidden.txt"),
        uploaded(tmp_path, "turned\u202etxt.txt"),
        uploaded(tmp_path, "good.txt"),
    ]
    assert [(upload.state, upload.reason) for upload in outcome(qa, *files)] == [
        ("skipped", "has an unsupported type (.exe)"),
        ("skipped", "is empty"),
        ("skipped", "is larger than 1 MB"),
        ("skipped", "has a name that cannot be kept"),
        ("skipped", "has a name that cannot be kept"),
        ("added", ""),
    ]
    assert [path.name for path in (qa.directory / UPLOADS).iterdir()] == ["good.txt"]
    assert not any(Path(file).exists() for file in files)


def test_too_many_at_once_are_all_refused(qa: EpiQA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_FILES", 2)
    files = [uploaded(tmp_path, f"{number}.txt") for number in range(3)]
    with pytest.raises(EpiQAError, match="3 files are too many: add at most 2 at once"):
        outcome(qa, *files)
    assert not any(Path(file).exists() for file in files)
    assert not (qa.directory / UPLOADS).exists()


def test_a_file_replaces_an_earlier_one_of_the_same_name(qa: EpiQA, tmp_path: Path) -> None:
    outcome(qa, uploaded(tmp_path, "a.txt", "The answer: one. So it was."))
    assert outcome(qa, uploaded(tmp_path, "a.txt", "The answer: one. So it was.")) == [Upload("a.txt", "unchanged")]
    assert outcome(qa, uploaded(tmp_path, "a.txt", "The answer: two. So it is.")) == [Upload("a.txt", "replaced")]
    assert qa.ask("What is the answer?").text == "two"


def test_an_earlier_file_stays_if_the_new_one_is_unreadable(qa: EpiQA, tmp_path: Path) -> None:
    whole = (FORMATS / "writer.docx").read_bytes()
    outcome(qa, uploaded(tmp_path, "a.docx", whole))
    before = qa.documents()
    (upload,) = outcome(qa, uploaded(tmp_path, "a.docx", whole[:2000]))
    assert upload.state == "skipped"
    assert "is broken" in upload.reason
    assert qa.documents() == before
    assert (qa.directory / UPLOADS / "a.docx").read_bytes() == whole
    assert qa.unread() == []


def test_questions_are_answered_while_files_are_read(qa: EpiQA, tmp_path: Path) -> None:
    """The old generation answers until the new one is whole."""
    goes_on = threading.Event()
    real_add = qa.add

    def add(paths: Iterable[str], *, on_progress: Callable[[int, int, str], None] | None = None) -> IndexReport:
        def progress(done: int, total: int, path: str) -> None:
            if on_progress:
                on_progress(done, total, path)
            assert goes_on.wait(30)

        return real_add(paths, on_progress=progress)

    qa.add = add  # type: ignore[method-assign, assignment]
    steps = add_uploads(qa, [uploaded(tmp_path, "new.txt", "The answer: forty two. That is all.")], "en")
    assert next(steps)[0].state == "waiting"
    assert next(steps)[0].state == "reading"
    generation = qa.info.generation
    assert qa.ask("What is the answer?").text != "forty two"
    assert qa.info.generation == generation
    goes_on.set()
    assert list(steps)[-1][0].state == "added"
    assert qa.ask("What is the answer?").text == "forty two"


def test_removing_a_document_deletes_its_upload_and_no_other_file(qa: EpiQA, tmp_path: Path) -> None:
    outcome(qa, uploaded(tmp_path, "new.txt"))
    for document in qa.documents():
        remove_document(qa, document, qa.remove, qa.original(document.id))
    assert qa.documents() == []
    assert list((qa.directory / UPLOADS).iterdir()) == []
    assert (tmp_path / "first.txt").exists()


def test_an_unreadable_upload_is_removed_and_deleted_and_no_other_file(qa: EpiQA, tmp_path: Path) -> None:
    (upload,) = outcome(qa, uploaded(tmp_path, "bad.txt", b"a\0b"))
    assert upload.state == "skipped"
    other = tmp_path / "other.txt"
    other.write_bytes(b"a\0b")
    with pytest.raises(EpiQAError, match="nothing was indexed"):
        qa.add([str(other)])
    assert [Path(path).name for path, _ in qa.unread()] == ["bad.txt", "other.txt"]
    for path, _ in qa.unread():
        forget_unread(qa, path, qa.remove)
    assert qa.unread() == []
    assert list((qa.directory / UPLOADS).iterdir()) == []
    assert other.exists()


def test_an_error_of_the_thread_reaches_the_page(qa: EpiQA, tmp_path: Path) -> None:
    def add(paths: Iterable[str], *, on_progress: object = None) -> IndexReport:
        raise RuntimeError("no such thing")

    qa.add = add  # type: ignore[method-assign, assignment]
    (upload,) = outcome(qa, uploaded(tmp_path, "new.txt"))
    assert (upload.state, upload.reason) == (
        "skipped",
        "the files could not be indexed (RuntimeError: no such thing)",
    )


def test_no_upload_stays_in_gradios_folder(qa: EpiQA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = tmp_path / "gradio"
    assert outcome(qa, uploaded(tmp_path, "good.txt"), uploaded(tmp_path, "a.exe"))[0].state == "added"
    assert list(sent.iterdir()) == []
    with pytest.raises(EpiQAError, match="at most 50 at once"):
        outcome(qa, *(uploaded(tmp_path, f"{number}.txt") for number in range(51)))
    assert list(sent.iterdir()) == []

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("epiqa.web.services.uploads.shutil.move", full)
    with pytest.raises(EpiQAError, match=r"cannot be written \(No space left on device\)"):
        outcome(qa, uploaded(tmp_path, "b.txt"), uploaded(tmp_path, "c.txt"))
    assert list(sent.iterdir()) == []


def test_an_index_folder_that_cannot_be_written_to_is_named(qa: EpiQA, tmp_path: Path) -> None:
    file = uploaded(tmp_path, "a.txt")
    moved = qa.directory.rename(tmp_path / "moved")
    try:
        with pytest.raises(EpiQAError, match="cannot be written"):
            outcome(qa, file)
    finally:
        moved.rename(qa.directory)
    assert not Path(file).exists()


def test_a_file_to_download_lies_where_this_process_cleans_up() -> None:
    assert scratch_folder().parent == Path(get_upload_folder())
