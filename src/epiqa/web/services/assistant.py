"""What the page needs of `epiqa.assistant.EpiQA`, whose methods these are; several threads call them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from epiqa.filters import EVERYTHING, Filter
from epiqa.types import Answer, DocumentInfo, IndexInfo, IndexReport, Passage


class QuestionAnswerer(Protocol):
    """An index that is questioned, read, and changed; raises EpiQAError with a message for the user."""

    @property
    def directory(self) -> Path:
        """The index directory: uploads, question sets and feedback are kept there, too."""

    def preload(self) -> None:
        """Begins to load the models."""

    @property
    def info(self) -> IndexInfo:
        """Describes the index."""

    def ask(self, question: str, *, within: Filter = EVERYTHING) -> Answer:
        """Answers one question from the documents that meet a filter."""

    def search(self, query: str, *, top_k: int = 10, within: Filter = EVERYTHING) -> list[Passage]:
        """Returns passages, best first."""

    def documents(self) -> Sequence[DocumentInfo]:
        """Lists what is in the index."""

    def unread(self) -> Sequence[tuple[str, str]]:
        """Lists path and reason of each file that could not be read."""

    def count_documents(self, within: Filter = EVERYTHING) -> int:
        """Returns how many documents meet a filter."""

    def document_text(self, document_id: str) -> str | None:
        """Returns the text that the offsets of citations refer to, or None for an unknown id."""

    def original(self, document_id: str) -> Path | None:
        """Returns the file a document was read from, or None."""

    def add(
        self, paths: Iterable[str], *, on_progress: Callable[[int, int, str], None] | None = None
    ) -> IndexReport:
        """Adds or updates documents; questions go on meanwhile."""

    def remove(self, name: str) -> None:
        """Removes a document, by its id, or a file that could not be read, by its path, from the list of these."""
