"""Writes a BERT, or an MPNet, as an ONNX graph, node by node: int8 products, one sequence at a time, no padding.

What the tracer makes of the same model takes about twice as long. Here

- every product of weights is one of integers: the weights have a scale for each column (what one output is made
  from), the activations one for each token, taken as they come, so that a token's rounding is its own affair;
- the attention needs no mask, for there is no padding; the biases of keys and values are gone: a key's shifts all
  scores of a query alike, which softmax takes away, and a value's goes through the attention as it is, into the
  next bias;
- the scales of queries and keys and the root of a head's width are one factor on the queries;
- MPNet's bias for how far two tokens are apart is taken once, for all layers, out of one row a head.

**Saturation.** Processors with AVX2 or AVX-512 and no VNNI multiply bytes by `vpmaddubsw`, which adds two
neighbouring products, along the inputs, in 16 bits, and saturates. Activations are unsigned there, at most 255, so
two neighbouring weights must not exceed 128 together: 255 * 128 = 32,640, and 32,767 is the limit. (Rounding to
seven bits, as ONNX Runtime's `reduce_range` does, keeps it too, with more error.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from transformers import BertForQuestionAnswering, BertModel, MPNetForQuestionAnswering, MPNetModel

OPSET = 20  # the first with Gelu
IR_VERSION = 9
LARGEST = 127
LARGEST_PAIR = 128
ZERO_POINT = 128
# What Gelu gives is hardly below zero, so most of the 255 steps are for what is above.
GELU_ZERO_POINT = 16
GELU_LOWEST = 0.17
SMALLEST_PEAK = 1e-12  # a token of zeros alone has no scale
# Of the scale with which a column's largest weight is 127. With twice that, no pair exceeds 128.
STRETCHES = np.linspace(0.8, 2.0, 13)

Floats = NDArray[np.float32]


def bounded(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Returns the integers nearest to the values of which no pair of rows, 2i and 2i + 1, exceeds 128 together.

    Both have shape (inputs, outputs), inputs even; the integers are at most 127.
    """
    exact = np.abs(values).reshape(len(values) // 2, 2, -1)
    whole = np.minimum(np.rint(exact), LARGEST)
    is_over = whole.sum(axis=1) > LARGEST_PAIR
    # The nearest on the line first + second = 128.
    first = np.clip(np.rint((LARGEST_PAIR + exact[:, 0] - exact[:, 1]) / 2), 1, LARGEST)
    whole[:, 0] = np.where(is_over, first, whole[:, 0])
    whole[:, 1] = np.where(is_over, LARGEST_PAIR - first, whole[:, 1])
    signed: NDArray[np.floating] = np.copysign(whole.reshape(values.shape), values)
    return signed


def quantised(weights: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Returns int8 weights, shape (inputs, outputs), and the outputs' scales that bring them nearest.

    Raises ValueError when the number of inputs is odd: the last weight would have no neighbour.
    """
    if len(weights) % 2:
        raise ValueError(f"a product of {len(weights)} inputs cannot be bound in pairs: the number must be even")
    exact = weights.astype(np.float64)
    peaks = np.maximum(np.abs(exact).max(axis=0), SMALLEST_PEAK)
    best, scales = np.zeros_like(exact), np.zeros(exact.shape[1])
    gained = np.full(exact.shape[1], -1.0)
    for stretch in STRETCHES:
        whole = bounded(exact / (peaks * stretch / LARGEST))
        # Of these integers, the best scale is that of least squares, and this is how much it explains.
        products, squares = (whole * exact).sum(axis=0), np.maximum((whole**2).sum(axis=0), 1)
        gain = products**2 / squares
        is_better = gain > gained
        best[:, is_better], gained[is_better] = whole[:, is_better], gain[is_better]
        scales[is_better] = (products / squares)[is_better]
    return best.astype(np.int8), scales.astype(np.float32)


class Graph:
    """Nodes and constants, each under a name of its own."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, values: NDArray[np.generic] | np.generic, name: str | None = None) -> str:
        name = name or f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values).reshape(np.shape(values)), name))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def node(self, kind: str, *inputs: str, name: str | None = None, **attributes: object) -> str:
        """Adds a node of one output and returns that output's name."""
        name = name or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, None, None, None, **attributes))
        return name

    def model(self, inputs: Sequence[str], outputs: Mapping[str, Sequence[int | str]]) -> onnx.ModelProto:
        """Returns the whole, checked; inputs are int64 of shape (1, tokens)."""
        graph = helper.make_graph(
            self.nodes,
            "encoder",
            [helper.make_tensor_value_info(name, TensorProto.INT64, [1, "tokens"]) for name in inputs],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            self.constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="epiqa"
        )
        onnx.checker.check_model(model, full_check=True)
        return model


@dataclass(frozen=True, slots=True)
class Rounded:
    """Names of a graph's values: bytes, shape (tokens, width), a scale for each token, and their zero point."""

    rows: str
    scales: str
    zero_point: str


class Centre:
    """A zero point of bytes: as a number, and, as a scale for each token wants it, once for each."""

    def __init__(self, graph: Graph, zero_point: int, tokens: str) -> None:
        self._graph = graph
        self._one = graph.constant(np.uint8(zero_point))
        value = helper.make_tensor("value", TensorProto.UINT8, [1], [zero_point])
        self._each = graph.node("ConstantOfShape", tokens, value=value)

    def round(self, rows: str, scales: str) -> Rounded:
        return Rounded(self._graph.node("QuantizeLinear", rows, scales, self._each, axis=0), scales, self._one)


@dataclass(frozen=True, slots=True)
class Names:
    """What a kind of model calls the parts of a layer, and which of its positions is a text's first."""

    query: str
    key: str
    value: str
    output: str
    normalisation: str
    first_position: int


BERT = Names(
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    first_position=0,
)
MPNET = Names(
    "attention.attn.q",
    "attention.attn.k",
    "attention.attn.v",
    "attention.attn.o",
    "attention.LayerNorm",
    first_position=2,  # before it are those of padding
)


def distance_biases(model: MPNetModel, tokens: int) -> Floats:
    """Returns what MPNet adds to a score by how far the key is behind the query: shape (heads, 2 * tokens - 1).

    The first column is for a key `tokens - 1` before the query, the middle one for the query itself.
    """
    with torch.no_grad():
        biases = model.encoder.compute_position_bias(torch.empty(1, tokens, 1))[0]  # type: ignore[no-untyped-call]
    joined: Floats = torch.cat([biases[:, -1], biases[:, 0, 1:]], dim=1).numpy()
    return joined


class Encoder:
    """The layers of a model, from token numbers to one row of floats a token, shape (tokens, width)."""

    def __init__(self, graph: Graph, model: BertModel | MPNetModel, *, has_types: bool) -> None:
        config = model.config
        if config.hidden_act != "gelu":
            raise ValueError(f"the model's activation is {config.hidden_act!r}; only 'gelu' can be written")
        self._graph = graph
        self._weights: dict[str, Floats] = {
            name: tensor.detach().float().numpy() for name, tensor in model.state_dict().items()
        }
        self._names = MPNET if isinstance(model, MPNetModel) else BERT
        self._positions = self._weights["embeddings.position_embeddings.weight"][self._names.first_position :]
        self._biases = distance_biases(model, len(self._positions)) if isinstance(model, MPNetModel) else None
        self._layers, self._heads = config.num_hidden_layers, config.num_attention_heads
        self._width, self._epsilon = config.hidden_size, config.layer_norm_eps
        self._has_types = has_types
        self._last_axis = graph.integers(-1)
        self._peak = graph.constant(np.float32(SMALLEST_PEAK))
        self._step = graph.constant(np.float32(1 / LARGEST))
        self._gelu_step = graph.constant(np.float32(1 / (255 - GELU_ZERO_POINT)))
        self._gelu_finest = graph.constant(np.float32(GELU_LOWEST / GELU_ZERO_POINT))

    def write(self) -> str:
        hidden = self._embeddings()
        for number in range(self._layers):
            hidden = self._layer(hidden, f"encoder.layer.{number}")
        return hidden

    def _embeddings(self) -> str:
        graph, table = self._graph, self._weights["embeddings.word_embeddings.weight"]
        scale = np.float32((table.max() - table.min()) / 255)
        zero_point = np.uint8(np.rint(-table.min() / scale))
        words = np.clip(np.rint(table / scale) + zero_point, 0, 255).astype(np.uint8)
        taken = graph.node("Gather", graph.constant(words, "word_embeddings"), "input_ids")
        sum_of = graph.node("DequantizeLinear", taken, graph.constant(scale), graph.constant(zero_point))
        positions = self._positions
        types = self._weights.get("embeddings.token_type_embeddings.weight")
        if types is not None and not self._has_types:
            positions = positions + types[0]
        elif types is not None:
            of_type = graph.node("Gather", graph.constant(types, "type_embeddings"), "token_type_ids")
            sum_of = graph.node("Add", sum_of, of_type)
        first = graph.integers(0)
        tokens = graph.node("Shape", "input_ids", start=1, end=2)
        # A Gather over a Range would do the same; ONNX Runtime's optimiser breaks that.
        places = graph.node("Slice", graph.constant(positions, "position_embeddings"), first, tokens, first)
        self._centre = Centre(graph, ZERO_POINT, tokens)
        self._gelu_centre = Centre(graph, GELU_ZERO_POINT, tokens)
        self._bias = None if self._biases is None else self._distance_bias(self._biases, tokens)
        rows = graph.node("Reshape", graph.node("Add", sum_of, places), graph.integers(-1, self._width))
        return self._normalised(rows, "embeddings.LayerNorm")

    def _distance_bias(self, biases: Floats, tokens: str) -> str:
        """Returns what is added to the scores of all layers, shape (heads, tokens, tokens)."""
        graph, first = self._graph, self._graph.integers(0)
        longest = len(self._positions)
        numbers = graph.constant(np.arange(longest, dtype=np.int64))
        places = graph.node("Slice", numbers, first, tokens, first)
        queries = graph.node("Unsqueeze", places, graph.integers(1))
        # A key's column: how far it is behind the query, counted from the farthest before it.
        columns = graph.node("Sub", graph.node("Add", places, graph.integers(longest - 1)), queries)
        # All heads' values of a pair of tokens lie together: to gather them one by one takes twice as long.
        taken = graph.node("Gather", graph.constant(biases.T), columns, axis=0)
        return graph.node("Transpose", taken, perm=[2, 0, 1])

    def _layer(self, hidden: str, name: str) -> str:
        graph = self._graph
        attended = graph.node("Add", self._attention(hidden, name), hidden)
        attended = self._normalised(attended, f"{name}.{self._names.normalisation}")
        inner = self._dense(self._rounded(attended), f"{name}.intermediate.dense")
        outer = self._dense(self._rounded_gelu(graph.node("Gelu", inner)), f"{name}.output.dense")
        return self._normalised(graph.node("Add", outer, attended), f"{name}.output.LayerNorm")

    def _attention(self, hidden: str, name: str) -> str:
        graph, names = self._graph, self._names
        query, query_bias = self._dense_weights(f"{name}.{names.query}")
        value, value_bias = self._dense_weights(f"{name}.{names.value}")
        output, output_bias = self._dense_weights(f"{name}.{names.output}")
        rounded = self._rounded(hidden)
        queries, query_scales = self._product(rounded, query)
        keys, key_scales = self._product(rounded, self._weights[f"{name}.{names.key}.weight"])
        values, value_scales = self._product(rounded, value)
        factor = key_scales * np.float32((self._width // self._heads) ** -0.5)
        queries = graph.node("Mul", queries, graph.constant(query_scales * factor))
        queries = graph.node("Add", queries, graph.constant(query_bias * factor))
        values = graph.node("Mul", values, graph.constant(value_scales))
        scores = graph.node("MatMul", self._by_head(queries, [1, 0, 2]), self._by_head(keys, [1, 2, 0]))
        if self._bias is not None:
            scores = graph.node("Add", scores, self._bias)
        shares = graph.node("Softmax", scores, axis=-1)
        taken = graph.node("MatMul", shares, self._by_head(values, [1, 0, 2]))
        taken = graph.node("Transpose", taken, perm=[1, 0, 2])
        joined = graph.node("Reshape", taken, graph.integers(-1, self._width))
        return self._biased(self._rounded(joined), output, output_bias + output @ value_bias)

    def _dense_weights(self, name: str) -> tuple[Floats, Floats]:
        return self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]

    def _by_head(self, rows: str, order: list[int]) -> str:
        graph = self._graph
        heads = graph.node("Reshape", rows, graph.integers(-1, self._heads, self._width // self._heads))
        return graph.node("Transpose", heads, perm=order)

    def _normalised(self, rows: str, name: str) -> str:
        weight, bias = (self._graph.constant(self._weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self._graph.node("LayerNormalization", rows, weight, bias, axis=-1, epsilon=self._epsilon)

    def _rounded(self, rows: str) -> Rounded:
        """Returns the rows as bytes around 128, a row's largest at 1 or 255."""
        graph, centre = self._graph, self._centre
        peaks = graph.node("ReduceMax", graph.node("Abs", rows), self._last_axis, keepdims=0)
        return centre.round(rows, graph.node("Mul", graph.node("Max", peaks, self._peak), self._step))

    def _rounded_gelu(self, rows: str) -> Rounded:
        """Returns what Gelu gave as bytes around 16, so fine that neither the lowest nor the largest is cut."""
        graph, centre = self._graph, self._gelu_centre
        peaks = graph.node("ReduceMax", rows, self._last_axis, keepdims=0)
        return centre.round(rows, graph.node("Max", graph.node("Mul", peaks, self._gelu_step), self._gelu_finest))

    def _product(self, rounded: Rounded, weights: Floats) -> tuple[str, Floats]:
        """Returns the rows times the weights (as torch has them) but for the outputs' scales, and these."""
        graph = self._graph
        integers, scales = quantised(weights.T)
        product = graph.node("MatMulInteger", rounded.rows, graph.constant(integers), rounded.zero_point)
        return graph.node("DequantizeLinear", product, rounded.scales, axis=0), scales

    def _dense(self, rounded: Rounded, name: str) -> str:
        return self._biased(rounded, *self._dense_weights(name))

    def _biased(self, rounded: Rounded, weights: Floats, bias: Floats) -> str:
        graph = self._graph
        product, scales = self._product(rounded, weights)
        return graph.node("Add", graph.node("Mul", product, graph.constant(scales)), graph.constant(bias))


def reader_graph(model: BertForQuestionAnswering | MPNetForQuestionAnswering) -> onnx.ModelProto:
    """Returns a reader's graph: `input_ids`, of a BERT also `token_type_ids` -> `start_logits`, `end_logits`.

    All have shape (1, tokens).
    """
    graph = Graph()
    encoder = getattr(model, model.base_model_prefix)
    has_types = isinstance(model, BertForQuestionAnswering)
    hidden = Encoder(graph, encoder, has_types=has_types).write()
    head = model.qa_outputs.weight.detach().float().numpy()
    for number, name in enumerate(("start_logits", "end_logits")):
        logits = graph.node("MatMul", hidden, graph.constant(head[number][:, np.newaxis]))
        logits = graph.node("Add", logits, graph.constant(np.float32(model.qa_outputs.bias[number].item())))
        graph.node("Reshape", logits, graph.integers(1, -1), name=name)
    inputs = ["input_ids", "token_type_ids"] if has_types else ["input_ids"]
    return graph.model(inputs, {"start_logits": [1, "tokens"], "end_logits": [1, "tokens"]})


def embedder_graph(bert: BertModel) -> onnx.ModelProto:
    """Returns an embedder's graph: `input_ids` (1, tokens) -> `embedding` (1, width), the mean, of length 1."""
    graph = Graph()
    hidden = Encoder(graph, bert, has_types=False).write()
    mean = graph.node("ReduceMean", hidden, graph.integers(0), keepdims=1)
    length = graph.node("ReduceL2", mean, graph.integers(-1), keepdims=1)
    graph.node("Div", mean, length, name="embedding")
    return graph.model(["input_ids"], {"embedding": [1, bert.config.hidden_size]})
