"""Sequences run one at a time, or in batches: what each graph is given, and where it runs."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

from epiqa.models import onnx_runtime

TEXTS = ["one", "one and two and three", "one and two", "four is more than three, and so is five"]


def test_a_graph_without_a_mask_is_given_one_sequence_at_a_time() -> None:
    encodings = onnx_runtime.bundled_tokenizer("embedder").encode_batch(TEXTS)
    given = list(onnx_runtime.run_batches(lambda inputs: inputs["input_ids"], encodings, 3, names=("input_ids",)))
    assert sorted(rows for rows, _ in given) == [[0], [1], [2], [3]]
    for (row,), ids in given:
        np.testing.assert_array_equal(ids, [encodings[row].ids])


def test_a_graph_with_a_mask_is_given_padded_batches() -> None:
    encodings = onnx_runtime.bundled_tokenizer("embedder").encode_batch(TEXTS)
    names = ("input_ids", "attention_mask")
    given = list(onnx_runtime.run_batches(lambda inputs: inputs, encodings, 3, names=names, pad_id=7))
    assert [len(rows) for rows, _ in given] == [3, 1]
    for rows, inputs in given:
        for row, ids, mask in zip(rows, inputs["input_ids"], inputs["attention_mask"], strict=True):
            length = len(encodings[row])
            assert ids.tolist() == encodings[row].ids + [7] * (len(ids) - length)
            assert mask.tolist() == [1] * length + [0] * (len(ids) - length)


def test_one_sequence_is_run_where_it_was_asked_for_and_several_elsewhere() -> None:
    encodings = onnx_runtime.bundled_tokenizer("embedder").encode_batch(TEXTS)

    def names_of(count: int) -> set[str]:
        found = onnx_runtime.run_batches(
            lambda _: threading.current_thread().name, encodings[:count], 8, names=("input_ids",)
        )
        return {name for _, name in found}

    assert names_of(1) == {threading.current_thread().name}
    assert all(name.startswith("epiqa-graph") for name in names_of(4))
    assert names_of(0) == set()


def test_an_error_of_one_sequence_is_the_callers() -> None:
    encodings = onnx_runtime.bundled_tokenizer("embedder").encode_batch(TEXTS)

    def fail(inputs: onnx_runtime.Inputs) -> int:
        if inputs["input_ids"].shape[1] == len(encodings[2]):
            raise KeyError("two")
        return 1

    with pytest.raises(KeyError, match="two"):
        list(onnx_runtime.run_batches(fail, encodings, 8, names=("input_ids",)))


FORKED = """
import os
from epiqa.models import onnx_runtime

encodings = onnx_runtime.bundled_tokenizer("embedder").encode_batch(["one", "two and three"])

def count():
    return len(list(onnx_runtime.run_batches(lambda inputs: inputs, encodings, 8, names=("input_ids",))))

assert count() == 2
child = os.fork()
if child == 0:
    os._exit(0 if count() == 2 else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_has_threads_of_its_own() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], check=True, timeout=120)
