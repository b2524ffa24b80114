"""A conversation: its turns, what of them is kept in the browser, and how they are exported.

The browser keeps the conversation, so that it outlasts a reload and the server keeps nothing of it. What comes
back from there may have been changed by anyone: it is rebuilt value by value, and a turn that is not as it was
written is left out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeVar, cast

from epiqa.answering.answer import held_back
from epiqa.api.schemas import reply_json, with_path
from epiqa.types import Answer, Candidate, Citation, DocumentDate, Passage
from epiqa.web.texts import Language, say
from epiqa.web.views.citations import as_markdown, markdown_text

MAX_TURNS = 20
NEAREST_PASSAGES = 3
MAX_UNREAD_FILES = 3
EXCERPT_CHARACTERS = 240

Verdict = Literal["right", "wrong"]
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its answer, or with the reason why there is none.

    `documents` were searched; `unread` files could not be, the first of which are `unread_files`. Of the answer's
    passages the nearest are kept, cut to excerpts, and only where it found nothing.
    """

    question: str
    answer: Answer | None = None
    error: str | None = None
    documents: int = 0
    unread: int = 0
    unread_files: tuple[str, ...] = ()
    verdict: Verdict | None = None

    @property
    def places(self) -> tuple[Citation | Passage, ...]:
        """Every place that the turn names, in the order in which it shows them."""
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
    """Returns the conversation with one more turn; of a long one, the last turns."""
    return [*conversation, turn][-MAX_TURNS:]


def to_json(conversation: Sequence[Turn]) -> list[dict[str, Any]]:
    """Returns what the browser keeps.

    A document's path is called "file": Gradio takes what has a "path" for a file that was sent to it.
    """

    def renamed(fields: list[tuple[str, Any]]) -> dict[str, Any]:
        return {"file" if name == "path" else name: value for name, value in fields}

    return [asdict(turn, dict_factory=renamed) for turn in conversation]


def from_json(kept: object) -> list[Turn]:
    """Returns the turns that the browser kept."""
    turns = []
    for value in (kept if isinstance(kept, list) else [])[-MAX_TURNS:]:
        try:
            turns.append(_turn(value))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return turns


def export_markdown(conversation: Sequence[Turn], language: Language) -> str:
    """Returns the conversation as Markdown: every question, its answer, and its citation."""
    parts = []
    for turn in conversation:
        reply = markdown_text(turn.error or say(language, "no_answer"))
        if turn.answer is not None and turn.answer.text is not None:
            reply = as_markdown(turn.answer.citations[0], turn.answer.confidence, language)
        parts.append(f"## {markdown_text(turn.question)}\n\n{reply}\n")
    return "\n".join(parts)


def export_json(conversation: Sequence[Turn]) -> str:
    """Returns the conversation as JSON: of each turn what `epiqa ask --json` prints, as far as it is kept, or its
    `error`, and the `verdict`."""
    turns = [
        (with_path(reply_json(turn.answer)) if turn.answer else {"question": turn.question, "error": turn.error})
        | {"verdict": turn.verdict}
        for turn in conversation
    ]
    return json.dumps(turns, ensure_ascii=False, indent=2) + "\n"


def download_link(name: str, kind: str, content: str) -> str:
    """Returns a link that saves a file as soon as the page's script sees it."""
    data = base64.b64encode(content.encode("utf-8", "replace")).decode()
    return f'<a download="{name}" href="data:{kind};charset=utf-8;base64,{data}">{name}</a>'


def _excerpt(passage: Passage) -> Passage:
    """Returns the passage's beginning, cut between words where it has any."""
    if len(passage.quote) <= EXCERPT_CHARACTERS:
        return replace(passage, turns=())
    beginning = passage.quote[:EXCERPT_CHARACTERS]
    words, _, cut_word = beginning.rpartition(" ")
    quote = words if len(cut_word) < EXCERPT_CHARACTERS // 4 else beginning
    return replace(passage, quote=quote, end=passage.start + len(quote), turns=())


def _turn(value: Mapping[str, Any]) -> Turn:
    verdict = value["verdict"]
    if verdict not in ("right", "wrong", None):
        raise ValueError(verdict)
    return Turn(
        question=_is(str, value["question"]),
        answer=_optional(_answer, value["answer"]),
        error=_optional_is(str, value["error"]),
        documents=_is(int, value["documents"]),
        unread=_is(int, value["unread"]),
        unread_files=tuple(_is(str, name) for name in value.get("unread_files", ())[:MAX_UNREAD_FILES]),
        verdict=cast(Verdict | None, verdict),
    )


def _answer(value: Mapping[str, Any]) -> Answer:
    candidates = tuple(
        Candidate(
            text=_is(str, candidate["text"]),
            confidence=float(candidate["confidence"]),
            citations=tuple(map(_citation, candidate["citations"])),
        )
        for candidate in value["candidates"]
    )
    is_answered = _is(bool, value["is_answered"])
    if is_answered and not (candidates and candidates[0].citations):
        raise ValueError("an answer needs a citation")
    return Answer(
        question=_is(str, value["question"]),
        is_answered=is_answered,
        text=candidates[0].text if is_answered else None,
        confidence=float(value["confidence"]),
        citations=candidates[0].citations if is_answered else (),
        candidates=candidates,
        passages=tuple(map(_passage, value["passages"])),
    )


def _place(value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "document_id": _is(str, value["document_id"]),
        "title": _is(str, value["title"]),
        "path": _is(str, value["file"]),
        "date": _optional(_date, value["date"]),
        "page": _optional_is(int, value["page"]),
        "section": _optional_is(str, value["section"]),
        "start": _is(int, value["start"]),
        "end": _is(int, value["end"]),
        "quote": _is(str, value["quote"]),
    }


def _citation(value: Mapping[str, Any]) -> Citation:
    return Citation(**_place(value), before=_is(str, value["before"]), after=_is(str, value["after"]))


def _passage(value: Mapping[str, Any]) -> Passage:
    return Passage(**_place(value), score=float(value["score"]))


def _date(value: Mapping[str, Any]) -> DocumentDate:
    return DocumentDate(
        written=_is(str, value["written"]),
        month=_is(int, value["month"]),
        day=_is(int, value["day"]),
        year=_optional_is(int, value["year"]),
    )


def _is(kind: type[_Value], value: object) -> _Value:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def _optional_is(kind: type[_Value], value: object) -> _Value | None:
    return None if value is None else _is(kind, value)


def _optional(build: Callable[[Any], _Value], value: Any) -> _Value | None:
    return None if value is None else build(value)
