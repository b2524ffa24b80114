"""The table of documents and the progress of uploads as HTML: pure functions, tested by their exact output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from epiqa.types import DocumentInfo
from epiqa.web.services.uploads import Upload
from epiqa.web.texts import Language, translate
from epiqa.web.views.html import button, escape, fold, note, translate_html
from epiqa.web.views.source_panel import original_link

ROWS: Final = 50

StatusFilter = Literal["all", "read", "problems"]


@dataclass(frozen=True, slots=True)
class DocumentList:
    """The documents of an index, and the path of each unreadable file with the reason."""

    documents: Sequence[DocumentInfo]
    unread: Sequence[tuple[str, str]]

    def matching(self, words: str, status: StatusFilter) -> list[DocumentInfo | tuple[str, str]]:
        """Returns the rows with all the words in title or path, the unreadable files last."""
        wanted = words.casefold().split()

        def fits(*fields: str) -> bool:
            whole = "\n".join(fields).casefold()
            return all(word in whole for word in wanted)

        rows: list[DocumentInfo | tuple[str, str]] = [
            document
            for document in self.documents
            if fits(document.title, document.path) and (status != "problems" or document.note)
        ]
        if status != "read":
            rows += [(path, reason) for path, reason in self.unread if fits(path)]
        return rows


def render_documents(listed: DocumentList, words: str, status: StatusFilter, first: int, language: Language) -> str:
    """Returns at most `ROWS` rows from row `first` on, with buttons for the others."""
    rows = listed.matching(words, status)
    if not rows:
        key = "documents_none" if listed.documents or listed.unread else "documents_empty"
        return note(translate_html(language, key), "empty")
    first = first if 0 <= first < len(rows) else 0
    some = rows[first : first + ROWS]
    keys = ("title", "date", "pages", "chunks", "state", "actions")
    heads = "".join(f'<th scope="col">{translate_html(language, f"column_{key}")}</th>' for key in keys)
    caption = translate(language, "documents_caption", first=first + 1, last=first + len(some), count=len(rows))
    body = "".join(
        _document(row, language) if isinstance(row, DocumentInfo) else _unread(*row, language) for row in some
    )
    return (
        f'<table class="epiqa-table"><caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table>{_pager(first, len(rows), language)}"
    )


def render_uploads(uploads: Sequence[Upload], language: Language) -> str:
    """Returns each file with its progress and outcome, and a line that sums them up."""
    if not uploads:
        return ""
    waiting = sum(upload.state in ("waiting", "reading", "read") for upload in uploads)
    if waiting:
        done = sum(upload.state not in ("waiting", "reading") for upload in uploads)
        said = translate(language, "indexing", done=min(done + 1, len(uploads)), count=len(uploads))
    else:
        states = ("added", "replaced", "unchanged", "skipped")
        counts = {state: sum(upload.state == state for upload in uploads) for state in states}
        said = translate(language, "indexed", **counts)
    items = "".join(_upload(upload, language) for upload in uploads)
    return f'<p role="status">{escape(said)}</p><ul class="epiqa-uploads">{items}</ul>'


def _upload(upload: Upload, language: Language) -> str:
    value = {"waiting": ' value="0"', "reading": ""}.get(upload.state, ' value="1"')
    state = translate(language, f"state_{upload.state}")
    reason = f": {escape(upload.reason)}" if upload.reason else ""
    return (
        f'<li data-state="{upload.state}"><span class="epiqa-path">{escape(upload.name)}</span> '
        f'<progress aria-label="{escape(upload.name)}"{value}></progress> <span>{escape(state)}{reason}</span></li>'
    )


def _document(document: DocumentInfo, language: Language) -> str:
    state = (
        translate(language, "state_partly", note=document.note)
        if document.note
        else translate(language, "state_read")
    )
    actions = [
        button(translate_html(language, "read"), action="read", document=document.id, start=0),
        button(translate_html(language, "only"), action="only", document=document.id),
        original_link(document.id, translate_html(language, "download")),
        _removal(language, "remove_sure", document=document.id),
    ]
    cells = (
        _cell(
            language,
            "date",
            f'<span class="epiqa-date">{escape(document.date.written)}</span>' if document.date else "—",
        ),
        _cell(language, "pages", f"{document.pages:,}" if document.pages else "—"),
        _cell(language, "chunks", f"{document.chunks:,}"),
        _cell(language, "state", escape(state)),
        _cell(language, "actions", f'<div class="epiqa-actions">{"".join(actions)}</div>'),
    )
    return (
        f'<tr><th scope="row"><span dir="auto">{escape(document.title)}</span> '
        f'<span class="epiqa-path">{escape(document.path)}</span></th>{"".join(cells)}</tr>'
    )


def _unread(path: str, reason: str, language: Language) -> str:
    state = translate_html(language, "state_unread", reason=reason)
    # not data-path: Gradio takes any object with a "path" for an upload, and refuses it
    actions = f'<div class="epiqa-actions">{_removal(language, "unlist_sure", file=path)}</div>'
    return (
        f'<tr class="epiqa-unread"><th scope="row"><span class="epiqa-path">{escape(path)}</span></th>'
        f'<td colspan="3"></td>{_cell(language, "state", state)}{_cell(language, "actions", actions)}</tr>'
    )


def _removal(language: Language, sure: str, **data: str) -> str:
    """Returns "Remove", which unfolds the button that removes; `sure` is the key of its text."""
    confirmed = button(translate_html(language, sure), action="remove", **data)
    return fold(translate_html(language, "remove"), [confirmed])


def _cell(language: Language, key: str, content: str) -> str:
    """Returns a cell with its column's name, which narrow windows show instead of columns."""
    return f'<td data-column="{translate_html(language, f"column_{key}")}">{content}</td>'


def _pager(first: int, count: int, language: Language) -> str:
    buttons = []
    if first > 0:
        buttons.append(
            button(translate_html(language, "earlier_documents"), action="turnpage", first=max(0, first - ROWS))
        )
    if first + ROWS < count:
        buttons.append(button(translate_html(language, "later_documents"), action="turnpage", first=first + ROWS))
    return f'<p class="epiqa-pager">{" ".join(buttons)}</p>' if buttons else ""
