"""Compares arrangements of the two readers on questions that `train.py` keeps out of training.

    python training/arrangements.py PATH_TO_THE_READER_DATA

The questions and their kinds are `calibrate.py`'s, of the notices and of the Wikipedia articles held out; the small
reader's first training had seen the latter, which flatters it there. For each arrangement: the share of answerable
questions whose best span is right, the AUROC of the best span's margin (right against wrong, over all kinds), and
the median time to read a question's passages. The result goes to `arrangements.json` here.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from calibrate import DEPTH, held_out_set, notices
from epiqa.confidence import FEATURES
from epiqa.evaluation import metrics
from epiqa.evaluation.calibrate import Asked, judge
from epiqa.evaluation.questions import Question, QuestionSet
from epiqa.models import ROOT as MODELS
from epiqa.pipeline import TOP_K, EpiQA, add_documents
from epiqa.read import LARGE, SMALL, SecondLook, load_reader
from epiqa.types import Passage, Reader
from examples import read_articles
from train import read_settings

FIGURES = Path(__file__).with_name("arrangements.json")
QUESTIONS = 40  # of each set


class Leading:
    """A reader that reads the best passages alone."""

    def __init__(self, reader: Reader, passages: int) -> None:
        self.fingerprint = f"{reader.fingerprint}, {passages} passages"
        self.read = lambda question, found: reader.read(question, found[:passages])


def arrangements() -> dict[str, Reader]:
    small, large = (load_reader(str(MODELS / name)) for name in (SMALL, LARGE))
    found: dict[str, Reader] = {
        f"small, {TOP_K} passages": Leading(small, TOP_K),
        f"large, {TOP_K} passages": Leading(large, TOP_K),
        "large, 3 passages": Leading(large, 3),
    }
    for looks in (2, 3, 4):
        second = SecondLook(small, large, passages=looks)
        found[f"small, {TOP_K} passages, then large, {looks}"] = Leading(second, TOP_K)
    return found


def retrieved(questions: QuestionSet) -> list[tuple[Question, list[Passage]]]:
    """Returns questions with the passages found for them, the answerable ones again with their answer withheld."""
    found: list[tuple[Question, list[Passage]]] = []
    with tempfile.TemporaryDirectory() as folder:
        add_documents(questions.documents, folder)
        qa = EpiQA.open(folder)
        for question in questions.questions[:QUESTIONS]:
            passages = qa.search(question.question, top_k=2 * DEPTH)
            found.append((question, passages[:DEPTH]))
            if question.is_answerable:
                rest = [p for p in passages if not any(text in p.quote for text in question.answers)]
                found.append((Question(question.question, ()), rest[:DEPTH]))
    return found


def measure(reader: Reader, asked: Sequence[tuple[Question, list[Passage]]]) -> dict[str, float]:
    judged: list[Asked] = []
    seconds = []
    for question, passages in asked:
        begun = time.perf_counter()
        spans = reader.read(question.question, passages)
        seconds.append(time.perf_counter() - begun)
        if spans:
            judged.append(judge(spans, passages, question.answers))
    margins = [question.values[:, FEATURES.index("margin")] for question in judged]
    right = [bool(question.is_right[margin.argmax()]) for question, margin in zip(judged, margins, strict=True)]
    answerable = [is_right for is_right, question in zip(right, judged, strict=True) if question.is_answerable]
    return {
        "forced_right": round(float(np.mean(answerable)), 4),
        "auroc": round(metrics.auroc([float(margin.max()) for margin in margins], right) or 0.0, 4),
        "milliseconds": round(statistics.median(seconds) * 1000, 1),
    }


def compare(data: Path) -> Mapping[str, Mapping[str, dict[str, float]]]:
    articles, settings = read_articles(data / "train.json.gz"), read_settings()["data"]
    sets = {"notices": notices(), "wikipedia": held_out_set(articles, "wikipedia", settings)}
    asked = {origin: retrieved(questions) for origin, questions in sets.items()}
    found = {}
    for name, reader in arrangements().items():
        found[name] = {origin: measure(reader, questions) for origin, questions in asked.items()}
        print(name, json.dumps(found[name]), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder with train.json.gz")
    FIGURES.write_text(json.dumps(compare(parser.parse_args().data), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
