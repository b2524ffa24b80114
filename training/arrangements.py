"""Compares arrangements of the two readers on questions that `train.py` keeps out of training.

    python training/arrangements.py PATH_TO_THE_READER_DATA

The questions and their kinds are `calibrate.py`'s, of the notices and of the Wikipedia articles held out; the small
reader's first training had seen the latter, which flatters it there. Both readers read all passages of a question
once; an arrangement is a choice among what they found. For each: the share of answerable questions whose best span
is right, the AUROC of the best span's margin (right against wrong, over all kinds), and the median time that such
reading takes, measured apart on some of the questions. The result goes to `arrangements.json` here.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calibrate import DEPTH, held_out_set, notices
from epiqa.confidence import FEATURES
from epiqa.evaluation import metrics
from epiqa.evaluation.calibrate import Asked, judge
from epiqa.evaluation.questions import Question, QuestionSet
from epiqa.models import ROOT as MODELS
from epiqa.pipeline import TOP_K, EpiQA, add_documents
from epiqa.read import LARGE, SMALL, SecondLook, load_reader
from epiqa.types import Passage, Reader, Span
from examples import read_articles
from train import read_settings

FIGURES = Path(__file__).with_name("arrangements.json")
QUESTIONS = 40  # of each set
TIMED_QUESTIONS = 7
LOOKS = (1, 2, 3, 4, 5)

Place = tuple[str, int]


def place(passage: Passage) -> Place:
    return passage.document_id, passage.start


def arranged(first: Sequence[Span], second: Sequence[Span], looks: int) -> list[Span]:
    """Returns the second reader's spans in the `looks` passages that the first one's best margins choose."""
    margins: dict[Place, float] = {}
    for span in first:
        margins[place(span.passage)] = max(span.score - span.null_score, margins.get(place(span.passage), -np.inf))
    chosen = set(sorted(margins, key=lambda found: -margins[found])[:looks])
    return [span for span in second if place(span.passage) in chosen]


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


def measure(judged: Sequence[Asked]) -> dict[str, float]:
    margins = [question.values[:, FEATURES.index("margin")] for question in judged]
    right = [bool(question.is_right[margin.argmax()]) for question, margin in zip(judged, margins, strict=True)]
    answerable = [is_right for is_right, question in zip(right, judged, strict=True) if question.is_answerable]
    return {
        "forced_right": round(float(np.mean(answerable)), 4),
        "auroc": round(metrics.auroc([float(margin.max()) for margin in margins], right) or 0.0, 4),
    }


def milliseconds(reader: Reader, asked: Sequence[tuple[Question, list[Passage]]]) -> float:
    seconds = []
    for question, passages in asked[:TIMED_QUESTIONS]:
        begun = time.perf_counter()
        reader.read(question.question, passages)
        seconds.append(time.perf_counter() - begun)
    return round(statistics.median(seconds) * 1000, 1)


def compare(data: Path) -> Mapping[str, Mapping[str, Any]]:
    articles, settings = read_articles(data / "train.json.gz"), read_settings()["data"]
    small, large = (load_reader(str(MODELS / name)) for name in (SMALL, LARGE))
    arrangements: dict[str, Reader] = {f"small, {TOP_K} passages": small, f"large, {TOP_K} passages": large}
    arrangements |= {f"small, then large, {n}": SecondLook(small, large, passages=n) for n in LOOKS}
    found: dict[str, dict[str, Any]] = {name: {} for name in arrangements}
    for origin, questions in (
        ("notices", notices()),
        ("wikipedia", held_out_set(articles, "wikipedia", settings)),
    ):
        asked = retrieved(questions)
        for name, reader in arrangements.items():
            found[name][f"{origin}, milliseconds"] = milliseconds(reader, asked)
        judged: dict[str, list[Asked]] = {name: [] for name in arrangements}
        for question, passages in asked:
            first, second = (reader.read(question.question, passages) for reader in (small, large))
            spans = [first, second, *(arranged(first, second, looks) for looks in LOOKS)]
            for name, of_arrangement in zip(arrangements, spans, strict=True):
                if of_arrangement:
                    judged[name].append(judge(of_arrangement, passages, question.answers))
        for name in arrangements:
            found[name][origin] = measure(judged[name])
            print(name, json.dumps(found[name]), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder with train.json.gz")
    FIGURES.write_text(json.dumps(compare(parser.parse_args().data), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
