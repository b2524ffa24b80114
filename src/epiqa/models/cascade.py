"""Two readers as a cascade: a small one reads every passage, a large one reads the most promising again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from epiqa.types import Passage, Reader, Span

# The passages that the large reader reads.
SECOND_LOOKS = 1

# A passage's document id and start.
PassageKey: TypeAlias = tuple[str, int]


def passage_key(passage: Passage) -> PassageKey:
    """Returns what identifies a passage in an index."""
    return passage.document_id, passage.start


def best_margins(spans: Iterable[Span]) -> dict[PassageKey, float]:
    """Returns the best score less that of "no answer" of each passage's spans."""
    margins: dict[PassageKey, float] = {}
    for span in spans:
        key, margin = passage_key(span.passage), span.score - span.null_score
        margins[key] = max(margin, margins.get(key, margin))
    return margins


class ReaderCascade:
    """Two readers as one: `first` reads all passages; `second` reads the few where it found most, and decides."""

    def __init__(self, first: Reader, second: Reader, *, passages: int = SECOND_LOOKS) -> None:
        self.first = first
        self.second = second
        self._passages = passages
        self.fingerprint = f"{first.fingerprint}+{second.fingerprint}"

    def read(self, question: str, passages: Sequence[Passage]) -> list[Span]:
        """Returns the second reader's spans of the passages that the first one's best margins chose."""
        margins = best_margins(self.first.read(question, passages))
        chosen = set(sorted(margins, key=lambda key: -margins[key])[: self._passages])
        spans = self.second.read(question, [passage for passage in passages if passage_key(passage) in chosen])
        return [replace(span, first_margin=margins[passage_key(span.passage)]) for span in spans]
