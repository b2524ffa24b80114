"""The JSON that programs read: one shape, built here, for the shell (`--json`) and over HTTP.

Over HTTP a document's path is called "file": Gradio's client would try to download what is named "path". The shell
calls it "path" (`with_path`); all else is the same. What a field means stands beside its type, and goes from there
into the page's `openapi.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypedDict

from epiqa.types import Answer, Candidate, Citation, DocumentInfo, IndexInfo, Passage

Confidence = Annotated[float, "How likely the answer is right, from 0 to 1."]


class PlaceJson(TypedDict):
    """Where a text stands: it is `document_text[start:end]`, counted in Unicode code points."""

    document_id: Annotated[str, "The document's id; `document_text` takes it."]
    title: Annotated[str, "The document's title."]
    file: Annotated[str, "The path under which the document was indexed."]
    date: Annotated[str | None, "The document's date as it is written there, or null."]
    page: Annotated[int | None, "The page, from 1, or null in formats without pages."]
    section: Annotated[str | None, "The heading or the row, or null."]
    start: Annotated[int, "Where the text begins in the document."]
    end: Annotated[int, "Where the text ends in the document."]


class CitationJson(PlaceJson):
    """A quotation and its place; `before + quote + after` is its sentence, to the letter."""

    quote: Annotated[str, "The answer, to the letter."]
    before: Annotated[str, "The sentence up to the quote."]
    after: Annotated[str, "The sentence after the quote."]


class AnswerRowJson(TypedDict):
    """One possible answer at one place; an answer that stands in several places has a row for each."""

    text: Annotated[str, "The answer, to the letter."]
    confidence: Confidence
    citation: CitationJson


class TimingsJson(TypedDict, total=False):
    """Milliseconds that the steps of answering took."""

    retrieve: Annotated[float, "Finding the passages."]
    read: Annotated[float, "Reading them."]
    answer: Annotated[float, "Judging what was read."]
    total: Annotated[float, "All three."]


class IndexJson(TypedDict):
    """The index that was asked."""

    generation: Annotated[str, "The name of its state; any change makes another."]
    documents: Annotated[int, "How many documents it holds."]
    chunks: Annotated[int, "How many passages these are cut into."]


class ReplyJson(TypedDict):
    """What a question came to."""

    question: Annotated[str, "The question, as it was asked."]
    is_answered: Annotated[bool, "Whether the documents answer it, with confidence enough."]
    text: Annotated[str | None, "The answer, to the letter, or null when the documents don't answer."]
    confidence: Confidence
    answers: Annotated[list[AnswerRowJson], "The answer at each of its places, then other possible ones."]


class AnswerJson(ReplyJson):
    """The outcome of a question, how long it took, and what was asked."""

    timings_ms: TimingsJson
    index: IndexJson


class PassageJson(PlaceJson):
    """A passage that a search found."""

    text: Annotated[str, "The passage, to the letter."]
    score: Annotated[float, "What orders the passages; higher is better."]
    dense: Annotated[float | None, "The cosine of query and passage, or null where vectors did not find it."]
    lexical: Annotated[float | None, "The BM25 score, or null where words did not find it."]


class FoundJson(TypedDict):
    """What a search found."""

    query: Annotated[str, "The query, as it was given."]
    passages: Annotated[list[PassageJson], "The passages, best first."]


class DocumentJson(TypedDict):
    """A document of the index."""

    document_id: Annotated[str, "The document's id."]
    title: Annotated[str, "Its title."]
    file: Annotated[str, "The path under which it was indexed."]
    date: Annotated[str | None, "Its date as it is written there, or null."]
    pages: Annotated[int, "How many pages it has; 0 for formats without pages."]
    chunks: Annotated[int, "How many passages it is cut into."]
    characters: Annotated[int, "How long its text is."]
    note: Annotated[str | None, "What of it could not be read, or null."]


class AddedJson(TypedDict):
    """What became of a file that was added."""

    name: Annotated[str, "The file's name."]
    state: Annotated[Literal["added", "replaced", "unchanged", "skipped"], "What became of it."]
    reason: Annotated[str, "Why it was skipped, or what of it could not be read; else empty."]


def answer_json(answer: Answer, info: IndexInfo) -> AnswerJson:
    """Returns an answer of an index."""
    return {**reply_json(answer), "timings_ms": _timings(answer), "index": index_json(info)}


def reply_json(answer: Answer) -> ReplyJson:
    """Returns an answer; candidates of a question that is not answered are held back."""
    return {
        "question": answer.question,
        "is_answered": answer.is_answered,
        "text": answer.text,
        "confidence": round(answer.confidence, 4),
        "answers": [
            _row(candidate, citation)
            for candidate in (answer.candidates if answer.is_answered else ())
            for citation in candidate.citations
        ],
    }


def found_json(query: str, passages: Sequence[Passage]) -> FoundJson:
    """Returns what a search found."""
    return {"query": query, "passages": [passage_json(passage) for passage in passages]}


def passage_json(passage: Passage) -> PassageJson:
    """Returns a passage."""
    return {
        **_place(passage),
        "text": passage.quote,
        "score": passage.score,
        "dense": passage.dense,
        "lexical": passage.lexical,
    }


def document_json(document: DocumentInfo) -> DocumentJson:
    """Returns a document as the index lists it."""
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


def index_json(info: IndexInfo) -> IndexJson:
    """Returns which index it is."""
    return {"generation": info.generation, "documents": info.documents, "chunks": info.chunks}


def with_path(value: Any) -> Any:
    """Returns a value of this module as the shell prints it, "path" for "file"."""
    if isinstance(value, dict):
        return {"path" if name == "file" else name: with_path(inner) for name, inner in value.items()}
    return [with_path(inner) for inner in value] if isinstance(value, list) else value


def _row(candidate: Candidate, citation: Citation) -> AnswerRowJson:
    return {
        "text": citation.quote,
        "confidence": round(candidate.confidence, 4),
        "citation": {
            **_place(citation),
            "quote": citation.quote,
            "before": citation.before,
            "after": citation.after,
        },
    }


def _timings(answer: Answer) -> TimingsJson:
    timings: TimingsJson = {}
    for step in ("retrieve", "read", "answer", "total"):
        if step in answer.timings_ms:
            timings[step] = answer.timings_ms[step]
    return timings


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
