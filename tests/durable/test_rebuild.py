"""A damaged index is set aside when the user says so, whole, and never otherwise."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from epiqa import cli
from epiqa.answering.calibration import CALIBRATION
from epiqa.errors import EpiQAError, IndexDamagedError
from epiqa.store.embedded import EmbeddedReader, EmbeddedWriter, publishing, verify
from epiqa.sync.operations import add_paths, verify_index
from epiqa.sync.options import UpdateOptions
from fakes import WordEmbedder, query_terms
from turns import change, commit, whole_turn

OLD, NEW = "Masks were handed out at the harbour.", "Schools reopen in March."


def tree(directory: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(directory.rglob("*")) if path.name != "LOCK"]
    return {str(path.relative_to(directory)): path.read_bytes() if path.is_file() else b"" for path in paths}


def cut(name: str) -> Callable[[Path], None]:
    def cut_file(directory: Path) -> None:
        (path,) = directory.rglob(name)
        path.write_bytes(path.read_bytes()[:-9])

    return cut_file


def lose_current(directory: Path) -> None:
    (directory / "CURRENT").unlink()


def lose_all_but_text(directory: Path) -> None:
    lose_current(directory)
    for name in ("manifest.json", "catalogue.sqlite", "vectors-0.faiss"):
        (path,) = directory.rglob(name)
        path.unlink()


def leave_sound(directory: Path) -> None:
    assert whole_turn(directory) == 2


STATES = [
    cut("catalogue.sqlite"),
    cut("text-0.sqlite"),
    cut("manifest.json"),
    cut("CURRENT"),
    lose_current,
    lose_all_but_text,
    leave_sound,
]


@pytest.fixture
def directory(memory_path: Path) -> Path:
    for turn in (1, 2):
        commit(memory_path / "index", turn)
    (memory_path / "index" / CALIBRATION).write_text("the user's own")
    return memory_path / "index"


@pytest.mark.parametrize("harm", STATES)
def test_a_rebuild_keeps_what_was_there_whole(directory: Path, harm: Callable[[Path], None]) -> None:
    harm(directory)
    before = tree(directory)
    for again in (1, 2):
        with EmbeddedWriter(directory, rebuild=True) as writer:
            change(writer, 5)
            writer.commit()
        assert whole_turn(directory) == 5
        assert (directory / CALIBRATION).read_text() == "the user's own"
        assert len(list(directory.glob("set-aside-*"))) == again
        if again == 1:
            assert writer.set_aside is not None
            assert tree(writer.set_aside) == {name: data for name, data in before.items() if name != CALIBRATION}


@pytest.mark.parametrize("harm", STATES)
def test_a_rebuild_that_is_not_finished_puts_all_back(directory: Path, harm: Callable[[Path], None]) -> None:
    harm(directory)
    before = tree(directory)

    def fail() -> None:
        with EmbeddedWriter(directory, rebuild=True) as writer:
            change(writer, 5)
            assert writer.set_aside is not None and writer.set_aside.exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert tree(directory) == before


def test_a_rebuild_that_is_cut_off_half_way_can_be_done_again(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(directory)
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "GENERATIONS", "elsewhere")  # so CURRENT alone is moved
        publishing.set_aside(directory)
    with pytest.raises(IndexDamagedError, match="CURRENT is missing"):
        EmbeddedReader.open(directory)
    with EmbeddedWriter(directory, rebuild=True) as writer:
        change(writer, 5)
        writer.commit()
    assert whole_turn(directory) == 5
    kept = [data for folder in directory.glob("set-aside-*") for data in tree(folder).values()]
    assert sorted(data for name, data in before.items() if name != CALIBRATION) == sorted(kept)


def test_there_is_nothing_to_set_aside_of_a_new_index(memory_path: Path) -> None:
    directory = memory_path / "new"
    with EmbeddedWriter(directory, rebuild=True) as writer:
        assert writer.set_aside is None
    with EmbeddedWriter(directory, rebuild=True) as writer:
        assert writer.set_aside is None
        change(writer, 1)
        writer.commit()
    assert sorted(path.name for path in directory.iterdir()) == ["CURRENT", "LOCK", "generations"]
    assert whole_turn(directory) == 1


def test_only_rebuild_sets_a_damaged_index_aside(memory_path: Path) -> None:
    file, directory = memory_path / "notice.txt", memory_path / "index"
    file.write_text(OLD)
    add_paths(file, directory, UpdateOptions(embedder=WordEmbedder()))
    (vectors,) = directory.rglob("vectors-0.faiss")
    vectors.write_bytes(b"")
    before = tree(directory)
    file.write_text(NEW)
    with pytest.raises(IndexDamagedError, match=r"g000001/vectors-0\.faiss .*Nothing was deleted.* --rebuild$"):
        add_paths(file, directory, UpdateOptions(embedder=WordEmbedder()))
    with pytest.raises(EpiQAError, match="nothing was indexed"):
        add_paths(memory_path / "none.txt", directory, UpdateOptions(embedder=WordEmbedder(), rebuild=True))
    (memory_path / "empty.txt").touch()
    with pytest.raises(EpiQAError, match="nothing was indexed"):
        add_paths(memory_path / "empty.txt", directory, UpdateOptions(embedder=WordEmbedder(), rebuild=True))
    assert tree(directory) == before
    report = add_paths(file, directory, UpdateOptions(embedder=WordEmbedder(), rebuild=True))
    assert report.set_aside is not None and tree(Path(report.set_aside)) == before
    assert verify_index(directory).documents == 1
    with closing(EmbeddedReader.open(directory)) as index:
        assert [index.text(document.id) for document in index.documents()] == [NEW]


def test_text_that_is_damaged_while_it_is_open_is_an_error_of_ours(directory: Path) -> None:
    with closing(EmbeddedReader.open(directory)) as index:
        for path in directory.rglob("*.sqlite"):
            path.write_bytes(bytes(path.stat().st_size))  # in place: the open file is the same
        for look in (
            index.documents,
            lambda: index.search_words(query_terms("masks"), 5),
            lambda: index.text("0.txt"),
        ):
            with pytest.raises(IndexDamagedError, match=r"g000002: .*--rebuild"):
                look()


def test_the_command_rebuilds_and_says_where_the_old_index_lies(
    memory_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, directory = memory_path / "notice.txt", memory_path / "index"
    file.write_text(OLD)
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def epiqa(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["epiqa", *map(str, arguments), "--index", str(directory)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return (int(caught.value.code or 0), *capsys.readouterr())

    assert epiqa("index", file)[0] == 0
    (directory / "CURRENT").write_text("x")
    code, out, err = epiqa("index", file)
    assert (code, out) == (3, "")
    assert err.strip().endswith(f"build it anew: epiqa index PATH… --index {directory} --rebuild")
    code, out, err = epiqa("index", file, "--rebuild")
    (aside,) = directory.glob("set-aside-*")
    assert (code, err) == (0, "")
    assert f"The index that was there lies in {aside}" in out
    assert (aside / "CURRENT").read_text() == "x"
    assert verify(directory).documents == 1
