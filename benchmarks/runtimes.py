"""Which runtime computes the graphs fastest here: ONNX Runtime int8 or fp32, or OpenVINO.

    python benchmarks/runtimes.py [--answers PATH_TO_THE_READER_DATA]

The int8 graphs are the bundled ones, the fp32 graphs those that `training/export.py` leaves in `build/export` (a
model without one is timed in int8 alone). OpenVINO is timed where it is installed (`pip install openvino`): on the
int8 graph, if it can run it, and on the fp32 graph with fp32 and with bf16 arithmetic. Each runs a batch of eight
sequences of 200 tokens (one sequence after another where a graph takes no more, ONNX Runtime's side by side, as
EpiQA does), and one such sequence, all taking turns. The figures are medians, the time to open the graph, and how
far the first output is from that of ONNX Runtime in fp32: the largest difference, and the same in standard
deviations of the output. With `--answers`, how often OpenVINO's best span on the readers' int8 graphs is not ONNX
Runtime's, over questions on the Wikipedia articles that the training holds out, each with its paragraph.

OpenVINO's Python package says that it was imported to Google Analytics, unasked, where its dependency
openvino-telemetry is installed. It is kept from that here: see `import_openvino`.
"""

from __future__ import annotations

import epiqa.offline  # noqa: F401  (before ONNX Runtime)

# isort: split
import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

import record
from epiqa.models import ROOT as MODELS
from epiqa.models import onnx_runtime
from epiqa.models.reader import Logits, WindowReader
from epiqa.models.reader_loading import LARGE, SMALL
from epiqa.types import Passage, Span

ROOT = Path(__file__).parent.parent
FP32 = ROOT / "build" / "export"
FP32_GRAPHS = {
    "embedder": FP32 / "embedder.fp32.onnx",
    SMALL: FP32 / SMALL / "model.onnx",
    LARGE: FP32 / LARGE / "model.onnx",
}
BATCH, TOKENS = 8, 200
ROUNDS = 15
QUESTIONS = 100

Run = Callable[[onnx_runtime.Inputs], NDArray[np.float32]]


def in_onnx_runtime(path: Path) -> Run:
    session = onnx_runtime.session(path)
    names, output = onnx_runtime.input_names(session), session.get_outputs()[0].name

    def run(inputs: onnx_runtime.Inputs) -> NDArray[np.float32]:
        found: NDArray[np.float32] = session.run([output], {name: inputs[name] for name in names})[0]
        return found

    return run if onnx_runtime.MASK in names else side_by_side(run)


def side_by_side(run: Run) -> Run:
    """Returns what runs each sequence of a batch by itself, as many at once as there are cores."""
    threads = ThreadPoolExecutor(len(record.usable_cores()))
    return lambda inputs: np.concatenate(list(threads.map(run, apart(inputs))))


def apart(inputs: onnx_runtime.Inputs) -> list[onnx_runtime.Inputs]:
    """Returns the sequences of a batch, each as a batch of one."""
    (count,) = {len(values) for values in inputs.values()}
    return [{name: values[row : row + 1] for name, values in inputs.items()} for row in range(count)]


def import_openvino() -> Any:
    """Imports OpenVINO without its telemetry; raises ImportError where it is not installed.

    A None among the modules makes the import of openvino_telemetry fail, and OpenVINO then takes a stub of its own.
    """
    modules: dict[str, Any] = sys.modules
    modules["openvino_telemetry"] = None
    import openvino as ov

    return ov


def openvino(path: Path, settings: dict[str, Any]) -> Run:
    compiled = compiled_by_openvino(path, settings)
    names = [node.any_name for node in compiled.inputs]

    def run(inputs: onnx_runtime.Inputs) -> NDArray[np.float32]:
        return np.array(compiled({name: inputs[name] for name in names})[0])

    return run if onnx_runtime.MASK in names else lambda inputs: np.concatenate([run(one) for one in apart(inputs)])


def compiled_by_openvino(path: Path, settings: dict[str, Any]) -> Any:
    return import_openvino().Core().compile_model(str(path), "CPU", {"PERFORMANCE_HINT": "LATENCY"} | settings)


def sequences(count: int) -> onnx_runtime.Inputs:
    """Returns a batch of whole sequences of word pieces, drawn with a fixed seed, and all that a graph may take."""
    generator = np.random.default_rng(6)
    values = {
        "input_ids": generator.integers(1000, 20000, (count, TOKENS)),
        onnx_runtime.MASK: np.ones((count, TOKENS)),
        "token_type_ids": np.repeat([[0] * 20 + [1] * (TOKENS - 20)], count, axis=0),
    }
    return {name: array.astype(np.int64) for name, array in values.items()}


def opened(model: str) -> tuple[dict[str, Run], dict[str, float]]:
    """Returns a model's graphs by the way they are run, and the seconds to open each."""
    int8, fp32 = MODELS / model / "model.onnx", FP32_GRAPHS[model]
    ways: dict[str, Callable[[], Run]] = {"ONNX Runtime, int8": lambda: in_onnx_runtime(int8)}
    if fp32.is_file():
        ways["ONNX Runtime, fp32"] = lambda: in_onnx_runtime(fp32)
    try:
        import_openvino()
        ways["OpenVINO, the int8 graph"] = lambda: openvino(int8, {})
        if fp32.is_file():
            ways["OpenVINO, fp32"] = lambda: openvino(fp32, {"INFERENCE_PRECISION_HINT": "f32"})
            ways["OpenVINO, bf16"] = lambda: openvino(fp32, {"INFERENCE_PRECISION_HINT": "bf16"})
    except ImportError:
        print("OpenVINO is not installed and not timed")
    runs, seconds = dict[str, Run](), dict[str, float]()
    for name, way in ways.items():
        begun = time.perf_counter()
        runs[name] = way()
        seconds[name] = time.perf_counter() - begun
    return runs, seconds


def medians(runs: dict[str, Run], inputs: onnx_runtime.Inputs) -> dict[str, float]:
    """Returns the median milliseconds of each, all taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            begun = time.perf_counter()
            run(inputs)
            seconds[name].append(time.perf_counter() - begun)
    return {name: round(statistics.median(taken) * 1000, 1) for name, taken in seconds.items()}


def compare(model: str) -> dict[str, Any]:
    runs, opening = opened(model)
    batch, single = sequences(BATCH), sequences(1)
    outputs = dict[str, NDArray[np.float32]]()
    for name, run in list(runs.items()):
        try:
            outputs[name] = run(batch)
        except RuntimeError as error:  # of OpenVINO, which takes a scale for each row for one of the whole
            print(f"{model}: {name} cannot run the graph and is not timed: {str(error).strip().splitlines()[-1]}")
            del runs[name]
    of_batch, of_single = medians(runs, batch), medians(runs, single)
    figures: dict[str, Any] = {
        name: {
            "milliseconds": of_batch[name],
            "one_sequence_ms": of_single[name],
            "opening_s": round(opening[name], 2),
        }
        for name in runs
    }
    if (reference := outputs.get("ONNX Runtime, fp32")) is not None:
        for name, output in outputs.items():
            off = float(np.abs(output - reference).max())
            figures[name] |= {"off": round(off, 4), "off_deviations": round(off / float(reference.std()), 4)}
    return figures


def held_out(data: Path) -> list[tuple[str, Passage]]:
    """Returns questions of the Wikipedia articles that the readers were not trained on, with their paragraphs."""
    sys.path.insert(0, str(ROOT / "training"))
    from examples import WIKIPEDIA, is_held_out, read_articles
    from train import read_settings

    settings, pairs = read_settings()["data"], []
    for article in read_articles(data / "train.json.gz"):
        for paragraph in article["paragraphs"]:
            text = paragraph["context"]
            if article["source"] in WIKIPEDIA and is_held_out(article["source"], article["title"], text, settings):
                passage = Passage("d", article["title"], "", None, None, 0, len(text), text, 0.0)
                pairs += [(qa["question"], passage) for qa in paragraph["qas"]]
    return random.Random(QUESTIONS).sample(pairs, QUESTIONS)


def reader(model: str, *, by_openvino: bool) -> WindowReader:
    path = MODELS / model / "model.onnx"
    session = onnx_runtime.bundled_session(model, is_shared=model == LARGE)
    compiled = compiled_by_openvino(path, {}) if by_openvino else None

    def run(inputs: onnx_runtime.Inputs) -> tuple[Logits, Logits]:
        logits = ("start_logits", "end_logits")
        if compiled is None:
            start, end = session.run(logits, inputs)
        else:  # a request of its own for each thread that asks
            found = compiled.create_infer_request().infer(inputs)
            start, end = (np.array(found[name]) for name in logits)
        return start, end

    tokenizer = onnx_runtime.bundled_tokenizer(model)
    return WindowReader(
        tokenizer, run, onnx_runtime.input_names(session), fingerprint=model, pad_id=onnx_runtime.pad_id(tokenizer)
    )


def answers(data: Path, compared: dict[str, Any]) -> dict[str, Any]:
    """Returns of each reader how often the best span, or its being better than "no answer", is another's."""
    figures: dict[str, Any] = {}
    pairs = held_out(data)
    for model in (SMALL, LARGE):
        if "OpenVINO, the int8 graph" not in compared[model]:
            continue
        readers = [reader(model, by_openvino=by_openvino) for by_openvino in (False, True)]
        found = [[best(one.read(question, [passage])) for question, passage in pairs] for one in readers]
        both = list(zip(*found, strict=True))
        figures[model] = {
            "questions": len(pairs),
            "other_span": sum((one.start, one.end) != (other.start, other.end) for one, other in both),
            "other_side_of_no_answer": sum((margin(one) > 0) != (margin(other) > 0) for one, other in both),
            "margin_off_median": round(
                statistics.median(abs(margin(one) - margin(other)) for one, other in both), 3
            ),
        }
    return figures


def margin(span: Span) -> float:
    return span.score - span.null_score


def best(spans: list[Span]) -> Span:
    return max(spans, key=margin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--answers", type=Path, help="the folder with train.json.gz")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {model: compare(model) for model in FP32_GRAPHS}
    if arguments.answers:
        figures["answers"] = answers(arguments.answers, figures)
    versions = {"onnxruntime": onnxruntime.__version__}
    with suppress(ImportError):
        versions["openvino"] = version("openvino")
    record.write("runtimes", figures | {"versions": versions})


if __name__ == "__main__":
    main()
