"""A program: damages one file of an index after the other, and looks whether that is found.

    python mutations.py INDEX ROUNDS SEED checked|large|unchecked

Each damage is undone before the next. `verify` must find it, and so must `open`; but not in `large`, where all text
counts as too large to be hashed at opening: there what is read must be called damaged, or be what was written.
`unchecked` leaves out the comparison of checksums, and must let damage pass or die of it. Each round's damage is
printed before it is tried, and after that "found by verify, open", or what was wrong; so a crash shows its damage.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from epiqa import EpiQA
from epiqa.errors import EpiQAError, IndexDamagedError
from epiqa.store.embedded import EmbeddedReader, generations
from epiqa.sync.operations import verify_index
from fakes import query_terms
from turns import EMBEDDER

Damage = Callable[[bytes, random.Random], bytes]


def flip(data: bytes, chooser: random.Random) -> bytes:
    changed = bytearray(data)
    for place in chooser.sample(range(len(data)), chooser.randrange(1, 4)):
        changed[place] ^= 1 << chooser.randrange(8)
    return bytes(changed)


def truncate(data: bytes, chooser: random.Random) -> bytes:
    return data[: chooser.randrange(len(data))]


def append(data: bytes, chooser: random.Random) -> bytes:
    return data + chooser.choice([b" ", b"\n", b"\0", chooser.randbytes(chooser.randrange(1, 100))])


def zero(data: bytes, chooser: random.Random) -> bytes:
    start, length = chooser.randrange(len(data)), chooser.randrange(1, 4096)
    return data[:start] + bytes(len(data[start : start + length])) + data[start + length :]


def move(data: bytes, chooser: random.Random) -> bytes:
    """Exchanges two parts, as where blocks of two files were mixed up."""
    middle = chooser.randrange(len(data))
    return data[middle:] + data[:middle]


DAMAGES: tuple[Damage, ...] = (flip, truncate, append, zero, move)


def contents(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def found(directory: Path, damaged: Path, texts: dict[str, str]) -> str:
    """Says what finds the damage: each message must name the file, and the way out."""
    finders = []
    for how, look in (
        ("verify", lambda: verify_index(directory)),
        ("open", lambda: EpiQA.open(directory, embedder=EMBEDDER)),
    ):
        try:
            look()
        except IndexDamagedError as error:
            message = str(error)
            if damaged.name not in message or not ("--rebuild" in message or "delete it" in message):
                return f"not named by {how}: {message}"
            finders.append(how)
        except EpiQAError as error:
            return f"taken for something else by {how}: {error}"
    if finders == ["verify"] and (wrong := misread(directory, texts)):
        return f"not found by verify alone: {wrong}"
    return f"found by {', '.join(finders)}" if finders else "NOT FOUND"


def misread(directory: Path, texts: dict[str, str]) -> str:
    """Reads and searches an index that could be opened; returns what is not as it was written."""
    with closing(EmbeddedReader.open(directory)) as index:
        for id_, text in texts.items():
            with suppress(IndexDamagedError):
                if index.text(id_) != text:
                    return f"the text of {id_} is another"
        for word in ("masks", "line0", "turns"):
            with suppress(IndexDamagedError):
                for passage in index.fetch(
                    [number for number, _ in index.search_words(query_terms(word), 20)]
                ).values():
                    if texts[passage.document_id][passage.start : passage.end] != passage.quote:
                        return f"{passage.quote!r} is quoted from {passage.document_id}"
    return ""


def main(directory: Path, rounds: int, seed: int) -> None:
    chooser = random.Random(seed)
    whole = contents(directory)
    files = [path for path, data in whole.items() if data]
    with closing(EmbeddedReader.open(directory)) as index:
        texts = {document.id: index.text(document.id) or "" for document in index.documents()}
    for round_ in range(rounds):
        path, damage = files[round_ % len(files)], chooser.choice(DAMAGES)
        data = damage(whole[path], chooser)
        if data == whole[path]:
            data = flip(whole[path], chooser)
        print(f"{path.relative_to(directory)} {damage.__name__} {round_}: ", end="", flush=True)
        path.write_bytes(data)
        result = found(directory, path, texts)
        kept = contents(directory) == whole | {path: data}
        print(result if kept else f"{result}, and something was changed", flush=True)
        path.write_bytes(whole[path])


if __name__ == "__main__":
    if sys.argv[4] == "unchecked":
        generations.check_file = lambda *arguments: None
    elif sys.argv[4] == "large":
        generations.HASHED_AT_OPENING = 0
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
