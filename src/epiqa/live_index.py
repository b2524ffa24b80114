"""The live generation of an index, with the embedder and the calibration that belong to it.

Another process may commit a generation or a calibration at any time. Both are noticed between questions, by one
system call each; a question that is under way keeps what it began with.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from epiqa.answering.calibration import CALIBRATION, Calibration, bundled_calibration, read_calibration
from epiqa.models.embedder import matching_embedder
from epiqa.models.lazy import Lazy
from epiqa.store.atomic_write import Version, file_version
from epiqa.store.opening import open_reader, version_of
from epiqa.store.protocol import IndexReader
from epiqa.types import Embedder

_log = logging.getLogger("epiqa")


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation, opened, with its embedder; another `version` on the disk means that there is a newer one."""

    index: IndexReader
    embedder: Lazy[Embedder]
    version: Version | None


class LiveIndex:
    """Gives the live generation, or with `is_pinned` always the one that was live at first. For several threads.

    Raises IndexMissingError or IndexDamagedError.
    """

    def __init__(self, directory: Path, embedder: Embedder | str | None = None, *, is_pinned: bool = False) -> None:
        self.directory = directory
        self._embedder = embedder
        self._is_pinned = is_pinned
        self._reopening = Lock()
        self._generation = self._open(None)
        self._calibration: tuple[Version | None, str, Calibration] | None = None

    def current(self) -> Generation:
        """Returns the live generation. While there is none, as during a rebuild, the last one stays.

        Raises IndexDamagedError where a new one cannot be read.
        """
        if self._is_stale():
            with self._reopening:
                if self._is_stale():
                    self._generation = self._open(self._generation)
        return self._generation

    def _is_stale(self) -> bool:
        return not self._is_pinned and version_of(self.directory) not in (None, self._generation.version)

    def _open(self, last: Generation | None) -> Generation:
        version = version_of(self.directory)  # before it is opened, so that none is missed
        index = open_reader(self.directory)
        if last is not None and last.index.info.embedder == index.info.embedder:
            return Generation(index, last.embedder, version)
        name, fingerprint = index.embedder_name, index.info.embedder
        embedder = Lazy(lambda: matching_embedder(self._embedder, name, fingerprint, self.directory))
        return Generation(index, embedder, version)

    def calibration(self, reader: str) -> Calibration:
        """Returns the index's own calibration if it was fitted to the reader of this fingerprint, else the bundled.

        Raises IndexDamagedError when the index's own cannot be read.
        """
        version = file_version(self.directory / CALIBRATION)
        last = self._calibration
        if last is None or last[1] != reader or (last[0] != version and not self._is_pinned):
            last = self._calibration = version, reader, self._choose_calibration(reader)
        return last[2]

    def read_calibration(self) -> Calibration | None:
        """Returns the index's own calibration. Raises IndexDamagedError when it cannot be read."""
        return read_calibration(self.directory / CALIBRATION)

    def _choose_calibration(self, reader: str) -> Calibration:
        own, bundled = self.read_calibration(), bundled_calibration()
        if own is not None and own.reader == reader:
            return own
        if own is not None:
            path = self.directory / CALIBRATION
            _log.warning("%s belongs to another reader and is not used: run epiqa calibrate again", path)
        elif bundled.reader != reader:
            _log.warning(
                "the confidence was fitted to the bundled reader, not to %s: it may mislead until epiqa calibrate"
                " fits it to this one",
                reader,
            )
        return bundled
