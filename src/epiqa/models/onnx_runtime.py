"""ONNX Runtime for embedder and reader: sessions, tokenizers, and batches of texts of like length.

A graph that takes no attention mask knows no padding: it reads one sequence at a time, several of them side by
side, so that nothing that is found in a text depends, to the bit, on the others.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from epiqa.errors import ModelError
from epiqa.models import ROOT, bundled_path, checksums, read_bundled, sha256

Inputs = dict[str, NDArray[np.int64]]
Outputs = TypeVar("Outputs")

MASK = "attention_mask"
# ONNX keeps weights in the graph's file, or in one beside it ("external data").
GRAPH, WEIGHTS = "model.onnx", "model.onnx.data"

_ENCODING_FIELDS = {"input_ids": "ids", MASK: "attention_mask", "token_type_ids": "type_ids"}


def session(path: Path, *, is_shared: bool = False) -> onnxruntime.InferenceSession:
    """Opens the graph in a file, on the CPU; weights in a file of their own are mapped into memory.

    A graph that reads one sequence at a time uses one core; other sequences use the others. With `is_shared` all
    cores work on each sequence, which is faster for a single one. Raises ModelError when the file cannot be read or
    is not a graph that ONNX Runtime can run.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # A thread that waits for its share of a graph's next step would spin: a fifth of the processor's time, and
    # several questions at once would wait for each other.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        options.intra_op_num_threads = 0 if is_shared or _has_mask(path) else 1
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror})") from error
    except Exception as error:  # ONNX Runtime's own errors have no common base
        raise ModelError(f"{path} is not a graph that ONNX Runtime can run: {error}") from error


def _has_mask(path: Path) -> bool:
    """Returns whether the graph takes a mask. Looks into the file: threads are set before the graph is parsed."""
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(MASK.encode()) >= 0


def fingerprint(path: Path, digest_of: Callable[[Path], str] = sha256) -> str:
    """Returns the SHA-256 of a graph's file; with weights beside it, the SHA-256 of both digests."""
    weights = path.with_name(WEIGHTS)
    digests = [digest_of(path), *([digest_of(weights)] if weights.exists() else [])]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def input_names(session: onnxruntime.InferenceSession) -> tuple[str, ...]:
    return tuple(node.name for node in session.get_inputs())


def bundled_session(model: str, *, is_shared: bool = False) -> onnxruntime.InferenceSession:
    """Opens the bundled graph of a model, by its folder, after checking its files; else as `session`."""
    weights = f"{model}/{WEIGHTS}"
    if weights in checksums():
        bundled_path(weights)
    return session(bundled_path(f"{model}/{GRAPH}"), is_shared=is_shared)


def bundled_fingerprint(model: str) -> str:
    """Returns what names the bundled graph of a model, by its folder, without reading it; else as `fingerprint`."""
    return fingerprint(ROOT / model / GRAPH, lambda path: checksums()[f"{model}/{path.name}"])


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


def run_batches(
    run: Callable[[Inputs], Outputs],
    encodings: Sequence[Encoding],
    size: int,
    *,
    names: Sequence[str],
    pad_id: int = 0,
) -> Iterator[tuple[list[int], Outputs]]:
    """Yields what `run` makes of up to `size` encodings at a time, longest first, with their positions.

    Without a mask among the graph's inputs it is one at a time, and as many side by side as there are cores.
    """
    if MASK in names:
        for rows, inputs in batches(encodings, size, names=names, pad_id=pad_id):
            yield rows, run(inputs)
        return
    alone = list(batches(encodings, 1, names=names))
    outputs = _threads().map(run, [inputs for _, inputs in alone]) if len(alone) > 1 else (run(i) for _, i in alone)
    yield from zip([rows for rows, _ in alone], outputs, strict=True)


@cache
def _threads() -> ThreadPoolExecutor:
    """Returns the threads for sequences, as many as this process may use cores; all graphs share them."""
    return ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="epiqa-graph")


os.register_at_fork(after_in_child=_threads.cache_clear)  # a child has none of its parent's threads


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
