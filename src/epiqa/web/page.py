"""The page's layout and what happens when a question is asked.

The chat is stateless: each question is answered by itself, the conversation is only shown. What it
shows is made in `render.py`; how it is served is settled in `server.py`.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Literal, Protocol

import gradio as gr
from gradio.events import api

from epiqa.errors import EpiQAError
from epiqa.types import Answer, Citation, DocumentInfo, IndexInfo
from epiqa.web import render

# File name and question; a question is offered when its document is in the index. The last one has no
# answer there, to show what that looks like.
EXAMPLES = (
    ("002_4240fd80c429d22d.txt", "Who chaired the city headquarters meeting on February 2?"),
    ("002_4240fd80c429d22d.txt", "What has to be done in canteens and on public transport?"),
    ("004_5d92a0e4b413dfa2.txt", "How many abnormal test results turned up in Jinpu New District?"),
    ("004_5d92a0e4b413dfa2.txt", "How often will students be tested?"),
    ("000_b85568a49fec7b60.txt", "Which hospital did Tang Yijun call by video?"),
    ("000_b85568a49fec7b60.txt", "How many vaccine doses did Dalian receive?"),
)

# Gradio would scroll to the end of an answer; its beginning is what the reader wants.
SCROLL_TO_QUESTION = """() => setTimeout(() => {
  const log = document.querySelector("#epiqa-chat [role=log]");
  const question = [...log.querySelectorAll("[data-testid=user]")].pop();
  if (question) {
    log.scrollTop += question.getBoundingClientRect().top - log.getBoundingClientRect().top - 16;
  }
}, 100)"""

MAX_WAITING = 32
MAX_ASKED_AT_ONCE = 2


class QuestionAnswerer(Protocol):
    """What the page needs of `epiqa.pipeline.EpiQA`; `ask` is called from several threads at once."""

    def ask(self, question: str) -> Answer:
        """Answers one question; raises EpiQAError with a message for the user."""

    def documents(self) -> Sequence[DocumentInfo]:
        """Lists what is in the index."""

    @property
    def info(self) -> IndexInfo:
        """Describes the index."""


class _Chat(gr.ChatInterface):
    """A ChatInterface that shows the question as it was typed.

    Gradio's chatbot writes a user's text into the page as HTML even with Markdown turned off, and its
    sanitiser lets pictures of other hosts through. So the shown text is escaped where Gradio makes the
    chat's message of it; the text that is asked is not.
    """

    def _message_as_message_dict(self, message: Any, role: Literal["user", "assistant"]) -> Any:
        messages = super()._message_as_message_dict(message, role)
        if role == "assistant":
            return messages
        return [{**shown, "content": _escape_content(shown["content"])} for shown in messages]


def build_page(qa: QuestionAnswerer) -> gr.Blocks:
    """Returns the chat page for `qa`, ready for `launch`."""

    def reply(question: str, _history: object) -> tuple[gr.HTML, str]:
        try:
            answer = qa.ask(question)
        except EpiQAError as error:
            return _reply_html(render.render_error(error)), render.NO_PASSAGES
        return _reply_html(render.render_answer(answer, qa.info.documents)), render.render_passages(answer)

    def ask(question: str) -> dict[str, Any]:
        """Answers one question; returns the quote ("text", null when unanswered) and its citations."""
        try:
            return _as_json(qa.ask(question))
        except EpiQAError as error:
            raise gr.Error(str(error), print_exception=False) from error

    page = gr.Blocks(title="EpiQA", fill_width=True, analytics_enabled=False)
    with page:
        gr.HTML(render.render_header(qa.info), apply_default_css=False)
        with gr.Row():
            chat_column = gr.Column(scale=3, min_width=520)
            with gr.Column(scale=2, min_width=340):
                passages = gr.HTML(
                    render.NO_PASSAGES,
                    elem_id="epiqa-passages",
                    container=True,
                    padding=True,
                    apply_default_css=False,
                )
        with chat_column:
            chatbot = gr.Chatbot(
                elem_id="epiqa-chat",
                show_label=False,
                height="calc(100dvh - 17rem)",
                min_height=360,
                layout="bubble",
                autoscroll=False,
                buttons=[],
                render_markdown=False,
                latex_delimiters=[],
                allow_tags=False,
                placeholder="Ask about the documents, or try one of these questions.",
            )
            _Chat(
                reply,
                chatbot=chatbot,
                textbox=gr.Textbox(
                    label="Question",
                    placeholder="Your question",
                    submit_btn="Ask",
                    max_lines=4,
                    elem_id="epiqa-question",
                ),
                examples=[question for _, question in offered_examples(qa.documents())],
                additional_outputs=[passages],
                flagging_mode="never",
                analytics_enabled=False,
                api_visibility="private",
            )
            gr.HTML(render.render_legend(), apply_default_css=False)
        chatbot.change(None, js=SCROLL_TO_QUESTION)
        chatbot.clear(lambda: render.NO_PASSAGES, None, passages, api_visibility="private")
        api(ask, api_name="ask")
    page.queue(max_size=MAX_WAITING, default_concurrency_limit=MAX_ASKED_AT_ONCE, api_open=False)
    return page


def offered_examples(documents: Sequence[DocumentInfo]) -> list[tuple[str, str]]:
    """Returns those of `EXAMPLES` whose document is among `documents`."""
    names = {PurePath(document.path).name for document in documents}
    return [example for example in EXAMPLES if example[0] in names]


def _reply_html(content: str) -> gr.HTML:
    return gr.HTML(content, apply_default_css=False)


def _escape_content(content: Any) -> Any:
    if isinstance(content, str):
        return html.escape(content, quote=False)
    return [_escape_content(part) if isinstance(part, str) else part for part in content]


def _as_json(answer: Answer) -> dict[str, Any]:
    return {
        "question": answer.question,
        "is_answered": answer.is_answered,
        "text": answer.text,
        "confidence": answer.confidence,
        "citations": [_citation_as_json(citation) for citation in answer.citations],
    }


def _citation_as_json(citation: Citation) -> dict[str, Any]:
    return {
        "document_id": citation.document_id,
        "title": citation.title,
        "file": citation.path,  # under the name "path", Gradio's client would try to download it
        "date": citation.date.written if citation.date else None,
        "page": citation.page,
        "section": citation.section,
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
        "before": citation.before,
        "after": citation.after,
    }
