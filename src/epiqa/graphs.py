"""ONNX Runtime for embedder and reader: sessions, tokenizers, and batches of texts of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from epiqa.errors import ModelError
from epiqa.models import read_bundled

Inputs = dict[str, NDArray[np.int64]]

_ENCODING_FIELDS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}


def session(graph: bytes, source: str) -> onnxruntime.InferenceSession:
    """Opens a graph on the CPU; `source` names it in errors.

    Raises ModelError when the bytes are no graph that ONNX Runtime can run.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # A thread that waits for its share of a graph's next step would spin: a fifth of the processor's time, and
    # several questions at once would wait for each other.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors have no common base
        raise ModelError(f"{source} is not a graph that ONNX Runtime can run: {error}") from error


def bundled_session(model: str) -> onnxruntime.InferenceSession:
    """Opens the bundled graph of a model, by its folder, after checking its SHA-256."""
    return session(read_bundled(f"{model}/model.onnx"), model)


def bundled_tokenizer(model: str) -> Tokenizer:
    """Opens the bundled tokenizer of a model, by its folder; with the truncation that is set in its file."""
    tokenizer = Tokenizer.from_str(read_bundled(f"{model}/tokenizer.json").decode("utf-8"))
    tokenizer.no_padding()
    return tokenizer


def pad_id(tokenizer: Tokenizer) -> int:
    """Returns the id of the padding token, under the name that BERT or that MPNet gives it, else 0."""
    return next((number for name in ("[PAD]", "<pad>") if (number := tokenizer.token_to_id(name)) is not None), 0)


def read_tokenizer(path: Path) -> Tokenizer:
    """Opens a `tokenizer.json`; raises ModelError when it is missing or malformed."""
    try:
        return Tokenizer.from_str(path.read_text("utf-8"))
    except Exception as error:  # tokenizers raises plain Exception
        raise ModelError(f"{path} is not a tokenizer file ({error})") from error


def batches(
    encodings: Sequence[Encoding], size: int, *, names: Sequence[str], pad_id: int = 0
) -> Iterator[tuple[list[int], Inputs]]:
    """Yields up to `size` encodings at a time, longest first, padded to the longest of the batch.

    Yields their positions in `encodings`, and the graph's inputs, each int64 of shape (batch, tokens).
    """
    order = sorted(range(len(encodings)), key=lambda i: -len(encodings[i]))
    for first in range(0, len(order), size):
        rows = order[first : first + size]
        width = len(encodings[rows[0]])
        inputs = {}
        for name in names:
            array = np.full((len(rows), width), pad_id if name == "input_ids" else 0, dtype=np.int64)
            for target, row in zip(array, rows, strict=True):
                values = getattr(encodings[row], _ENCODING_FIELDS[name])
                target[: len(values)] = values
            inputs[name] = array
        yield rows, inputs
