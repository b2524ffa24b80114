"""SQuAD 2.0 files -> what a reader is trained on: windows of tokens, in batches of like length.

Five kinds of unanswerable questions are trained on: SQuAD 2.0's own, written to look answerable; those that were
written so for this project (`written_questions.jsonl`), with answerable ones like them; a question with a passage
of the same source that retrieval ranks high and that has none of its answers (Clark & Gardner 2018); a question in
which a name, number or year of its passage was exchanged for another of the article's; and a question whose passage
lost the sentence with the answer.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from epiqa.models.embedder import load_embedder
from epiqa.text.sentences import sentence_offsets

# Sources whose passages are sentences put together at random: another one of theirs teaches nothing.
SENTENCE_SOURCES = frozenset({"qamr", "qasrl", "qadiscourse"})
WIKIPEDIA = frozenset({"squad1.1", "squadv2.0"})
SWAPPED_SOURCES = WIKIPEDIA | {"squadshifts-new_wiki"}
NEIGHBOURS = 24  # ranked passages that are looked at for one without the answer
HARDEST = 4  # of those without the answer, one of so many is drawn
SHORT_WORDS = 50  # that a shortened passage has at least
WRITTEN = "written"  # the source of what `read_written` returns
BUCKET_TOKENS = 16
NO_ANSWER = (0, 0)

_NAME = re.compile(r"\b(?:[A-Z][\w'-]+)(?: (?:[A-Z][\w'-]+))*")
_NUMBER = re.compile(r"\b\d[\d,.]*\d\b|\b\d\b")


@dataclass(frozen=True, slots=True)
class Example:
    """A question about a passage.

    `answers` are (offset, text), none when the passage doesn't answer it; `plausible` is then, where it is known,
    what looks like an answer.
    """

    source: str
    article: str
    question: str
    context: str
    answers: tuple[tuple[int, str], ...]
    plausible: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One window: its tokens, and the first and last token of the answer; (0, 0) is "no answer"."""

    ids: list[int]
    type_ids: list[int]
    span: tuple[int, int]


# The windows of one question, whose scores are compared with each other.
Item = list[Row]


def read_articles(path: Path) -> list[dict[str, Any]]:
    """Returns the articles of a SQuAD file, plain or gzipped; one without `source` gets its file's name."""
    content = path.read_bytes()
    squad = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    return [{"source": path.name, "title": "", **article} for article in squad["data"]]


def read_examples(paths: Sequence[Path]) -> list[Example]:
    """Returns the questions of SQuAD files, but those whose only answers are blank."""
    examples = []
    for article in (article for path in paths for article in read_articles(path)):
        for paragraph in article["paragraphs"]:
            for qa in paragraph["qas"]:
                golds = [] if qa.get("is_impossible") else qa["answers"]
                found = ((gold["answer_start"], gold["text"]) for gold in golds if gold["text"].strip())
                answers = tuple(dict.fromkeys(found))
                if bool(answers) is bool(golds):
                    examples.append(
                        Example(article["source"], article["title"], qa["question"], paragraph["context"], answers)
                    )
    return examples


def read_written(path: Path, examples: Sequence[Example]) -> list[Example]:
    """Returns the questions of `written_questions.jsonl` on passages of these examples; others are left out."""
    passages = {hashlib.sha256(e.context.encode()).hexdigest()[:12]: e for e in examples}
    written = []
    for line in path.read_text("utf-8").splitlines():
        record = json.loads(line)
        passage = passages.get(record["passage"])
        if passage is not None:
            for qa in record["qas"]:
                span = (qa["start"], qa["text"])
                answers, plausible = ((), span) if qa["is_impossible"] else ((span,), None)
                written.append(
                    Example(WRITTEN, passage.article, qa["question"], passage.context, answers, plausible)
                )
    return written


def is_held_out(source: str, article: str, context: str, settings: Mapping[str, Any]) -> bool:
    """Tells whether a paragraph is kept for calibration: by its article's title, else by its hash."""
    if source in WIKIPEDIA:
        return article in settings["held_out_titles"]
    # Reddit is one article, the others are many: a paragraph there, a whole article here.
    key = context if source == "squadshifts-reddit" else article or context
    digest = hashlib.sha256(f"{source}\n{key}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % int(settings["held_out_one_in"]) == 0


class Neighbours:
    """The passages of a source, ranked for a question by the bundled embedder."""

    def __init__(self, examples: Sequence[Example], cache: Path) -> None:
        pools: dict[str, dict[str, None]] = defaultdict(dict)
        for example in examples:
            if example.source not in SENTENCE_SOURCES:
                pools[self._pool(example.source)][example.context] = None
        self._contexts = {name: list(contexts) for name, contexts in pools.items()}
        self._embedder = load_embedder()
        self._vectors = self._encode_all(cache)

    @staticmethod
    def _pool(source: str) -> str:
        return "wikipedia" if source in WIKIPEDIA else source

    def _encode_all(self, cache: Path) -> dict[str, NDArray[np.float32]]:
        names = sorted(self._contexts)
        made_of = [self._embedder.fingerprint, *((name, self._contexts[name]) for name in names)]
        digest = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()
        path = cache / f"passages-{digest[:12]}.npz"
        if not path.exists():
            cache.mkdir(parents=True, exist_ok=True)
            with path.with_suffix(".new").open("wb") as file:
                np.savez(file, *(self._embedder.encode(self._contexts[name]) for name in names))
            path.with_suffix(".new").replace(path)
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[f"arr_{number}"] for number, name in enumerate(names)}

    def without_answer(self, example: Example, choice: random.Random) -> str | None:
        """Returns one of the highest ranked passages that hold none of the answers, None when there is none."""
        pool = self._pool(example.source)
        if pool not in self._contexts:
            return None
        scores = self._vectors[pool] @ self._embedder.encode([example.question])[0]
        best = np.argpartition(-scores, min(NEIGHBOURS, len(scores) - 1))[:NEIGHBOURS]
        answers = [text.strip().lower() for _, text in example.answers]
        found = []
        for position in best[np.argsort(-scores[best])]:
            context = self._contexts[pool][position]
            if context != example.context and not any(answer in context.lower() for answer in answers):
                found.append(context)
        return choice.choice(found[:HARDEST]) if found else None


def swap(example: Example, article: str, choice: random.Random) -> str | None:
    """Returns the question with a name or number of its passage exchanged for another of the article's text."""
    options = []
    for pattern in (_NAME, _NUMBER):
        others = sorted({m.group() for m in pattern.finditer(article)})
        for match in pattern.finditer(example.question):
            word = match.group()
            is_asking = match.start() == 0  # the question word, capitalised
            if is_asking or word not in example.context:
                continue
            fitting = [o for o in others if o not in example.context and len(o.split()) == len(word.split())]
            fitting = [o for o in fitting if len(o) > 2 and o not in example.question]
            if fitting:
                options.append((match, choice.choice(fitting)))
    if not options:
        return None
    match, other = choice.choice(options)
    return example.question[: match.start()] + other + example.question[match.end() :]


def without_sentence(example: Example) -> str | None:
    """Returns the passage without the sentences that hold an answer; None if no sentence is left, or an answer."""
    text = example.context
    kept = [
        text[begin:end]
        for begin, end in sentence_offsets(text, has_title=False)
        if not any(begin < offset + len(answer) and offset < end for offset, answer in example.answers)
    ]
    rest = " ".join(kept)
    has_answer = any(answer.strip().lower() in rest.lower() for _, answer in example.answers)
    return None if has_answer else rest or None


def shortened(example: Example, choice: random.Random) -> Example:
    """Returns the example with the sentences around its answer, or around what looks like one, for a passage.

    They are those that hold it, and others before and after, by chance, up to `SHORT_WORDS` words.
    """
    span = example.answers[0] if example.answers else example.plausible
    sentences = sentence_offsets(example.context, has_title=False)
    if span is None:
        return example
    held = [n for n, (begin, end) in enumerate(sentences) if begin < span[0] + len(span[1]) and span[0] < end]
    first, last = held[0], held[-1]
    while len(example.context[sentences[first][0] : sentences[last][1]].split()) < SHORT_WORDS:
        can = [first > 0, last + 1 < len(sentences)]
        if not any(can):
            break
        if choice.choice([n for n in (0, 1) if can[n]]):
            last += 1
        else:
            first -= 1
    left, right = sentences[first][0], sentences[last][1]
    moved = (span[0] - left, span[1])
    answers, plausible = ((moved,), None) if example.answers else ((), moved)
    return replace(example, context=example.context[left:right], answers=answers, plausible=plausible)


def drawn(examples: Sequence[Example], passes: Mapping[str, float], choice: random.Random) -> Iterator[Example]:
    """Yields the examples of each source as often as `passes` says, by source, shuffled within."""
    by_source: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_source[example.source].append(example)
    for source, found in sorted(by_source.items()):
        times = float(passes.get(source, passes.get("default", 0.0)))
        for _ in range(int(times)):
            yield from choice.sample(found, len(found))
        yield from choice.sample(found, round((times % 1) * len(found)))


def make_rows(encoding: Encoding, answer: tuple[int, str] | None) -> list[Row]:
    """Returns the windows of a question and passage; one that does not hold the whole answer has none."""
    windows = (encoding, *encoding.overflowing)
    places = [_places(window, answer) for window in windows]
    # Taken from the tokens, for the tokenizer drops accents and joiners, also where an answer ends.
    whole = {place for found in places for place in found.values()}
    rows = []
    for window, found in zip(windows, places, strict=True):
        has_answer = bool(found) and set(found.values()) == whole
        rows.append(Row(window.ids, window.type_ids, (min(found), max(found)) if has_answer else NO_ANSWER))
    return rows


def _places(window: Encoding, answer: tuple[int, str] | None) -> dict[int, tuple[int, int]]:
    """Returns the offsets of a window's tokens that are of the answer, less the spaces around it."""
    if answer is None or not answer[1].strip():
        return {}
    offset, text = answer
    left, right = offset + len(text) - len(text.lstrip()), offset + len(text.rstrip())
    return {
        position: (begin, finish)
        for position, ((begin, finish), sequence) in enumerate(
            zip(window.offsets, window.sequence_ids, strict=True)
        )
        if sequence == 1 and begin < right and finish > left
    }


def make_items(
    examples: Sequence[Example],
    settings: Mapping[str, Any],
    tokenizer: Tokenizer,
    neighbours: Neighbours,
) -> list[Item]:
    """Returns a whole training's windows, question by question, in an order that the seed decides.

    A passage of several windows gives one: one with the answer, where there is one.

    Args:
        settings: A reader's table of `readers.toml`: its `seed`, `passes`, under `unanswerable` the shares of
            the answerable questions that bring along another passage, or come again made unanswerable, and what
            share of the written ones is `shortened`.
    """
    choice = random.Random(settings["seed"])
    shares = settings["unanswerable"]
    shortened_share = float(settings.get("shortened", 0.0))

    def falls_to(kind: str) -> bool:
        return shares[kind] > 0 and choice.random() < float(shares[kind])

    articles: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for example in examples:
        articles[example.source, example.article][example.context] = None
    texts = {key: "\n".join(contexts) for key, contexts in articles.items() if key[0] in SWAPPED_SOURCES}

    asked: list[list[tuple[str, str, tuple[int, str] | None]]] = []
    for example in drawn(examples, settings["passes"], choice):
        if example.source == WRITTEN and shortened_share > choice.random():
            example = shortened(example, choice)
        answer = choice.choice(example.answers) if example.answers else None
        item = [(example.question, example.context, answer)]
        if answer is not None and falls_to("neighbour"):
            other = neighbours.without_answer(example, choice)
            if other is not None:
                item.append((example.question, other, None))
        asked.append(item)
        if answer is not None and example.source in SWAPPED_SOURCES and falls_to("swapped"):
            question = swap(example, texts[example.source, example.article], choice)
            if question is not None:
                asked.append([(question, example.context, None)])
        if answer is not None and example.source not in SENTENCE_SOURCES and falls_to("sentence_removed"):
            context = without_sentence(example)
            if context is not None:
                asked.append([(example.question, context, None)])
    choice.shuffle(asked)

    flat = [entry for item in asked for entry in item]
    encodings = iter(tokenizer.encode_batch([(question, context) for question, context, _ in flat]))
    items = []
    for entries in asked:
        windows: Item = []
        for _, _, answer in entries:
            rows = make_rows(next(encodings), answer)
            with_answer = [row for row in rows if row.span != NO_ANSWER]
            windows.append(choice.choice(with_answer or rows))
        items.append(windows)
    return items


def make_batches(items: Sequence[Item], token_batch: int, seed: int) -> list[list[Item]]:
    """Returns the items in batches of at most `token_batch` tokens, padding counted, shuffled by the seed.

    An item of more tokens is a batch of its own.
    """
    buckets: dict[int, list[Item]] = defaultdict(list)
    batches = []
    for item in items:
        width = padded(max(len(row.ids) for row in item))
        bucket = buckets[width]
        if bucket and (sum(map(len, bucket)) + len(item)) * width > token_batch:
            batches.append(bucket)
            bucket = buckets[width] = []
        bucket.append(item)
    batches += [bucket for _, bucket in sorted(buckets.items()) if bucket]
    random.Random(seed).shuffle(batches)
    return batches


def padded(tokens: int) -> int:
    """Returns the length a window is padded to: few different ones."""
    return -(-tokens // BUCKET_TOKENS) * BUCKET_TOKENS


def shape(batch: Sequence[Item]) -> tuple[int, int]:
    """Returns the rows of a batch, and the tokens that each is padded to."""
    return sum(map(len, batch)), padded(max(len(row.ids) for item in batch for row in item))


def tensors(batch: Sequence[Item], model: Any) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """Returns the network's inputs, (rows, tokens), the answers' tokens, (rows, 2), and rows' items, (rows,)."""
    rows = [row for item in batch for row in item]
    ids = torch.full(shape(batch), model.config.pad_token_id)
    mask, types = torch.zeros_like(ids), torch.zeros_like(ids)
    for position, row in enumerate(rows):
        ids[position, : len(row.ids)] = torch.tensor(row.ids)
        mask[position, : len(row.ids)] = 1
        types[position, : len(row.ids)] = torch.tensor(row.type_ids)
    inputs = {"input_ids": ids, "attention_mask": mask}
    if getattr(model.config, "type_vocab_size", 0) > 1:
        inputs["token_type_ids"] = types
    spans = torch.tensor([row.span for row in rows])
    items = torch.tensor([number for number, item in enumerate(batch) for _ in item])
    return inputs, spans, items
