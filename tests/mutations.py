"""A program: damages one file of an index after the other, and looks whether that is found.

    python mutations.py INDEX ROUNDS SEED checked|unchecked

Each damage is undone before the next. `unchecked` leaves out the comparison of checksums, and must let damage pass
or die of it. Each round's damage is printed before it is tried, and after that "found by open", "found by verify",
or what was wrong; so a crash shows which damage it was.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

from epiqa import EpiQA
from epiqa.errors import EpiQAError, IndexDamagedError
from epiqa.index import generation
from epiqa.pipeline import verify_index
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


def found(directory: Path, damaged: Path) -> str:
    """Says how the damage is found; the message must name the file, and the way out."""
    for how, look in (
        ("open", lambda: EpiQA.open(directory, embedder=EMBEDDER)),
        ("verify", lambda: verify_index(directory)),
    ):
        try:
            look()
        except IndexDamagedError as error:
            message = str(error)
            names_it = damaged.name in message and ("--rebuild" in message or "delete it" in message)
            return f"found by {how}" if names_it else f"not named: {message}"
        except EpiQAError as error:
            return f"taken for something else: {error}"
    return "NOT FOUND"


def main(directory: Path, rounds: int, seed: int) -> None:
    chooser = random.Random(seed)
    whole = contents(directory)
    files = [path for path, data in whole.items() if data]
    for round_ in range(rounds):
        path, damage = files[round_ % len(files)], chooser.choice(DAMAGES)
        data = damage(whole[path], chooser)
        if data == whole[path]:
            data = flip(whole[path], chooser)
        print(f"{path.relative_to(directory)} {damage.__name__} {round_}: ", end="", flush=True)
        path.write_bytes(data)
        result = found(directory, path)
        kept = contents(directory) == whole | {path: data}
        print(result if kept else f"{result}, and something was changed", flush=True)
        path.write_bytes(whole[path])


if __name__ == "__main__":
    if sys.argv[4] == "unchecked":
        generation.check_file = lambda *arguments: None
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
