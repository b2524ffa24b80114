"""The one place that knows which kind of store a location names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from epiqa.store import embedded
from epiqa.store.atomic_write import Version, file_version
from epiqa.store.protocol import IndexReader, IndexWriter, OnWait
from epiqa.types import IndexInfo

# A folder; later also the address of a database.
Location: TypeAlias = str | os.PathLike[str]


def open_reader(location: Location) -> IndexReader:
    """Opens the live generation after checking its files. Raises IndexMissingError or IndexDamagedError."""
    return embedded.EmbeddedReader.open(Path(location))


def open_writer(location: Location, *, on_wait: OnWait | None = None, rebuild: bool = False) -> IndexWriter:
    """Returns the writer of an index, which is made where there is none.

    `on_wait` is called once when another process is writing. `rebuild` sets the old index aside and starts empty.
    """
    return embedded.EmbeddedWriter(Path(location), on_wait=on_wait, rebuild=rebuild)


def version_of(location: Location) -> Version | None:
    """Returns what changes whenever another generation becomes live; None where there is no index.

    It costs one system call, so it can be asked before each question.
    """
    return file_version(Path(location) / embedded.CURRENT)


def verify(location: Location) -> IndexInfo:
    """Re-hashes every file and re-checks every chunk. Raises IndexMissingError or IndexDamagedError."""
    return embedded.verify(Path(location))
