"""The tab "Ask": its components, and the handlers that their events call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from epiqa.web.bridge import Bridge
from epiqa.web.services.assistant import Assistant
from epiqa.web.services.feedback import FeedbackStore
from epiqa.web.tabs.answering import AskHandlers
from epiqa.web.tabs.correction import CorrectionHandlers
from epiqa.web.tabs.events import PRIVATE, QUIET
from epiqa.web.texts import label

STORAGE = "epiqa-conversation"


@dataclass(frozen=True, slots=True)
class AskTab:
    """The components that other tabs act upon."""

    question: gr.Textbox
    chosen: gr.Dropdown
    sources: gr.HTML
    shown: gr.State


def build_ask(qa: Assistant, store: FeedbackStore, page: gr.Blocks, bridge: Bridge) -> AskTab:
    """Lays the tab out and connects it."""
    conversation = gr.BrowserState([], storage_key=STORAGE)
    with gr.Row(elem_classes="epiqa-columns"):
        with gr.Column(scale=3, min_width=320):
            asked = _AskColumn()
        with gr.Column(scale=2, min_width=320):
            source = _SourceColumn()
    answering, correcting = AskHandlers(qa, store), CorrectionHandlers(qa, store)

    fields, panel = asked.filter_fields, [source.sources, source.shown, source.correction, source.right_answer]
    answered = [asked.question, asked.chatbot, conversation, *panel]
    asked.question.submit(
        answering.answer, [asked.question, conversation, *fields], answered, concurrency_id="ask", **PRIVATE
    )
    asked.chatbot.example_select(
        answering.answer_example, [conversation, *fields], answered, concurrency_id="ask", **PRIVATE
    )
    asked.clear.click(answering.clear, None, [asked.chatbot, conversation, *panel], **QUIET)
    for field in fields:
        field.change(answering.chips, fields, asked.chips, **QUIET)
    bridge.on("unfilter", answering.unfilter, fields, fields)
    bridge.on("open", answering.open, [conversation], panel)
    asked.as_markdown.click(answering.export_markdown, conversation, asked.export, **QUIET)
    asked.as_json.click(answering.export_json, conversation, asked.export, **QUIET)
    page.load(answering.restore, conversation, [asked.chatbot, source.sources, asked.chosen], **QUIET)

    right_answer, shown = source.right_answer, source.shown
    bridge.on("mark", correcting.mark, [shown], [right_answer, shown])
    bridge.on("verdict", correcting.judge, [conversation], [asked.chatbot, conversation])
    for saved in (source.save.click, right_answer.submit):
        saved(correcting.save, [right_answer, shown], right_answer, **QUIET)
    source.save_none.click(correcting.save_none, shown, right_answer, **QUIET)
    return AskTab(asked.question, asked.chosen, source.sources, shown)


class _AskColumn:
    """The conversation, the question, the filter and the tools below it."""

    def __init__(self) -> None:
        self.chatbot = _chatbot()
        self.chips = gr.HTML(elem_id="epiqa-chips", apply_default_css=False)
        self.question = gr.Textbox(
            label=label("question"),
            show_label=False,
            placeholder=label("question"),
            submit_btn=label("ask"),
            max_lines=4,
            elem_id="epiqa-question",
        )
        with gr.Accordion(label("filter"), open=False, elem_id="epiqa-filter"):
            self.chosen = gr.Dropdown(
                [],
                value=[],
                label=label("filter_documents"),
                multiselect=True,
                allow_custom_value=True,
                elem_id="epiqa-filter-documents",
            )
            with gr.Row():
                days = [_day("since"), _day("until")]
        self.filter_fields: list[Any] = [self.chosen, *days]
        with gr.Row(elem_classes="epiqa-tools"):
            self.clear = gr.Button(label("clear"), size="sm", elem_id="epiqa-clear")
            self.as_markdown = gr.Button(label("export_markdown"), size="sm", elem_id="epiqa-export-markdown")
            self.as_json = gr.Button(label("export_json"), size="sm", elem_id="epiqa-export-json")
        self.export = gr.HTML(elem_id="epiqa-export", apply_default_css=False)


class _SourceColumn:
    """The source panel, and the right answer that is marked in it."""

    def __init__(self) -> None:
        self.shown = gr.State(None)
        self.sources = gr.HTML(elem_id="epiqa-sources", container=True, padding=True, apply_default_css=False)
        with gr.Group(visible=False, elem_id="epiqa-correction") as self.correction:
            self.right_answer = gr.Textbox(
                label=label("correction"),
                info=label("correction_info"),
                max_lines=3,
                elem_id="epiqa-right-answer",
            )
            with gr.Row():
                self.save = gr.Button(label("correction_save"), size="sm", variant="primary", elem_id="epiqa-save")
                self.save_none = gr.Button(label("correction_none"), size="sm", elem_id="epiqa-save-none")


def _day(bound: str) -> gr.Textbox:
    return gr.Textbox(
        label=label(f"filter_{bound}"), info=label("filter_days"), max_lines=1, elem_id=f"epiqa-filter-{bound}"
    )


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
