"""The event handlers of the tab "Ask" that save verdicts and right answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from epiqa.errors import EpiQAError
from epiqa.types import Citation
from epiqa.web.bridge import data_of, number_of
from epiqa.web.services.assistant import Assistant, find_document
from epiqa.web.services.conversation import Turn, from_json, to_json
from epiqa.web.services.feedback import FeedbackStore
from epiqa.web.tabs.answering import OpenSource, render_messages
from epiqa.web.tabs.events import errors_as_notices, warn
from epiqa.web.texts import Language, language_of, translate, translate_error
from epiqa.web.views.html import escape, translate_html


class CorrectionHandlers:
    """Saves verdicts and right answers; each handler returns its outputs in order."""

    def __init__(self, qa: Assistant, store: FeedbackStore) -> None:
        self.qa, self.store = qa, store

    @errors_as_notices
    def mark(self, shown: OpenSource | None, event: gr.EventData) -> tuple[Any, ...]:
        """Proposes the marked text as the right answer, without surrounding space."""
        start, end = number_of(event, "start"), number_of(event, "end")
        if shown is None or start is None or end is None or data_of(event).get("document") != shown.document:
            return gr.skip(), gr.skip()
        quote = (self.qa.document_text(shown.document) or "")[start:end]
        start += len(quote) - len(quote.lstrip())
        quote = quote.strip()
        return quote, replace(shown, marked=(start, start + len(quote)))

    def judge(self, kept: object, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Saves that an answer is right or wrong."""
        language, conversation = language_of(request), from_json(kept)
        number, verdict = number_of(event, "turn"), data_of(event).get("verdict")
        if number is None or number >= len(conversation) or verdict not in ("right", "wrong"):
            return gr.skip(), gr.skip()
        turn = conversation[number]
        try:
            self._save_verdict(turn, is_right=verdict == "right", language=language)
        except EpiQAError as error:
            gr.Warning(escape(translate_error(language, error)))
            return gr.skip(), gr.skip()
        conversation[number] = replace(turn, verdict="right" if verdict == "right" else "wrong")
        return render_messages(conversation, language), to_json(conversation)

    def _save_verdict(self, turn: Turn, *, is_right: bool, language: Language) -> None:
        answer = turn.answer
        if answer is None:
            return
        place = (answer.citations or answer.passages or (None,))[0]
        whole = "" if place is None else self.qa.document_text(place.document_id) or ""
        if not is_right:
            self.store.save_wrong(answer.question, answer.text or "", "" if place is None else place.path)
        elif place is None or whole[place.start : place.end] != place.quote:
            raise EpiQAError(translate(language, "source_gone"))
        elif isinstance(place, Citation):
            self.store.save_answer(answer.question, place.path, whole, place.start, place.end)
        else:
            self.store.save_impossible(answer.question, place.path, whole, place.start)

    @errors_as_notices
    def save(self, answer: str, shown: OpenSource | None, request: gr.Request) -> Any:
        """Saves the marked or typed text as the right answer."""
        language = language_of(request)
        if shown is None or shown.question is None:
            return warn(translate(language, "correction_no_question"))
        if not answer.strip():
            return warn(translate(language, "correction_empty"))
        document = find_document(self.qa, shown.document)
        whole = self.qa.document_text(shown.document) or ""
        place = _place_of(answer, whole, shown)
        if document is None or place is None:
            return warn(translate(language, "correction_missing", answer=answer))
        self.store.save_answer(shown.question, document.path, whole, *place)
        gr.Info(translate_html(language, "correction_saved", question=shown.question, answer=whole[slice(*place)]))
        return ""

    @errors_as_notices
    def save_none(self, shown: OpenSource | None, request: gr.Request) -> Any:
        """Saves that the documents don't answer the question."""
        language = language_of(request)
        document = find_document(self.qa, shown.document) if shown else None
        if shown is None or shown.question is None or document is None:
            return warn(translate(language, "correction_no_question"))
        whole = self.qa.document_text(shown.document) or ""
        self.store.save_impossible(shown.question, document.path, whole, shown.at)
        gr.Info(translate_html(language, "correction_saved_none", question=shown.question))
        return ""


def _place_of(answer: str, whole: str, shown: OpenSource) -> tuple[int, int] | None:
    """Returns (start, end) of the right answer: as marked, else its occurrence nearest to the open source."""
    if shown.marked and whole[slice(*shown.marked)] == answer:
        return shown.marked
    answer = answer.strip()
    after = whole.find(answer, shown.at)
    before = whole.rfind(answer, 0, shown.at + len(answer))
    found = [start for start in (after, before) if start >= 0]
    if not found:
        return None
    start = min(found, key=lambda start: abs(start - shown.at))
    return start, start + len(answer)
