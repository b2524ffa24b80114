"""The page's functions over HTTP, for programs: `ask`, `search`, `documents`, `document_text`, `add`, `remove`.

`epiqa.api.schemas` defines their values, `gradio_openapi.py` describes them. Annotations are not postponed here:
Gradio reads the return types from them.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final

import gradio as gr
from gradio.events import api

from epiqa.api.schemas import AddedJson, AnswerJson, DocumentJson, FoundJson, answer_json, document_json, found_json
from epiqa.errors import EpiQAError
from epiqa.web.services.assistant import Assistant, find_document
from epiqa.web.services.filter_fields import filter_of
from epiqa.web.services.uploads import Upload, add_uploads, remove_document

MAX_TOP_K: Final = 100

Within = Annotated[list[str] | None, "Search only these documents: ids, paths or file names."]
Since = Annotated[
    str | None, "Search only documents of this day or later: 2022-02-03, 2022-02, 2022, or 02-03 of any year."
]
Until = Annotated[str | None, "Search only documents of this day or earlier."]
DocumentId = Annotated[str, "As documents lists it."]


class Functions:
    """The functions, by their names over HTTP. The first line of each docstring is its description there."""

    def __init__(self, qa: Assistant) -> None:
        self._qa = qa

    def ask(
        self,
        question: Annotated[str, "The question, in English."],
        documents: Within = None,
        since: Since = None,
        until: Until = None,
    ) -> AnswerJson:
        """Answers one question with a quotation, or says that the documents don't answer it ("text" is null)."""
        with _Errors():
            answer = self._qa.ask(question, within=filter_of(documents, since, until))
            return answer_json(answer, self._qa.info)
        raise AssertionError

    def search(
        self,
        query: Annotated[str, "What to look for."],
        top_k: Annotated[int, f"How many passages, at most {MAX_TOP_K}."] = 10,
        documents: Within = None,
        since: Since = None,
        until: Until = None,
    ) -> FoundJson:
        """Finds passages, best first."""
        with _Errors():
            within = filter_of(documents, since, until)
            return found_json(query, self._qa.search(query, top_k=min(top_k, MAX_TOP_K), within=within))
        raise AssertionError

    def documents(self) -> list[DocumentJson]:
        """Lists the documents of the index, by path."""
        with _Errors():
            return [document_json(document) for document in self._qa.documents()]
        raise AssertionError

    def document_text(self, document_id: DocumentId) -> str:
        """Returns the whole text of a document, to which the offsets of citations refer."""
        with _Errors():
            found = self._qa.document_text(document_id)
            if found is None:
                raise EpiQAError(_no_document(document_id))
            return found
        raise AssertionError

    def remove(self, document_id: DocumentId) -> DocumentJson:
        """Removes a document from the index and returns its entry."""
        qa = self._qa
        with _Errors():
            document = find_document(qa, document_id)
            if document is None:
                raise EpiQAError(_no_document(document_id))
            remove_document(qa, document, qa.remove, qa.original(document_id))
            return document_json(document)
        raise AssertionError

    def add(self, files: list[str] | None) -> list[AddedJson]:
        """Adds files to the index, replacing earlier ones of the same name, and returns the outcome of each."""
        states: list[Upload] = []
        with _Errors():
            *_, states = add_uploads(self._qa, files or [], "en")
        return [_added(state) for state in states]


NAMES: Final = ("ask", "search", "documents", "document_text", "add", "remove")


def build_api(qa: Assistant) -> None:
    """Adds the functions to the current page."""
    functions = Functions(qa)
    for name in ("ask", "search"):
        api(_function(functions, name), api_name=name, concurrency_id="ask")
    for name in ("documents", "document_text"):
        api(_function(functions, name), api_name=name)
    api(functions.remove, api_name="remove", concurrency_id="index", concurrency_limit=1)
    files = gr.File(file_count="multiple", visible=False)
    added = gr.JSON(visible=False)
    gr.Button(visible=False).click(
        functions.add,
        files,
        added,
        api_name="add",
        concurrency_id="index",
        concurrency_limit=1,
        show_progress="hidden",
    )


class _Errors:
    """Turns an EpiQAError into the error that Gradio sends to a program."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, EpiQAError):
            raise gr.Error(str(error), print_exception=False) from error


def _function(functions: Functions, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(functions, name)
    return function


def _no_document(document_id: str) -> str:
    return f"there is no document {document_id!r}: see documents"


def _added(upload: Upload) -> AddedJson:
    state = upload.state
    if state == "waiting" or state == "reading" or state == "read":
        raise AssertionError(f"{upload.name} is still {state}")
    return {"name": upload.name, "state": state, "reason": upload.reason}
