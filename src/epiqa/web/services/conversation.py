"""A conversation: its turns, and the part of them that the browser keeps.

The browser keeps the conversation, so it survives a reload and the server stores nothing of it. Anyone can change
what the browser sends back: pydantic checks every value, and a turn that fails the check is left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from epiqa.answering.answer import held_back
from epiqa.api.schemas import with_path
from epiqa.types import Answer, Citation, Passage

MAX_TURNS = 20
NEAREST_PASSAGES = 3
MAX_UNREAD_FILES = 3
EXCERPT_CHARACTERS = 240

Verdict = Literal["right", "wrong"]


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its answer, or with the error that prevented one.

    `documents` is the number of documents searched, `unread` the number of unreadable files; `unread_files` names
    the first of these. Passages are kept only without an answer: the nearest ones, cut to excerpts.
    """

    question: str
    answer: Answer | None = None
    error: str | None = None
    documents: int = 0
    unread: int = 0
    unread_files: tuple[str, ...] = ()
    verdict: Verdict | None = None

    @property
    def sources(self) -> tuple[Citation | Passage, ...]:
        """Every source that the turn shows, in the order shown."""
        if self.answer is None:
            return ()
        best = held_back(self.answer)
        shown = self.answer.candidates if self.answer.is_answered else (best,) if best else ()
        cited = tuple(citation for candidate in shown for citation in candidate.citations)
        return self.answer.passages + cited


def shortened(answer: Answer) -> Answer:
    """Returns an answer as a turn keeps it."""
    kept = () if answer.is_answered else answer.passages[:NEAREST_PASSAGES]
    return replace(answer, passages=tuple(map(_excerpt, kept)), timings_ms={})


def add_turn(conversation: Sequence[Turn], turn: Turn) -> list[Turn]:
    """Returns the conversation with one more turn, cut to the last `MAX_TURNS`."""
    return [*conversation, turn][-MAX_TURNS:]


def to_json(conversation: Sequence[Turn]) -> list[dict[str, Any]]:
    """Returns what the browser keeps.

    A document's path is called "file": Gradio takes an object with a "path" for an upload.
    """

    def renamed(fields: list[tuple[str, Any]]) -> dict[str, Any]:
        return {"file" if name == "path" else name: value for name, value in fields}

    return [asdict(turn, dict_factory=renamed) for turn in conversation]


def from_json(kept: object) -> list[Turn]:
    """Returns the valid turns of what the browser kept."""
    turns = []
    for value in (kept if isinstance(kept, list) else [])[-MAX_TURNS:]:
        try:
            turns.append(_turn(value))
        except (ValueError, RecursionError):  # pydantic's ValidationError is a ValueError
            continue
    return turns


_TURN: Final = TypeAdapter(Turn)


def _turn(value: object) -> Turn:
    """Validates a turn; raises ValueError. In JSON, strict validation still accepts lists as tuples."""
    turn = _TURN.validate_json(json.dumps(with_path(value)), strict=True)
    turn = replace(turn, unread_files=turn.unread_files[:MAX_UNREAD_FILES])
    if turn.answer is None:
        return turn
    best = turn.answer.candidates[0] if turn.answer.is_answered and turn.answer.candidates else None
    if turn.answer.is_answered and not (best and best.citations):
        raise ValueError("an answer needs a citation")
    text, citations = (best.text, best.citations) if best else (None, ())
    return replace(turn, answer=replace(turn.answer, text=text, citations=citations))


def _excerpt(passage: Passage) -> Passage:
    """Returns the passage's beginning, cut between words if it has any."""
    if len(passage.quote) <= EXCERPT_CHARACTERS:
        return replace(passage, turns=())
    beginning = passage.quote[:EXCERPT_CHARACTERS]
    words, _, cut_word = beginning.rpartition(" ")
    quote = words if len(cut_word) < EXCERPT_CHARACTERS // 4 else beginning
    return replace(passage, quote=quote, end=passage.start + len(quote), turns=())
