"""The page's functions over HTTP, for programs: their names, their schema, and their values as JSON.

`/gradio_api/openapi.json` lists them. A document's path is called "file": under the name "path", Gradio's client
would try to download it.
"""

from __future__ import annotations

from typing import TypedDict

import gradio as gr
from gradio.events import api

from epiqa.errors import EpiQAError
from epiqa.types import Answer, Citation, DocumentInfo, Passage
from epiqa.web.answerer import QuestionAnswerer
from epiqa.web.chips import filter_of
from epiqa.web.library import Upload, add_uploads, remove_document

MAX_TOP_K = 100


class PlaceJson(TypedDict):
    """Where a text stands: `document_text[start:end]` is the text, in Unicode code points."""

    document_id: str
    title: str
    file: str
    date: str | None
    page: int | None
    section: str | None
    start: int
    end: int


class CitationJson(PlaceJson):
    """`before + quote + after` is the sentence, to the letter."""

    quote: str
    before: str
    after: str


class AnswerJson(TypedDict):
    """`text` is null when the documents don't answer."""

    question: str
    is_answered: bool
    text: str | None
    confidence: float
    citations: list[CitationJson]


class PassageJson(PlaceJson):
    """A passage with its score, higher is better."""

    text: str
    score: float


class DocumentJson(TypedDict):
    """A document as the index lists it; `pages` is 0 for formats without pages."""

    document_id: str
    title: str
    file: str
    date: str | None
    pages: int
    chunks: int
    characters: int
    note: str | None


def build_api(qa: QuestionAnswerer) -> None:
    """Adds the functions to the page at hand."""

    def ask(
        question: str, documents: list[str] | None = None, since: str | None = None, until: str | None = None
    ) -> AnswerJson:
        """Answers one question with a quotation, or says that the documents don't answer it ("text" is null).
        documents (ids, paths or file names), since and until (2022-02-03, 2022-02, 2022, or 02-03 of any year)
        confine the search."""
        with _Errors():
            return _answer(qa.ask(question, within=filter_of(documents, since, until)))
        raise AssertionError

    def search(
        query: str,
        top_k: int = 10,
        documents: list[str] | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> list[PassageJson]:
        """Returns up to top_k (at most 100) passages, best first."""
        with _Errors():
            found = qa.search(query, top_k=min(top_k, MAX_TOP_K), within=filter_of(documents, since, until))
            return [_passage(passage) for passage in found]
        raise AssertionError

    def documents() -> list[DocumentJson]:
        """Lists the documents of the index, by path."""
        return [_document(document) for document in qa.documents()]

    def document_text(document_id: str) -> str:
        """Returns the whole text of a document, to which start and end of its citations refer."""
        found = qa.document_text(document_id)
        if found is None:
            raise gr.Error(f"there is no document {document_id!r}: see documents", print_exception=False)
        return found

    def remove(document_id: str) -> DocumentJson:
        """Removes a document from the index, and returns what it was."""
        with _Errors():
            document = next((d for d in qa.documents() if d.id == document_id), None)
            if document is None:
                raise EpiQAError(f"there is no document {document_id!r}: see documents")
            remove_document(qa, document, qa.remove, qa.original(document_id))
            return _document(document)
        raise AssertionError

    def add(files: list[str] | None) -> list[dict[str, str]]:
        """Adds files to the index, or new versions of files of the same name, and returns what became of each:
        its name, its state (added, replaced, unchanged, skipped), and the reason why it was skipped."""
        states: list[Upload] = []
        with _Errors():
            *_, states = add_uploads(qa, files or [], "en")
        return [{"name": state.name, "state": state.state, "reason": state.reason} for state in states]

    for fn in (ask, search, documents, document_text):
        api(fn, api_name=fn.__name__, concurrency_id="ask" if fn in (ask, search) else None)
    api(remove, api_name="remove", concurrency_id="index", concurrency_limit=1)
    files = gr.File(file_count="multiple", visible=False)
    added = gr.JSON(visible=False)
    gr.Button(visible=False).click(
        add, files, added, api_name="add", concurrency_id="index", concurrency_limit=1, show_progress="hidden"
    )


class _Errors:
    """Turns an EpiQAError into the error that Gradio sends to a program."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, EpiQAError):
            raise gr.Error(str(error), print_exception=False) from error


def _answer(answer: Answer) -> AnswerJson:
    return {
        "question": answer.question,
        "is_answered": answer.is_answered,
        "text": answer.text,
        "confidence": answer.confidence,
        "citations": [_citation(citation) for citation in answer.citations],
    }


def _place(place: Citation | Passage) -> PlaceJson:
    return {
        "document_id": place.document_id,
        "title": place.title,
        "file": place.path,
        "date": place.date.written if place.date else None,
        "page": place.page,
        "section": place.section,
        "start": place.start,
        "end": place.end,
    }


def _citation(citation: Citation) -> CitationJson:
    return {**_place(citation), "quote": citation.quote, "before": citation.before, "after": citation.after}


def _passage(passage: Passage) -> PassageJson:
    return {**_place(passage), "text": passage.quote, "score": passage.score}


def _document(document: DocumentInfo) -> DocumentJson:
    return {
        "document_id": document.id,
        "title": document.title,
        "file": document.path,
        "date": document.date.written if document.date else None,
        "pages": document.pages,
        "chunks": document.chunks,
        "characters": document.characters,
        "note": document.note,
    }
