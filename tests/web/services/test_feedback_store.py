"""The saved feedback: SQuAD JSON that evaluation reads, complete even when several people write at once."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from epiqa.errors import EpiQAError
from epiqa.evaluation.questions import QuestionSet, read_questions
from epiqa.web.services import feedback
from epiqa.web.services.feedback import FeedbackStore, Judged, context_around
from epiqa.web.views.feedback import render_judged, render_unanswered

TEXT = "A title\n\nThe meeting was chaired by Tan Zuojun. Four people attended."


@pytest.fixture
def store(tmp_path: Path) -> FeedbackStore:
    return FeedbackStore(tmp_path)


def questions(store: FeedbackStore) -> dict[str, tuple[str, ...]]:
    found = read_questions(store.path)
    assert isinstance(found, QuestionSet)
    return {question.question: question.answers for question in found.questions}


def save(store: FeedbackStore, question: str, answer: str, path: str = "a.txt") -> None:
    start = TEXT.index(answer)
    store.save_answer(question, path, TEXT, start, start + len(answer))


def test_feedback_is_a_squad_question_set_with_offsets(store: FeedbackStore) -> None:
    save(store, "Who chaired?", "Tan Zuojun")
    save(store, "How many?", "Four people", path="b.txt")
    store.save_impossible("Who spoke?", "a.txt", TEXT, 0)
    content = json.loads(store.path.read_text(encoding="utf-8"))
    assert content["version"] == "v2.0"
    assert [article["title"] for article in content["data"]] == ["a.txt", "b.txt"]
    (paragraph,) = content["data"][0]["paragraphs"]
    assert paragraph["context"] == TEXT
    assert [(qa["question"], qa["is_impossible"], qa["answers"]) for qa in paragraph["qas"]] == [
        ("Who chaired?", False, [{"text": "Tan Zuojun", "answer_start": TEXT.index("Tan")}]),
        ("Who spoke?", True, []),
    ]
    found = read_questions(store.path)
    assert isinstance(found, QuestionSet)
    assert [bool(question.places) for question in found.questions] == [True, False, True]


def test_a_question_has_one_verdict_the_last(store: FeedbackStore) -> None:
    save(store, "Who chaired?", "Four people")
    store.save_wrong("Who chaired?", "Four people", "a.txt")
    assert store.judged() == [Judged("Who chaired?", "Four people", "a.txt", is_wrong=True)]
    save(store, "Who chaired?", "Tan Zuojun")
    assert store.judged() == [Judged("Who chaired?", "Tan Zuojun", "a.txt")]
    store.forget("Who chaired?")
    assert store.judged() == []
    assert json.loads(store.path.read_text(encoding="utf-8"))["data"] == []


def test_several_people_judge_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    def judge(person: int) -> None:
        store = FeedbackStore(tmp_path)
        for number in range(10):
            save(store, f"Question {person}.{number}?", "Tan Zuojun")
            store.note_unanswered(f"Open {person}.{number}?")

    threads = [threading.Thread(target=judge, args=(person,)) for person in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = FeedbackStore(tmp_path)
    assert len(questions(store)) == 40
    assert len(store.unanswered()) == 40
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock") == [
        "feedback.json",
        "unanswered.jsonl",
    ]


def test_unanswered_questions_are_counted_until_they_are_judged(store: FeedbackStore) -> None:
    for question in ("Who spoke?", "Where?", "Who spoke?"):
        store.note_unanswered(question)
    assert [(each.question, each.times) for each in store.unanswered()] == [("Who spoke?", 2), ("Where?", 1)]
    store.save_impossible("Who spoke?", "a.txt", TEXT, 0)
    assert [each.question for each in store.unanswered()] == ["Where?"]
    store.forget("Where?")
    assert store.unanswered() == []


def test_the_list_of_unanswered_questions_is_limited(
    store: FeedbackStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback, "MAX_UNANSWERED_BYTES", 1000)
    for number in range(60):
        store.note_unanswered(f"Question {number}?")
    assert (tmp_path / "unanswered.jsonl").stat().st_size <= 1100
    assert store.unanswered()[0].question == "Question 59?"


def test_a_torn_line_is_skipped(store: FeedbackStore, tmp_path: Path) -> None:
    store.note_unanswered("Who?")
    with (tmp_path / "unanswered.jsonl").open("ab") as file:
        file.write(b'{"question": "Wh\n[]\n{"question": "no time"}\n\xff\n')
    assert [each.question for each in store.unanswered()] == ["Who?"]


def test_a_damaged_file_is_named_and_left_as_it_is(store: FeedbackStore) -> None:
    store.path.write_text("[]", encoding="utf-8")
    with pytest.raises(EpiQAError, match=r"feedback\.json is not the feedback that was written"):
        save(store, "Who chaired?", "Tan Zuojun")
    assert store.path.read_text(encoding="utf-8") == "[]"


@pytest.mark.parametrize("at", [0, 29_990, 60_000 - 11])
def test_a_long_document_is_cut_to_the_text_around_the_answer(store: FeedbackStore, at: int) -> None:
    whole = "ten chars " * 6000
    at -= at % 10
    store.save_answer("What?", "long.txt", whole, at, at + 9)
    found = read_questions(store.path)
    assert isinstance(found, QuestionSet)
    (question,) = found.questions
    assert question.answers == ("ten chars",)
    assert question.places
    assert question.context is not None
    assert 5_000 <= len(question.context) <= 10_010
    first, last = context_around(whole, at, at + 9)
    assert whole[first:last] == question.context
    assert first in (0, at) or whole[first - 1] == " "


def test_the_lists_show_judged_and_unanswered_questions(store: FeedbackStore) -> None:
    save(store, "Who <b>?", "Tan Zuojun")
    store.save_wrong("Wrong?", "<i>", "a.txt")
    store.save_wrong("Missed?", "", "a.txt")
    store.save_impossible("None?", "a.txt", TEXT, 0)
    shown = render_judged(store.judged(), "en")
    assert (
        '<li><p class="epiqa-asked" dir="auto">Who &lt;b&gt;?</p><p><mark dir="auto">Tan Zuojun</mark> '
        '<span class="epiqa-path">a.txt</span></p><p><button type="button" class="epiqa-button" data-action='
        '"again" data-question="Who &lt;b&gt;?">Ask again</button> <button type="button" class="epiqa-button" '
        'data-action="forget" data-question="Who &lt;b&gt;?">Delete</button></p></li>' in shown
    )
    assert "“&lt;i&gt;” is wrong; the right answer is not known yet" in shown
    assert "an answer is in the documents, but was not found" in shown
    assert "the documents don&#x27;t answer it" in shown
    assert "Nothing has been judged yet." in render_judged([], "en")
    assert "So far, every question has found an answer." in render_unanswered([], "en")
    store.note_unanswered("Why?")
    assert "<p>once, <time datetime=" in render_unanswered(store.unanswered(), "en")
