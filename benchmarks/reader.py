"""The reader: with the paragraph given and without, at home and away, and how fast it reads.

    python benchmarks/reader.py PATH_TO_THE_READER_DATA [PART ...]

The parts, each a set of figures in the results:

- given: `squad2-dev.json.gz`, `--mode reader`;
- fp32: 400 of its questions as shipped, and with the fp32 weights that `training/export.py` left in `build/export`;
- open: the same file, `--mode open`, with all SQuAD articles of `train.json.gz` indexed beside it as distraction;
- covidqa: `covidqa-dev.json.gz`, in both modes; no reader was trained on it;
- speed: the small reader on eight passages of 180 tokens, and a whole question, second look included.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import record
from epiqa.assistant import EpiQA
from epiqa.evaluation import Mode, evaluate
from epiqa.evaluation.questions import squad_questions
from epiqa.models import onnx_runtime
from epiqa.models.cascade import ReaderCascade
from epiqa.models.reader_loading import LARGE, SMALL, load_reader
from epiqa.sync.operations import add_documents
from epiqa.types import Document, Passage, Reader

ROOT = Path(__file__).parent.parent
FP32 = ROOT / "build" / "export"
WIKIPEDIA = ("squad1.1", "squadv2.0")
MODES: tuple[Mode, ...] = ("reader", "open")
FP32_QUESTIONS = 400
SEED = 20
RUNS = 21
PASSAGES = 8
PASSAGE_TOKENS = 180
QUESTION = "When did the ministry announce that schools in the northern districts would close?"


def distraction(data: Path) -> tuple[Document, ...]:
    """Returns all SQuAD articles of the training set: other documents of the same kind."""
    with gzip.open(data / "train.json.gz", "rt", encoding="utf-8") as file:
        articles = [article for article in json.load(file)["data"] if article["source"] in WIKIPEDIA]
    return squad_questions({"data": articles}, Path("distraction")).documents


def given(data: Path) -> dict[str, Any]:
    return evaluate(data / "squad2-dev.json.gz", mode="reader").measures


def fp32(data: Path) -> dict[str, Any]:
    whole = ReaderCascade(load_reader(str(FP32 / SMALL)), load_reader(str(FP32 / LARGE)))
    with sampled(data / "squad2-dev.json.gz", FP32_QUESTIONS) as path:
        return {
            "fp32": evaluate(path, mode="reader", reader=whole).measures,
            "shipped": evaluate(path, mode="reader").measures,
        }


def in_the_open(data: Path) -> dict[str, Any]:
    return evaluate(data / "squad2-dev.json.gz", mode="open", distraction=distraction(data)).measures


def covidqa(data: Path) -> dict[str, Any]:
    return {mode: evaluate(data / "covidqa-dev.json.gz", mode=mode).measures for mode in MODES}


@contextmanager
def sampled(path: Path, questions: int) -> Iterator[Path]:
    """Yields a SQuAD file with all paragraphs of another, and so many of its questions."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        content = json.load(file)
    paragraphs = [paragraph for article in content["data"] for paragraph in article["paragraphs"]]
    asked = [(number, qa) for number, paragraph in enumerate(paragraphs) for qa in paragraph["qas"]]
    few = random.Random(SEED).sample(asked, questions)
    for number, paragraph in enumerate(paragraphs):
        paragraph["qas"] = [qa for place, qa in few if place == number]
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder) / path.stem
        sample.write_text(json.dumps(content), encoding="utf-8")
        yield sample


def passage(reader_tokens: int) -> Passage:
    """Returns a passage of so many tokens, of the text of a notice."""
    tokenizer = onnx_runtime.bundled_tokenizer(SMALL)
    tokenizer.no_truncation()
    text = min((ROOT / "seeds").glob("*.txt")).read_text("utf-8")
    end = tokenizer.encode(text, add_special_tokens=False).offsets[reader_tokens - 1][1]
    return Passage("d", "", "", None, None, 0, end, text[:end], 0.0)


def speed(data: Path) -> dict[str, Any]:
    passages = [passage(PASSAGE_TOKENS)] * PASSAGES
    both = load_reader()
    assert isinstance(both, ReaderCascade)
    readers: dict[str, Reader] = {"small": both.first, "large": both.second}
    figures: dict[str, Any] = {"tokens": PASSAGE_TOKENS, "passages": PASSAGES}
    for name, reader in readers.items():
        figures[f"{name}_ms"] = round(statistics.median(_seconds(reader, passages) for _ in range(RUNS)) * 1000, 1)
    with tempfile.TemporaryDirectory() as index:
        add_documents(distraction(data), index)
        qa = EpiQA.open(index)
        timings = [qa.ask(f"{QUESTION[:-1]} in {year}?").timings_ms for year in range(1990, 1990 + RUNS)][1:]
    for name in ("retrieve", "read", "total"):
        figures[f"question_{name}_ms"] = round(statistics.median(t[name] for t in timings), 1)
    figures["question_total_ms_max"] = round(max(t["total"] for t in timings), 1)
    return figures


def _seconds(reader: Reader, passages: list[Passage]) -> float:
    begun = time.perf_counter()
    reader.read(QUESTION, passages)
    return time.perf_counter() - begun


PARTS = {"given": given, "fp32": fp32, "open": in_the_open, "covidqa": covidqa, "speed": speed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "data", type=Path, help="the folder with squad2-dev.json.gz, covidqa-dev.json.gz, train.json.gz"
    )
    parser.add_argument("parts", nargs="*", help="all of them, unless some are named")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - PARTS.keys():
        parser.error(f"there is no part {min(unknown)}: there are {', '.join(PARTS)}")
    for part in arguments.parts or PARTS:
        record.write(f"reader, {part}", PARTS[part](arguments.data))


if __name__ == "__main__":
    main()
