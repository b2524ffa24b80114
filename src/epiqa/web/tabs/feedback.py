"""The tab "Feedback": the judged and the unanswered questions."""

from __future__ import annotations

import shutil
from typing import Any

import gradio as gr

from epiqa.errors import EpiQAError
from epiqa.web.bridge import Bridge, data_of
from epiqa.web.services.feedback import FeedbackStore
from epiqa.web.services.uploads import scratch_folder
from epiqa.web.tabs.events import QUIET
from epiqa.web.texts import label, language_of, translate_error
from epiqa.web.views.feedback import render_judged, render_unanswered
from epiqa.web.views.html import alert, escape, note, translate_html


def build_feedback(store: FeedbackStore, tab: gr.Tab, bridge: Bridge) -> None:
    """Lays the tab out and connects it."""
    intro = gr.HTML(apply_default_css=False)
    with gr.Row(elem_classes="epiqa-lists"):
        with gr.Column(min_width=320):
            unanswered = gr.HTML(elem_id="epiqa-unanswered", apply_default_css=False)
        with gr.Column(min_width=320):
            judged = gr.HTML(elem_id="epiqa-judged", apply_default_css=False)
    download = gr.DownloadButton(label("feedback_download"), visible=False, size="sm", elem_id="epiqa-squad")
    showing = FeedbackHandlers(store)
    lists = [intro, unanswered, judged, download]

    tab.select(showing.lists, None, lists, **QUIET)
    bridge.on("forget", showing.forget, None, lists)


class FeedbackHandlers:
    """The tab's event handlers; each returns its outputs in order."""

    def __init__(self, store: FeedbackStore) -> None:
        self.store = store

    def lists(self, request: gr.Request) -> tuple[Any, ...]:
        """Shows both lists."""
        language = language_of(request)
        intro = note(translate_html(language, "feedback_intro", file=self.store.path))
        try:
            unanswered, judged = self.store.unanswered(), self.store.judged()
        except EpiQAError as error:
            return intro, alert(translate_error(language, error)), "", gr.DownloadButton(visible=False)
        return (
            intro,
            render_unanswered(unanswered, language),
            render_judged(judged, language),
            gr.DownloadButton(value=self._copy(), visible=True) if judged else gr.DownloadButton(visible=False),
        )

    def forget(self, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Deletes a question from the feedback."""
        try:
            self.store.forget(data_of(event).get("question", ""))
        except EpiQAError as error:
            gr.Warning(escape(translate_error(language_of(request), error)))
        return self.lists(request)

    def _copy(self) -> str:
        """Copies the file to where Gradio may read it; returns its path."""
        return str(shutil.copy(self.store.path, scratch_folder() / self.store.path.name))
