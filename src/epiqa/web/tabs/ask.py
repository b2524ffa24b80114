"""The tab "Ask": the conversation, the filter, and the sources panel with the right answer marked in it.

Each question is answered by itself; the conversation is only shown. The browser keeps it (see `conversation`), and
sends it with each event: the server keeps nothing of it.
"""

from __future__ import annotations

import html
import logging
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from epiqa.errors import EpiQAError
from epiqa.types import Citation
from epiqa.web.bridge import Bridge, data_of, number_of
from epiqa.web.services.assistant import QuestionAnswerer
from epiqa.web.services.conversation import (
    MAX_UNREAD_FILES,
    Turn,
    add_turn,
    download_link,
    export_json,
    export_markdown,
    from_json,
    shortened,
    to_json,
)
from epiqa.web.services.feedback import FeedbackStore
from epiqa.web.texts import Language, label, language_of, say, say_error
from epiqa.web.views.answers import render_turn, text
from epiqa.web.views.examples import offered_examples
from epiqa.web.views.filter_chips import choices, filter_of, render_chips
from epiqa.web.views.notices import told
from epiqa.web.views.source_panel import (
    View,
    render_document,
    render_failed_source,
    render_no_source,
    render_source,
)

STORAGE = "epiqa-conversation"
PRIVATE: dict[str, Any] = {"api_visibility": "private"}
QUIET: dict[str, Any] = {**PRIVATE, "show_progress": "hidden"}

_log = logging.getLogger("epiqa")


@dataclass(frozen=True, slots=True)
class AskTab:
    """The components that other tabs act upon."""

    question: gr.Textbox
    chosen: gr.Dropdown
    sources: gr.HTML
    shown: gr.State


@dataclass(frozen=True, slots=True)
class Shown:
    """What the sources panel shows, as the session remembers it: a document, and the question that led there."""

    document: str
    question: str | None = None
    at: int = 0
    marked: tuple[int, int] | None = None


def build_ask(qa: QuestionAnswerer, store: FeedbackStore, page: gr.Blocks, bridge: Bridge) -> AskTab:
    """Lays the tab out and connects it."""
    conversation = gr.BrowserState([], storage_key=STORAGE)
    shown = gr.State(None)
    with gr.Row(elem_classes="epiqa-columns"):
        with gr.Column(scale=3, min_width=320):
            chatbot = _chatbot()
            chips = gr.HTML(elem_id="epiqa-chips", apply_default_css=False)
            question = gr.Textbox(
                label=label("question"),
                show_label=False,
                placeholder=label("question"),
                submit_btn=label("ask"),
                max_lines=4,
                elem_id="epiqa-question",
            )
            with gr.Accordion(label("filter"), open=False, elem_id="epiqa-filter"):
                chosen = gr.Dropdown(
                    [],
                    value=[],
                    label=label("filter_documents"),
                    multiselect=True,
                    allow_custom_value=True,
                    elem_id="epiqa-filter-documents",
                )
                with gr.Row():
                    days = [
                        gr.Textbox(
                            label=label(f"filter_{bound}"),
                            info=label("filter_days"),
                            max_lines=1,
                            elem_id=f"epiqa-filter-{bound}",
                        )
                        for bound in ("since", "until")
                    ]
            with gr.Row(elem_classes="epiqa-tools"):
                clear = gr.Button(label("clear"), size="sm", elem_id="epiqa-clear")
                as_markdown = gr.Button(label("export_markdown"), size="sm", elem_id="epiqa-export-markdown")
                as_json = gr.Button(label("export_json"), size="sm", elem_id="epiqa-export-json")
            export = gr.HTML(elem_id="epiqa-export", apply_default_css=False)
        with gr.Column(scale=2, min_width=320):
            sources = gr.HTML(elem_id="epiqa-sources", container=True, padding=True, apply_default_css=False)
            with gr.Group(visible=False, elem_id="epiqa-correction") as correction:
                right_answer = gr.Textbox(
                    label=label("correction"),
                    info=label("correction_info"),
                    max_lines=3,
                    elem_id="epiqa-right-answer",
                )
                with gr.Row():
                    save = gr.Button(label("correction_save"), size="sm", variant="primary", elem_id="epiqa-save")
                    save_none = gr.Button(label("correction_none"), size="sm", elem_id="epiqa-save-none")
    filter_fields: list[Any] = [chosen, *days]
    panel = [sources, shown, correction, right_answer]
    asking = Asking(qa, store)

    answered = [question, chatbot, conversation, *panel]
    question.submit(
        asking.answer, [question, conversation, *filter_fields], answered, concurrency_id="ask", **PRIVATE
    )
    chatbot.example_select(
        asking.answer_example, [conversation, *filter_fields], answered, concurrency_id="ask", **PRIVATE
    )
    clear.click(asking.clear, None, [chatbot, conversation, *panel], **QUIET)
    for field in filter_fields:
        field.change(asking.chips, filter_fields, chips, **QUIET)
    bridge.on("unfilter", asking.unfilter, filter_fields, filter_fields)
    bridge.on("open", asking.open, [conversation], panel)
    bridge.on("mark", asking.mark, [shown], [right_answer, shown])
    bridge.on("verdict", asking.judge, [conversation], [chatbot, conversation])
    for saved in (save.click, right_answer.submit):
        saved(asking.save, [right_answer, shown], right_answer, **QUIET)
    save_none.click(asking.save_none, shown, right_answer, **QUIET)
    as_markdown.click(asking.export_markdown, conversation, export, **QUIET)
    as_json.click(asking.export_json, conversation, export, **QUIET)
    page.load(asking.restore, conversation, [chatbot, sources, chosen], **QUIET)
    return AskTab(question, chosen, sources, shown)


def _chatbot() -> gr.Chatbot:
    return gr.Chatbot(
        elem_id="epiqa-chat",
        label=label("conversation"),
        show_label=False,
        height="calc(100dvh - 21rem)",
        min_height=360,
        layout="bubble",
        autoscroll=False,
        buttons=[],
        render_markdown=False,
        latex_delimiters=[],
        allow_tags=False,
    )


class Asking:
    """What happens in the tab: each method is an event's handler, and returns its outputs in order."""

    def __init__(self, qa: QuestionAnswerer, store: FeedbackStore) -> None:
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
        """Answers a question, and opens the first place of the answer."""
        language = language_of(request)
        conversation = add_turn(from_json(kept), self._turn(question, documents, since, until, language))
        number = len(conversation) - 1
        panel = self._panel(conversation, View(number, 0, asked=False), language)
        return "", _messages(conversation, language), to_json(conversation), *panel

    def answer_example(
        self,
        kept: object,
        documents: list[str] | None,
        since: str | None,
        until: str | None,
        event: gr.SelectData,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        """Answers an example that was clicked."""
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
            return Turn(question, error=say_error(language, error))
        if not answer.is_answered:
            try:
                self.store.note_unanswered(answer.question)
            except EpiQAError as error:  # an index that cannot be written to answers all the same
                _log.warning("%s", error)
        unread = self.qa.unread()
        names = tuple(path for path, _ in unread[:MAX_UNREAD_FILES])
        return Turn(question, shortened(answer), documents=searched, unread=len(unread), unread_files=names)

    @told
    def restore(self, kept: object, request: gr.Request) -> tuple[Any, ...]:
        """Shows the conversation that the browser kept, and what there is to begin with."""
        language, documents = language_of(request), self.qa.documents()
        conversation = from_json(kept)
        examples = offered_examples(documents)
        key = "placeholder_examples" if examples else "placeholder" if documents else "placeholder_empty"
        value: dict[str, Any] = {"value": _messages(conversation, language)} if conversation else {}
        chatbot = gr.Chatbot(
            **value,  # none leaves what the reader may have asked in the meantime
            placeholder=text(say(language, key)),
            examples=[{"text": html.escape(example, quote=False)} for example in examples],
        )
        return chatbot, render_no_source(language), gr.Dropdown(choices=choices(documents))

    def clear(self, request: gr.Request) -> tuple[Any, ...]:
        """Forgets the conversation."""
        return [], [], render_no_source(language_of(request)), None, gr.Group(visible=False), ""

    def chips(self, documents: list[str] | None, since: str | None, until: str | None, request: gr.Request) -> str:
        """Shows the filter, or what is wrong with it."""
        language = language_of(request)
        try:
            within = filter_of(documents, since, until)
            titles = {d.id: d.title for d in self.qa.documents()} if within.documents else {}
            return render_chips(within, titles, self.qa.count_documents(within), language)
        except EpiQAError as error:
            return f'<p class="epiqa-error" role="alert">{text(say_error(language, error))}</p>'

    def unfilter(
        self, documents: list[str] | None, since: str | None, until: str | None, event: gr.EventData
    ) -> tuple[Any, ...]:
        """Removes one condition."""
        data = data_of(event)
        field, value = data.get("field"), data.get("value")
        left = [name for name in documents or [] if field != "documents" or name != value]
        return left, "" if field == "since" else since, "" if field == "until" else until

    @told
    def open(self, kept: object, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Shows a place of an answer."""
        turn, place = number_of(event, "turn"), number_of(event, "place")
        view = View(turn or 0, place or 0, number_of(event, "start"))
        return self._panel(from_json(kept), view, language_of(request))

    @told
    def read(self, event: gr.EventData, request: gr.Request) -> tuple[str, Shown | None]:
        """Shows a document from the table of documents."""
        language, document_id = language_of(request), data_of(event).get("document")
        document = next((d for d in self.qa.documents() if d.id == document_id), None)
        if document is None:
            return render_no_source(language), None
        return render_document(document, number_of(event, "start") or 0, self.qa, language), Shown(document.id)

    def _panel(self, conversation: list[Turn], view: View, language: Language) -> tuple[Any, ...]:
        """Returns the source, what is remembered of it, whether it can be corrected, and an empty correction."""
        turn = conversation[view.turn] if view.turn < len(conversation) else None
        if turn is None or view.place >= len(turn.places):
            return render_no_source(language), None, gr.Group(visible=False), ""
        place = turn.places[view.place]
        shown = Shown(place.document_id, turn.answer.question if turn.answer else turn.question, place.start)
        try:
            return render_source(turn, view, self.qa, language), shown, gr.Group(visible=True), ""
        except EpiQAError as error:  # the answer stands, whatever became of its document
            return render_failed_source(say_error(language, error), language), None, gr.Group(visible=False), ""

    @told
    def mark(self, shown: Shown | None, event: gr.EventData) -> tuple[Any, ...]:
        """Takes what was marked in the source for the right answer, without the space around it."""
        start, end = number_of(event, "start"), number_of(event, "end")
        if shown is None or start is None or end is None or data_of(event).get("document") != shown.document:
            return gr.skip(), gr.skip()
        quote = (self.qa.document_text(shown.document) or "")[start:end]
        start += len(quote) - len(quote.lstrip())
        quote = quote.strip()
        return quote, replace(shown, marked=(start, start + len(quote)))

    def judge(self, kept: object, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Notes that an answer is right or wrong."""
        language, conversation = language_of(request), from_json(kept)
        number, verdict = number_of(event, "turn"), data_of(event).get("verdict")
        if number is None or number >= len(conversation) or verdict not in ("right", "wrong"):
            return gr.skip(), gr.skip()
        turn = conversation[number]
        try:
            self._save_verdict(turn, is_right=verdict == "right", language=language)
        except EpiQAError as error:
            gr.Warning(text(say_error(language, error)))
            return gr.skip(), gr.skip()
        conversation[number] = replace(turn, verdict="right" if verdict == "right" else "wrong")
        return _messages(conversation, language), to_json(conversation)

    def _save_verdict(self, turn: Turn, *, is_right: bool, language: Language) -> None:
        answer = turn.answer
        if answer is None:
            return
        place = (answer.citations or answer.passages or (None,))[0]
        whole = "" if place is None else self.qa.document_text(place.document_id) or ""
        if not is_right:
            self.store.save_wrong(answer.question, answer.text or "", "" if place is None else place.path)
        elif place is None or whole[place.start : place.end] != place.quote:
            raise EpiQAError(say(language, "source_gone"))
        elif isinstance(place, Citation):
            self.store.save_answer(answer.question, place.path, whole, place.start, place.end)
        else:
            self.store.save_impossible(answer.question, place.path, whole, place.start)

    @told
    def save(self, answer: str, shown: Shown | None, request: gr.Request) -> Any:
        """Saves what was marked, or typed, as the right answer."""
        language = language_of(request)
        if shown is None or shown.question is None:
            return _warn(say(language, "correction_no_question"))
        if not answer.strip():
            return _warn(say(language, "correction_empty"))
        document = next((d for d in self.qa.documents() if d.id == shown.document), None)
        whole = self.qa.document_text(shown.document) or ""
        place = _place_of(answer, whole, shown)
        if document is None or place is None:
            return _warn(say(language, "correction_missing", answer=answer))
        self.store.save_answer(shown.question, document.path, whole, *place)
        gr.Info(text(say(language, "correction_saved", question=shown.question, answer=whole[slice(*place)])))
        return ""

    @told
    def save_none(self, shown: Shown | None, request: gr.Request) -> Any:
        """Saves that the documents don't answer the question."""
        language = language_of(request)
        document = next((d for d in self.qa.documents() if shown and d.id == shown.document), None)
        if shown is None or shown.question is None or document is None:
            return _warn(say(language, "correction_no_question"))
        whole = self.qa.document_text(shown.document) or ""
        self.store.save_impossible(shown.question, document.path, whole, shown.at)
        gr.Info(text(say(language, "correction_saved_none", question=shown.question)))
        return ""

    def export_markdown(self, kept: object, request: gr.Request) -> str:
        """Offers the conversation as Markdown."""
        content = export_markdown(from_json(kept), language_of(request))
        return download_link("epiqa-conversation.md", "text/markdown", content)

    def export_json(self, kept: object) -> str:
        """Offers the conversation as JSON."""
        return download_link("epiqa-conversation.json", "application/json", export_json(from_json(kept)))


def _messages(conversation: list[Turn], language: Language) -> list[dict[str, Any]]:
    """Returns the conversation as the chatbot shows it.

    Gradio writes a user's text into the page as HTML even with Markdown turned off, and its sanitiser lets pictures
    of other hosts through: what is shown of a question is escaped here.
    """
    messages: list[dict[str, Any]] = []
    for number, turn in enumerate(conversation):
        messages.append({"role": "user", "content": html.escape(turn.question, quote=False)})
        reply = gr.HTML(render_turn(turn, number, language), apply_default_css=False)
        messages.append({"role": "assistant", "content": reply})
    return messages


def _place_of(answer: str, whole: str, shown: Shown) -> tuple[int, int] | None:
    """Returns where the right answer stands: as it was marked, else its place nearest to what is shown."""
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


def _warn(message: str) -> Any:
    gr.Warning(text(message))
    return gr.skip()
