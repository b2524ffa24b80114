"""Generations under crashes, interruptions, damage and rivals: the old one or the new one, whole, or an error."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epiqa.errors import EpiQAError, IndexBusyError, IndexDamagedError, IndexFormatError, IndexMissingError
from epiqa.store.embedded import EmbeddedReader, EmbeddedWriter, generations, verify
from epiqa.store.embedded.vector_index import write_vectors
from epiqa.types import Chunk, Vectors
from fakes import WordEmbedder, make_document, query_terms

EMBEDDER = WordEmbedder()
OLD = {"a.txt": "masks were free", "b.txt": "schools closed"}
NEW = {"a.txt": "masks cost money", "c.txt": "harbours reopened"}
WORDS = sorted({word for text in [*OLD.values(), *NEW.values()] for word in text.split()})

# One child process forks a grandchild for every moment of a commit. A moment is a line of the store about
# to run for the first time, a file half written, or a folder half removed; there the grandchild dies or is
# interrupted.
MOMENTS = """
import itertools, os, shutil, sys
from pathlib import Path
import epiqa.store.embedded
from fakes import WordEmbedder, make_document
from epiqa.types import Chunk

root, how = Path(sys.argv[1]), sys.argv[2]
package = os.path.dirname(epiqa.store.embedded.__file__)
left = 0
seen = set()

def tick():
    global left
    left -= 1
    if left == 0:
        if how == "exit":
            os._exit(9)
        raise KeyboardInterrupt

def trace(frame, event, argument):
    if not frame.f_code.co_filename.startswith(package):
        return None
    if event == "line":
        line = frame.f_code.co_filename, frame.f_lineno
        if line not in seen:
            seen.add(line)
            tick()
    return trace

def halved(write):
    def write_twice(path, data, *rest, **options):
        write(path, data[: len(data) // 2], *rest, **options)
        tick()
        return write(path, data, *rest, **options)
    return write_twice

def copy_twice(source, target):
    Path(target).write_bytes(Path(source).read_bytes())

def remove_slowly(folder, ignore_errors=False):
    for path in sorted(Path(folder).iterdir()):
        path.unlink()
        tick()
    Path(folder).rmdir()

def commit(directory):
    embedder = WordEmbedder()
    with epiqa.store.embedded.EmbeddedWriter(directory) as writer:
        writer.remove("b.txt")
        for path, text in (("a.txt", "masks cost money"), ("c.txt", "harbours reopened")):
            document = make_document(text, path=path)
            writer.add(document, [Chunk(path, 0, len(text), text)], embedder.encode([text]))
        writer.commit()

for moment in itertools.count(1):
    directory = root / f"{moment:04d}"
    shutil.copytree(root / "base", directory)
    child = os.fork()
    if child == 0:
        Path.write_bytes = halved(Path.write_bytes)
        shutil.copyfile, shutil.rmtree = copy_twice, remove_slowly
        left = moment
        sys.settrace(trace)
        try:
            commit(directory)
        except KeyboardInterrupt:
            os._exit(9)
        except BaseException:
            sys.settrace(None)
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != 9:
        sys.exit(code)
"""

# Commits "turn 1", "turn 2", ... until it is killed, and says so after each.
ENDLESS = """
import itertools, sys
from pathlib import Path
from epiqa.store.embedded import EmbeddedWriter
from epiqa.types import Chunk
from fakes import WordEmbedder, make_document

embedder = WordEmbedder()
for turn in itertools.count(1):
    with EmbeddedWriter(Path(sys.argv[1])) as writer:
        if writer.fingerprint is None:
            writer.set_embedder(embedder)
        for path in ("a.txt", "b.txt"):
            text = f"turn{turn} of {path}"
            writer.add(make_document(text, path=path), [Chunk(path, 0, len(text), text)], embedder.encode([text]))
        writer.commit()
    print(turn, flush=True)
"""

# Holds the lock until its standard input ends, then commits one document.
HOLDER = """
import sys
from pathlib import Path
from epiqa.store.embedded import EmbeddedWriter
from epiqa.types import Chunk
from fakes import WordEmbedder, make_document

with EmbeddedWriter(Path(sys.argv[1])) as writer:
    print("locked", flush=True)
    sys.stdin.read()
    text = "written by the other process"
    document = make_document(text, path="o.txt")
    writer.add(document, [Chunk("o.txt", 0, len(text), text)], WordEmbedder().encode([text]))
    writer.commit()
"""


def put(writer: EmbeddedWriter, path: str, text: str) -> None:
    writer.add(make_document(text, path=path), [Chunk(path, 0, len(text), text)], EMBEDDER.encode([text]))


def write(directory: Path, texts: Mapping[str, str]) -> None:
    """Adds or replaces documents, each one chunk, and commits."""
    with EmbeddedWriter(directory) as writer:
        if writer.fingerprint is None:
            writer.set_embedder(EMBEDDER)
        for path, text in texts.items():
            put(writer, path, text)
        writer.commit()


def contents(directory: Path) -> dict[str, str]:
    """Returns the texts by path, after checking that chunks, vectors and words say the same."""
    info = verify(directory)
    with closing(EmbeddedReader.open(directory)) as index:
        texts = {document.path: index.text(document.id) or "" for document in index.documents()}
        assert (info, info.documents, info.chunks) == (index.info, len(texts), len(texts))
        for path, text in texts.items():
            (number, cosine), *_ = index.search_vector(EMBEDDER.encode([text])[0], 1)
            assert index.fetch([number])[number].path == path
            assert cosine == pytest.approx(1.0)
        for word in WORDS:
            numbers = [number for number, _ in index.search_words(query_terms(word), 10)]
            found = {passage.path for passage in index.fetch(numbers).values()}
            assert found == {path for path, text in texts.items() if word in text.split()}
    return texts


def tree(directory: Path) -> dict[str, bytes]:
    """Returns every file but the lock, by its path."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else b""
        for path in sorted(directory.rglob("*"))
        if path.name != "LOCK"
    }


def generation_names(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "generations").iterdir())


def child(script: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """An index of OLD whose live generation is the second."""
    path = tmp_path / "index"
    write(path, {"a.txt": OLD["a.txt"]})
    write(path, {"b.txt": OLD["b.txt"]})
    return path


def run_moments(root: Path, how: str) -> list[Path]:
    """Returns the copies of an index of OLD, each cut off at a moment of the commit of NEW; the last was not."""
    base = root / "base"
    write(base, {"a.txt": OLD["a.txt"]})
    write(base, {"b.txt": OLD["b.txt"]})
    leftover = base / "generations" / "g000003"
    leftover.mkdir()
    (leftover / "text-0.sqlite").write_bytes(b"half of a")
    (base / "CURRENT.next").write_text("g0000")
    with child(MOMENTS, root, how) as process:
        process.communicate(timeout=120)
    assert process.returncode == 0
    return sorted(path for path in root.iterdir() if path.name != "base")


def assert_old_then_new(copies: list[Path]) -> list[dict[str, str]]:
    """Asserts that every copy is whole, and that NEW, once live, is live at every later moment; returns them."""
    assert len(copies) > 100
    states = [contents(copy) for copy in copies]
    switch = states.index(NEW)
    assert 1 < switch < len(states) - 1
    assert states == [OLD] * switch + [NEW] * (len(states) - switch)
    return states


def test_killed_at_any_moment_old_or_new_is_whole_and_the_next_writer_cleans_up(tmp_path: Path) -> None:
    copies = run_moments(tmp_path, "exit")
    states = assert_old_then_new(copies)
    for copy, before in zip(copies, states, strict=True):
        write(copy, {"d.txt": "ferries sail"})
        assert contents(copy) == before | {"d.txt": "ferries sail"}
        number = 4 if before == NEW else 3
        assert generation_names(copy) == [f"g{number:06d}"]
        assert sorted(path.name for path in copy.iterdir()) == ["CURRENT", "LOCK", "generations"]


def test_interrupted_at_any_moment_old_or_new_is_whole(tmp_path: Path) -> None:
    assert_old_then_new(run_moments(tmp_path, "interrupt"))


def test_a_killed_process_loses_no_commit_and_no_lock(tmp_path: Path) -> None:
    chooser = random.Random(5)
    for round_ in range(3):
        directory = tmp_path / str(round_)
        with child(ENDLESS, directory) as process:
            assert process.stdout is not None
            while int(process.stdout.readline()) < 3:
                pass
            time.sleep(chooser.uniform(0, 0.05))
            process.kill()
            last = int(([*process.stdout.read().split(), "3"])[-2:][0])
        texts = contents(directory)
        turn = int(texts["a.txt"].split()[0].removeprefix("turn"))
        assert texts == {path: f"turn{turn} of {path}" for path in ("a.txt", "b.txt")}
        assert turn >= last
        with EmbeddedWriter(directory, lock_timeout_s=0) as writer:
            put(writer, "c.txt", "harbours reopened")
            writer.commit()
        assert contents(directory) == texts | {"c.txt": "harbours reopened"}


def test_without_commit_nothing_changes(directory: Path) -> None:
    before = tree(directory)
    with EmbeddedWriter(directory) as writer:
        put(writer, "a.txt", NEW["a.txt"])
        writer.remove("b.txt")
    assert tree(directory) == before
    assert contents(directory) == OLD


def test_an_exception_inside_the_writer_changes_nothing_and_frees_the_lock(directory: Path) -> None:
    before = tree(directory)

    def break_midway() -> None:
        with EmbeddedWriter(directory) as writer:
            put(writer, "c.txt", NEW["c.txt"])
            raise RuntimeError("the model broke")

    with pytest.raises(RuntimeError, match="the model broke"):
        break_midway()
    assert tree(directory) == before
    write(directory, {"c.txt": NEW["c.txt"]})
    assert contents(directory) == OLD | {"c.txt": NEW["c.txt"]}


def test_a_first_writer_without_commit_makes_no_index(tmp_path: Path) -> None:
    with EmbeddedWriter(tmp_path / "new") as writer:
        writer.set_embedder(EMBEDDER)
        put(writer, "a.txt", OLD["a.txt"])
    assert tree(tmp_path / "new") == {"CURRENT": b"g000000\n", "generations": b""}
    with pytest.raises(IndexMissingError):
        EmbeddedReader.open(tmp_path / "new")


def test_an_open_index_keeps_answering_from_its_generation(directory: Path) -> None:
    with closing(EmbeddedReader.open(directory)) as index:
        write(directory, NEW)
        write(directory, {"b.txt": "nothing of before"})
        write(directory, {"a.txt": "nothing of before either"})
        assert generation_names(directory) == ["g000005"]
        assert index.info.generation == "g000002"
        assert {document.path: index.text(document.id) for document in index.documents()} == OLD
        for path, text in OLD.items():
            (number, _), *_ = index.search_vector(EMBEDDER.encode([text])[0], 1)
            assert [found for found, _ in index.search_words(query_terms(text.split()[0]), 5)] == [number]
            assert (index.fetch([number])[number].path, index.fetch([number])[number].quote) == (path, text)
        assert index.search_words(query_terms("cost"), 5) == []
        assert len(index.search_vector(EMBEDDER.encode(["masks"])[0], 10)) == 2


def test_opening_while_the_generation_is_collected_opens_the_next(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_file = generations.check_file

    def commit_meanwhile(*arguments: Any) -> None:
        monkeypatch.setattr(generations, "check_file", check_file)
        write(directory, {"c.txt": "first"})
        write(directory, {"c.txt": NEW["c.txt"]})
        check_file(*arguments)

    monkeypatch.setattr(generations, "check_file", commit_meanwhile)
    with closing(EmbeddedReader.open(directory)) as index:
        assert index.info.generation == "g000004"
        assert index.text("c.txt") == NEW["c.txt"]


def test_one_open_index_serves_several_threads(directory: Path) -> None:
    wrong: list[object] = []

    def search(index: EmbeddedReader) -> None:
        for _ in range(50):
            for path, text in OLD.items():
                numbers = [number for number, _ in index.search_words(query_terms(text.split()[0]), 5)]
                quotes = [passage.quote for passage in index.fetch(numbers).values()]
                if quotes != [text] or index.text(path) != text:
                    wrong.append((path, quotes))

    with closing(EmbeddedReader.open(directory)) as index:
        threads = [threading.Thread(target=search, args=(index,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert wrong == []


def damage_flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def damage_truncate(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])


def damage_replace(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(5000))


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


def damage_to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


PARTS = ("catalogue.sqlite", "text-0.sqlite", "vectors-0.faiss")
FILES = ["CURRENT", *(f"generations/g000002/{name}" for name in ("manifest.json", *PARTS))]
DAMAGES = [damage_flip, damage_truncate, damage_replace, damage_empty, damage_to_folder, Path.unlink]


def enter(directory: Path) -> None:
    with EmbeddedWriter(directory, lock_timeout_s=0):
        pass


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.removeprefix("damage_"))
@pytest.mark.parametrize("name", FILES)
def test_damage_is_named_and_deletes_nothing(directory: Path, name: str, damage: Callable[[Path], None]) -> None:
    damage(directory / name)
    before = tree(directory)
    for look in (EmbeddedReader.open, verify, enter):
        with pytest.raises(IndexDamagedError) as caught:
            look(directory)
        assert caught.value.exit_code == 3
        assert str(directory) in str(caught.value)
        assert Path(name).name in str(caught.value)
        assert "Nothing was deleted" in str(caught.value)
        assert tree(directory) == before


@pytest.mark.parametrize("name", FILES)
def test_no_flipped_byte_goes_unseen(directory: Path, name: str) -> None:
    path = directory / name
    whole = path.read_bytes()
    chooser = random.Random(2)
    places = range(len(whole)) if len(whole) < 100 else chooser.sample(range(len(whole)), 60)
    for place in places:
        for bit in (1, 0x20, 0x80):
            data = bytearray(whole)
            data[place] ^= bit
            path.write_bytes(data)
            with pytest.raises(IndexDamagedError):
                EmbeddedReader.open(directory)
    path.write_bytes(whole)
    assert contents(directory) == OLD


def test_an_older_generation_cannot_pass_for_the_live_one(directory: Path) -> None:
    write(directory / "older", {"a.txt": OLD["a.txt"]})
    (directory / "older" / "generations" / "g000001").rename(directory / "generations" / "g000001")
    current = directory / "CURRENT"
    current.write_text(current.read_text().replace("g000002", "g000001"))
    with pytest.raises(IndexDamagedError, match=r"g000001/manifest\.json is not the one"):
        EmbeddedReader.open(directory)


def forge(
    directory: Path,
    *,
    sql: str = "",
    segment_sql: str = "",
    manifest: Mapping[str, object] | None = None,
    vectors: bytes | Vectors | None = None,
    text: bytes | None = None,
) -> None:
    """Changes the live generation and makes every checksum fit again."""
    folder = directory / "generations" / "g000002"
    for name, script in (("catalogue.sqlite", sql), ("text-0.sqlite", segment_sql)):
        with closing(sqlite3.connect(folder / name)) as connection:
            connection.executescript(script)
    if isinstance(vectors, bytes):
        (folder / "vectors-0.faiss").write_bytes(vectors)
    elif vectors is not None:
        write_vectors(
            folder / "vectors-0.faiss", 64, len(vectors), lambda: iter([(np.arange(len(vectors)), vectors)])
        )
    if text is not None:
        (folder / "text-0.sqlite").write_bytes(text)
    fields = json.loads((folder / "manifest.json").read_bytes()) | (manifest or {})
    fields["files"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in fields["files"]}
    forge_manifest(directory, json.dumps(fields).encode())


def forge_manifest(directory: Path, data: bytes) -> None:
    (directory / "generations" / "g000002" / "manifest.json").write_bytes(data)
    (directory / "CURRENT").write_text(f"g000002 {hashlib.sha256(data).hexdigest()}\n")


def test_forging_alone_leaves_a_sound_index(directory: Path) -> None:
    forge(directory)
    assert contents(directory) == OLD


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("UPDATE chunks SET end = 16 WHERE number = 0", "chunk 0 is not a piece of document a.txt: from 0 to 16"),
        ("UPDATE chunks SET start = -3 WHERE number = 1", "chunk 1 .*b.txt: from -3 to 14"),
        ("UPDATE chunks SET start = 5, end = 5 WHERE number = 1", "chunk 1 .*b.txt: from 5 to 5"),
        ("UPDATE chunks SET document = 1 WHERE number = 1", "chunk 1 is of no document"),
        ("UPDATE chunks SET number = 7 WHERE number = 1", "chunk 1 is of no document"),
        ("UPDATE documents SET first = 0 WHERE id = 'b.txt'", "chunk 1 is of no document"),
        ("UPDATE documents SET first = 9 WHERE id = 'b.txt'", "chunk 1 is of no document"),
        ("UPDATE documents SET chunks = 0 WHERE id = 'b.txt'", "chunk 1 is of no document"),
        (
            "UPDATE documents SET segment = 1 WHERE id = 'b.txt'",
            "document b.txt is in segment 1, which there is not",
        ),
        ("UPDATE documents SET sha256 = digest WHERE id = 'b.txt'", "text of document b.txt cannot be read"),
        ("DELETE FROM documents WHERE id = 'b.txt'", "holds 1 documents and 2 chunks, its manifest says 2 and 2"),
        ("DELETE FROM chunks WHERE number = 1", "holds 2 documents and 1 chunks, its manifest says 2 and 2"),
        ("INSERT INTO removed VALUES (1, 1)", "chunk 1 is not a piece of document b.txt"),
        ("DROP TABLE chunks", "no such table"),
    ],
)
def test_verify_finds_what_checksums_cannot(directory: Path, sql: str, fault: str) -> None:
    forge(directory, sql=sql)
    with pytest.raises(IndexDamagedError, match=fault):
        verify(directory)


OTHER_TEXT = "UPDATE texts SET text = 'schools closes' WHERE document = 2"


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        (OTHER_TEXT, r"the text of document b\.txt cannot be read: it is not the one that was written"),
        (
            "DELETE FROM texts WHERE document = 2",
            r"the text of document b\.txt cannot be read: it is not the one that was written",
        ),
        ("UPDATE texts SET text = CAST(x'ff' AS TEXT)", r"g000002"),
        ("UPDATE lengths SET lengths = x'01000000'", "its words from chunk 0 on are those of 1 chunks, not 2"),
        ("DROP TABLE texts", "no such table"),
        ("UPDATE terms SET term = CAST(term AS BLOB)", r"g000002: 'bytes' object"),
    ],
)
def test_verify_finds_in_a_segment_what_checksums_cannot(directory: Path, sql: str, fault: str) -> None:
    forge(directory, segment_sql=sql)
    with pytest.raises(IndexDamagedError, match=fault):
        verify(directory)


def test_a_text_that_is_not_the_one_written_reaches_nobody(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "HASHED_AT_OPENING", 0)
    with closing(sqlite3.connect(directory / "generations" / "g000002" / "text-0.sqlite")) as connection:
        connection.executescript(OTHER_TEXT)
    with closing(EmbeddedReader.open(directory)) as index:
        assert index.fetch([0])[0].quote == OLD["a.txt"]
        for read in (lambda: index.text("b.txt"), lambda: index.fetch([0, 1])):
            with pytest.raises(
                IndexDamagedError, match=r"text of document b\.txt cannot be read.*Nothing was deleted"
            ):
                read()
    with pytest.raises(IndexDamagedError, match=r"text-0\.sqlite is not the file that was written"):
        verify(directory)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE terms SET rows = x'ffffff7f'",
        "UPDATE terms SET rows = x'00000080'",
        "UPDATE terms SET rows = x'010203'",
        "UPDATE terms SET counts = x''",
        "DROP TABLE terms",
    ],
)
def test_damaged_words_are_named(directory: Path, monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    monkeypatch.setattr(generations, "HASHED_AT_OPENING", 0)
    with closing(sqlite3.connect(directory / "generations" / "g000002" / "text-0.sqlite")) as connection:
        connection.executescript(sql)
    with (
        closing(EmbeddedReader.open(directory)) as index,
        pytest.raises(IndexDamagedError, match="Nothing was deleted"),
    ):
        index.search_words(query_terms("masks"), 3)


def test_damaged_pages_of_a_large_file_are_damage_or_do_no_harm(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "HASHED_AT_OPENING", 0)
    path = directory / "generations" / "g000002" / "text-0.sqlite"
    whole = path.read_bytes()
    chooser, found = random.Random(4), 0
    for _ in range(300):
        data = bytearray(whole)
        place = chooser.randrange(len(data) - 50)
        data[place : place + 50] = chooser.randbytes(50)
        path.write_bytes(data)
        with pytest.raises(IndexDamagedError):
            verify(directory)
        try:
            with closing(EmbeddedReader.open(directory)) as index:
                for word in WORDS:
                    index.search_words(query_terms(word), 5)
                assert {document.path: index.text(document.id) for document in index.documents()} == OLD
        except IndexDamagedError:
            found += 1
    assert 10 < found < 300


@pytest.mark.parametrize("counts", [{"documents": 3}, {"chunks": 1}, {"dimensions": 32}])
def test_verify_finds_a_wrong_manifest(directory: Path, counts: dict[str, object]) -> None:
    forge(directory, manifest=counts)
    with pytest.raises(
        IndexDamagedError, match=r"manifest says|vectors in vectors-0\.faiss have 64 dimensions, not 32"
    ):
        verify(directory)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_verify_finds_missing_and_surplus_vectors(directory: Path, count: int) -> None:
    forge(directory, vectors=np.zeros((count, 64), dtype=np.float32))
    with pytest.raises(IndexDamagedError, match=rf"the {count} vectors .* not those of its 2 chunks"):
        verify(directory)


def test_verify_finds_text_that_is_no_database(directory: Path) -> None:
    forge(directory, text=b"no database " * 500)
    with pytest.raises(IndexDamagedError, match=r"file is not a database"):
        verify(directory)


@pytest.mark.parametrize(
    "look", [EmbeddedReader.open, verify, lambda directory: write(directory, NEW)], ids=["open", "verify", "write"]
)
def test_vectors_that_faiss_refuses_are_damage(directory: Path, look: Callable[[Path], object]) -> None:
    forge(directory, vectors=b"no vectors " * 50)
    with pytest.raises(IndexDamagedError):
        look(directory)


def test_a_later_format_is_named(directory: Path) -> None:
    forge(directory, manifest={"format": 99, "shards": []})
    with pytest.raises(IndexFormatError, match=r"a newer version of epiqa \(format 99, this one reads \d+\)"):
        EmbeddedReader.open(directory)


@pytest.mark.parametrize("look", [EmbeddedReader.open, verify, enter], ids=["open", "verify", "write"])
def test_an_earlier_format_is_refused_with_the_way_out(directory: Path, look: Callable[[Path], object]) -> None:
    forge(directory, manifest={"format": 1})
    with pytest.raises(IndexFormatError, match=r"an older version .* build it anew: epiqa index PATH… --index"):
        look(directory)


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b'{"format": 3}', b'{"format": 3, "surplus": 2}'])
def test_a_manifest_of_another_shape_is_damage(directory: Path, data: bytes) -> None:
    forge_manifest(directory, data)
    with pytest.raises(IndexDamagedError):
        EmbeddedReader.open(directory)


def test_the_second_writer_waits_for_another_process(directory: Path) -> None:
    waits = threading.Event()
    failures: list[BaseException] = []

    def add_mine() -> None:
        try:
            with EmbeddedWriter(directory, lock_timeout_s=30, on_wait=waits.set) as writer:
                put(writer, "c.txt", NEW["c.txt"])
                writer.commit()
        except BaseException as error:
            failures.append(error)

    with child(HOLDER, directory) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        thread = threading.Thread(target=add_mine)
        thread.start()
        assert waits.wait(10)
        assert contents(directory) == OLD
        process.stdin.close()
        thread.join(30)
    assert failures == []
    assert contents(directory) == OLD | {"c.txt": NEW["c.txt"], "o.txt": "written by the other process"}


def test_writers_in_threads_lose_nothing(directory: Path) -> None:
    threads = [threading.Thread(target=write, args=(directory, {f"{n}.txt": f"notice{n}"})) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert contents(directory) == OLD | {f"{n}.txt": f"notice{n}" for n in range(6)}
    assert generation_names(directory) == ["g000008"]


def test_a_writer_that_waited_too_long_says_so(directory: Path) -> None:
    with child(HOLDER, directory) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        waits: list[str] = []
        writer = EmbeddedWriter(directory, lock_timeout_s=0.1, on_wait=lambda: waits.append("waits"))
        with pytest.raises(IndexBusyError, match=r"more than 0\.1 seconds") as caught:
            writer.__enter__()
        assert (caught.value.exit_code, waits) == (3, ["waits"])
        process.kill()
    assert contents(directory) == OLD
    write(directory, {"c.txt": NEW["c.txt"]})
    assert contents(directory) == OLD | {"c.txt": NEW["c.txt"]}


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Acts as one whom permissions bind, for root may write anywhere."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("place", ["file", "file/below", "file/below/deeper"])
def test_a_place_that_is_no_folder_is_an_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(EpiQAError, match="cannot be written") as caught:
        enter(tmp_path / place)
    assert caught.value.exit_code == 2
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_without_permission_is_an_error() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        for directory in (folder, folder / "new"):
            with ordinary_user(), pytest.raises(EpiQAError, match=r"cannot be written .*Permission denied"):
                enter(directory)
        assert list(folder.iterdir()) == []
        folder.chmod(0o755)


def test_generations_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "generations").write_text("a file in the way")
    with pytest.raises(EpiQAError, match="cannot be written"):
        enter(tmp_path)


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(("owner", "name"), [(Path, "write_bytes"), (os, "fsync")])
def test_a_full_disk_changes_nothing(
    directory: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    before = tree(directory)
    monkeypatch.setattr(owner, name, full_disk)
    with pytest.raises(EpiQAError, match="No space left"):
        write(directory, NEW)
    monkeypatch.undo()
    assert tree(directory) == before
    assert contents(directory) == OLD
    write(directory, {"c.txt": NEW["c.txt"]})
    assert contents(directory) == OLD | {"c.txt": NEW["c.txt"]}


@pytest.mark.parametrize(("owner", "name"), [(Path, "write_bytes"), (os, "fsync"), (shutil, "copyfile")])
def test_a_full_disk_is_an_error_of_ours(
    directory: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    monkeypatch.setattr(owner, name, full_disk)
    with pytest.raises(EpiQAError, match="No space left"):
        write(directory, NEW)
