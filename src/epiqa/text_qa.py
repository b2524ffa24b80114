"""Reading and answering: the last two stages, and `TextQA`, which runs them on a text that is given."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from epiqa.answering.answer import answer
from epiqa.answering.calibration import Calibration, bundled_calibration
from epiqa.arguments import AnyReader, check_question, check_reader, check_text
from epiqa.errors import EpiQAError
from epiqa.ingest import make_document, normalise
from epiqa.models.reader_loading import load_reader
from epiqa.text.chunker import chunk
from epiqa.types import Answer, Passage, Reader


class TextQA:
    """Answers questions from a text given with each; `reader` is as in `EpiQA`."""

    def __init__(self, *, reader: AnyReader = None) -> None:
        self.reader = open_reader(check_reader(reader))

    def ask(self, question: str, text: str, *, title: str = "") -> Answer:
        """Answers a question from one text alone; offsets refer to `text`.

        Raises QuestionError for an unusable question, EpiQAError when `text` is not normalised (NFC, line feeds):
        offsets could not refer to it.
        """
        question = check_question(question)
        if normalise(check_text("text", text)) != text:
            raise EpiQAError("the text is not normalised: give the result of epiqa.ingest.normalise")
        begun = time.perf_counter()
        document = make_document(text, path="text", location="text", title=check_text("title", title) or None)
        passages = [
            Passage(
                document_id=document.id,
                title=document.title,
                path=document.path,
                date=document.date,
                page=None,
                start=piece.start,
                end=piece.end,
                quote=piece.quote,
                score=0.0,
            )
            for piece in chunk(document)
        ]
        seconds = time.perf_counter() - begun
        return read_and_answer(question, passages, self.reader, bundled_calibration(), seconds)


def read_and_answer(
    question: str,
    passages: Sequence[Passage],
    reader: Reader,
    calibration: Calibration,
    retrieve_s: float,
    min_confidence: float | None = None,
) -> Answer:
    """Runs the last two stages and notes the time that each stage took; the first took `retrieve_s` seconds."""
    begun = time.perf_counter()
    spans = reader.read(question, passages)
    read = time.perf_counter()
    result = answer(question, spans, passages, calibration, min_confidence=min_confidence)
    done = time.perf_counter()
    seconds = {
        "retrieve": retrieve_s,
        "read": read - begun,
        "answer": done - read,
        "total": retrieve_s + done - begun,
    }
    return replace(result, timings_ms={name: round(value * 1000, 3) for name, value in seconds.items()})


def open_reader(given: Reader | str | None) -> Reader:
    """Returns a reader that is given as such, by its folder, or by None for the bundled one."""
    return load_reader(given) if given is None or isinstance(given, str) else given
