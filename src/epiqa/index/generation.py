"""Generations on disk: names, manifest, checksums, and the atomic switch.

Nothing here knows what the files of a generation mean.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

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
_NAME = re.compile(r"g\d{6,}")


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
        f"the index in {directory} is damaged: {what}. Nothing was deleted; move that folder away and build it"
        f" anew: epiqa index PATH… --index {directory}"
    )


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
        words = (directory / CURRENT).read_text("ascii").split()
    except FileNotFoundError as error:
        if any((directory / GENERATIONS).glob(f"*/{MANIFEST}")):
            raise damaged(directory, f"{CURRENT} is missing, and {GENERATIONS}/ is not empty") from error
        raise IndexMissingError(
            f"there is no index in {directory}: build one with epiqa index PATH… --index {directory}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise damaged(directory, f"{CURRENT} cannot be read ({error})") from error
    if len(words) != 2 or not _NAME.fullmatch(words[0]):
        raise damaged(directory, f"{CURRENT} does not name a generation")
    generation = directory / GENERATIONS / words[0]
    try:
        data = (generation / MANIFEST).read_bytes()
    except OSError as error:
        raise damaged(directory, f"{words[0]}/{MANIFEST} cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != words[1]:
        raise damaged(directory, f"{words[0]}/{MANIFEST} is not the one that {CURRENT} names")
    try:
        fields = dict(json.loads(data))
        _check_format(directory, fields.get("format"))
        manifest = Manifest.from_json(fields)
        missing = manifest.names - manifest.files.keys()
    except IndexFormatError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, EpiQAError) as error:
        raise damaged(directory, f"{words[0]}/{MANIFEST} is not a manifest ({error})") from error
    if missing:
        raise damaged(directory, f"{words[0]}/{MANIFEST} does not list {min(missing)}")
    return generation, manifest


def _check_format(directory: Path, found: object) -> None:
    if not isinstance(found, int):
        raise EpiQAError(f"it has format {found}, this version of epiqa reads format {FORMAT}")
    if found != FORMAT:
        age = "an older" if found < FORMAT else "a newer"
        raise IndexFormatError(
            f"the index in {directory} was made by {age} version of epiqa (format {found}, this one reads"
            f" {FORMAT}). Nothing was deleted; move that folder away and build it anew: epiqa index PATH…"
            f" --index {directory}"
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
        path = generation / name
        is_large = path.is_file() and path.stat().st_size > HASHED_AT_OPENING
        if name not in but and (name == CATALOGUE or not is_large):
            check_file(directory, generation, name, digest)


def link(source: Path, target: Path) -> None:
    """Gives a file, which never changes, another name; where the file system cannot, copies it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def prepare(directory: Path) -> Path:
    """Makes the folder of the next generation, empty. The caller holds the lock.

    Folders that a crash left half written are in the way of nothing and go first.
    """
    root = directory / GENERATIONS
    root.mkdir(parents=True, exist_ok=True)
    live = _live_name(directory)
    names = sorted((path.name for path in root.iterdir() if _NAME.fullmatch(path.name)), key=_number)
    for name in names:
        if _number(name) > _number(live):
            shutil.rmtree(root / name)
    generation = root / f"g{_number(live) + 1:06d}"
    generation.mkdir()
    return generation


def publish(directory: Path, generation: Path, manifest: Manifest) -> None:
    """Makes a finished generation the live one; before the last rename, the old one still is."""
    data = json.dumps(asdict(manifest), indent=2).encode()
    (generation / MANIFEST).write_bytes(data)
    for path in sorted(generation.iterdir()):
        _sync(path)
    _sync(generation)
    _sync(generation.parent)
    following = directory / f"{CURRENT}.next"
    following.write_text(f"{generation.name} {hashlib.sha256(data).hexdigest()}\n", encoding="ascii")
    _sync(following)
    following.replace(directory / CURRENT)
    _sync(directory)


def collect(directory: Path) -> None:
    """Removes all generations but the live one and the one before it, which a reader may be opening."""
    live = _number(_live_name(directory))
    for path in (directory / GENERATIONS).iterdir():
        if _NAME.fullmatch(path.name) and _number(path.name) < live - 1:
            shutil.rmtree(path, ignore_errors=True)


def _number(name: str) -> int:
    return int(name[1:] or 0)


def is_live(directory: Path, generation: Path) -> bool:
    """Tells whether a generation has become the live one."""
    return _live_name(directory) == generation.name


def _live_name(directory: Path) -> str:
    try:
        return (directory / CURRENT).read_text("ascii").split()[0]
    except FileNotFoundError:
        return "g"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
