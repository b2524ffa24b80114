"""The tab "Documents": lists, adds and removes the documents of the index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from epiqa.errors import EpiQAError
from epiqa.web.bridge import Bridge, data_of, number_of
from epiqa.web.services.assistant import Assistant, find_document
from epiqa.web.services.filter_fields import choices
from epiqa.web.services.uploads import (
    MAX_FILE_BYTES,
    MAX_FILES,
    SUFFIXES,
    UPLOADS,
    add_uploads,
    forget_unread,
    remove_document,
)
from epiqa.web.tabs.ask import AskTab
from epiqa.web.tabs.events import QUIET, errors_as_notices
from epiqa.web.texts import label, language_of, translate, translate_error
from epiqa.web.views.answers import render_header
from epiqa.web.views.documents import DocumentList, StatusFilter, render_documents, render_uploads
from epiqa.web.views.html import alert, escape, translate_html


def build_documents(qa: Assistant, page: gr.Blocks, bridge: Bridge, ask: AskTab, header: gr.HTML) -> gr.HTML:
    """Lays the tab out and connects it; returns the table, which "Ask only this one" leads away from."""
    files = gr.File(
        label=label("add"),
        file_count="multiple",
        file_types=list(SUFFIXES),
        height=170,
        elem_id="epiqa-upload",
    )
    limits = gr.HTML(apply_default_css=False)
    uploads = gr.HTML(elem_id="epiqa-uploads", apply_default_css=False)
    with gr.Row(elem_classes="epiqa-find"):
        words = gr.Textbox(
            label=label("find_documents"),
            placeholder=label("find_hint"),
            max_lines=1,
            scale=3,
            elem_id="epiqa-find",
        )
        show = gr.Radio(
            [(label(f"show_{kind}"), kind) for kind in ("all", "read", "problems")],
            value="all",
            label=label("show"),
            scale=2,
            elem_id="epiqa-show",
        )
    table = gr.HTML(elem_id="epiqa-documents", apply_default_css=False)
    handlers = DocumentsHandlers(qa)
    view: list[Any] = [words, show]
    everywhere = [header, table, ask.chosen]

    upload = files.upload(
        handlers.add, [files, *view], [files, uploads], concurrency_id="index", concurrency_limit=1, **QUIET
    )
    upload.then(handlers.refresh, view, everywhere, **QUIET)
    for field in view:
        field.change(handlers.table, view, table, **QUIET)
    bridge.on("turnpage", handlers.turn_page, view, [table])
    bridge.on("remove", handlers.remove, [*view], everywhere)
    page.load(handlers.refresh, view, everywhere, **QUIET)
    page.load(handlers.limits, None, limits, **QUIET)
    return table


class DocumentsHandlers:
    """The tab's event handlers; each returns its outputs in order."""

    def __init__(self, qa: Assistant) -> None:
        self.qa = qa

    def add(
        self, files: list[str], words: str, show: StatusFilter, request: gr.Request
    ) -> Iterator[tuple[Any, str]]:
        """Adds the uploaded files and shows their progress."""
        language = language_of(request)
        try:
            for states in add_uploads(self.qa, files, language):
                yield None, render_uploads(states, language)
        except EpiQAError as error:
            yield None, alert(translate_error(language, error))

    @errors_as_notices
    def refresh(self, words: str, show: StatusFilter, request: gr.Request) -> tuple[Any, ...]:
        """Shows the current index: the page's head, the table, and the filter's choices."""
        header = render_header(self.qa.info, language_of(request))
        return header, self.table(words, show, request), gr.Dropdown(choices=choices(self.qa.documents()))

    @errors_as_notices
    def table(self, words: str, show: StatusFilter, request: gr.Request, first: int = 0) -> str:
        """Shows the documents that match the words and the status."""
        listing = DocumentList(self.qa.documents(), self.qa.unread())
        return render_documents(listing, words or "", show, first, language_of(request))

    def turn_page(self, words: str, show: StatusFilter, event: gr.EventData, request: gr.Request) -> str:
        """Shows the previous or next rows."""
        return self.table(words, show, request, number_of(event, "first") or 0)

    @errors_as_notices
    def remove(self, words: str, show: StatusFilter, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Removes a document from the index, or an unreadable file from the list."""
        language, data = language_of(request), data_of(event)
        document = find_document(self.qa, data.get("document"))
        unread = next((path for path, _ in self.qa.unread() if path == data.get("file")), None)
        try:
            if document is not None:
                remove_document(self.qa, document, self.qa.remove, self.qa.original(document.id))
                gr.Info(translate_html(language, "removed", title=document.title))
            elif unread is not None:
                forget_unread(self.qa, unread, self.qa.remove)
                gr.Info(translate_html(language, "unlisted", title=unread))
        except EpiQAError as error:
            gr.Warning(escape(translate_error(language, error)))
        return self.refresh(words, show, request)

    def limits(self, request: gr.Request) -> str:
        """Shows the limits of uploads, and where they are kept."""
        language, folder = language_of(request), self.qa.directory / UPLOADS
        said = translate(language, "add_limits", count=MAX_FILES, size=MAX_FILE_BYTES >> 20, folder=folder)
        return f'<p class="epiqa-note">{translate_html(language, "add_drop")}. {escape(said)}</p>'
