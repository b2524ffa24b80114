"""The bundled model weights, and the check that they are what was shipped.

`SHA256SUMS` lists every file (`sha256sum -c SHA256SUMS` reads it, too). Each folder has a model card.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from epiqa.errors import ModelError

ROOT = Path(__file__).parent
PIECE_BYTES = 1 << 24  # large, for between two pieces other threads may keep Python's lock


@cache
def checksums() -> dict[str, str]:
    """Returns the SHA-256 of each bundled file, by its path under this folder."""
    lines = (ROOT / "SHA256SUMS").read_text("utf-8").splitlines()
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file, read piece by piece; raises OSError."""
    digest = hashlib.sha256()
    piece = memoryview(bytearray(min(path.stat().st_size, PIECE_BYTES)))  # most files are small
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(piece):
            digest.update(piece[:size])
    return digest.hexdigest()


def bundled_path(name: str) -> Path:
    """Returns the path of a bundled file, after checking it.

    Raises ModelError when it is missing or its SHA-256 is not the one in `SHA256SUMS`.
    """
    path = ROOT / name
    try:
        digest = sha256(path)
    except OSError as error:
        raise ModelError(
            f"the bundled model file {path} cannot be read ({error.strerror}): reinstall epiqa"
        ) from error
    if digest != checksums().get(name):
        raise ModelError(f"the bundled model file {path} was altered (its SHA-256 is {digest}): reinstall epiqa")
    return path


def read_bundled(name: str) -> bytes:
    """Returns the content of a bundled file; raises ModelError as `bundled_path` does."""
    return bundled_path(name).read_bytes()
