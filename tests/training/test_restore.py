"""A reader's weights read back from a graph with blocks of int8 weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import bert_graph
import export
import restore


def tiny(kind: str) -> Any:
    torch.manual_seed(4)
    made, config, _ = restore.KINDS[kind]
    model = made(
        config(
            vocab_size=200,
            hidden_size=48,  # four wide in each of the heads
            num_hidden_layers=2,
            num_attention_heads=restore.HEADS,
            intermediate_size=160,
            max_position_embeddings=34,
            layer_norm_eps=1e-5,
            initializer_range=0.1,
        )
    )
    for parameter in model.parameters():
        if parameter.dim() == 1:  # the export keeps equal ones once, and trained ones are not equal
            torch.nn.init.normal_(parameter, mean=0.5, std=0.1)
    model.train(False)
    return model


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:Exporting aten..index operator of advanced indexing:UserWarning")
@pytest.mark.parametrize("kind", ["bert", "mpnet"])
def test_what_is_restored_computes_what_the_graph_did(kind: str, tmp_path: Path) -> None:
    original = tiny(kind)
    names = ["input_ids", "attention_mask"]
    if kind == "bert":
        names.append("token_type_ids")
    fp32, int8 = tmp_path / "fp32.onnx", tmp_path / "int8.onnx"
    export.export_graph(export.SpanLogits(original), names, ["start_logits", "end_logits"], fp32)
    export.quantize_reader(fp32, int8)
    restored = restore.restore(int8)

    ids = np.random.default_rng(0).integers(2, 200, (3, 20))
    values = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": (ids > 99).astype(np.int64)}
    inputs = {name: values[name] for name in names}
    session = onnxruntime.InferenceSession(str(int8), providers=["CPUExecutionProvider"])
    released = session.run(None, inputs)
    with torch.no_grad():
        output = restored(**{name: torch.from_numpy(array) for name, array in inputs.items()})
        first = original(**{name: torch.from_numpy(array) for name, array in inputs.items()})
    for found, expected, was in zip(
        (output.start_logits, output.end_logits), released, (first.start_logits, first.end_logits), strict=True
    ):
        deviation = float(was.std())
        # Apart is what the graph rounds as it computes.
        assert np.sqrt(((found.numpy() - expected) ** 2).mean()) < 0.15 * deviation
        assert np.sqrt(((found - was) ** 2).mean().item()) < 0.15 * deviation
    for name, weight in original.state_dict().items():
        # Half a step is the rounding's, and as much the zero point's, at the ends of the range.
        step = 2 * weight.abs().max().item() / 255
        assert (restored.state_dict()[name] - weight).abs().max().item() <= step


def test_a_graph_of_another_kind_is_refused(tmp_path: Path) -> None:
    onnx.save(bert_graph.reader_graph(tiny("bert")), tmp_path / "model.onnx")
    with pytest.raises(ValueError, match="no MatMulNBits node"):
        restore.restore(tmp_path / "model.onnx")
