"""How files become documents of an index: what a run over files is told, handed on as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from epiqa.types import Chunking, Embedder

# Called with the number of files done, of all files, and the path of the file at hand.
OnProgress = Callable[[int, int, str], None]


def _ignore_progress(done: int, total: int, path: str) -> None:
    pass


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class UpdateOptions:
    """What a run over files is told.

    Attributes:
        embedder: An embedder or its name; None is the one that made the index, or the bundled one.
        chunking: How documents are cut; None is the index's own way, or the default.
        prune: Removes the documents of files that are gone from the given folders and patterns.
        is_recognising: Reads pages without text by tesseract.
        rebuild: Sets the old index aside and builds it anew, of the given files alone.
        on_progress: Called as files are done.
        on_wait: Called once when another process is writing the index and this one must wait.
        should_stop: Asked between files and documents; what is stored by then is kept.
    """

    embedder: Embedder | str | None = None
    chunking: Chunking | None = None
    prune: bool = False
    is_recognising: bool = False
    rebuild: bool = False
    on_progress: OnProgress = _ignore_progress
    on_wait: Callable[[], None] | None = None
    should_stop: Callable[[], bool] = _never


DEFAULT_OPTIONS = UpdateOptions()
