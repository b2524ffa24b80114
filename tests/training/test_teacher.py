"""The teacher's scores against its own reading of the text; lessons kept, interrupted, learned."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import MPNetConfig, MPNetForQuestionAnswering

import teacher
from epiqa.models import ROOT as MODELS
from epiqa.models.reader_loading import LARGE, SMALL
from examples import Item, make_batches, make_rows, shape
from teacher import Teacher, teach_all
from train import load_tokenizer

QUESTIONS = [
    ("Who was mayor?", "On day 7 the mayor was Zoë, née Müller, and it rained (☂)."),
    ("Where did it snow in the year 1999?", "It rained."),
    ("Who?", "Bo ran and Cy saw Ada, who fell."),
]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes a teacher of random weights, with the tokenizer of the large reader."""
    folder = tmp_path_factory.mktemp("teacher")
    torch.manual_seed(1)
    config = MPNetConfig(
        vocab_size=30527,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=80,
        initializer_range=0.3,
    )
    MPNetForQuestionAnswering(config).save_pretrained(folder)
    shutil.copy(MODELS / LARGE / "tokenizer.json", folder)
    return folder


@pytest.fixture(scope="module")
def student() -> Tokenizer:
    return load_tokenizer(MODELS / SMALL, 64, 16)


@pytest.fixture(scope="module")
def batches(student: Tokenizer) -> list[list[Item]]:
    items = [make_rows(student.encode(question, text), None) for question, text in QUESTIONS]
    items.append([row for item in items for row in item])
    return make_batches(items, 64, 0)


def test_a_token_has_the_score_that_the_teacher_gives_it_in_the_text(folder: Path, student: Tokenizer) -> None:
    rows = [make_rows(student.encode(question, text), None)[0] for question, text in QUESTIONS]
    lesson = Teacher(folder, student).teach([rows[:2], rows[2:]])
    assert lesson.shape == (2, *shape([rows[:2], rows[2:]]))
    own = Tokenizer.from_file(str(folder / "tokenizer.json"))
    own.no_padding()
    model = MPNetForQuestionAnswering.from_pretrained(folder).train(mode=False)
    for number, (question, text) in enumerate(QUESTIONS):
        of_student, of_teacher = student.encode(question, text), own.encode(question, text)
        with torch.no_grad():
            output = model(input_ids=torch.tensor([of_teacher.ids]))
        for part, logits in zip(lesson, (output.start_logits[0], output.end_logits[0]), strict=True):
            expected = {
                (sequence, offsets): float(logit)
                for sequence, offsets, logit in zip(
                    of_teacher.sequence_ids, of_teacher.offsets, logits, strict=True
                )
                if sequence is not None
            }
            assert len({round(logit, 3) for logit in expected.values()}) > 3
            places = enumerate(zip(of_student.sequence_ids, of_student.offsets, strict=True))
            found = {place: float(part[number, token]) for token, place in places if place[0] is not None}
            assert found == pytest.approx(expected, abs=0.1)
            assert part[number, 0] == pytest.approx(float(logits[0]), abs=0.1)
            assert part[number, len(of_student) - 1] == pytest.approx(float(logits[-1]), abs=0.1)
            assert not part[number, len(of_student) :].any()


def test_a_teacher_of_another_vocabulary_is_refused(folder: Path, student: Tokenizer, tmp_path: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    del content["model"]["vocab"]["mayor"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(SystemExit, match="cannot teach: its tokenizer does not know the token 'mayor'"):
        Teacher(tmp_path, student)


@pytest.mark.parametrize("interrupted", [0, 1, 2])
def test_an_interrupted_labelling_goes_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    student: Tokenizer,
    batches: list[list[Item]],
    interrupted: int,
) -> None:
    """It goes on behind the last whole lesson, and a finished one is not made again."""
    expected = [Teacher(folder, student).teach(batch) for batch in batches]
    teach, taught = Teacher.teach, list[int]()

    def interrupting(self: Teacher, batch: Any) -> Any:
        if len(taught) == interrupted:
            taught.append(-1)
            raise KeyboardInterrupt
        taught.append(batches.index(batch))
        return teach(self, batch)

    monkeypatch.setattr(teacher.Teacher, "teach", interrupting)
    with pytest.raises(KeyboardInterrupt):
        teach_all(batches, folder, "tiny", student, tmp_path)
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(b"half a lesson"[: 13 * bool(interrupted)])
    for _ in range(2):
        lessons = teach_all(batches, folder, "tiny", student, tmp_path)
        assert [np.array_equal(*both) for both in zip(lessons, expected, strict=True)] == [True] * len(batches)
    numbers = list(range(len(batches)))
    assert taught == [*numbers[:interrupted], -1, *numbers[interrupted:]]
    teach_all(batches, folder, "other", student, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
