"""The event handlers of the tab "Ask" that answer questions and open sources.

The browser keeps the conversation (see `services/conversation.py`) and sends it with each event; the server stores
nothing of it. Each question is answered by itself.
"""

from __future__ import annotations

import html
import logging
from dataclasses import dataclass
from typing import Any

import gradio as gr

from epiqa.errors import EpiQAError
from epiqa.web.bridge import data_of, number_of
from epiqa.web.services.assistant import Assistant, find_document
from epiqa.web.services.conversation import MAX_UNREAD_FILES, Turn, add_turn, from_json, shortened, to_json
from epiqa.web.services.examples import offered_examples
from epiqa.web.services.feedback import FeedbackStore
from epiqa.web.services.filter_fields import choices, filter_of
from epiqa.web.tabs.events import errors_as_notices
from epiqa.web.texts import Language, language_of, translate_error
from epiqa.web.views.answers import render_turn
from epiqa.web.views.export import download_link, export_json, export_markdown
from epiqa.web.views.filter_chips import render_chips
from epiqa.web.views.html import alert, translate_html
from epiqa.web.views.source_panel import (
    SourceView,
    render_document,
    render_failed_source,
    render_no_source,
    render_source,
)

_log = logging.getLogger("epiqa")


@dataclass(frozen=True, slots=True)
class OpenSource:
    """The source that a session has open: its document, the question that led there, and the marked answer."""

    document: str
    question: str | None = None
    at: int = 0
    marked: tuple[int, int] | None = None


class AskHandlers:
    """Answers questions, filters documents, and opens sources; each handler returns its outputs in order."""

    def __init__(self, qa: Assistant, store: FeedbackStore) -> None:
        self.qa, self.store = qa, store

    def answer(
        self,
        question: str,
        kept: object,
        documents: list[str] | None,
        since: str | None,
        until: str | None,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        """Answers a question and opens its first source."""
        language = language_of(request)
        conversation = add_turn(from_json(kept), self._turn(question, documents, since, until, language))
        number = len(conversation) - 1
        panel = self._panel(conversation, SourceView(number, 0, asked=False), language)
        return "", render_messages(conversation, language), to_json(conversation), *panel

    def answer_example(
        self,
        kept: object,
        documents: list[str] | None,
        since: str | None,
        until: str | None,
        event: gr.SelectData,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        """Answers the example that was clicked."""
        example = event.value
        question = html.unescape(str(example.get("text", ""))) if isinstance(example, dict) else ""
        return self.answer(question, kept, documents, since, until, request)

    def _turn(
        self,
        question: str,
        documents: list[str] | None,
        since: str | None,
        until: str | None,
        language: Language,
    ) -> Turn:
        try:
            within = filter_of(documents, since, until)
            answer = self.qa.ask(question, within=within)
            searched = self.qa.count_documents(within)
        except EpiQAError as error:
            return Turn(question, error=translate_error(language, error))
        if not answer.is_answered:
            try:
                self.store.note_unanswered(answer.question)
            except EpiQAError as error:  # a read-only index still answers
                _log.warning("%s", error)
        unread = self.qa.unread()
        names = tuple(path for path, _ in unread[:MAX_UNREAD_FILES])
        return Turn(question, shortened(answer), documents=searched, unread=len(unread), unread_files=names)

    @errors_as_notices
    def restore(self, kept: object, request: gr.Request) -> tuple[Any, ...]:
        """Shows the conversation that the browser kept, the examples, and the documents to choose from."""
        language, documents = language_of(request), self.qa.documents()
        conversation = from_json(kept)
        examples = offered_examples(documents)
        key = "placeholder_examples" if examples else "placeholder" if documents else "placeholder_empty"
        value: dict[str, Any] = {"value": render_messages(conversation, language)} if conversation else {}
        chatbot = gr.Chatbot(
            **value,  # no value keeps what the reader has asked meanwhile
            placeholder=translate_html(language, key),
            examples=[{"text": html.escape(example, quote=False)} for example in examples],
        )
        return chatbot, render_no_source(language), gr.Dropdown(choices=choices(documents))

    def clear(self, request: gr.Request) -> tuple[Any, ...]:
        """Forgets the conversation."""
        return [], [], render_no_source(language_of(request)), None, gr.Group(visible=False), ""

    def chips(self, documents: list[str] | None, since: str | None, until: str | None, request: gr.Request) -> str:
        """Shows the filter as chips, or its error."""
        language = language_of(request)
        try:
            within = filter_of(documents, since, until)
            titles = {d.id: d.title for d in self.qa.documents()} if within.documents else {}
            return render_chips(within, titles, self.qa.count_documents(within), language)
        except EpiQAError as error:
            return alert(translate_error(language, error))

    def unfilter(
        self, documents: list[str] | None, since: str | None, until: str | None, event: gr.EventData
    ) -> tuple[Any, ...]:
        """Removes one condition of the filter."""
        data = data_of(event)
        field, value = data.get("field"), data.get("value")
        left = [name for name in documents or [] if field != "documents" or name != value]
        return left, "" if field == "since" else since, "" if field == "until" else until

    @errors_as_notices
    def open(self, kept: object, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Opens a source of an answer."""
        turn, place = number_of(event, "turn"), number_of(event, "place")
        view = SourceView(turn or 0, place or 0, number_of(event, "start"))
        return self._panel(from_json(kept), view, language_of(request))

    @errors_as_notices
    def read(self, event: gr.EventData, request: gr.Request) -> tuple[str, OpenSource | None]:
        """Shows a document from the table of documents."""
        language, document = language_of(request), find_document(self.qa, data_of(event).get("document"))
        if document is None:
            return render_no_source(language), None
        return render_document(document, number_of(event, "start") or 0, self.qa, language), OpenSource(document.id)

    def _panel(self, conversation: list[Turn], view: SourceView, language: Language) -> tuple[Any, ...]:
        """Returns the rendered source, the open source, the correction's group, and an empty right answer."""
        turn = conversation[view.turn] if view.turn < len(conversation) else None
        if turn is None or view.source >= len(turn.sources):
            return render_no_source(language), None, gr.Group(visible=False), ""
        place = turn.sources[view.source]
        shown = OpenSource(place.document_id, turn.answer.question if turn.answer else turn.question, place.start)
        try:
            return render_source(turn, view, self.qa, language), shown, gr.Group(visible=True), ""
        except EpiQAError as error:  # the answer is shown even if its document is unreadable
            return (
                render_failed_source(translate_error(language, error), language),
                None,
                gr.Group(visible=False),
                "",
            )

    def export_markdown(self, kept: object, request: gr.Request) -> str:
        """Downloads the conversation as Markdown."""
        content = export_markdown(from_json(kept), language_of(request))
        return download_link("epiqa-conversation.md", "text/markdown", content)

    def export_json(self, kept: object) -> str:
        """Downloads the conversation as JSON."""
        return download_link("epiqa-conversation.json", "application/json", export_json(from_json(kept)))


def render_messages(conversation: list[Turn], language: Language) -> list[dict[str, Any]]:
    """Returns the conversation as the chatbot shows it.

    Questions are escaped here: Gradio renders a user's text as HTML even with Markdown off, and its sanitiser lets
    through pictures from other hosts.
    """
    messages: list[dict[str, Any]] = []
    for number, turn in enumerate(conversation):
        messages.append({"role": "user", "content": html.escape(turn.question, quote=False)})
        reply = gr.HTML(render_turn(turn, number, language), apply_default_css=False)
        messages.append({"role": "assistant", "content": reply})
    return messages
