"""The sources panel: a document at the place that an answer names, and its original file as a download.

Of a long document a window around the place is shown, with buttons that move it. The text stands alone in its
element, to the letter, so that the script can tell which characters of the document are marked there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from epiqa.errors import EpiQAError
from epiqa.types import Citation, DocumentInfo, Passage
from epiqa.web.services.conversation import Turn
from epiqa.web.texts import Language, say
from epiqa.web.views.answers import button, render_place, text

WHOLE_CHARACTERS = 20_000
AROUND_CHARACTERS = 6_000
ORIGINALS: Final = "original"


class Library(Protocol):
    """What the panel needs of `epiqa.assistant.EpiQA`."""

    def document_text(self, document_id: str) -> str | None:
        """Returns the text that the offsets of citations refer to, or None for an unknown id."""

    def original(self, document_id: str) -> Path | None:
        """Returns the file a document was read from, or None."""


@dataclass(frozen=True, slots=True)
class View:
    """Which place of which turn is shown, and from which character on; `asked` by the reader, or by itself."""

    turn: int
    place: int
    start: int | None = None
    asked: bool = True


def original_file(qa: Library, document_id: str) -> Path | None:
    """Returns the file to download for a document of the index; nothing else can be named with it."""
    return qa.original(document_id)


def originals_route(qa: Library) -> Route:
    """Returns the route under which originals are downloaded: by the document's id, never shown by the browser."""

    def download(request: Request) -> Response:
        try:
            path = original_file(qa, request.path_params["document_id"])
        except EpiQAError as error:
            return PlainTextResponse(str(error), status_code=500)
        if path is None:
            return PlainTextResponse("There is no such file.", status_code=404)
        return FileResponse(
            path,
            media_type="application/octet-stream",
            filename=path.name.encode("utf-8", "replace").decode(),
            content_disposition_type="attachment",
        )

    return Route(f"/{ORIGINALS}/{{document_id}}", download, methods=["GET"])


def original_link(document_id: str, label: str) -> str:
    """Returns a link to a document's original file; `label` is HTML."""
    return f'<a class="epiqa-link" href="{ORIGINALS}/{quote(document_id, safe="")}" download>{label}</a>'


def render_no_source(language: Language) -> str:
    """Returns the panel before anything was opened."""
    return _panel(language, "", f"<p>{text(say(language, 'no_source'))}</p>", asked=False)


def render_failed_source(reason: str, language: Language) -> str:
    """Returns the panel where a document could not be read."""
    return _panel(language, "", f'<p class="epiqa-error" role="alert">{text(reason)}</p>', asked=False)


def render_source(turn: Turn, view: View, qa: Library, language: Language) -> str:
    """Returns the panel with one place of a turn: its quote marked, and those of the turn's other places there."""
    place = turn.places[view.place]
    whole = qa.document_text(place.document_id)
    if whole is None or whole[place.start : place.end] != place.quote:
        gone = f'<p class="epiqa-error">{text(say(language, "source_gone"))}</p>'
        return _panel(language, "", gone, asked=view.asked)
    others = [
        (other.start, other.end)
        for other in turn.places
        if isinstance(other, Citation) is isinstance(place, Citation) and other.document_id == place.document_id
    ]
    start, end = window(len(whole), place.start if view.start is None else view.start, whole)
    where = {"turn": view.turn, "place": view.place}
    steps = _steps(view, len(turn.places), language)
    return _panel(
        language,
        steps,
        _head(place, qa, language) + _text(place, others, whole, start, end, where, language),
        asked=view.asked,
    )


def render_document(document: DocumentInfo, start: int, qa: Library, language: Language) -> str:
    """Returns the panel with a document that no answer led to, from a character on."""
    whole = qa.document_text(document.id) or ""
    place = Citation(document.id, document.title, document.path, document.date, None, start, start, "", "", "")
    begin, end = window(len(whole), start, whole)
    body = _text(place, [], whole, begin, end, {"document": document.id}, language)
    return _panel(language, "", _head(place, qa, language) + body, asked=True)


def window(length: int, at: int, whole: str) -> tuple[int, int]:
    """Returns which part of a text is shown around an offset, cut at line breaks where there are some."""
    if length <= WHOLE_CHARACTERS:
        return 0, length
    at = min(max(at, 0), length)
    start, end = max(0, at - AROUND_CHARACTERS), min(length, at + AROUND_CHARACTERS)
    if start:
        line = whole.find("\n", start - 1, at)
        start = start if line < 0 else line + 1
    if end < length:
        line = whole.rfind("\n", at, end)
        end = end if line <= at else line + 1
    return start, end


def marked(whole: str, start: int, end: int, quotes: Sequence[tuple[int, int]], current: tuple[int, int]) -> str:
    """Returns a part of a text as HTML, with the quotes that lie in it marked, the current one apart."""
    pieces, position = [], start
    for first, last in sorted({current, *quotes}):
        overlaps = (first, last) != current and first < current[1] and current[0] < last
        if first < position or last > end or first == last or overlaps:
            continue
        kind = ' class="epiqa-current"' if (first, last) == current else ""
        pieces += [text(whole[position:first]), f"<mark{kind}>{text(whole[first:last])}</mark>"]
        position = last
    return "".join([*pieces, text(whole[position:end])])


def _panel(language: Language, steps: str, content: str, *, asked: bool) -> str:
    heading = f'<h2 tabindex="-1">{text(say(language, "source"))}</h2>'
    back = button(text(say(language, "back")), kind="epiqa-button epiqa-back", back="") if asked else ""
    return (
        f'<section class="epiqa-source"{" data-asked" if asked else ""}>'
        f'<div class="epiqa-bar">{heading}{steps}{back}</div>{content}</section>'
    )


def _steps(view: View, count: int, language: Language) -> str:
    if count < 2:
        return ""
    said = text(say(language, "place_of", number=view.place + 1, count=count))
    steps = []
    for key, sign, place in (("previous", "‹", view.place - 1), ("next", "›", view.place + 1)):
        off = "" if 0 <= place < count else " disabled"
        steps.append(
            f'<button type="button" class="epiqa-button" data-action="open" data-turn="{view.turn}" '
            f'data-place="{place}" aria-label="{text(say(language, key))}"{off}>{sign}</button>'
        )
    return f'<span class="epiqa-steps">{steps[0]} <span>{said}</span> {steps[1]}</span>'


def _head(place: Citation | Passage, qa: Library, language: Language) -> str:
    link = ""
    if original_file(qa, place.document_id) is not None:
        link = original_link(place.document_id, text(say(language, "original")))
    return (
        f'<div class="epiqa-head"><p class="epiqa-title" dir="auto">{text(place.title)}</p>'
        f"<p>{render_place(place, language)} {link}</p></div>"
    )


def _text(
    place: Citation | Passage,
    quotes: Sequence[tuple[int, int]],
    whole: str,
    start: int,
    end: int,
    where: Mapping[str, Any],
    language: Language,
) -> str:
    can_mark = "turn" in where
    action = "open" if can_mark else "read"
    earlier = later = ""
    if start > 0:
        earlier = button(
            text(say(language, "earlier")), action=action, **where, start=max(0, start - AROUND_CHARACTERS)
        )
    if end < len(whole):
        later = button(text(say(language, "later")), action=action, **where, start=end + AROUND_CHARACTERS)
    shown = marked(whole, start, end, quotes, (place.start, place.end))
    name = f'aria-label="{text(say(language, "document_text"))}"'
    outer, inner, status = f' tabindex="0" role="region" {name}', "", ""
    if can_mark:
        outer, inner, status = "", f" {_MARKABLE} {name}", _marking(language)
    return (
        f'<div class="epiqa-document"{outer}>{earlier}'
        f'<div class="epiqa-body" dir="auto" data-document="{text(place.document_id)}" data-start="{start}"{inner}>'
        f"{shown}</div>{later}</div>{status}"
    )


# A text that can be edited has a caret, which keys move and screen readers follow; the script lets nothing change.
_MARKABLE: Final = (
    'contenteditable="true" tabindex="0" role="textbox" aria-multiline="true" aria-readonly="true" '
    'inputmode="none" spellcheck="false" autocorrect="off" aria-describedby="epiqa-keys"'
)


def _marking(language: Language) -> str:
    """Returns, for screen readers, how the right answer is marked, and what is marked."""
    said = text(say(language, "marked", quote="{quote}"))
    return (
        f'<p id="epiqa-keys" class="epiqa-unseen">{text(say(language, "marking_keys"))}</p>'
        f'<p class="epiqa-marked epiqa-unseen" role="status" data-said="{said}"></p>'
    )
