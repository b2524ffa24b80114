"""The bundled model weights, and the check that they are what was shipped.

`SHA256SUMS` lists every file (`sha256sum -c SHA256SUMS` reads it, too). Each folder has a model card.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from epiqa.errors import ModelError

ROOT = Path(__file__).parent


@cache
def checksums() -> dict[str, str]:
    """Returns the SHA-256 of each bundled file, by its path under this folder."""
    lines = (ROOT / "SHA256SUMS").read_text("utf-8").splitlines()
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}


def read_bundled(name: str) -> bytes:
    """Returns the content of a bundled file.

    Raises ModelError when it is missing or its SHA-256 is not the one in `SHA256SUMS`.
    """
    path = ROOT / name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"the bundled model file {path} cannot be read ({error.strerror}): reinstall epiqa"
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != checksums().get(name):
        raise ModelError(f"the bundled model file {path} was altered (its SHA-256 is {digest}): reinstall epiqa")
    return data
