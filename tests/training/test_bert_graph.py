"""Graphs written node by node: against torch, against saturation, and whatever stands beside a text."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    BertModel,
    MPNetConfig,
    MPNetForQuestionAnswering,
    MPNetModel,
)

import bert_graph
import export
from epiqa.errors import ModelError
from epiqa.models import ROOT as MODELS
from epiqa.models import onnx_runtime
from epiqa.models.reader_loading import LARGE, SMALL, load_reader
from fakes import make_passage

# Weights wide enough apart that the attention attends to something.
SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "initializer_range": 0.1,
}
TEXTS = [
    "Tan Zuojun spoke first.",
    "The city has two hospitals, and a third is being built by the river; it opens in May. " * 6,
    "Who?",
    "On February 2, Hu Yuting delivered a speech about grids. " * 4,
]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def model() -> BertForQuestionAnswering:
    """Makes a reader of random weights."""
    torch.manual_seed(2)
    config = BertConfig(max_position_embeddings=256, **SIZES)
    return settled(BertForQuestionAnswering(config))


Made = TypeVar("Made", bound=torch.nn.Module)


def settled(model: Made) -> Made:
    """Gives a model biases that are not zero, as trained ones are not, and puts it into evaluation."""
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.2)
    model.train(False)
    return model


@pytest.fixture(scope="module")
def folder(model: BertForQuestionAnswering, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reader")
    onnx.save(bert_graph.reader_graph(model), folder / "model.onnx")
    shutil.copy(MODELS / SMALL / "tokenizer.json", folder)
    return folder


def pairs() -> list[dict[str, NDArray[np.int64]]]:
    encodings = onnx_runtime.bundled_tokenizer(SMALL).encode_batch([("Who spoke?", text) for text in TEXTS])
    return [{"input_ids": np.array([e.ids]), "token_type_ids": np.array([e.type_ids])} for e in encodings]


def run(model: onnx.ModelProto, inputs: dict[str, NDArray[np.int64]]) -> list[NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, inputs))


def test_a_readers_graph_computes_what_torch_does(model: BertForQuestionAnswering, folder: Path) -> None:
    graph = onnx.load(folder / "model.onnx")
    expected, found = [], []
    for inputs in pairs():
        with torch.no_grad():
            output = model(**{name: torch.from_numpy(array) for name, array in inputs.items()})
        expected += [output.start_logits.numpy()[0], output.end_logits.numpy()[0]]
        found += [logits[0] for logits in run(graph, inputs)]
    difference = np.concatenate(found) - np.concatenate(expected)
    assert np.sqrt((difference**2).mean()) < 0.1 * np.concatenate(expected).std()


def test_an_mpnets_graph_computes_what_torch_does() -> None:
    torch.manual_seed(3)
    config = MPNetConfig(max_position_embeddings=302, **SIZES)
    model = settled(MPNetForQuestionAnswering(config))
    # What stands far apart counts for less, as in a trained one; farther than 128 all is alike.
    torch.nn.init.normal_(model.mpnet.encoder.relative_attention_bias.weight, std=2.0)
    graph = bert_graph.reader_graph(model)
    encodings = onnx_runtime.bundled_tokenizer(LARGE).encode_batch([("Who spoke?", text) for text in TEXTS])
    longest = np.array([(encodings[1].ids * 3)[:300]])  # as many as there are positions
    expected, found = [], []
    for ids in [*(np.array([encoding.ids]) for encoding in encodings), longest]:
        with torch.no_grad():
            output = model(input_ids=torch.from_numpy(ids))
        expected += [output.start_logits.numpy()[0], output.end_logits.numpy()[0]]
        found += [logits[0] for logits in run(graph, {"input_ids": ids})]
    difference = np.concatenate(found) - np.concatenate(expected)
    assert np.sqrt((difference**2).mean()) < 0.1 * np.concatenate(expected).std()


def test_the_biases_are_by_distance() -> None:
    model = MPNetModel(MPNetConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2))
    biases = bert_graph.distance_biases(model, 40)
    with torch.no_grad():
        biases_of = model.encoder.compute_position_bias(torch.empty(1, 40, 1))  # type: ignore[no-untyped-call]
        expected = biases_of[0].numpy()
    assert biases.shape == (2, 79)
    for query, key in [(0, 0), (0, 39), (39, 0), (5, 30), (30, 5)]:
        np.testing.assert_array_equal(biases[:, 39 + key - query], expected[:, query, key])


def test_an_embedders_graph_computes_what_torch_does(model: BertForQuestionAnswering) -> None:
    bert = BertModel(model.config, add_pooling_layer=False)
    bert.train(False)
    bert.load_state_dict(model.bert.state_dict())
    graph = bert_graph.embedder_graph(bert)
    for inputs in pairs():
        ids = inputs["input_ids"]
        with torch.no_grad():
            mean = bert(input_ids=torch.from_numpy(ids)).last_hidden_state[0].mean(0).numpy()
        (vector,) = run(graph, {"input_ids": ids})
        assert vector.shape == (1, 64)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
        assert float(vector[0] @ mean / np.linalg.norm(mean)) > 0.9995


@pytest.mark.parametrize("seed", range(5))
def test_bounded_integers_are_the_nearest_that_keep_the_bound(seed: int) -> None:
    values = np.random.default_rng(seed).normal(scale=60, size=(2, 40))
    found = bert_graph.bounded(values)
    steps = np.arange(-127, 128)
    first, second = np.meshgrid(steps, steps, indexing="ij")
    is_allowed = np.abs(first) + np.abs(second) <= 128
    for (one, other), (exact_one, exact_other) in zip(found.T, values.T, strict=True):
        squares = (first - exact_one) ** 2 + (second - exact_other) ** 2
        assert abs(one) + abs(other) <= 128
        assert (one - exact_one) ** 2 + (other - exact_other) ** 2 == pytest.approx(squares[is_allowed].min())


def products_of_old_processors(rows: NDArray[np.uint8], weights: NDArray[np.int8]) -> NDArray[np.int64]:
    """Multiplies as `vpmaddubsw` and `vpmaddwd` do: each two products are added in 16 bits, and saturate."""
    products = rows.astype(np.int64)[:, :, np.newaxis] * weights.astype(np.int64)[np.newaxis]
    two = products[:, 0::2] + products[:, 1::2]
    return np.asarray(np.clip(two, -32768, 32767).sum(axis=1))


def test_no_product_saturates_on_processors_without_vnni(folder: Path) -> None:
    graph = onnx.load(folder / "model.onnx").graph
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    products = [node for node in graph.node if node.op_type == "MatMulInteger"]
    assert len(products) == 2 * 6
    for node in products:
        weights = tensors[node.input[1]]
        assert np.abs(weights.astype(int)).reshape(len(weights) // 2, 2, -1).sum(axis=1).max() <= 128
        # The worst rows: 255 wherever a column's weights are positive, or negative, and 0 elsewhere.
        worst = np.concatenate([255 * (weights.T > 0), 255 * (weights.T < 0)]).astype(np.uint8)
        exact = worst.astype(np.int64) @ weights.astype(np.int64)
        np.testing.assert_array_equal(products_of_old_processors(worst, weights), exact)


def test_old_processors_do_saturate_where_the_bound_is_not_kept() -> None:
    weights = np.array([[100], [29]], dtype=np.int8)
    assert products_of_old_processors(np.full((1, 2), 255, np.uint8), weights)[0, 0] == 32767 < 255 * 129


def test_the_bound_costs_less_than_a_bit() -> None:
    weights = np.random.default_rng(0).normal(size=(384, 50)).astype(np.float32)
    integers, scales = bert_graph.quantised(weights)
    seven_bits = np.abs(weights).max(axis=0) / 63
    plain = np.rint(weights / seven_bits) * seven_bits
    assert np.linalg.norm(integers * scales - weights) < 0.8 * np.linalg.norm(plain - weights)


def test_weights_of_zero_alone_and_odd_ones() -> None:
    integers, scales = bert_graph.quantised(np.zeros((4, 3), np.float32))
    assert not integers.any()
    assert np.isfinite(scales).all()
    with pytest.raises(ValueError, match="3 inputs"):
        bert_graph.quantised(np.zeros((3, 2), np.float32))


def test_another_activation_is_refused() -> None:
    config = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, hidden_act="relu")
    with pytest.raises(ValueError, match="'relu'"):
        bert_graph.embedder_graph(BertModel(config))


def test_a_text_is_read_alike_to_the_bit_in_any_company(folder: Path) -> None:
    reader = load_reader(str(folder))
    passages = [make_passage(text, start=1000 * number) for number, text in enumerate(TEXTS)]
    together = reader.read("Who spoke?", passages)
    apart = [span for passage in passages for span in reader.read("Who spoke?", [passage])]
    backwards = reader.read("Who spoke?", passages[::-1] * 3)
    assert together == apart
    assert set(backwards) == set(apart)
    assert len(backwards) == 3 * len(apart)


def test_run_alone_joins_what_a_batch_would_give(model: BertForQuestionAnswering, folder: Path) -> None:
    encodings = pairs()
    width = max(inputs["input_ids"].shape[1] for inputs in encodings)
    batch = {
        name: np.concatenate(
            [np.pad(inputs[name], ((0, 0), (0, width - inputs[name].shape[1]))) for inputs in encodings]
        )
        for name in ("input_ids", "token_type_ids")
    }
    lengths = [inputs["input_ids"].shape[1] for inputs in encodings]
    batch["attention_mask"] = (np.arange(width) < np.array(lengths)[:, np.newaxis]).astype(np.int64)
    starts, ends = export.run_alone(folder / "model.onnx", batch)
    assert starts.shape == ends.shape == (len(TEXTS), width)
    graph = onnx.load(folder / "model.onnx")
    for row, inputs in enumerate(encodings):
        start, end = run(graph, inputs)
        np.testing.assert_array_equal(starts[row, : lengths[row]], start[0])
        np.testing.assert_array_equal(ends[row, : lengths[row]], end[0])
        assert not starts[row, lengths[row] :].any()


def test_a_graph_for_one_sequence_takes_no_batch(folder: Path) -> None:
    session = onnx_runtime.session(folder / "model.onnx")
    assert onnx_runtime.input_names(session) == ("input_ids", "token_type_ids")
    two = np.ones((2, 5), dtype=np.int64)
    with pytest.raises(Exception, match="invalid dimensions"):  # ONNX Runtime's own
        session.run(None, {"input_ids": two, "token_type_ids": two})


@pytest.mark.parametrize("content", [b"", b"no graph", None])
def test_what_is_no_graph_is_refused_by_its_path(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "tiny.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"tiny\.onnx"):
        onnx_runtime.session(tmp_path / "tiny.onnx")


def test_cores_that_share_the_work_find_the_same_to_the_bit(folder: Path) -> None:
    graph = folder / "model.onnx"
    alone, shared = onnx_runtime.session(graph), onnx_runtime.session(graph, is_shared=True)
    assert [s.get_session_options().intra_op_num_threads for s in (alone, shared)] == [1, 0]
    for inputs in pairs():
        for one, other in zip(alone.run(None, inputs), shared.run(None, inputs), strict=True):
            np.testing.assert_array_equal(one, other)


def test_large_weights_lie_beside_the_graph_and_are_part_of_its_name(
    model: BertForQuestionAnswering, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(folder / "tokenizer.json", tmp_path)
    monkeypatch.setattr(export, "LARGE_BYTES", 1000)
    for _ in range(2):  # the second time over the first one's files
        export.save_graph(bert_graph.reader_graph(model), tmp_path / "model.onnx")
    whole, (graph, weights) = folder / "model.onnx", (tmp_path / name for name in ("model.onnx", "model.onnx.data"))
    assert graph.stat().st_size < weights.stat().st_size < whole.stat().st_size
    passages = [make_passage(text) for text in TEXTS]
    apart, one = load_reader(str(tmp_path)), load_reader(str(folder))
    assert apart.read("Who spoke?", passages) == one.read("Who spoke?", passages)
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    del apart
    weights.unlink()  # what is mapped may not be written into
    weights.write_bytes(content)
    names = {onnx_runtime.fingerprint(path) for path in (whole, graph)} | {load_reader(str(tmp_path)).fingerprint}
    assert len(names) == 3
    weights.unlink()
    with pytest.raises(ModelError, match=r"model\.onnx"):
        load_reader(str(tmp_path))
