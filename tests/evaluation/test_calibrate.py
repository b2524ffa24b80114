"""Calibration to a user's own questions: what moves, what stays, and what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from epiqa.answering.calibration import CALIBRATION, FEATURES, Calibration, write_calibration
from epiqa.assistant import EpiQA
from epiqa.errors import EpiQAError, QuestionSetError
from epiqa.evaluation import calibrate
from epiqa.evaluation.calibrate import Asked, judge, recalibrate
from epiqa.types import Passage, Span
from epiqa.web.services.feedback import FeedbackStore
from fakes import KeywordReader, WordEmbedder, make_passage

# Trusts everything: what a user would want to have corrected.
GULLIBLE = Calibration(4.0, dict.fromkeys(FEATURES, 0.0), threshold=0.5, reader=KeywordReader.fingerprint)


@pytest.fixture(autouse=True)
def _gullible(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("epiqa.live_index", "epiqa.text_qa", "epiqa.evaluation.calibrate"):
        monkeypatch.setattr(sys.modules[module], "bundled_calibration", lambda: GULLIBLE)


@pytest.fixture
def qa(tmp_path: Path) -> EpiQA:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.txt").write_text(
            f"Notice{number}\n\nbeds{number} has the answer: forty{number}. It was."
        )
        (folder / f"x{number}.txt").write_text(f"Other{number}\n\nmasks{number} are worn.")
    built = EpiQA.build([folder], index=tmp_path / "index", embedder=WordEmbedder(dimensions=4096))
    return EpiQA.open(built.directory, embedder=WordEmbedder(dimensions=4096), reader=OneAnswer())


class OneAnswer(KeywordReader):
    """Reads the first passage alone, so that the fake retrieval decides."""

    def read(self, question: str, passages: Sequence[Passage]) -> list[Span]:
        return super().read(question, passages[:1])


def write_questions(path: Path, *, answerable: int = 12, unanswerable: int = 12) -> Path:
    rows = [
        {"question": f"What about beds{n}?", "answers": [f"forty{n}"], "answerable": True}
        for n in range(answerable)
    ]
    rows += [{"question": f"What about masks{n}?", "answers": [], "answerable": False} for n in range(unanswerable)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_gullible_calibration_learns_to_hold_back(qa: EpiQA, tmp_path: Path) -> None:
    assert qa.ask("What about masks3?").is_answered
    seen: list[tuple[int, int]] = []
    path = write_questions(tmp_path / "q.jsonl")
    result = calibrate(path, qa, on_progress=lambda *done: seen.append(done))
    assert seen == [(number, 24) for number in range(25)]
    assert (result.before["false_answer_rate"], result.after["false_answer_rate"]) == (1.0, 0.0)
    assert result.before["answerable_right"] == result.after["answerable_right"] == 1.0
    assert result.after["auroc"] == 1.0
    assert result.after["ece"] < result.before["ece"]
    assert result.calibration.reader == KeywordReader.fingerprint

    assert qa.ask("What about masks3?").is_answered, "calibrate alone changes nothing"
    qa.use_calibration(result.calibration)
    again = EpiQA.open(qa.directory, embedder=qa.embedder, reader=OneAnswer())
    for asked in (qa, again):
        assert asked.ask("What about beds3?").text == "forty3"
        assert not asked.ask("What about masks3?").is_answered
    assert calibrate(path, qa) == result, "the same questions are not counted twice"


def test_the_order_of_the_questions_does_not_matter_much() -> None:
    rows = [asked(right=number % 5 != 4, answerable=number % 5 != 4) for number in range(60)]
    for some in (rows, sorted(rows, key=lambda row: row.is_answerable)):
        after = recalibrate(some, "r").after
        assert after["answerable_right"] == 1.0
        assert after["false_answer_rate"] < 0.2
        assert 0 < after["threshold"] < 1


def test_what_never_comes_out_right_has_no_auroc() -> None:
    rows = [asked(right=False, answerable=number % 2 == 0) for number in range(20)]
    assert "auroc" not in recalibrate(rows, "r").after


def asked(*, right: bool, answerable: bool) -> Asked:
    values = np.full((1, len(FEATURES)), 4.0 if right else -4.0)
    return Asked(answerable, values, np.array([right]))


@pytest.mark.parametrize(("answerable", "unanswerable"), [(9, 10), (11, 9), (0, 1)])
def test_a_set_that_is_too_small_is_refused(qa: EpiQA, tmp_path: Path, answerable: int, unanswerable: int) -> None:
    path = write_questions(tmp_path / "q.jsonl", answerable=answerable, unanswerable=unanswerable)
    with pytest.raises(QuestionSetError, match=r"q\.jsonl: \d+ questions, \d+ of them unanswerable.* at least 20"):
        calibrate(path, qa)


def test_questions_about_other_documents_are_refused(qa: EpiQA, tmp_path: Path) -> None:
    path = write_questions(tmp_path / "q.jsonl", answerable=4, unanswerable=20)
    with pytest.raises(QuestionSetError, match=r"right on 4 questions.*about the documents of this index\?"):
        calibrate(path, qa)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_share_out_of_range_is_an_error(qa: EpiQA, tmp_path: Path, value: float) -> None:
    with pytest.raises(EpiQAError, match=r"max_false_answers is .*: it must be from 0 to 1"):
        calibrate(write_questions(tmp_path / "q.jsonl"), qa, max_false_answers=value)


def test_feedback_of_the_page_is_asked_of_the_whole_index(qa: EpiQA, tmp_path: Path) -> None:
    store = FeedbackStore(qa.directory)
    documents = {Path(document.path).stem: document for document in qa.documents()}
    for n in range(12):
        document, other = documents[str(n)], documents[f"x{n}"]
        text = qa.document_text(document.id) or ""
        start = text.index(f"forty{n}")
        store.save_answer(f"What about beds{n}?", document.path, text, start, start + len(f"forty{n}"))
        store.save_impossible(f"What about masks{n}?", other.path, qa.document_text(other.id) or "", 0)
    fitted, expected = (calibrate(path, qa) for path in (store.path, write_questions(tmp_path / "q.jsonl")))
    assert fitted.after == pytest.approx(expected.after)  # the order of the questions is another
    assert fitted.after["answerable_right"] == 1.0
    store.save_impossible("What about nothing?", "a_b.txt", "Some text.", 0)
    with pytest.raises(QuestionSetError, match="brings its own documents"):
        calibrate(store.path, qa)


def test_a_retrieval_set_is_refused(qa: EpiQA, tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d", "title": "", "text": "One."}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "One?"}\n')
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\n")
    with pytest.raises(QuestionSetError, match="brings its own documents: give JSONL"):
        calibrate(tmp_path, qa)


def test_another_readers_calibration_is_not_used_and_said_so(qa: EpiQA, caplog: pytest.LogCaptureFixture) -> None:
    stale = Calibration(0.0, dict.fromkeys(FEATURES, 1.0), 0.5, reader="another@1")
    write_calibration(stale, qa.directory / CALIBRATION)
    assert qa.calibration == GULLIBLE
    assert "run epiqa calibrate again" in caplog.text


def test_judging_spans() -> None:
    passage = make_passage("forty beds")
    spans = [Span(passage, 0, 5, "forty", 9.0, 1.0, 0.5), Span(passage, 6, 10, "beds", 2.0, 1.0, 0.5)]
    asked = judge(spans, [passage], ["Forty!"])
    assert asked.is_right.tolist() == [True, False]
    assert asked.values[:, FEATURES.index("margin")].tolist() == [8.0, 1.0]
    assert judge(spans, [passage], []).is_right.tolist() == [False, False]


def test_a_question_without_spans_is_sure_of_nothing() -> None:
    nothing = judge([], [], ["forty"])
    assert nothing.best(GULLIBLE) == (0.0, False)
    assert isinstance(nothing, Asked)
    assert nothing.values.shape == (0, len(FEATURES))
    assert nothing.is_right.dtype == np.bool_
