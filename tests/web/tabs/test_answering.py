"""The handlers of the tab "Ask": a failing index, and forged events."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from epiqa.errors import EpiQAError, IndexDamagedError
from epiqa.types import DocumentInfo
from epiqa.web import Assistant
from epiqa.web.services.feedback import FeedbackStore
from epiqa.web.tabs.answering import AskHandlers, OpenSource
from epiqa.web.tabs.correction import CorrectionHandlers
from epiqa.web.tabs.documents import DocumentsHandlers
from web.conftest import SEED_ANSWERS, FakeAnswerer, read_seeds

REQUEST: Any = SimpleNamespace(headers={"accept-language": "en"})
DOCUMENT = "002_4240fd80c429d22d"


def event(**data: object) -> gr.EventData:
    return gr.EventData(None, data)


@pytest.fixture
def asking(qa: Assistant, tmp_path: Path) -> AskHandlers:
    return AskHandlers(qa, FeedbackStore(tmp_path))


def test_a_read_only_index_still_answers(
    asking: AskHandlers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(question: str) -> None:
        raise EpiQAError("no room for it")

    monkeypatch.setattr(asking.store, "note_unanswered", refuse)
    _, messages, kept, *_ = asking.answer("Who is it?", [], [], "", "", REQUEST)
    assert "The documents don&#x27;t answer this." in messages[1]["content"].value
    assert kept[0]["error"] is None
    assert "no room for it" in caplog.text


def test_a_question_is_shown_escaped_and_asked_as_it_is(asking: AskHandlers) -> None:
    _, messages, kept, *_ = asking.answer("<b>?", [], [], "", "", REQUEST)
    assert (messages[0]["content"], kept[0]["question"]) == ("&lt;b&gt;?", "<b>?")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"turn": "9", "place": "0"},
        {"turn": "0", "place": "99"},
        {"turn": "-1", "place": "x"},
        {"turn": "9" * 20},
    ],
)
def test_a_forged_source_opens_nothing_else(asking: AskHandlers, data: dict[str, str]) -> None:
    kept = asking.answer("Who chaired the city headquarters meeting on February 2?", [], [], "", "", REQUEST)[2]
    source, shown, *_ = asking.open(kept, event(**data), REQUEST)
    assert "Click a source" in source or (shown.document, shown.at) == (DOCUMENT, kept_start(kept))


def kept_start(kept: list[dict[str, Any]]) -> int:
    return int(kept[0]["answer"]["citations"][0]["start"])


class Damaged(FakeAnswerer):
    """An index in which a file was damaged after it was opened: whatever is read of a document fails."""

    def document_text(self, document_id: str) -> str | None:
        raise IndexDamagedError("index/ is damaged: text.db is not as it was written")

    def documents(self) -> list[DocumentInfo]:
        raise IndexDamagedError("index/ is damaged: catalogue.db is not as it was written")


@pytest.fixture
def failing(tmp_path: Path) -> AskHandlers:
    return AskHandlers(Damaged(read_seeds(), SEED_ANSWERS, directory=tmp_path), FeedbackStore(tmp_path))


def test_an_answer_is_shown_even_if_its_document_is_unreadable(failing: AskHandlers) -> None:
    question = next(iter(SEED_ANSWERS))
    _, messages, kept, source, shown, *_ = failing.answer(question, [], [], "", "", REQUEST)
    assert "Tan Zuojun" in messages[1]["content"].value
    assert kept[0]["question"] == question
    assert 'role="alert">index/ is damaged: text.db' in source
    assert shown is None


def test_every_event_reports_a_damaged_index(failing: AskHandlers) -> None:
    shown = OpenSource(DOCUMENT, "Who?")
    correcting, table = CorrectionHandlers(failing.qa, failing.store), DocumentsHandlers(failing.qa)
    for happen in (
        lambda: failing.read(event(document=DOCUMENT), REQUEST),
        lambda: correcting.mark(shown, event(document=DOCUMENT, start="1", end="2")),
        lambda: correcting.save("Tan", shown, REQUEST),
        lambda: correcting.save_none(shown, REQUEST),
        lambda: failing.restore([], REQUEST),
        lambda: table.refresh("", "all", REQUEST),
        lambda: table.table("", "all", REQUEST),
        lambda: table.remove("", "all", event(document=DOCUMENT), REQUEST),
    ):
        with pytest.raises(gr.Error, match="index/ is damaged"):
            happen()
