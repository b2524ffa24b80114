"""An index whose chunks say in which turn they were written, so that a mixture of two commits shows.

One document is the same in all turns: its segment is linked from one generation into the next.

`commit` makes the next turn as the package does it; `commit_in_place` as one might without thinking of crashes: the
control, which every test of durability must find wanting.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from unittest import mock

from epiqa.errors import IndexMissingError
from epiqa.store.embedded import EmbeddedReader, EmbeddedWriter, segments, verify
from epiqa.types import Chunk
from fakes import WordEmbedder, make_document, query_terms

EMBEDDER = WordEmbedder(dimensions=256)
LINES = 4
KEPT, KEPT_TEXT = "kept.txt", "\n".join(f"line{n} is there in all turns" for n in range(100))

Commit = Callable[[Path, int], None]
Program = Callable[..., str]


def texts(turn: int) -> dict[str, str]:
    """Returns the documents of a turn by path; each line is a chunk. Some stay, all change, one goes, one comes."""
    return {
        f"{n}.txt": "\n".join(f"turn{turn} line{n}x{line} tells of masks and harbours" for line in range(LINES))
        for n in range(turn % 3, turn % 3 + 5)
    }


def change(writer: EmbeddedWriter, turn: int) -> None:
    """Makes the documents those of a turn, whichever they were."""
    if writer.fingerprint is None:
        writer.set_embedder(EMBEDDER)
    wanted = texts(turn)
    for gone in {path for earlier in range(3) for path in texts(earlier)} - wanted.keys():
        writer.remove(gone)
    for path, text in wanted.items():
        put(writer, path, text)
    if writer.sources.document_at(f"/{KEPT}") is None:
        put(writer, KEPT, KEPT_TEXT)


def put(writer: EmbeddedWriter, path: str, text: str) -> None:
    chunks, start = [], 0
    for line in text.split("\n"):
        chunks.append(Chunk(path, start, start + len(line), line))
        start += len(line) + 1
    writer.add(make_document(text, path=path), chunks, EMBEDDER.encode([chunk.quote for chunk in chunks]))


def commit(directory: Path, turn: int) -> None:
    with EmbeddedWriter(directory) as writer:
        change(writer, turn)
        publish(writer)


def publish(writer: EmbeddedWriter) -> None:
    """Commits; even so few chunks are left in several segments."""
    with mock.patch.object(segments, "ONE_UP_TO", 0):
        writer.commit()


def commit_in_place(directory: Path, turn: int) -> None:
    """Writes a whole index elsewhere, and its files over the old ones: no sync, no rename."""
    scratch = directory.with_name(f"{directory.name}.scratch")
    shutil.rmtree(scratch, ignore_errors=True)
    commit(scratch, turn)
    shutil.copytree(scratch, directory, dirs_exist_ok=True)


def turn_of(index: EmbeddedReader) -> int:
    """Returns the turn of an open index; raises AssertionError unless text, words and vectors are all of it."""
    found = {document.path: index.text(document.id) or "" for document in index.documents()}
    turn = int(next(iter(found.values())).split()[0].removeprefix("turn"))
    wanted = texts(turn) | {KEPT: KEPT_TEXT}
    assert found == wanted, f"documents of several turns: {found}"
    lines = sorted(line for text in wanted.values() for line in text.split("\n"))
    numbers = [number for number, _ in index.search_vector(EMBEDDER.encode(["masks"])[0], 1000)]
    passages = index.fetch(numbers)
    quotes = {number: passage.quote for number, passage in passages.items()}
    of_turn = {number for number, passage in passages.items() if passage.path != KEPT}
    assert sorted(quotes.values()) == lines, "vectors of other chunks"
    assert {number for number, _ in index.search_words(query_terms(f"turn{turn}"), 1000)} == of_turn, (
        "words are amiss"
    )
    assert not index.search_words(query_terms(f"turn{turn - 1}"), 1000), "words of the turn before"
    for number in (min(quotes), max(quotes)):
        cosines = dict(index.search_vector(EMBEDDER.encode([quotes[number]])[0], 1000))
        assert cosines[number] > 0.999, f"the vector of {quotes[number]} is another's"
    return turn


def whole_turn(directory: Path) -> int:
    """Returns the turn that an index on disk holds, 0 where there is none, after `verify` and all checks above."""
    try:
        info = verify(directory)
        with closing(EmbeddedReader.open(directory)) as index:
            turn = turn_of(index)
            kept = KEPT_TEXT.count("\n") + 1
            assert (info.documents, info.chunks) == (len(texts(turn)) + 1, len(texts(turn)) * LINES + kept)
    except IndexMissingError:
        return 0
    return turn
