"""Indexing a folder again: what is unchanged, moved, copied, changed and gone, and what that costs."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from epiqa import EpiQA
from epiqa.errors import EpiQAError, IndexDamagedError, IngestError
from epiqa.filters import Filter
from epiqa.ingest import Sandbox, documents, formats
from epiqa.store.embedded import verify
from epiqa.sync.operations import add_paths
from epiqa.sync.options import UpdateOptions
from epiqa.types import DocumentInfo, IndexReport
from fakes import KeywordReader, WordEmbedder

TEXTS = {
    "a.txt": "Beds\n\nThere are forty beds.",
    "b.txt": "Masks\n\nMasks are worn.",
    "c.csv": "town,head\nX,Lee\n",
}


class Corpus:
    """A folder and its index; `add` counts what was embedded and parsed."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.index = root / "docs", root / "index"
        self.folder.mkdir()
        self.parsed: list[str] = []
        self.embedded: list[str] = []
        parse = Sandbox.parse

        def counted(sandbox: Sandbox, data: bytes, name: str) -> Iterator[object]:
            self.parsed.append(Path(name).name)
            return parse(sandbox, data, name)

        monkeypatch.setattr(Sandbox, "parse", counted)

    def write(self, **texts: str) -> None:
        for name, text in texts.items():
            (self.folder / name.replace("_", ".")).write_text(text)

    def add(self, *paths: Path | str, prune: bool = False) -> IndexReport:
        embedder = WordEmbedder()
        self.parsed.clear()
        report = add_paths(list(paths) or [self.folder], self.index, UpdateOptions(embedder=embedder, prune=prune))
        self.embedded = embedder.encoded
        verify(self.index)
        return report

    def names(self, paths: tuple[str, ...]) -> list[str]:
        return [str(Path(path).relative_to(self.folder)) for path in paths]

    def open(self) -> EpiQA:
        return EpiQA.open(self.index, embedder=WordEmbedder(), reader=KeywordReader())

    def documents(self) -> dict[str, DocumentInfo]:
        return {str(Path(info.path).relative_to(self.folder)): info for info in self.open().documents()}

    def texts(self) -> dict[str, str]:
        qa = self.open()
        return {name: qa.document_text(info.id) or "" for name, info in self.documents().items()}

    def found(self, query: str) -> set[str]:
        return {passage.quote for passage in self.open().search(query, top_k=50)}


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    corpus = Corpus(tmp_path, monkeypatch)
    for name, text in TEXTS.items():
        (corpus.folder / name).write_text(text)
    corpus.add()
    return corpus


def no_process(sandbox: Sandbox, data: bytes, name: str) -> None:
    raise AssertionError(f"a process was started for {name}")


def test_an_unchanged_folder_costs_nothing_but_its_hashes(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    (corpus.folder / "bad.txt").write_bytes(b"a\0b")
    (corpus.folder / "bad.csv").write_bytes(b"a\0b")
    corpus.add()
    assert corpus.parsed == ["bad.csv", "bad.txt"]
    generation = corpus.open().info.generation
    (corpus.folder / "a.txt").touch()
    monkeypatch.setattr(Sandbox, "_send", no_process)
    monkeypatch.setattr("epiqa.models.embedder.load_embedder", lambda name: pytest.fail("a model was loaded"))
    report = add_paths([corpus.folder], corpus.index)
    assert corpus.names(report.unchanged) == ["a.txt", "b.txt", "c.csv"]
    assert [(Path(path).name, reason) for path, reason in report.skipped] == [
        ("bad.csv", "is not text (it holds NUL characters)"),
        ("bad.txt", "is not text (it holds NUL characters)"),
    ]
    assert (report.added, report.replaced, report.moved, report.removed) == ((), (), (), ())
    assert (corpus.parsed, corpus.open().info.generation) == (["bad.csv", "bad.txt"], generation)
    assert report.index == corpus.open().info
    assert len(corpus.open().unread()) == 2


def test_a_newer_parser_reads_again_and_embeds_nothing_that_is_the_same(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("epiqa.ingest.documents.PARSER_VERSION", formats.PARSER_VERSION + 1)
    before = corpus.documents()
    report = corpus.add()
    assert corpus.names(report.unchanged) == sorted(TEXTS)
    assert (sorted(corpus.parsed), corpus.embedded) == (sorted(TEXTS), [])
    assert corpus.documents() == before


def test_a_moved_file_keeps_its_document_and_nothing_is_read(corpus: Corpus) -> None:
    before = corpus.documents()
    (corpus.folder / "sub").mkdir()
    (corpus.folder / "a.txt").rename(corpus.folder / "sub" / "z.txt")
    (corpus.folder / "c.csv").rename(corpus.folder / "heads.csv")
    report = corpus.add()
    assert [tuple(corpus.names(pair)) for pair in report.moved] == [("c.csv", "heads.csv"), ("a.txt", "sub/z.txt")]
    assert corpus.names(report.unchanged) == ["b.txt"]
    assert (report.added, report.replaced, report.removed, report.notes) == ((), (), (), ())
    assert (corpus.parsed, corpus.embedded) == ([], [])
    after = corpus.documents()
    assert {name: info.id for name, info in after.items()} == {
        "sub/z.txt": before["a.txt"].id,
        "b.txt": before["b.txt"].id,
        "heads.csv": before["c.csv"].id,
    }
    assert (after["sub/z.txt"].title, after["heads.csv"].title) == ("Beds", "heads")
    qa = corpus.open()
    assert [p.title for p in qa.search("heads", method="lexical")] == ["heads"]
    assert qa.search("c", method="lexical", rewrite=False) == []
    assert corpus.names(corpus.add().unchanged) == ["b.txt", "heads.csv", "sub/z.txt"]


def test_a_file_that_moved_from_elsewhere_is_known(corpus: Corpus, tmp_path: Path) -> None:
    before = corpus.documents()["a.txt"].id
    (tmp_path / "other").mkdir()
    moved = (corpus.folder / "a.txt").rename(tmp_path / "other" / "a.txt")
    report = corpus.add(moved)
    assert report.moved == ((str(corpus.folder / "a.txt"), str(moved)),)
    assert {info.path: info.id for info in corpus.open().documents()}[str(moved)] == before


def test_the_same_content_is_indexed_once_under_both_paths(corpus: Corpus) -> None:
    (corpus.folder / "copy.txt").write_text(TEXTS["a.txt"])
    report = corpus.add()
    copy = str(corpus.folder / "copy.txt")
    assert report.added == (copy,)
    assert report.notes == ((copy, f"has the same content as {corpus.folder / 'a.txt'}: it is indexed once"),)
    assert (corpus.parsed, corpus.embedded) == ([], [])
    info = corpus.documents()["a.txt"]
    assert (info.also, len(corpus.documents())) == ((copy,), 3)
    qa = corpus.open()
    for within in (
        Filter(paths=("copy*",)),
        Filter(documents=("copy.txt",)),
        Filter(documents=(copy,)),
        Filter(paths=("a.*",)),
        Filter(documents=(info.id,)),
    ):
        assert [p.document_id for p in qa.search("beds", within=within)] == [info.id]


def test_new_copies_are_embedded_once(corpus: Corpus) -> None:
    corpus.write(
        x_txt="Ferries\n\nFerries sail.", y_txt="Ferries\n\nFerries sail.", z_txt="Ferries\r\n\r\nFerries sail."
    )
    report = corpus.add()
    assert corpus.names(report.added) == ["x.txt", "y.txt", "z.txt"]
    assert len(corpus.embedded) == 1
    assert corpus.names(corpus.documents()["x.txt"].also) == ["y.txt", "z.txt"]


def test_a_document_stays_under_the_path_of_its_copy(corpus: Corpus) -> None:
    original, copy = corpus.folder / "a.txt", corpus.folder / "copy.txt"
    copy.write_text(TEXTS["a.txt"])
    corpus.add()
    before = corpus.documents()["a.txt"].id
    original.unlink()
    report = corpus.add(prune=True)
    assert (report.removed, report.moved) == ((str(original),), ())
    assert (corpus.documents()["copy.txt"].id, corpus.documents()["copy.txt"].also) == (before, ())
    assert corpus.embedded == []


def test_one_of_two_copies_changes(corpus: Corpus) -> None:
    original, copy = corpus.folder / "a.txt", corpus.folder / "copy.txt"
    copy.write_text(TEXTS["a.txt"])
    corpus.add()
    before = corpus.documents()["a.txt"].id
    original.write_text("Beds\n\nThere are fifty beds.")
    report = corpus.add()
    assert (report.replaced, report.added) == ((str(original),), ())
    after = corpus.documents()
    assert (after["copy.txt"].id, after["copy.txt"].also) == (before, ())
    assert corpus.texts()["a.txt"] == "Beds\n\nThere are fifty beds."
    copy.write_text("Beds\n\nThere are fifty beds.")
    corpus.add()
    assert not any("forty" in quote for quote in corpus.found("forty beds"))
    assert corpus.names(corpus.documents()["a.txt"].also) == ["copy.txt"]


def test_two_files_change_places(corpus: Corpus) -> None:
    a, b = corpus.folder / "a.txt", corpus.folder / "b.txt"
    before = corpus.documents()
    a.write_text(TEXTS["b.txt"])
    b.write_text(TEXTS["a.txt"])
    report = corpus.add()
    assert sorted(report.moved) == [(str(a), str(b)), (str(b), str(a))]
    assert (report.added, report.replaced, report.removed) == ((), (), ())
    assert (corpus.parsed, corpus.embedded) == ([], [])
    after = corpus.documents()
    assert (after["a.txt"].id, after["b.txt"].id) == (before["b.txt"].id, before["a.txt"].id)
    assert corpus.texts()["a.txt"] == TEXTS["b.txt"]


def test_a_file_moves_and_another_takes_its_path(corpus: Corpus) -> None:
    before = corpus.documents()["a.txt"].id
    (corpus.folder / "a.txt").rename(corpus.folder / "old.txt")
    corpus.write(a_txt="Beds\n\nThere are fifty beds.")
    report = corpus.add()
    assert [tuple(corpus.names(pair)) for pair in report.moved] == [("a.txt", "old.txt")]
    assert (corpus.names(report.added), report.replaced) == (["a.txt"], ())
    assert corpus.documents()["old.txt"].id == before
    assert len(corpus.documents()) == 4


def test_a_file_that_moves_over_another_replaces_it(corpus: Corpus) -> None:
    before = corpus.documents()["a.txt"].id
    (corpus.folder / "a.txt").replace(corpus.folder / "b.txt")
    report = corpus.add()
    assert [tuple(corpus.names(pair)) for pair in report.moved] == [("a.txt", "b.txt")]
    assert corpus.names(report.replaced) == ["b.txt"]
    assert corpus.documents()["b.txt"].id == before
    assert not any("Masks" in quote for quote in corpus.found("masks are worn"))


def test_a_moved_document_does_not_give_its_id_to_another_text(corpus: Corpus) -> None:
    lines = corpus.folder / "l.jsonl"
    lines.write_text('{"text": "Same text.", "title": "One"}\n')
    corpus.add()
    before = corpus.documents()["l.jsonl#1"].id
    lines.rename(corpus.folder / "m.jsonl")
    lines.write_text('{"text": "Same text.", "title": "Two"}\n')
    corpus.add()
    after = corpus.documents()
    assert (after["m.jsonl#1"].id, after["m.jsonl#1"].title) == (before, "One")
    assert (after["l.jsonl#1"].id != before, after["l.jsonl#1"].title) == (True, "Two")


def test_lines_of_a_table_of_documents_keep_their_identity(corpus: Corpus) -> None:
    lines = corpus.folder / "l.jsonl"
    lines.write_text("".join(json.dumps({"text": f"Line {n} of it."}) + "\n" for n in range(3)))
    corpus.add()
    before = corpus.documents()
    lines.write_text(json.dumps({"text": "A new line."}) + "\n" + lines.read_text())
    report = corpus.add()
    assert corpus.names(report.added) == ["l.jsonl#1"]
    assert [tuple(corpus.names(pair)) for pair in report.moved] == [
        ("l.jsonl#1", "l.jsonl#2"),
        ("l.jsonl#2", "l.jsonl#3"),
        ("l.jsonl#3", "l.jsonl#4"),
    ]
    assert [text.partition("\n")[2] or text for text in corpus.embedded] == ["A new line."]
    assert corpus.documents()["l.jsonl#4"].id == before["l.jsonl#3"].id


def make_zip(path: Path, texts: dict[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in texts.items():
            archive.writestr(name, text)


def test_members_of_archives_are_moved_copied_and_removed(corpus: Corpus) -> None:
    old = corpus.folder / "old.zip"
    make_zip(old, {"x.txt": "Ferries sail.", "y.txt": TEXTS["a.txt"], "n.bin": "none"})
    report = corpus.add()
    assert sorted(corpus.names(report.added)) == ["old.zip/x.txt", "old.zip/y.txt"]
    assert corpus.names(corpus.documents()["a.txt"].also) == ["old.zip/y.txt"]
    before = corpus.documents()["old.zip/x.txt"].id
    new = old.rename(corpus.folder / "new.zip")
    report = corpus.add()
    assert sorted(report.moved) == [(f"{old}/x.txt", f"{new}/x.txt"), (f"{old}/y.txt", f"{new}/y.txt")]
    assert [path for path, _ in report.skipped] == [f"{new}/n.bin"] == [path for path, _ in corpus.open().unread()]
    assert corpus.documents()["new.zip/x.txt"].id == before
    assert (corpus.parsed, corpus.embedded) == ([], [])
    (corpus.folder / "a.txt").unlink()
    assert corpus.names(corpus.add(prune=True).removed) == ["a.txt"]
    assert corpus.documents()["new.zip/y.txt"].also == ()
    make_zip(new, {"renamed.txt": "Ferries sail."})
    report = corpus.add()
    assert [tuple(corpus.names(pair)) for pair in report.moved] == [("new.zip/x.txt", "new.zip/renamed.txt")]
    assert corpus.names(report.removed) == ["new.zip/y.txt"]
    assert (corpus.documents()["new.zip/renamed.txt"].id, corpus.embedded) == (before, [])
    new.unlink()
    assert corpus.names(corpus.add(prune=True).removed) == ["new.zip/renamed.txt"]
    assert corpus.open().unread() == []
    assert corpus.found("ferries sail forty beds") == {TEXTS["b.txt"], "| town | head |\n| town: X | head: Lee |"}


def test_prune_removes_what_is_gone_within_the_paths_alone(corpus: Corpus, tmp_path: Path) -> None:
    other = tmp_path / "docs2"  # begins with the folder's name
    other.mkdir()
    (other / "o.txt").write_text("Other")
    (corpus.folder / "sub").mkdir()
    (corpus.folder / "sub" / "s.txt").write_text("Sub")
    corpus.add(corpus.folder, other)
    (other / "o.txt").unlink()
    (corpus.folder / "a.txt").unlink()
    (corpus.folder / "sub" / "s.txt").unlink()
    (corpus.folder / "sub").rmdir()
    assert corpus.add().removed == ()
    assert corpus.names(corpus.add(prune=True).removed) == ["a.txt", "sub/s.txt"]
    assert {info.path for info in corpus.open().documents()} == {
        str(other / "o.txt"),
        *(str(corpus.folder / name) for name in ("b.txt", "c.csv")),
    }
    assert not any("forty" in quote for quote in corpus.found("forty beds"))


def test_prune_with_patterns_lists_and_from_python(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.txt", "c.csv"):
        (corpus.folder / name).unlink()
    assert corpus.add(corpus.folder / "b.txt", prune=True).removed == ()  # a list names what is to be read
    monkeypatch.chdir(tmp_path)
    (corpus.folder / "d.csv").write_text("x,y\n")
    assert corpus.names(corpus.add("**/*.csv", prune=True).removed) == ["c.csv"]
    qa = corpus.open()
    assert qa.add(corpus.folder, prune=True).removed == (str(corpus.folder / "a.txt"),)
    assert len(qa.documents()) == 2


def test_prune_refuses_what_may_be_out_of_reach(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "m.txt").write_text("More")
    with pytest.raises(EpiQAError, match=r"no such file or folder\. Nothing was changed"):
        corpus.add(corpus.folder, tmp_path / "none", prune=True)
    with pytest.raises(EpiQAError, match=r"no such file or folder\. Nothing was changed"):
        corpus.add(tmp_path / "none" / "*.txt", prune=True)
    for name in TEXTS:
        (corpus.folder / name).unlink()
    (corpus.folder / "folder").mkdir()
    with pytest.raises(EpiQAError, match=r"none of the files that were read is there\. Nothing was changed"):
        corpus.add(tmp_path / "more", corpus.folder, prune=True)
    with pytest.raises(EpiQAError, match="none of the files that were read is there"):
        corpus.add(str(corpus.folder / "*.csv"), prune=True)
    assert sorted(corpus.documents()) == sorted(TEXTS)
    assert sorted(Path(path).name for path in corpus.add(tmp_path, prune=True).removed) == sorted(TEXTS)


def test_a_file_that_cannot_be_opened_keeps_its_document(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    path = corpus.folder / "a.txt"
    before = corpus.documents()["a.txt"]
    opened = documents._bytes

    def refused(file: Path, name: str) -> bytes:
        if file == path:
            raise IngestError(name, "Permission denied", may_pass=True)
        return opened(file, name)

    monkeypatch.setattr(documents, "_bytes", refused)
    assert corpus.add(prune=True).skipped == ((str(path), "Permission denied"),)
    assert corpus.open().unread() == [(str(path), "Permission denied")]
    assert corpus.documents()["a.txt"] == before
    monkeypatch.undo()
    report = add_paths([corpus.folder], corpus.index, UpdateOptions(embedder=WordEmbedder()))
    assert str(path) in report.unchanged
    assert (corpus.open().unread(), corpus.documents()["a.txt"]) == ([], before)


def test_a_removed_document_comes_back_when_its_file_is_indexed_again(corpus: Corpus) -> None:
    corpus.open().remove(corpus.documents()["a.txt"].id)
    assert sorted(corpus.documents()) == ["b.txt", "c.csv"]
    assert corpus.names(corpus.add().added) == ["a.txt"]
    assert corpus.parsed == ["a.txt"]


def test_an_unread_file_is_taken_off_the_list_until_it_is_met_again(corpus: Corpus) -> None:
    bad, row = corpus.folder / "bad.txt", "is not text (it holds NUL characters)"
    bad.write_bytes(b"a\0b")
    corpus.add()
    qa = corpus.open()
    assert qa.unread() == [(str(bad), row)]
    qa.remove(str(bad))
    assert (qa.unread(), qa.info.unread, verify(corpus.index).unread) == ([], 0, 0)
    assert sorted(corpus.documents()) == sorted(TEXTS)
    assert corpus.add().skipped == ((str(bad), row),)  # it is still in the folder
    bad.unlink()
    corpus.add()
    assert corpus.open().unread() == [(str(bad), row)]
    corpus.open().remove(f"{corpus.folder}/./bad.txt")
    assert (corpus.add().skipped, corpus.open().unread()) == ((), [])
    with pytest.raises(EpiQAError, match=r"there is no document '.*bad\.txt' in .*, nor a file of that path"):
        corpus.open().remove(str(bad))


def test_taking_a_part_of_a_container_off_the_list_leaves_the_rest(corpus: Corpus) -> None:
    path = corpus.folder / "z.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "Harbours\n\nThe harbour is open.")
        archive.writestr("x.txt", b"a\0b")
        archive.writestr("y.png", b"picture")
    corpus.add()
    before = corpus.documents()
    corpus.open().remove(f"{path}/x.txt")
    assert [file for file, _ in corpus.open().unread()] == [f"{path}/y.png"]
    assert corpus.documents() == before
    assert {file for file, _ in corpus.add().skipped} == {f"{path}/x.txt", f"{path}/y.png"}
    assert corpus.documents() == before


def test_python_prunes_and_builds_anew_as_the_shell_does(corpus: Corpus, caplog: pytest.LogCaptureFixture) -> None:
    (corpus.folder / "a.txt").unlink()

    def build(*, prune: bool = False, rebuild: bool = False) -> int:
        qa = EpiQA.build(
            [corpus.folder],
            corpus.index,
            embedder=WordEmbedder(),
            reader=KeywordReader(),
            prune=prune,
            rebuild=rebuild,
        )
        return len(qa.documents())

    assert (build(), build(prune=True)) == (3, 2)
    (corpus.index / "CURRENT").write_text("g000009\n")
    with pytest.raises(IndexDamagedError, match="--rebuild"):
        build()
    with caplog.at_level("WARNING", "epiqa"):
        assert build(rebuild=True) == 2
    (aside,) = corpus.index.glob("set-aside-*")
    assert f"the old index lies in {aside}" in caplog.text
    assert (aside / "CURRENT").read_text() == "g000009\n"


def test_python_asks_for_text_recognition_as_the_shell_does(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for call in (
        lambda: EpiQA.build([corpus.folder], corpus.index, ocr=True),
        lambda: corpus.open().add([corpus.folder], ocr=True),
    ):
        with pytest.raises(EpiQAError, match="needs the program tesseract"):
            call()


def test_what_is_stored_is_kept_when_it_is_stopped_and_not_read_again(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("epiqa.sync.updater.EMBED_CHUNKS", 4)
    monkeypatch.setattr("epiqa.sync.updater.CHECKPOINT_S", 0.0)
    for n in range(9):
        corpus.write(**{f"n{n}_txt": f"Number {n}\n\nThis is number {n}."})
    (corpus.folder / "l.jsonl").write_text("".join(json.dumps({"text": f"Line {n}."}) + "\n" for n in range(10)))
    embedder = WordEmbedder()
    report = add_paths(
        [corpus.folder],
        corpus.index,
        UpdateOptions(embedder=embedder, should_stop=lambda: len(embedder.encoded) >= 8),
    )
    assert (report.left, len(report.added)) == (10, 8)
    assert len(corpus.documents()) == 3 + 8
    assert verify(corpus.index).generation == report.index.generation if report.index else False
    report = corpus.add()
    assert (report.left, len(corpus.embedded)) == (0, 19 - 8)
    assert len(report.unchanged) == 3 + 8
    assert len(corpus.documents()) == 3 + 19


def test_a_long_run_becomes_visible_bit_by_bit(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epiqa.sync.updater.EMBED_CHUNKS", 1)
    monkeypatch.setattr("epiqa.sync.updater.CHECKPOINT_S", 0.0)
    monkeypatch.setattr("epiqa.sync.updater.CHECKPOINT_SHARE", 0)
    corpus.write(x_txt="One\n\nFerries sail.", y_txt="Two\n\nTrains run.")
    seen: list[int] = []
    add_paths(
        [corpus.folder],
        corpus.index,
        UpdateOptions(
            embedder=WordEmbedder(),
            on_progress=lambda done, total, path: seen.append(corpus.open().info.documents),
        ),
    )
    assert (seen[0], seen[-1]) == (3, 5)
    assert 4 in seen
