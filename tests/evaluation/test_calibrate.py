"""Calibration to a user's own questions: what moves, what stays, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from epiqa.confidence import FEATURES, Calibration, bundled_calibration, write_calibration
from epiqa.errors import QuestionSetError
from epiqa.evaluation import calibrate
from epiqa.evaluation.calibrate import Asked, judge
from epiqa.pipeline import CALIBRATION, EpiQA
from epiqa.types import Passage, Span
from fakes import KeywordReader, WordEmbedder, make_passage

# Trusts everything: what a user would want to have corrected.
GULLIBLE = Calibration(4.0, dict.fromkeys(FEATURES, 0.0), threshold=0.5, reader=KeywordReader.fingerprint)


@pytest.fixture
def qa(tmp_path: Path) -> EpiQA:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.txt").write_text(
            f"Notice{number}\n\nbeds{number} has the answer: forty{number}. It was."
        )
        (folder / f"x{number}.txt").write_text(f"Other{number}\n\nmasks{number} are worn.")
    built = EpiQA.build([folder], index=tmp_path / "index", embedder=WordEmbedder(dimensions=2048))
    return EpiQA.open(built.directory, embedder=WordEmbedder(dimensions=2048), reader=OneAnswer())


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
    write_calibration(GULLIBLE, qa.directory / CALIBRATION)
    assert qa.ask("What about masks3?").is_answered
    seen: list[tuple[int, int]] = []
    result = calibrate(write_questions(tmp_path / "q.jsonl"), qa, on_progress=lambda *done: seen.append(done))
    assert seen == [(number, 24) for number in range(24)]
    assert (result.before["false_answer_rate"], result.after["false_answer_rate"]) == (1.0, 0.0)
    assert result.before["answered_right"] == result.after["answered_right"] == 0.5
    assert result.after["auroc"] == 1.0
    assert result.after["ece"] < result.before["ece"]
    assert not result.keeps_threshold
    assert result.calibration.reader == KeywordReader.fingerprint

    assert qa.ask("What about masks3?").is_answered, "calibrate alone changes nothing"
    qa.use_calibration(result.calibration)
    again = EpiQA.open(qa.directory, embedder=qa.embedder, reader=OneAnswer())
    for asked in (qa, again):
        assert asked.ask("What about beds3?").text == "forty3"
        assert not asked.ask("What about masks3?").is_answered


def test_with_few_unanswerable_questions_the_threshold_stays(qa: EpiQA, tmp_path: Path) -> None:
    write_calibration(GULLIBLE, qa.directory / CALIBRATION)
    result = calibrate(write_questions(tmp_path / "q.jsonl", unanswerable=9), qa)
    assert result.keeps_threshold
    assert result.calibration.threshold == GULLIBLE.threshold


@pytest.mark.parametrize(("answerable", "unanswerable"), [(9, 10), (0, 24), (0, 1)])
def test_a_set_that_teaches_nothing_is_refused(
    qa: EpiQA, tmp_path: Path, answerable: int, unanswerable: int
) -> None:
    path = write_questions(tmp_path / "q.jsonl", answerable=answerable, unanswerable=unanswerable)
    with pytest.raises(QuestionSetError, match=r"q\.jsonl: \d+ questions, .* needs at least 20, some right"):
        calibrate(path, qa)


def test_a_retrieval_set_is_refused(qa: EpiQA, tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d", "title": "", "text": "One."}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "One?"}\n')
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\n")
    with pytest.raises(QuestionSetError, match="has no answers to calibrate with"):
        calibrate(tmp_path, qa)


def test_another_readers_calibration_is_not_used_and_said_so(qa: EpiQA, caplog: pytest.LogCaptureFixture) -> None:
    stale = Calibration(0.0, dict.fromkeys(FEATURES, 1.0), 0.5, reader="another@1")
    write_calibration(stale, qa.directory / CALIBRATION)
    assert qa.calibration == bundled_calibration()
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
