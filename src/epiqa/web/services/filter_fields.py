"""The filter fields of the page: the documents to choose from, and the filter that the fields make."""

from __future__ import annotations

from collections.abc import Sequence

from epiqa.filters import Filter
from epiqa.types import DocumentInfo

MAX_CHOICES = 1000


def filter_of(documents: Sequence[str] | None, since: str | None, until: str | None) -> Filter:
    """Returns the filter of the fields; raises FilterError for an invalid date."""
    return Filter(
        documents=tuple(documents or ()),
        since=(since or "").strip() or None,
        until=(until or "").strip() or None,
    )


def choices(documents: Sequence[DocumentInfo]) -> list[tuple[str, str]]:
    """Returns label and id of the documents that the filter offers, at most `MAX_CHOICES`."""
    return [(f"{document.title} ({document.path})", document.id) for document in documents[:MAX_CHOICES]]
