"""Which runtime computes the graphs fastest here: ONNX Runtime int8 or fp32, or OpenVINO.

    python benchmarks/runtimes.py

The int8 graphs are the bundled ones, the fp32 graphs those that `training/export.py` leaves in `build/export` (a
model without one is timed in int8 alone). OpenVINO is timed where it is installed (`pip install openvino`): on the
int8 graph, and on the fp32 graph with fp32 and with bf16 arithmetic. Each runs a batch of eight sequences of 200
tokens, all taking turns; the figures are medians, and how far the first output is from that of ONNX Runtime in
fp32: the largest difference, and the same in standard deviations of the output.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

import record
from epiqa import graphs
from epiqa.models import ROOT as MODELS
from epiqa.read import LARGE, SMALL

FP32 = Path(__file__).parent.parent / "build" / "export"
FP32_GRAPHS = {
    "embedder": FP32 / "embedder.fp32.onnx",
    SMALL: FP32 / SMALL / "model.onnx",
    LARGE: FP32 / LARGE / "model.onnx",
}
BATCH, TOKENS = 8, 200
ROUNDS = 15

Run = Callable[[graphs.Inputs], NDArray[np.float32]]


def onnx_runtime(path: Path) -> tuple[list[str], Run]:
    session = graphs.session(path.read_bytes(), str(path))
    names = [node.name for node in session.get_inputs()]
    output = session.get_outputs()[0].name
    return names, lambda inputs: session.run([output], inputs)[0]


def openvino(path: Path, settings: dict[str, Any]) -> Run:
    import openvino as ov

    compiled = ov.Core().compile_model(str(path), "CPU", {"PERFORMANCE_HINT": "LATENCY"} | settings)
    return lambda inputs: np.asarray(compiled(inputs)[0])


def sequences(names: list[str]) -> graphs.Inputs:
    """Returns a batch of whole sequences of word pieces, drawn with a fixed seed."""
    random = np.random.default_rng(6)
    values = {
        "input_ids": random.integers(1000, 20000, (BATCH, TOKENS)),
        "attention_mask": np.ones((BATCH, TOKENS)),
        "token_type_ids": np.repeat([[0] * 20 + [1] * (TOKENS - 20)], BATCH, axis=0),
    }
    return {name: values[name].astype(np.int64) for name in names}


def runtimes(model: str) -> tuple[list[str], dict[str, Run]]:
    names, int8 = onnx_runtime(MODELS / model / "model.onnx")
    runs: dict[str, Run] = {"ONNX Runtime, int8": int8}
    fp32 = FP32_GRAPHS[model]
    if fp32.is_file():
        runs["ONNX Runtime, fp32"] = onnx_runtime(fp32)[1]
    try:
        runs["OpenVINO, the int8 graph"] = openvino(MODELS / model / "model.onnx", {})
        if fp32.is_file():
            runs["OpenVINO, fp32"] = openvino(fp32, {"INFERENCE_PRECISION_HINT": "f32"})
            runs["OpenVINO, bf16"] = openvino(fp32, {"INFERENCE_PRECISION_HINT": "bf16"})
    except ImportError:
        print("OpenVINO is not installed and not timed")
    return names, runs


def compare(model: str) -> dict[str, Any]:
    names, runs = runtimes(model)
    inputs = sequences(names)
    outputs = {name: run(inputs) for name, run in runs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            begun = time.perf_counter()
            run(inputs)
            seconds[name].append(time.perf_counter() - begun)
    figures: dict[str, Any] = {
        name: {"milliseconds": round(statistics.median(taken) * 1000, 1)} for name, taken in seconds.items()
    }
    if (reference := outputs.get("ONNX Runtime, fp32")) is not None:
        for name, output in outputs.items():
            off = float(np.abs(output - reference).max())
            figures[name] |= {"off": round(off, 4), "off_deviations": round(off / float(reference.std()), 4)}
    return figures


def main() -> None:
    figures: dict[str, Any] = {model: compare(model) for model in FP32_GRAPHS}
    try:
        from importlib.metadata import version

        figures["versions"] = {"onnxruntime": onnxruntime.__version__, "openvino": version("openvino")}
    except ImportError:
        figures["versions"] = {"onnxruntime": onnxruntime.__version__}
    record.write("runtimes", figures)


if __name__ == "__main__":
    main()
