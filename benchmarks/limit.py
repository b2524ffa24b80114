"""How near a question comes to what the machine could do: the work it needs, and the time that passes.

    python benchmarks/limit.py PATH_TO_MEDQUAD [--questions 60]

Stage by stage, on MedQuAD's 5,486 pages, a mean over questions drawn with a fixed seed: embedding the question,
searching vectors, searching words, the small reader on all that was found (less is read where the first passages
settle the choice), the large one on the first of it. The work
is counted by hand, from the encoders' shapes and the lengths of the texts: products with weights (int8), products
of attention (fp32), and the bytes that must come from memory at least once: weights, vectors, postings. The limit
is the time for all products at the peaks of this machine, or that for the bytes, whichever is longer; the peaks
are measured here, by ONNX Runtime's products of large matrices and by NumPy's sums. What the tokenizer, softmax,
norms and Python do is not in the limit: it is what is lost.

Where a stage takes more than 3 times its limit, its parts are timed: the graph by ONNX Runtime's profile, operator
by operator, on a sequence of common length; a search by the steps it consists of. MedQuAD's index is that of
`ask.py`. Needs `pip install -e ".[training]"`, for onnx.
"""

from __future__ import annotations

import epiqa.offline  # noqa: F401  (before ONNX Runtime)

# isort: split
import argparse
import json
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import record
from epiqa.assistant import TOP_K
from epiqa.models import ROOT as MODELS
from epiqa.models import onnx_runtime
from epiqa.models.cascade import ReaderCascade
from epiqa.models.embedder import load_embedder
from epiqa.models.reader_loading import LARGE, SMALL, load_reader
from epiqa.search.query_expansion import search_terms
from epiqa.search.retriever import DEPTH, retrieve
from epiqa.store.embedded import EmbeddedReader, catalogue, generations, inverted_index
from epiqa.store.embedded.bm25 import best
from epiqa.types import Embedder, Passage, Reader
from medquad import kept_index, read_medquad

QUESTIONS = 60
SEED = 7
LOST = 3.0
EMBEDDER = "embedder"
FLOAT_BYTES = 4
# Large enough that starting an operator does not count: rows, inner dimension, columns.
PRODUCT = (1024, 768, 3072)
SUMMED_BYTES = 1 << 28
REPEATS = 10
OPERATORS = 6


@dataclass(frozen=True, slots=True)
class Encoder:
    """The shape of an encoder: its layers, its width, and the width of its feed-forward part."""

    layers: int
    width: int
    inner: int

    @property
    def weights(self) -> int:
        """How many weights multiply every token, embeddings of words left out."""
        return self.layers * (4 * self.width**2 + 2 * self.width * self.inner)

    def work(self, tokens: Sequence[int]) -> Work:
        """Returns the work for sequences of so many tokens; a multiplication with its addition counts as two."""
        return Work(
            int8=sum(2 * n * self.weights for n in tokens),
            fp32=sum(self.layers * 4 * n * n * self.width for n in tokens),
            bytes=self.weights + sum(n * self.width * FLOAT_BYTES for n in tokens),
        )


@dataclass(frozen=True, slots=True)
class Work:
    """Operations on bytes and on floats, and bytes from memory."""

    int8: float = 0
    fp32: float = 0
    bytes: float = 0


ENCODERS = {EMBEDDER: Encoder(6, 384, 1536), SMALL: Encoder(6, 384, 1536), LARGE: Encoder(12, 768, 3072)}


@dataclass(frozen=True, slots=True)
class Peak:
    """What this machine does in a second at best."""

    int8: float
    fp32: float
    bytes: float

    def limit_ms(self, work: Work) -> float:
        return 1000 * max(work.int8 / self.int8 + work.fp32 / self.fp32, work.bytes / self.bytes)


def shortest_s(run: Callable[[], object]) -> float:
    run()
    seconds = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def product(operator: str, left: NDArray[Any], right: NDArray[Any]) -> Callable[[], object]:
    """Returns what multiplies two matrices by an operator of ONNX; the right one is known, as weights are."""
    kinds = {np.dtype(np.uint8): (TensorProto.UINT8, TensorProto.INT32)}
    given, made = kinds.get(left.dtype, (TensorProto.FLOAT, TensorProto.FLOAT))
    graph = helper.make_graph(
        [helper.make_node(operator, ["left", "right"], ["product"])],
        "peak",
        [helper.make_tensor_value_info("left", given, left.shape)],
        [helper.make_tensor_value_info("product", made, (left.shape[0], right.shape[1]))],
        [numpy_helper.from_array(right, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return partial(session.run, None, {"left": left})


def peak() -> Peak:
    rows, inner, columns = PRODUCT
    operations = 2 * rows * inner * columns
    generator = np.random.default_rng(SEED)
    left = generator.integers(0, 255, (rows, inner), dtype=np.uint8)
    right = generator.integers(-64, 64, (inner, columns), dtype=np.int8)
    floats, weights = left.astype(np.float32), right.astype(np.float32)
    int8_s = shortest_s(product("MatMulInteger", left, right))
    fp32_s = min(shortest_s(product("MatMul", floats, weights)), shortest_s(lambda: floats @ weights))
    threads = len(record.usable_cores())
    parts = np.array_split(np.ones(SUMMED_BYTES // 8), threads)
    with ThreadPoolExecutor(threads) as pool:
        sum_s = shortest_s(lambda: list(pool.map(np.sum, parts)))
    return Peak(operations / int8_s, operations / fp32_s, SUMMED_BYTES / sum_s)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a question is asked with."""

    index: EmbeddedReader
    directory: Path
    embedder: Embedder
    small: Reader
    large: Reader


def lengths(model: str, question: str, passages: Sequence[Passage]) -> list[int]:
    """Returns how many tokens a model gets: of the question alone, or with each passage."""
    tokenizer = onnx_runtime.bundled_tokenizer(model)
    pairs: list[Any] = [(question, passage.quote) for passage in passages] or [question]
    return [len(encoding) for encoding in tokenizer.encode_batch(pairs)]


def postings(setting: Setting, terms: Sequence[str]) -> Work:
    """Returns the least work of BM25: each posting of the terms is read and scored, each chunk's score cleared."""
    folder, manifest = generations.current(setting.directory)
    count = 0
    for number in range(len(manifest.segments)):
        connection = catalogue.open_for_reading(folder / generations.text_name(number))
        count += sum(
            len(inverted_index.find(connection, phrase)[0]) for phrase in filter(None, inverted_index.stems(terms))
        )
        connection.close()
    # A row of 4 bytes, a count of 2, the chunk's norm and its score, both 4.
    return Work(fp32=5 * count, bytes=14 * count + FLOAT_BYTES * setting.index.info.chunks)


def taken_ms(run: Callable[[], object]) -> float:
    """Returns the milliseconds of a call, after one that warms the caches."""
    run()
    begun = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - begun)


def stages(setting: Setting, question: str) -> dict[str, tuple[Work, float]]:
    """Returns the work and the milliseconds of each stage of one question."""
    index, info = setting.index, setting.index.info
    vector = setting.embedder.encode([question])[0]
    terms = search_terms(question, index)
    passages = retrieve(question, index, setting.embedder, top_k=TOP_K)
    numbers = info.chunks * info.dimensions

    def search_words() -> None:
        index.search_words(search_terms(question, index), DEPTH)

    return {
        "embed the question": (
            ENCODERS[EMBEDDER].work(lengths(EMBEDDER, question, [])),
            taken_ms(lambda: setting.embedder.encode([question])),
        ),
        "search vectors": (
            Work(fp32=2 * numbers, bytes=FLOAT_BYTES * numbers),
            taken_ms(lambda: index.search_vector(vector, DEPTH)),
        ),
        "search words": (postings(setting, [term.text for term in terms]), taken_ms(search_words)),
        "small reader": (
            ENCODERS[SMALL].work(lengths(SMALL, question, passages)),
            taken_ms(lambda: setting.small.read(question, passages)),
        ),
        "large reader": (
            ENCODERS[LARGE].work(lengths(LARGE, question, passages[:1])),
            taken_ms(lambda: setting.large.read(question, passages[:1])),
        ),
    }


def operators(model: str, tokens: int) -> dict[str, str]:
    """Returns what share of a graph's time its operators take, on one sequence of so many tokens."""
    path = MODELS / model / "model.onnx"
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    options.log_severity_level = 3
    options.intra_op_num_threads = 0 if model == LARGE else 1  # as `epiqa.models.reader` opens them
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        values = {"input_ids": np.arange(2000, 2000 + tokens), "attention_mask": np.ones(tokens)}
        given = [node.name for node in session.get_inputs()]
        inputs = {name: values.get(name, np.zeros(tokens))[np.newaxis].astype(np.int64) for name in given}
        for _ in range(REPEATS):
            session.run(None, inputs)
        events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    microseconds: defaultdict[str, float] = defaultdict(float)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            microseconds[event["args"]["op_name"]] += event["dur"]
    total = sum(microseconds.values())
    first = sorted(microseconds, key=lambda name: -microseconds[name])[:OPERATORS]
    return {name: f"{microseconds[name] / total:.0%}" for name in first}


def steps(setting: Setting, question: str) -> dict[str, dict[str, float]]:
    """Returns the milliseconds of the steps of both searches."""
    folder, manifest = generations.current(setting.directory)
    terms = search_terms(question, setting.index)
    phrases = list(filter(None, inverted_index.stems([term.text for term in terms])))
    with_connection = catalogue.open_for_reading(folder / generations.text_name(len(manifest.segments) - 1))
    scores = np.zeros(setting.index.info.chunks, dtype=np.float32)
    scores[:: max(1, len(scores) // 5000)] = 1
    found = {
        "other forms of words": taken_ms(lambda: search_terms(question, setting.index)),
        "stems": taken_ms(lambda: inverted_index.stems([term.text for term in terms])),
        "postings, of the last segment": taken_ms(
            lambda: [inverted_index.find(with_connection, p) for p in phrases]
        ),
        "the best of 5,000": taken_ms(lambda: best(scores, DEPTH)),
    }
    with_connection.close()
    vector = setting.embedder.encode([question])[0]
    both = {
        f"{depth} nearest": taken_ms(partial(setting.index.search_vector, vector, depth)) for depth in (1, DEPTH)
    }
    return {"search words": found, "search vectors": both}


def where_lost(setting: Setting, questions: Sequence[str], rows: dict[str, Any]) -> dict[str, Any]:
    """Returns the parts of each stage that takes more than 3 times its limit."""
    each = [steps(setting, question) for question in questions]
    parts: dict[str, Any] = {
        stage: {name: round(statistics.fmean(one[stage][name] for one in each), 3) for name in each[0][stage]}
        for stage in each[0]
    }
    graphs_of = {"embed the question": (EMBEDDER, 12), "small reader": (SMALL, 220), "large reader": (LARGE, 220)}
    parts |= {stage: operators(*graph) for stage, graph in graphs_of.items()}
    return {stage: parts[stage] for stage, row in rows.items() if row["ratio"] > LOST}


def table(rows: dict[str, Any]) -> str:
    lines = ["| stage | int8, G | fp32, G | bytes, M | limit, ms | taken, ms | ratio |", "| --- |" + " --- |" * 6]
    for stage, row in rows.items():
        values = (f"{row[name]:.3g}" for name in ("int8_g", "fp32_g", "mb", "limit_ms", "taken_ms", "ratio"))
        lines.append(f"| {stage} | {' | '.join(values)} |")
    return "\n".join(lines)


def significant(value: float) -> float:
    """Returns the value with three digits: stages are of very different size."""
    return float(f"{value:.3g}")


def measure(setting: Setting, questions: Sequence[str], best: Peak) -> dict[str, Any]:
    """Returns for each stage the mean work of a question, its limit, and the median time."""
    each = [stages(setting, question) for question in questions]
    rows = {}
    for stage in each[0]:
        works = [one[stage][0] for one in each]
        work = Work(*(statistics.fmean(getattr(w, name) for w in works) for name in ("int8", "fp32", "bytes")))
        taken, limit = statistics.median(one[stage][1] for one in each), best.limit_ms(work)
        rows[stage] = {
            "int8_g": significant(work.int8 / 1e9),
            "fp32_g": significant(work.fp32 / 1e9),
            "mb": significant(work.bytes / 1e6),
            "limit_ms": significant(limit),
            "taken_ms": significant(taken),
            "ratio": significant(taken / limit),
        }
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("medquad", type=Path)
    parser.add_argument("--questions", type=int, default=QUESTIONS, help=f"how many are asked ({QUESTIONS})")
    arguments = parser.parse_args()
    medquad = read_medquad(arguments.medquad)
    directory = kept_index(medquad)
    best = peak()  # before the readers, which are opened in threads
    reader = load_reader()
    assert isinstance(reader, ReaderCascade)
    setting = Setting(EmbeddedReader.open(directory), directory, load_embedder(), reader.first, reader.second)
    questions = random.Random(SEED).sample(list(medquad.queries.values()), arguments.questions)
    rows = measure(setting, questions, best)
    lost = where_lost(setting, questions, rows)
    peaks = {
        "int8_gops": round(best.int8 / 1e9),
        "fp32_gflops": round(best.fp32 / 1e9),
        "memory_gb_per_second": round(best.bytes / 1e9, 1),
    }
    record.write("limit", {"peak": peaks, "stages": rows, f"lost, more than {LOST:g} times the limit": lost})
    print(table(rows))


if __name__ == "__main__":
    main()
