"""The source panel: a document at the place that an answer quotes, with a link to its original file.

A long document is shown in a window around the place, with buttons that move it. The text stands alone in its
element, unchanged, so that the script can count which characters of the document are marked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from epiqa.types import Citation, DocumentInfo, Passage
from epiqa.web.services.assistant import DocumentReader
from epiqa.web.services.conversation import Turn
from epiqa.web.texts import Language
from epiqa.web.views.answers import render_place
from epiqa.web.views.html import alert, button, escape, translate_html

WHOLE_CHARACTERS = 20_000
AROUND_CHARACTERS = 6_000
ORIGINALS: Final = "original"


@dataclass(frozen=True, slots=True)
class SourceView:
    """Which source of which turn is shown, and from which character on.

    `asked` is False for a source that opened by itself.
    """

    turn: int
    source: int
    start: int | None = None
    asked: bool = True


def original_link(document_id: str, label: str) -> str:
    """Returns a link to a document's original file; `label` is HTML."""
    return f'<a class="epiqa-link" href="{ORIGINALS}/{quote(document_id, safe="")}" download>{label}</a>'


def render_no_source(language: Language) -> str:
    """Returns the panel before a source is opened."""
    return _panel(language, "", f"<p>{translate_html(language, 'no_source')}</p>", asked=False)


def render_failed_source(reason: str, language: Language) -> str:
    """Returns the panel with the reason why a document could not be read."""
    return _panel(language, "", alert(reason), asked=False)


def render_source(turn: Turn, view: SourceView, qa: DocumentReader, language: Language) -> str:
    """Returns the panel with one source of a turn; the quotes of the turn's other sources there are marked, too."""
    place = turn.sources[view.source]
    whole = qa.document_text(place.document_id)
    if whole is None or whole[place.start : place.end] != place.quote:
        gone = f'<p class="epiqa-error">{translate_html(language, "source_gone")}</p>'
        return _panel(language, "", gone, asked=view.asked)
    others = [
        (other.start, other.end)
        for other in turn.sources
        if isinstance(other, Citation) is isinstance(place, Citation) and other.document_id == place.document_id
    ]
    start, end = window(len(whole), place.start if view.start is None else view.start, whole)
    where = {"turn": view.turn, "place": view.source}
    steps = _steps(view, len(turn.sources), language)
    return _panel(
        language,
        steps,
        _head(place, qa, language) + _text(place, others, whole, start, end, where, language),
        asked=view.asked,
    )


def render_document(document: DocumentInfo, start: int, qa: DocumentReader, language: Language) -> str:
    """Returns the panel with a document from the table of documents, from character `start` on."""
    whole = qa.document_text(document.id) or ""
    place = Citation(document.id, document.title, document.path, document.date, None, start, start, "", "", "")
    begin, end = window(len(whole), start, whole)
    body = _text(place, [], whole, begin, end, {"document": document.id}, language)
    return _panel(language, "", _head(place, qa, language) + body, asked=True)


def window(length: int, at: int, whole: str) -> tuple[int, int]:
    """Returns the part (start, end) of a text to show around offset `at`, cut at line breaks if there are any."""
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
    """Returns `whole[start:end]` as HTML with its quotes marked; the current one has a class of its own."""
    pieces, position = [], start
    for first, last in sorted({current, *quotes}):
        overlaps = (first, last) != current and first < current[1] and current[0] < last
        if first < position or last > end or first == last or overlaps:
            continue
        kind = ' class="epiqa-current"' if (first, last) == current else ""
        pieces += [escape(whole[position:first]), f"<mark{kind}>{escape(whole[first:last])}</mark>"]
        position = last
    return "".join([*pieces, escape(whole[position:end])])


def _panel(language: Language, steps: str, content: str, *, asked: bool) -> str:
    heading = f'<h2 tabindex="-1">{translate_html(language, "source")}</h2>'
    back = button(translate_html(language, "back"), kind="epiqa-button epiqa-back", back="") if asked else ""
    return (
        f'<section class="epiqa-source"{" data-asked" if asked else ""}>'
        f'<div class="epiqa-bar">{heading}{steps}{back}</div>{content}</section>'
    )


def _steps(view: SourceView, count: int, language: Language) -> str:
    if count < 2:
        return ""
    said = translate_html(language, "place_of", number=view.source + 1, count=count)
    steps = []
    for key, sign, place in (("previous", "‹", view.source - 1), ("next", "›", view.source + 1)):
        off = "" if 0 <= place < count else " disabled"
        steps.append(
            f'<button type="button" class="epiqa-button" data-action="open" data-turn="{view.turn}" '
            f'data-place="{place}" aria-label="{translate_html(language, key)}"{off}>{sign}</button>'
        )
    return f'<span class="epiqa-steps">{steps[0]} <span>{said}</span> {steps[1]}</span>'


def _head(place: Citation | Passage, qa: DocumentReader, language: Language) -> str:
    link = ""
    if qa.original(place.document_id) is not None:
        link = original_link(place.document_id, translate_html(language, "original"))
    return (
        f'<div class="epiqa-head"><p class="epiqa-title" dir="auto">{escape(place.title)}</p>'
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
            translate_html(language, "earlier"), action=action, **where, start=max(0, start - AROUND_CHARACTERS)
        )
    if end < len(whole):
        later = button(translate_html(language, "later"), action=action, **where, start=end + AROUND_CHARACTERS)
    shown = marked(whole, start, end, quotes, (place.start, place.end))
    name = f'aria-label="{translate_html(language, "document_text")}"'
    outer, inner, status = f' tabindex="0" role="region" {name}', "", ""
    if can_mark:
        outer, inner, status = "", f" {_MARKABLE} {name}", _marking(language)
    return (
        f'<div class="epiqa-document"{outer}>{earlier}'
        f'<div class="epiqa-body" dir="auto" data-document="{escape(place.document_id)}" '
        f'data-start="{start}"{inner}>'
        f"{shown}</div>{later}</div>{status}"
    )


# An editable text has a caret, which keys move and screen readers follow. The script prevents every change.
_MARKABLE: Final = (
    'contenteditable="true" tabindex="0" role="textbox" aria-multiline="true" aria-readonly="true" '
    'inputmode="none" spellcheck="false" autocorrect="off" aria-describedby="epiqa-keys"'
)


def _marking(language: Language) -> str:
    """Returns for screen readers how to mark the right answer, and what is marked."""
    said = translate_html(language, "marked", quote="{quote}")
    return (
        f'<p id="epiqa-keys" class="epiqa-unseen">{translate_html(language, "marking_keys")}</p>'
        f'<p class="epiqa-marked epiqa-unseen" role="status" data-said="{said}"></p>'
    )
