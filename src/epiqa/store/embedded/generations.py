"""Generations on disk: names, manifest, checksums, and the atomic switch.

Nothing here knows what the files of a generation mean.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from epiqa.errors import EpiQAError, IndexDamagedError, IndexFormatError, IndexMissingError
from epiqa.types import DEFAULT_CHUNKING, Chunking, IndexInfo

FORMAT = 3
CURRENT = "CURRENT"
LOCK = "LOCK"
MANIFEST = "manifest.json"
GENERATIONS = "generations"
CATALOGUE = "catalogue.sqlite"
# Larger files of text are hashed by `verify` alone: reading gigabytes takes longer than anyone waits for an answer.
HASHED_AT_OPENING = 64 * 2**20  # bytes
NAME = re.compile(r"g\d{6,}")
_POINTER = re.compile(rb"(g\d{6,}) ([0-9a-f]{64})\n")
# What `CURRENT` holds until the first generation is whole: without it, a first writer that was killed could not be
# told from an index that lost its `CURRENT`.
NONE_YET = b"g000000\n"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Segment:
    """Some of the documents: how many chunks they had when it was written, and the kind of its FAISS index."""

    chunks: int
    vectors: str


def text_name(segment: int) -> str:
    """Returns the name of the file with the text and the words of a segment."""
    return f"text-{segment}.sqlite"


def vectors_name(segment: int) -> str:
    """Returns the name of the file with the vectors of a segment."""
    return f"vectors-{segment}.faiss"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation holds and what made it; `files` maps each file's name to its SHA-256."""

    format: int
    generation: str
    created: str
    embedder: str
    fingerprint: str
    dimensions: int
    documents: int
    chunks: int
    segments: tuple[Segment, ...]
    files: dict[str, str]
    chunking: Chunking = DEFAULT_CHUNKING
    unread: int = 0

    @property
    def info(self) -> IndexInfo:
        """What users are told of it."""
        return IndexInfo(
            generation=self.generation,
            documents=self.documents,
            chunks=self.chunks,
            embedder=self.fingerprint,
            dimensions=self.dimensions,
            unread=self.unread,
            vectors=" + ".join(segment.vectors for segment in self.segments),
        )

    @property
    def names(self) -> set[str]:
        """The names that `files` must have."""
        numbers = range(len(self.segments))
        return {CATALOGUE, *map(text_name, numbers), *map(vectors_name, numbers)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Manifest:
        """Restores what `asdict` gave; raises TypeError, ValueError or KeyError for anything else."""
        segments = tuple(Segment(**segment) for segment in fields["segments"])
        return cls(**fields | {"chunking": Chunking(**fields["chunking"]), "segments": segments})


def damaged(directory: Path, what: str) -> IndexDamagedError:
    """Makes the error that names the damage and the way out."""
    return IndexDamagedError(
        f"the index in {directory} is damaged: {what}. Nothing was deleted; set it aside and {_anew(directory)}"
    )


def _anew(directory: Path) -> str:
    return f"build it anew: epiqa index PATH… --index {directory} --rebuild"


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file."""
    with path.open("rb") as file:
        return sha256_of(file)


def sha256_of(file: BinaryIO) -> str:
    """Returns the SHA-256 of what an open file holds from here on, read in pieces."""
    digest = hashlib.sha256()
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


def current(directory: Path) -> tuple[Path, Manifest]:
    """Returns the folder and the manifest of the live generation.

    Raises IndexMissingError when there is none, IndexDamagedError when it is not what `CURRENT` says.
    """
    try:
        pointer = (directory / CURRENT).read_bytes()
    except FileNotFoundError as error:
        if any((directory / GENERATIONS).glob("g*")):
            raise damaged(directory, f"{CURRENT} is missing, and {GENERATIONS}/ is not empty") from error
        raise _missing(directory) from error
    except OSError as error:
        raise damaged(directory, f"{CURRENT} cannot be read ({error})") from error
    if pointer == NONE_YET:
        raise _missing(directory)
    match = _POINTER.fullmatch(pointer)
    if match is None:
        raise damaged(directory, f"{CURRENT} does not name a generation")
    name, digest = (part.decode() for part in match.groups())
    generation = directory / GENERATIONS / name
    try:
        data = (generation / MANIFEST).read_bytes()
    except OSError as error:
        raise damaged(
            directory, f"{name}/{MANIFEST}, which {CURRENT} names, cannot be read ({error.strerror})"
        ) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise damaged(directory, f"{name}/{MANIFEST} is not the one that {CURRENT} names")
    try:
        fields = dict(json.loads(data))
        _check_format(directory, fields.get("format"))
        manifest = Manifest.from_json(fields)
        missing = manifest.names - manifest.files.keys()
    except IndexFormatError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, EpiQAError) as error:
        raise damaged(directory, f"{name}/{MANIFEST} is not a manifest ({error})") from error
    if missing:
        raise damaged(directory, f"{name}/{MANIFEST} does not list {min(missing)}")
    return generation, manifest


def _missing(directory: Path) -> IndexMissingError:
    return IndexMissingError(
        f"there is no index in {directory}: build one with epiqa index PATH… --index {directory}"
    )


def settled(directory: Path, look: Callable[[], T]) -> T:
    """Calls `look`, again where a writer made another generation the live one while it found damage.

    For that writer has then removed the generation that `look` had begun to read.
    """
    while True:
        seen = pointer_of(directory)
        try:
            return look()
        except IndexDamagedError:
            if pointer_of(directory) == seen:
                raise


def pointer_of(directory: Path) -> bytes | None:
    try:
        return (directory / CURRENT).read_bytes()
    except OSError:
        return None


def _check_format(directory: Path, found: object) -> None:
    if not isinstance(found, int):
        raise EpiQAError(f"it has format {found}, this version of epiqa reads format {FORMAT}")
    if found != FORMAT:
        age = "an older" if found < FORMAT else "a newer"
        raise IndexFormatError(
            f"the index in {directory} was made by {age} version of epiqa (format {found}, this one reads"
            f" {FORMAT}). Nothing was deleted; set it aside and {_anew(directory)}"
        )


def check_file(directory: Path, generation: Path, name: str, digest: str) -> None:
    """Raises IndexDamagedError unless the file's SHA-256 is `digest`."""
    try:
        found = sha256(generation / name)
    except OSError as error:
        raise damaged(directory, f"{generation.name}/{name} cannot be read ({error.strerror})") from error
    if found != digest:
        raise damaged(directory, f"{generation.name}/{name} is not the file that was written (SHA-256 {found})")


def check_files(directory: Path, generation: Path, manifest: Manifest, *, but: Collection[str] = ()) -> None:
    """Raises IndexDamagedError unless the catalogue and all files that are not large are those written.

    `but` are names of files to leave out.
    """
    for name, digest in manifest.files.items():
        if name not in but and (name == CATALOGUE or not _is_large(generation / name)):
            check_file(directory, generation, name, digest)


def check_all(directory: Path, generation: Path, manifest: Manifest) -> None:
    """Raises IndexDamagedError, naming the first, unless all files are those written."""
    for name, digest in manifest.files.items():
        check_file(directory, generation, name, digest)


def _is_large(path: Path) -> bool:
    try:
        return path.stat().st_size > HASHED_AT_OPENING
    except OSError:  # which to hash it will name
        return False


def link(source: Path, target: Path) -> None:
    """Gives a file, which never changes, another name; where the file system cannot, copies it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
