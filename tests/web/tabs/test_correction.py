"""The handlers that save a right answer, marked or typed."""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr
import pytest

from epiqa.web import Assistant
from epiqa.web.services.feedback import FeedbackStore
from epiqa.web.tabs.answering import OpenSource
from epiqa.web.tabs.correction import CorrectionHandlers
from web.tabs.test_answering import DOCUMENT, REQUEST, event


@pytest.fixture
def correcting(qa: Assistant, tmp_path: Path) -> CorrectionHandlers:
    return CorrectionHandlers(qa, FeedbackStore(tmp_path))


def test_a_marked_answer_is_taken_without_the_space_around_it(correcting: CorrectionHandlers) -> None:
    text = correcting.qa.document_text(DOCUMENT) or ""
    start = text.index(" Tan Zuojun, member")
    shown = OpenSource(DOCUMENT, "Who?")
    marked = correcting.mark(shown, event(document=DOCUMENT, start=start, end=start + len(" Tan Zuojun")))
    assert marked == ("Tan Zuojun", OpenSource(DOCUMENT, "Who?", 0, (start + 1, start + 11)))
    for strange in (
        {},
        {"document": "another", "start": 1, "end": 2},
        {"document": DOCUMENT, "start": -1, "end": 2},
    ):
        assert correcting.mark(shown, event(**strange)) == (gr.skip(), gr.skip())


@pytest.mark.parametrize("at", [0, 400, 10_000])
def test_a_typed_answer_is_saved_at_its_occurrence_nearest_to_the_open_source(
    correcting: CorrectionHandlers, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gr, "Info", lambda message: None)
    text = correcting.qa.document_text(DOCUMENT) or ""
    assert correcting.save("Tan Zuojun", OpenSource(DOCUMENT, "Who?", at), REQUEST) == ""
    (article,) = json.loads(correcting.store.path.read_text(encoding="utf-8"))["data"]
    start = article["paragraphs"][0]["qas"][0]["answers"][0]["answer_start"]
    places = [place for place in range(len(text)) if text.startswith("Tan Zuojun", place)]
    assert start == min(places, key=lambda place: abs(place - at))
