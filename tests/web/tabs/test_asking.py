"""What happens in the tab "Ask" without a browser: what fails, what is made up, and where an answer stands."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from epiqa.errors import EpiQAError, IndexDamagedError
from epiqa.types import DocumentInfo
from epiqa.web import QuestionAnswerer
from epiqa.web.services.feedback import FeedbackStore
from epiqa.web.tabs.ask import Asking, Shown
from epiqa.web.tabs.documents import Handling
from web.conftest import SEED_ANSWERS, FakeAnswerer, read_seeds

REQUEST: Any = SimpleNamespace(headers={"accept-language": "en"})
DOCUMENT = "002_4240fd80c429d22d"


def event(**data: object) -> gr.EventData:
    return gr.EventData(None, data)


@pytest.fixture
def asking(qa: QuestionAnswerer, tmp_path: Path) -> Asking:
    return Asking(qa, FeedbackStore(tmp_path))


def test_an_index_that_cannot_be_written_to_answers_all_the_same(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(question: str) -> None:
        raise EpiQAError("no room for it")

    monkeypatch.setattr(asking.store, "note_unanswered", refuse)
    _, messages, kept, *_ = asking.answer("Who is it?", [], [], "", "", REQUEST)
    assert "The documents don&#x27;t answer this." in messages[1]["content"].value
    assert kept[0]["error"] is None
    assert "no room for it" in caplog.text


def test_a_question_is_shown_escaped_and_asked_as_it_is(asking: Asking) -> None:
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
def test_a_place_that_was_made_up_opens_nothing_else(asking: Asking, data: dict[str, str]) -> None:
    kept = asking.answer("Who chaired the city headquarters meeting on February 2?", [], [], "", "", REQUEST)[2]
    source, shown, *_ = asking.open(kept, event(**data), REQUEST)
    assert "Click a source" in source or (shown.document, shown.at) == (DOCUMENT, kept_start(kept))


def kept_start(kept: list[dict[str, Any]]) -> int:
    return int(kept[0]["answer"]["citations"][0]["start"])


def test_what_is_marked_is_taken_without_the_space_around_it(asking: Asking) -> None:
    text = asking.qa.document_text(DOCUMENT) or ""
    start = text.index(" Tan Zuojun, member")
    shown = Shown(DOCUMENT, "Who?")
    marked = asking.mark(shown, event(document=DOCUMENT, start=start, end=start + len(" Tan Zuojun")))
    assert marked == ("Tan Zuojun", Shown(DOCUMENT, "Who?", 0, (start + 1, start + 11)))
    for strange in (
        {},
        {"document": "another", "start": 1, "end": 2},
        {"document": DOCUMENT, "start": -1, "end": 2},
    ):
        assert asking.mark(shown, event(**strange)) == (gr.skip(), gr.skip())


@pytest.mark.parametrize("at", [0, 400, 10_000])
def test_a_typed_answer_is_saved_at_its_place_nearest_to_what_is_shown(
    asking: Asking, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gr, "Info", lambda message: None)
    text = asking.qa.document_text(DOCUMENT) or ""
    assert asking.save("Tan Zuojun", Shown(DOCUMENT, "Who?", at), REQUEST) == ""
    (article,) = json.loads(asking.store.path.read_text(encoding="utf-8"))["data"]
    start = article["paragraphs"][0]["qas"][0]["answers"][0]["answer_start"]
    places = [place for place in range(len(text)) if text.startswith("Tan Zuojun", place)]
    assert start == min(places, key=lambda place: abs(place - at))


class Damaged(FakeAnswerer):
    """An index in which a file was damaged after it was opened: whatever is read of a document fails."""

    def document_text(self, document_id: str) -> str | None:
        raise IndexDamagedError("index/ is damaged: text.db is not as it was written")

    def documents(self) -> list[DocumentInfo]:
        raise IndexDamagedError("index/ is damaged: catalogue.db is not as it was written")


@pytest.fixture
def failing(tmp_path: Path) -> Asking:
    return Asking(Damaged(read_seeds(), SEED_ANSWERS, directory=tmp_path), FeedbackStore(tmp_path))


def test_an_answer_is_shown_though_its_document_can_no_longer_be_read(failing: Asking) -> None:
    question = next(iter(SEED_ANSWERS))
    _, messages, kept, source, shown, *_ = failing.answer(question, [], [], "", "", REQUEST)
    assert "Tan Zuojun" in messages[1]["content"].value
    assert kept[0]["question"] == question
    assert 'role="alert">index/ is damaged: text.db' in source
    assert shown is None


def test_every_event_says_what_is_wrong_with_the_index(failing: Asking) -> None:
    shown = Shown(DOCUMENT, "Who?")
    handling = Handling(failing.qa)
    for happen in (
        lambda: failing.read(event(document=DOCUMENT), REQUEST),
        lambda: failing.mark(shown, event(document=DOCUMENT, start="1", end="2")),
        lambda: failing.save("Tan", shown, REQUEST),
        lambda: failing.save_none(shown, REQUEST),
        lambda: failing.restore([], REQUEST),
        lambda: handling.refresh("", "all", REQUEST),
        lambda: handling.table("", "all", REQUEST),
        lambda: handling.remove("", "all", event(document=DOCUMENT), REQUEST),
    ):
        with pytest.raises(gr.Error, match="index/ is damaged"):
            happen()
