"""Trains one of the two readers, from an encoder and a folder of SQuAD 2.0 files.

    python training/train.py large-begun --data FOLDER --encoder PATH
    python training/train.py large --data FOLDER --encoder build/train/large-begun/model
    python training/train.py small-begun --data FOLDER --encoder PATH
    python training/train.py small --data FOLDER --encoder build/train/small-begun/model \\
        --teacher build/train/large/model

Settings are in `readers.toml`. Of the folder, every `*.json` and `*.json.gz` is read whose name does not end in
`-dev` before the suffix. Everything goes to `build/train/NAME`: checkpoints, from which the same command goes on
after an interruption; `log.jsonl`, its plot `log.svg`; and at the end `model/`, for `training/export.py`.

The loss of a window is that of SQuAD 2.0's readers, with position 0 as "no answer". Where a question brings several
passages, the same loss over all of them together is added (shared normalisation, Clark & Gardner 2018): scores
are taken relative to each passage's "no answer", as `epiqa.answering.answer` compares them. Of a reader with a
teacher, a share of the loss is the distance from the teacher's distributions instead (`teacher.py`). The weights of
the last fifth of the steps are averaged, of a reader that is trained on also with those that it started from. Needs
`pip install -e ".[training]"`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForQuestionAnswering

from epiqa.evaluation.metrics import auroc, best, f1_score
from epiqa.models.reader import MAX_ANSWER_TOKENS
from examples import (
    Example,
    Neighbours,
    is_held_out,
    make_batches,
    make_items,
    read_examples,
    read_written,
    shape,
    tensors,
)
from teacher import Lesson, teach_all

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

WARM_UP = 0.06
AVERAGED = 0.2  # of the steps, the last ones
AVERAGE_EVERY = 10
WEIGHT_DECAY = 0.01
MAX_NORM = 1.0
LOG_EVERY = 20
MASKED = -1e4
SCORED_QUESTIONS = 240
CHECKPOINTS = 12
WRITTEN_QUESTIONS = Path(__file__).with_name("written_questions.jsonl")


def read_settings() -> dict[str, Any]:
    """Returns `readers.toml`."""
    settings: dict[str, Any] = tomllib.loads(Path(__file__).with_name("readers.toml").read_text("utf-8"))
    return settings


def training_files(folder: Path) -> list[Path]:
    """Returns the SQuAD files of a folder but those whose name ends in `-dev` before the suffix."""
    names = sorted(path.name for pattern in ("*.json", "*.json.gz") for path in folder.glob(pattern))
    return [folder / name for name in names if not name.removesuffix(".gz").endswith("-dev.json")]


def check_encoder(settings: dict[str, Any], folder: Path) -> None:
    """Ends the program unless the weights in the folder are those that the settings name."""
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise SystemExit(f"{folder} holds no model.safetensors")
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    if digest != settings["encoder_sha256"]:
        raise SystemExit(f"{weights} is not {settings['encoder']}: its SHA-256 is {digest}")


def load_model(folder: Path, frozen_layers: int) -> Any:
    """Returns the encoder under a new span head, without dropout; word embeddings and lower layers stay fixed."""
    model = AutoModelForQuestionAnswering.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    encoder = getattr(model, model.base_model_prefix)
    encoder.embeddings.word_embeddings.requires_grad_(False)
    if frozen_layers:
        encoder.embeddings.requires_grad_(False)
    for layer in encoder.encoder.layer[:frozen_layers]:
        layer.requires_grad_(False)
    return model


def load_tokenizer(folder: Path, window: int, stride: int) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(window, stride=stride, strategy="only_second")
    return tokenizer


def competing(logits: torch.Tensor, items: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yields for each item of several rows a mask of its rows and their logits less those of "no answer".

    The shared no-answer logit comes first, fixed at 0; shape (1 + rows * (tokens - 1),).
    """
    margins = logits - logits[:, :1]
    for item in torch.unique(items):
        members = items == item
        if int(members.sum()) > 1:
            yield members, torch.cat([margins.new_zeros(1), margins[members][:, 1:].flatten()])


def span_loss(logits: torch.Tensor, mask: torch.Tensor, gold: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
    """Returns the loss of the start logits, or of the end logits, of shape (rows, tokens).

    For each row, cross entropy over its tokens. For each item of several rows, cross entropy over the tokens of
    them all, each row's logits less its "no answer", which all share.
    """
    logits = logits.float().masked_fill(mask == 0, MASKED)
    loss = torch.nn.functional.cross_entropy(logits, gold)
    gold_margin = (logits - logits[:, :1]).gather(1, gold[:, None])[:, 0]
    shared = []
    for members, margins in competing(logits, items):
        answered = gold_margin[members][gold[members] > 0]
        target = torch.logsumexp(answered, 0) if len(answered) else margins[0]
        shared.append(torch.logsumexp(margins, 0) - target)
    if shared:
        loss = loss + torch.stack(shared).sum() / len(torch.unique(items))
    return loss


def lesson_loss(
    logits: torch.Tensor, lesson: torch.Tensor, mask: torch.Tensor, items: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Returns how far the start logits, or the end logits, are from a teacher's, of the same shape (rows, tokens).

    The distributions are those that `span_loss` takes the cross entropy of, with logits divided by the temperature;
    their distance is the Kullback-Leibler divergence, times the temperature's square (Hinton et al. 2015).
    """
    own, taught = (part.float().masked_fill(mask == 0, MASKED) / temperature for part in (logits, lesson))

    def divergence(own: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
        logs = own.log_softmax(-1), taught.log_softmax(-1)
        return torch.nn.functional.kl_div(*logs, reduction="sum", log_target=True)

    loss = divergence(own, taught) / len(own)
    pairs = zip(competing(own, items), competing(taught, items), strict=True)
    shared = [divergence(own_margins, margins) for (_, own_margins), (_, margins) in pairs]
    if shared:
        loss = loss + torch.stack(shared).sum() / len(torch.unique(items))
    return loss * temperature**2


@torch.no_grad()
def score(model: Any, tokenizer: Tokenizer, examples: Sequence[Example]) -> dict[str, float]:
    """Returns SQuAD's F1, the F1 when forced to answer, and the AUROC of the margin, for questions with passages.

    Without the questions for it, a figure is left out.
    """
    model.eval()
    f1, forced, margins, right = [], [], [], []
    for first in range(0, len(examples), 16):
        few = examples[first : first + 16]
        encodings = tokenizer.encode_batch([(example.question, example.context) for example in few])
        width = max(map(len, encodings))
        ids = torch.full((len(few), width), model.config.pad_token_id)
        mask, types = torch.zeros_like(ids), torch.zeros_like(ids)
        for position, encoding in enumerate(encodings):
            ids[position, : len(encoding)] = torch.tensor(encoding.ids)
            mask[position, : len(encoding)] = 1
            types[position, : len(encoding)] = torch.tensor(encoding.type_ids)
        inputs = {"input_ids": ids, "attention_mask": mask}
        if getattr(model.config, "type_vocab_size", 0) > 1:
            inputs["token_type_ids"] = types
        with torch.autocast("cpu", torch.bfloat16):
            output = model(**inputs)
        starts, ends = output.start_logits.float(), output.end_logits.float()
        for example, encoding, start, end in zip(few, encodings, starts, ends, strict=True):
            inside = torch.tensor([number == 1 for number in encoding.sequence_ids])
            length = len(encoding)
            pairs = start[:length, None] + end[None, :length]
            allowed = (inside[:, None] & inside[None, :]).triu() & ~(
                torch.ones(length, length, dtype=torch.bool).triu(MAX_ANSWER_TOKENS)
            )
            pairs = pairs.masked_fill(~allowed, -1e9)
            left, right_token = divmod(int(pairs.argmax()), length)
            quote = example.context[encoding.offsets[left][0] : encoding.offsets[right_token][1]]
            gold = [text for _, text in example.answers]
            found = best(f1_score, quote, gold) if gold else 0.0
            margin = float(pairs.max() - start[0] - end[0])
            if gold:
                forced.append(found)
            f1.append((found if margin > 0 else 0.0) if gold else float(margin <= 0))
            margins.append(margin)
            right.append(found >= 0.5)
    model.train()
    figures = {
        "f1": fmean(f1) if f1 else None,
        "forced_f1": fmean(forced) if forced else None,
        "auroc": auroc(margins, right),
    }
    return {name: value for name, value in figures.items() if value is not None}


def plot(log: Path, target: Path) -> None:
    """Draws the loss and the scores over the steps."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    losses = [line for line in lines if "loss" in line]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    left.plot([line["step"] for line in losses], [line["loss"] for line in losses], linewidth=1)
    left.set(xlabel="step", ylabel="loss")
    for name in ("f1", "forced_f1", "auroc"):
        scores = [line for line in lines if name in line]
        right.plot([line["step"] for line in scores], [line[name] for line in scores], marker=".", label=name)
    right.set(xlabel="step", ylabel="held-out articles")
    right.legend()
    figure.savefig(target, metadata={"Date": None})
    pyplot.close(figure)


class Training:
    """A run: model, optimiser, the batches, the average of the weights, and how far it has come."""

    def __init__(
        self,
        name: str,
        settings: dict[str, Any],
        work: Path,
        encoder: Path,
        data: Sequence[Path],
        teacher: Path | None = None,
    ) -> None:
        shared, self.settings, self.work, self.encoder = settings["data"], settings[name], work, encoder
        self.all_settings = {"data": shared, name: self.settings}
        torch.manual_seed(self.settings["seed"])
        self.model = load_model(encoder, self.settings["frozen_layers"])
        self.tokenizer = load_tokenizer(encoder, shared["window_tokens"], shared["stride_tokens"])
        examples = read_examples(data)
        held_out = [e for e in examples if is_held_out(e.source, e.article, e.context, shared)]
        wikipedia = [e for e in held_out if e.article in shared["held_out_titles"]] or held_out
        self.scored = wikipedia[:: max(1, len(wikipedia) // SCORED_QUESTIONS)]
        trained = [e for e in examples if not is_held_out(e.source, e.article, e.context, shared)]
        neighbours = Neighbours(trained, work.parent)
        trained += read_written(WRITTEN_QUESTIONS, trained)
        items = make_items(trained, self.settings, self.tokenizer, neighbours)
        if not items:
            sources = ", ".join(sorted({example.source for example in examples}))
            raise SystemExit(f"nothing to train {name} on: its passes name none of the sources read: {sources}")
        batches = make_batches(items, self.settings["token_batch"], self.settings["seed"])
        self.batches = batches[: self.settings.get("max_batches")]
        self.lessons: list[Lesson] = []
        if teacher:
            fingerprint = self.settings["teacher"]["encoder_sha256"]
            self.lessons = teach_all(self.batches, teacher, fingerprint, self.tokenizer, work)
        self.optimizer = torch.optim.AdamW(
            [p for p in self.model.parameters() if p.requires_grad],
            lr=self.settings["learning_rate"],
            weight_decay=WEIGHT_DECAY,
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        self.average: dict[str, torch.Tensor] = {}
        self.averaged = 0
        self.step = 0

    def _rate(self, step: int) -> float:
        warm_up = WARM_UP * len(self.batches)
        return min(step / warm_up, max(0.0, (len(self.batches) - step) / (len(self.batches) - warm_up)))

    def save(self) -> None:
        """Writes a checkpoint beside the last one and puts it in its place."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "average": self.average,
            "averaged": self.averaged,
            "step": self.step,
            "steps": len(self.batches),
            "settings": self.all_settings,
        }
        torch.save(state, self.work / "checkpoint.new")
        (self.work / "checkpoint.new").replace(self.work / "checkpoint.pt")

    def resume(self) -> None:
        """Goes on from the checkpoint, if there is one of these settings; forgets what was logged after it."""
        path, log = self.work / "checkpoint.pt", self.work / "log.jsonl"
        if not path.exists():
            log.unlink(missing_ok=True)
            return
        state = torch.load(path, weights_only=True)
        if (state["steps"], state.get("settings")) != (len(self.batches), self.all_settings):
            raise SystemExit(f"{path} is of other settings or data: move it away to start anew")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.average, self.averaged, self.step = state["average"], state["averaged"], state["step"]
        if log.exists():
            lines = log.read_text("utf-8").splitlines(keepends=True)
            kept = [line for line in lines if json.loads(line)["step"] <= self.step]
            log.write_text("".join(kept), encoding="utf-8")

    def log(self, **values: float) -> None:
        line = json.dumps({"step": self.step, **{name: round(value, 6) for name, value in values.items()}})
        with (self.work / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(line, flush=True)

    def run(self) -> None:
        self.model.train()
        tokens, losses, begun = 0, [], time.monotonic()
        checkpoint_every = max(1, len(self.batches) // CHECKPOINTS)
        while self.step < len(self.batches):
            inputs, spans, items = tensors(self.batches[self.step], self.model)
            with torch.autocast("cpu", torch.bfloat16):
                output = self.model(**inputs)
            loss = self._loss((output.start_logits, output.end_logits), inputs["attention_mask"], spans, items)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), MAX_NORM)
            self.optimizer.step()
            self.schedule.step()
            self.optimizer.zero_grad()
            self.step += 1
            tokens += inputs["input_ids"].numel()
            losses.append(loss.item())
            if self.step % LOG_EVERY == 0:
                seconds = time.monotonic() - begun
                self.log(loss=sum(losses) / len(losses), tokens_per_second=tokens / seconds)
                tokens, losses, begun = 0, [], time.monotonic()
            if self.step >= (1 - AVERAGED) * len(self.batches) and self.step % AVERAGE_EVERY == 0:
                self._add_to_average()
            if self.step % checkpoint_every == 0:
                self.log(**score(self.model, self.tokenizer, self.scored))
                self.save()
        self.save()

    def _loss(
        self,
        logits: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor,
        spans: torch.Tensor,
        items: torch.Tensor,
    ) -> torch.Tensor:
        start, end = (span_loss(of, mask, gold, items) for of, gold in zip(logits, spans.T, strict=True))
        loss = (start + end) / 2
        if not self.lessons:
            return loss
        share, temperature = (float(self.settings["teacher"][name]) for name in ("share", "temperature"))
        lesson = torch.from_numpy(self.lessons[self.step])
        start, end = (lesson_loss(*pair, mask, items, temperature) for pair in zip(logits, lesson, strict=True))
        return (1 - share) * loss + share * (start + end) / 2

    def _add_to_average(self) -> None:
        self.averaged += 1
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                kept = self.average.setdefault(name, torch.zeros_like(value))
                kept += (value - kept) / self.averaged

    def finish(self) -> None:
        """Scores the last weights and their average, and writes the average, the tokenizer and the plot.

        Where the settings say so, a share of the weights that the training started from is in the average
        (Wortsman et al. 2022): what was learned anew stays, and less of the old is lost.
        """
        self.log(**score(self.model, self.tokenizer, self.scored))
        self.model.load_state_dict({**self.model.state_dict(), **self.average})
        self.step += 1
        self.log(averaged=self.averaged, **score(self.model, self.tokenizer, self.scored))
        share = float(self.settings.get("start_share", 0.0))
        if share:
            start, end = load_model(self.encoder, 0).state_dict(), self.model.state_dict()
            mixed = {name: end[name].lerp(value, share) for name, value in start.items()}
            self.model.load_state_dict({**end, **mixed})
            self.step += 1
            self.log(start_share=share, **score(self.model, self.tokenizer, self.scored))
        self.model.save_pretrained(self.work / "model")
        self.tokenizer.save(str(self.work / "model" / "tokenizer.json"))
        plot(self.work / "log.jsonl", self.work / "log.svg")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("reader", choices=["large-begun", "large", "large-written", "small-begun", "small"])
    parser.add_argument("--data", type=Path, required=True, help="a folder of SQuAD 2.0 files")
    parser.add_argument(
        "--encoder", type=Path, required=True, help="the folder of the encoder's weights and tokenizer.json"
    )
    parser.add_argument("--teacher", type=Path, help="likewise the teacher's, for a reader that has one")
    parser.add_argument("--work", type=Path, default=Path("build/train"), help="for checkpoints, log and model")
    arguments = parser.parse_args()
    settings = read_settings()
    taught = settings[arguments.reader].get("teacher")
    if bool(taught) != bool(arguments.teacher):
        parser.error(f"{arguments.reader} {'needs its' if taught else 'has no'} --teacher, says readers.toml")
    data = training_files(arguments.data)
    if not data:
        raise SystemExit(f"{arguments.data} holds no *.json or *.json.gz to train on")
    work = arguments.work / arguments.reader
    work.mkdir(parents=True, exist_ok=True)
    check_encoder(settings[arguments.reader], arguments.encoder)
    if taught:
        check_encoder(taught, arguments.teacher)
    training = Training(arguments.reader, settings, work, arguments.encoder, data, arguments.teacher)
    tokens = sum(rows * width for rows, width in map(shape, training.batches))
    training.resume()
    print(f"{len(training.batches)} batches, {tokens:,} tokens with padding; at step {training.step}", flush=True)
    training.run()
    training.finish()


if __name__ == "__main__":
    main()
