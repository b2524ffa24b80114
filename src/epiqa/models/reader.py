"""Question + Passages -> Spans: an extractive reader, SQuAD 2.0 style, and the decoding of its scores.

The reader gives each token of a window a start and an end logit; position 0 stands for "no answer" (Devlin
et al. 2019, section 4.3). A passage longer than a window is read in windows that overlap. Sums of logits are
compared across passages, as in Clark & Gardner 2018: they are not normalised within one. The bundled
reader is two: a small one reads every passage, a large one the most promising again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from epiqa.models import onnx_runtime
from epiqa.types import Passage, Span

Logits = NDArray[np.float32]
Run = Callable[[onnx_runtime.Inputs], tuple[Logits, Logits]]

BATCH_WINDOWS = 8
WINDOW_TOKENS = 256
STRIDE_TOKENS = 96
MAX_QUESTION_TOKENS = 64
TOKENS_PER_CHARACTER = 3  # at most: a syllable of Hangul is taken apart
MAX_ANSWER_TOKENS = 40
SPANS_PER_PASSAGE = 3

_PARAGRAPH_BREAK = re.compile(r"\n[^\S\n]*\n")


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """A decoded span: first and last token of a window, its score and its share of the probability."""

    first: int
    last: int
    score: float
    probability: float


def decode(
    start: Logits, end: Logits, paragraphs: NDArray[np.int64], *, max_tokens: int, top_n: int
) -> list[TokenSpan]:
    """Returns the `top_n` best spans of a window, best first; none runs from one paragraph into the next.

    All arrays have shape (tokens,); `paragraphs` numbers the passage's paragraphs from 1, and is 0 outside of
    it. The probability is that of the start times that of the end, each a softmax over the passage and
    position 0.
    """
    tokens = np.flatnonzero(paragraphs)
    if len(tokens) == 0:
        return []
    allowed = np.concatenate([[0], tokens])
    start_log = start - np.logaddexp.reduce(start[allowed])
    end_log = end - np.logaddexp.reduce(end[allowed])
    scores = start[tokens, np.newaxis] + end[np.newaxis, tokens]
    distance = tokens[np.newaxis, :] - tokens[:, np.newaxis]
    is_one = paragraphs[tokens, np.newaxis] == paragraphs[np.newaxis, tokens]
    scores = np.where((distance >= 0) & (distance < max_tokens) & is_one, scores, -np.inf)
    best = np.argsort(-scores, axis=None, kind="stable")[:top_n]
    spans = []
    for position in best:
        row, column = np.unravel_index(position, scores.shape)
        if not np.isfinite(scores[row, column]):
            break
        first, last = int(tokens[row]), int(tokens[column])
        spans.append(
            TokenSpan(
                first=first,
                last=last,
                score=float(scores[row, column]),
                probability=float(np.exp(start_log[first] + end_log[last])),
            )
        )
    return spans


class WindowReader:
    """Reads passages window by window; `run` is the network, from a batch of inputs to its logits."""

    def __init__(
        self, tokenizer: Tokenizer, run: Run, input_names: Sequence[str], *, fingerprint: str, pad_id: int = 0
    ) -> None:
        self.fingerprint = fingerprint
        tokenizer.no_padding()
        tokenizer.enable_truncation(WINDOW_TOKENS, stride=STRIDE_TOKENS, strategy="only_second")
        self._tokenizer = tokenizer
        self._run = run
        self._input_names = tuple(input_names)
        self._pad_id = pad_id

    def read(self, question: str, passages: Sequence[Passage]) -> list[Span]:
        """Returns up to three spans of each passage, passages in order, each passage's best first.

        Of the question, its first 64 tokens are read.
        """
        question = self._shortened(question)
        firsts = self._tokenizer.encode_batch([(question, passage.quote) for passage in passages])
        windows = [(i, window) for i, first in enumerate(firsts) for window in (first, *first.overflowing)]
        logits = self._logits([window for _, window in windows])
        spans: list[list[Span]] = [[] for _ in passages]
        nulls = [np.inf] * len(passages)
        for (i, window), (start, end) in zip(windows, logits, strict=True):
            nulls[i] = min(nulls[i], float(start[0] + end[0]))
            spans[i] += _window_spans(passages[i], window, start, end)
        return [span for i, found in enumerate(spans) for span in _best_of_passage(found, nulls[i])]

    @cached_property
    def _counter(self) -> Tokenizer:
        """The tokenizer without truncation: a copy takes long to make, and is seldom needed."""
        counter = Tokenizer.from_str(self._tokenizer.to_str())
        counter.no_truncation()
        return counter

    def _shortened(self, question: str) -> str:
        is_short = len(question) * TOKENS_PER_CHARACTER <= WINDOW_TOKENS  # so that nothing would be cut off
        tokenizer = self._tokenizer if is_short else self._counter
        encoding = tokenizer.encode(question, add_special_tokens=False)
        if len(encoding) <= MAX_QUESTION_TOKENS:
            return question
        return question[: encoding.offsets[MAX_QUESTION_TOKENS - 1][1]]

    def _logits(self, windows: Sequence[Encoding]) -> list[tuple[Logits, Logits]]:
        found: list[tuple[Logits, Logits]] = [(np.empty(0, np.float32),) * 2] * len(windows)
        read = onnx_runtime.run_batches(
            self._run, windows, BATCH_WINDOWS, names=self._input_names, pad_id=self._pad_id
        )
        for rows, (starts, ends) in read:
            for row, start, end in zip(rows, starts, ends, strict=True):
                length = len(windows[row])
                found[row] = start[:length], end[:length]
        return found


def _window_spans(passage: Passage, window: Encoding, start: Logits, end: Logits) -> list[Span]:
    """Decodes one window into spans of whole words; the null score is filled in by the caller."""
    breaks = [match.start() for match in _PARAGRAPH_BREAK.finditer(passage.quote)]
    is_passage = np.array([sequence == 1 for sequence in window.sequence_ids])
    paragraphs = (np.searchsorted(breaks, [left for left, _ in window.offsets]) + 1) * is_passage
    spans = []
    for token_span in decode(start, end, paragraphs, max_tokens=MAX_ANSWER_TOKENS, top_n=SPANS_PER_PASSAGE):
        left, right = _whole_words(window, token_span)
        spans.append(
            Span(
                passage=passage,
                start=passage.start + left,
                end=passage.start + right,
                quote=passage.quote[left:right],
                score=token_span.score,
                null_score=0.0,
                probability=token_span.probability,
            )
        )
    return spans


def _whole_words(window: Encoding, span: TokenSpan) -> tuple[int, int]:
    """Returns the offsets of a span in the passage, stretched to the words it cuts into."""
    words, offsets, sequences = window.word_ids, window.offsets, window.sequence_ids
    first, last = span.first, span.last
    while sequences[first - 1] == 1 and words[first - 1] == words[first]:
        first -= 1
    while last + 1 < len(words) and sequences[last + 1] == 1 and words[last + 1] == words[last]:
        last += 1
    return offsets[first][0], offsets[last][1]


def _best_of_passage(spans: Sequence[Span], null_score: float) -> list[Span]:
    """Keeps the best of the spans at the same place, and of those the best three."""
    best: dict[tuple[int, int], Span] = {}
    for span in sorted(spans, key=lambda span: (-span.score, span.start, span.end)):
        best.setdefault((span.start, span.end), span)
    return [replace(span, null_score=null_score) for span in list(best.values())[:SPANS_PER_PASSAGE]]
