"""Puts the page together: its head, its four tabs, and its functions for programs.

`tabs/` handles events, `views/` renders HTML, `services/` does the work, and `server.py` serves the page.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from epiqa.web.bridge import Bridge, data_of
from epiqa.web.gradio_api import build_api
from epiqa.web.services.assistant import Assistant
from epiqa.web.services.feedback import FeedbackStore
from epiqa.web.tabs.answering import AskHandlers, OpenSource
from epiqa.web.tabs.ask import AskTab, build_ask
from epiqa.web.tabs.documents import build_documents
from epiqa.web.tabs.evaluate import build_evaluate
from epiqa.web.tabs.feedback import build_feedback
from epiqa.web.texts import label

MAX_WAITING = 32
MAX_ASKED_AT_ONCE = 2
# Gradio copies uploads and downloads, and checks every ten minutes for copies older than an hour to delete.
CACHE_S = (600, 3600)


def build_page(qa: Assistant) -> gr.Blocks:
    """Returns the page for `qa`, ready for `launch`."""
    store = FeedbackStore(qa.directory)
    page = gr.Blocks(title="EpiQA", fill_width=True, analytics_enabled=False, delete_cache=CACHE_S)
    with page:
        build_api(qa)  # first: otherwise Gradio may give its names to the functions of events
        header = gr.HTML(elem_id="epiqa-header", apply_default_css=False)
        bridge = Bridge()
        with gr.Tabs(elem_id="epiqa-tabs") as tabs:
            with gr.Tab(label("tab_ask"), id="ask"):
                ask = build_ask(qa, store, page, bridge)
            with gr.Tab(label("tab_documents"), id="documents"):
                build_documents(qa, page, bridge, ask, header)
            with gr.Tab(label("tab_evaluate"), id="evaluate"):
                build_evaluate(qa, page)
            with gr.Tab(label("tab_feedback"), id="feedback") as feedback:
                build_feedback(store, feedback, bridge)
        _connect(AskHandlers(qa, store), bridge, tabs, ask)
    page.queue(max_size=MAX_WAITING, default_concurrency_limit=MAX_ASKED_AT_ONCE, api_open=False)
    return page


def _connect(asking: AskHandlers, bridge: Bridge, tabs: gr.Tabs, ask: AskTab) -> None:
    """Connects the buttons of other tabs that lead to "Ask": read a document, ask only it, ask again."""

    def read(event: gr.EventData, request: gr.Request) -> tuple[Any, str, OpenSource | None]:
        return gr.Tabs(selected="ask"), *asking.read(event, request)

    def only(event: gr.EventData) -> tuple[Any, list[str]]:
        return gr.Tabs(selected="ask"), [data_of(event).get("document", "")]

    def again(event: gr.EventData) -> tuple[Any, str]:
        return gr.Tabs(selected="ask"), data_of(event).get("question", "")

    bridge.on("read", read, None, [tabs, ask.sources, ask.shown])
    bridge.on("only", only, None, [tabs, ask.chosen])
    bridge.on("again", again, None, [tabs, ask.question])
