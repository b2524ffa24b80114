"""The protocol of `epiqa.assistant.EpiQA` that the page relies on. Several threads call its methods at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from epiqa.filters import EVERYTHING, Filter
from epiqa.types import Answer, DocumentInfo, IndexInfo, IndexReport, Passage


class DocumentReader(Protocol):
    """Gives out the texts and the original files of documents."""

    def document_text(self, document_id: str) -> str | None:
        """Returns the text that the offsets of citations refer to, or None for an unknown id."""

    def original(self, document_id: str) -> Path | None:
        """Returns the file that a document was read from, or None."""


class DocumentAdder(Protocol):
    """Adds documents to an index."""

    @property
    def directory(self) -> Path:
        """The index directory. It also holds uploads, question sets and feedback."""

    def add(
        self, paths: Iterable[str], *, on_progress: Callable[[int, int, str], None] | None = None
    ) -> IndexReport:
        """Adds or updates documents; questions are still answered meanwhile."""

    def unread(self) -> Sequence[tuple[str, str]]:
        """Returns the path of each unreadable file, with the reason."""


class Assistant(DocumentReader, DocumentAdder, Protocol):
    """An index that can be asked, read and changed; raises EpiQAError with a message for the user."""

    def preload(self) -> None:
        """Starts to load the models."""

    @property
    def info(self) -> IndexInfo:
        """Describes the index."""

    def ask(self, question: str, *, within: Filter = EVERYTHING) -> Answer:
        """Answers one question from the documents that meet a filter."""

    def search(self, query: str, *, top_k: int = 10, within: Filter = EVERYTHING) -> list[Passage]:
        """Returns passages, best first."""

    def documents(self) -> Sequence[DocumentInfo]:
        """Lists the documents of the index."""

    def count_documents(self, within: Filter = EVERYTHING) -> int:
        """Returns how many documents meet a filter."""

    def remove(self, name: str) -> None:
        """Removes a document by its id, or an unreadable file by its path."""


def find_document(qa: Assistant, document_id: str | None) -> DocumentInfo | None:
    """Returns a document of the index, or None for an unknown id."""
    return next((document for document in qa.documents() if document.id == document_id), None)
