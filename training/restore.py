"""Reads a reader's weights back from its released graph, whose fp32 weights were not kept.

    python training/restore.py build/restored/large --graph GRAPH

Writes a question-answering model of transformers: the int8 weights times their scales, in fp32. Nothing is lost
that the release had not rounded already. It reads a graph as it was before `bert_graph.py` wrote it, with
`MatMulNBits`; `git log -- src/epiqa/models/reader-large/model.onnx` finds that one. The tokenizer is taken from the
graph's folder.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    MPNetConfig,
    MPNetForQuestionAnswering,
    PreTrainedModel,
)

ZERO_POINT = 128  # of MatMulNBits with eight bits
HEADS = 12  # a graph does not tell

Weights = dict[str, NDArray[np.float32]]


def blocks(node: onnx.NodeProto, tensors: dict[str, NDArray[np.generic]]) -> NDArray[np.float32]:
    """Returns a MatMulNBits node's weights, shape (outputs, inputs), as torch keeps them."""
    packed, scales = (tensors[name] for name in node.input[1:3])
    values = (packed.astype(np.float32) - ZERO_POINT) * scales.astype(np.float32).reshape(*packed.shape[:2], 1)
    inputs = next(attribute.i for attribute in node.attribute if attribute.name == "K")
    return values.reshape(len(packed), -1)[:, :inputs]


def read_weights(graph: onnx.GraphProto) -> Weights:
    """Returns every weight of a reader's graph by its name in transformers; raises ValueError when it has none."""
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights: Weights = {}
    for name, tensor in tensors.items():
        if name.startswith("model.") and name.endswith("_quantized"):
            whole = name.removesuffix("_quantized")
            centred = tensor.astype(np.float32) - tensors[f"{whole}_zero_point"].astype(np.float32)
            weights[whole] = centred * tensors[f"{whole}_scale"]
        elif name.startswith("model.") and tensor.dtype == np.float32 and not name.endswith("_scale"):
            weights[name] = tensor
    for node in graph.node:
        if node.op_type == "MatMulNBits":
            module = node.name.strip("/").removesuffix("/MatMul_Q8").replace("/", ".")
            weights[f"{module}.weight"] = blocks(node, tensors)
    if "model.qa_outputs.weight" not in weights:
        raise ValueError("the graph has no MatMulNBits node for qa_outputs: it is no reader with blocks of weights")
    return {name.removeprefix("model."): weight for name, weight in weights.items()}


def read_epsilon(graph: onnx.GraphProto) -> float:
    """Returns what the graph's layer normalisations, all alike, add to the variance."""
    [epsilon] = {
        attribute.f
        for node in graph.node
        if node.op_type == "LayerNormalization"
        for attribute in node.attribute
        if attribute.name == "epsilon"
    }
    return float(epsilon)


# By a model's prefix: its kind, its settings', and how a query's weights end in its names.
KINDS: dict[str, tuple[Any, Any, str]] = {
    "bert": (BertForQuestionAnswering, BertConfig, "attention.self.query.weight"),
    "mpnet": (MPNetForQuestionAnswering, MPNetConfig, "attention.attn.q.weight"),
}


def restore(path: Path) -> PreTrainedModel:
    """Returns the reader that a graph holds, in fp32; raises ValueError when it is neither a BERT nor an MPNet."""
    graph = onnx.load(path).graph
    weights = read_weights(graph)
    prefix = next(iter(weights)).partition(".")[0]
    if prefix not in KINDS:
        raise ValueError(f"{path} holds {prefix!r}, not one of {', '.join(KINDS)}")
    kind, config_kind, query = KINDS[prefix]
    words, width = weights[f"{prefix}.embeddings.word_embeddings.weight"].shape
    config = config_kind(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=len([name for name in weights if name.endswith(query)]),
        num_attention_heads=HEADS,
        intermediate_size=len(weights[f"{prefix}.encoder.layer.0.intermediate.dense.weight"]),
        max_position_embeddings=len(weights[f"{prefix}.embeddings.position_embeddings.weight"]),
        layer_norm_eps=read_epsilon(graph),
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model: PreTrainedModel = kind(config)
    missing, unknown = model.load_state_dict(
        {name: torch.from_numpy(np.array(weight)) for name, weight in weights.items()}, strict=False
    )
    if missing or unknown:
        raise ValueError(f"{path} lacks {', '.join(missing) or 'nothing'}, and has besides {', '.join(unknown)}")
    model.train(False)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the model goes")
    parser.add_argument("--graph", type=Path, required=True)
    arguments = parser.parse_args()
    restore(arguments.graph).save_pretrained(arguments.folder)
    shutil.copy(arguments.graph.with_name("tokenizer.json"), arguments.folder)
    print(f"wrote {arguments.folder}")


if __name__ == "__main__":
    main()
