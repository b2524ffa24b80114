"""Fits the bundled confidence and chooses its threshold, on questions that `train.py` keeps out of training.

    python training/calibrate.py PATH_TO_THE_READER_DATA

Each set is asked in the open setting, the question alone given, against an index of its texts:

- wikipedia: the articles that `readers.toml` holds out of training, with SQuAD's unanswerable questions, written
  to look answerable; all other SQuAD articles of the training set are indexed beside them as distraction;
- the held-out parts of Natural Questions and SQuADShifts, whose askers wrote from other texts or saw none;
- notices: `notices_questions.jsonl`, about the notices in `seeds/`, in the words of people who have not read them.

Answerable questions are asked twice: the second time, every passage with a gold answer is withheld, which is how a
question looks whose answer is in no document. A logistic regression, each set with the same weight, learns from
the features of the best spans whether a span is right (SQuAD F1 of at least 0.5). The threshold is the lowest at
which at most a tenth of the unanswerable questions are answered, all kinds of all sets counting alike: SQuAD's
impossible ones, the notices' own, and those of each set whose answer was withheld. The figures that are printed and
stored are cross-validated. The result goes to
`src/epiqa/models/calibration.json`, with the figures in `calibration_figures.json` here, and into `SHA256SUMS`.
Needs `pip install -e ".[training]"`.

Tried and dropped as features, with the baseline reader: the share of the question's words in the answer's sentence,
which raised the AUROC on SQuAD and lowered it on the notices, for it learns that askers share the text's words, and
ours don't; the cosine of question and passage, with which a threshold transfers worse from set to set.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from epiqa.answering.calibration import Calibration, choose_threshold
from epiqa.arguments import check_question
from epiqa.assistant import TOP_K, EpiQA
from epiqa.evaluation import metrics
from epiqa.evaluation.calibrate import Asked, fit_questions, judge
from epiqa.evaluation.questions import QuestionSet, read_questions, squad_questions
from epiqa.ingest import read_document
from epiqa.models.reader_loading import load_reader
from epiqa.sync.operations import add_documents
from epiqa.types import Passage, Reader
from examples import WIKIPEDIA, is_held_out, read_articles
from export import MODELS, write_checksums
from train import read_settings

SEEDS = Path(__file__).parent.parent / "seeds"
FIGURES = Path(__file__).with_name("calibration_figures.json")
SETS = ("wikipedia", "nq", "squadshifts-new_wiki", "squadshifts-reddit", "squadshifts-amazon_reviews")
MAX_QUESTIONS = {"wikipedia": 250}
MAX_OTHER_QUESTIONS = 60
FOLDS = 5
SEED = 20


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A question of a set with the passages found for it; its kind is answerable, unanswerable or withheld."""

    origin: str
    number: int
    kind: str
    question: str
    answers: tuple[str, ...]
    passages: list[Passage]


@dataclass(frozen=True, slots=True)
class Row:
    """A question as it was asked, of which set, and of which kind."""

    origin: str
    number: int
    kind: str
    asked: Asked


def held_out_set(articles: Sequence[dict[str, Any]], origin: str, settings: dict[str, Any]) -> QuestionSet:
    """Returns held-out questions of a source, at most so many, and all of its documents.

    Two sources share some passages; one that was trained on in the other is not asked about.
    """
    sources = WIKIPEDIA if origin == "wikipedia" else {origin}
    trained = {
        paragraph["context"]
        for article in articles
        for paragraph in article["paragraphs"]
        if not is_held_out(article["source"], article["title"], paragraph["context"], settings)
    }
    parts: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for article in articles:
        if article["source"] in sources:
            for is_asked, part in parts.items():
                paragraphs = [
                    paragraph
                    for paragraph in article["paragraphs"]
                    if (paragraph["context"] not in trained) is is_asked
                ]
                if paragraphs:
                    part.append({"title": article["title"], "paragraphs": paragraphs})
    held_out = squad_questions({"data": parts[True]}, Path(origin))
    beside = squad_questions({"data": parts[False]}, Path(f"{origin}-trained"))
    count = min(MAX_QUESTIONS.get(origin, MAX_OTHER_QUESTIONS), len(held_out.questions))
    few = random.Random(SEED).sample(held_out.questions, count)
    return QuestionSet(tuple(few), held_out.documents + beside.documents)


def notices() -> QuestionSet:
    """Returns the project's own questions for this purpose, with the notices they are about."""
    questions = read_questions(Path(__file__).with_name("notices_questions.jsonl"))
    assert isinstance(questions, QuestionSet)
    return replace(questions, documents=tuple(read_document(path) for path in sorted(SEEDS.glob("*.txt"))))


def retrieve(origin: str, questions: QuestionSet, top_k: int) -> list[Retrieved]:
    """Searches every question in the open setting, the answerable ones again with their answer withheld."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        add_documents(questions.documents, folder)
        qa = EpiQA.open(folder)
        for number, question in enumerate(questions.questions):
            passages = qa.search(
                question.question, top_k=2 * top_k
            )  # so that top_k are left when some are withheld
            kind = "answerable" if question.is_answerable else "unanswerable"
            asked = check_question(question.question)
            found.append(Retrieved(origin, number, kind, asked, question.answers, passages[:top_k]))
            if question.is_answerable:
                rest = [p for p in passages if not any(text in p.quote for text in question.answers)]
                found.append(Retrieved(origin, number, "withheld", asked, (), rest[:top_k]))
    return found


def retrieve_all(data: Path, top_k: int = TOP_K) -> list[Retrieved]:
    """Returns the questions of all sets, `top_k` passages each; `data` is the folder with `train.json.gz`."""
    articles, settings = read_articles(data / "train.json.gz"), read_settings()["data"]
    found = retrieve("notices", notices(), top_k)
    for origin in SETS:
        found += retrieve(origin, held_out_set(articles, origin, settings), top_k)
    return found


def read_all(asked: Sequence[Retrieved], reader: Reader) -> list[Row]:
    """Lets the reader read what was found for each question; one in whose passages it finds no span is left out."""
    rows = []
    for count, question in enumerate(asked):
        spans = reader.read(question.question, question.passages)
        judged = judge(spans, question.passages, question.answers)
        rows.append(Row(question.origin, question.number, question.kind, judged))
        if count % 100 == 0:
            print(f"{count} of {len(asked)} questions read", flush=True)
    return [row for row in rows if len(row.asked.values)]


def fit(rows: Sequence[Row], reader: str, threshold: float = 1.0) -> Calibration:
    """Fits the confidence, every set with the same weight."""
    per_set = Counter(row.origin for row in rows)
    weights = [1000 / per_set[row.origin] for row in rows]
    return fit_questions([row.asked for row in rows], weights, reader=reader, threshold=threshold)


def cross_predict(rows: Sequence[Row], reader: str) -> list[tuple[float, bool]]:
    """Returns confidence and rightness of each row, by one of five calibrations that are fitted without it."""
    found: list[tuple[float, bool]] = [(0.0, False)] * len(rows)
    for fold in range(FOLDS):
        without = fit([row for row in rows if row.number % FOLDS != fold], reader)
        for position, row in enumerate(rows):
            if row.number % FOLDS == fold:
                found[position] = row.asked.best(without)
    return found


def choose(rows: Sequence[Row], outcomes: Sequence[tuple[float, bool]]) -> float:
    """Chooses the threshold by the unanswerable and the withheld questions of each set, all counting alike."""
    sets: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row, (confidence, _) in zip(rows, outcomes, strict=True):
        if row.kind != "answerable":
            sets[row.origin, row.kind].append(confidence)
    return choose_threshold(*sets.values())


def figures(
    rows: Sequence[Row], outcomes: Sequence[tuple[float, bool]], threshold: float
) -> dict[str, dict[str, float]]:
    """Returns for each set the AUROC of right against wrong, the ECE, and the share answered of each kind."""
    confidences, right = (np.array(column) for column in zip(*outcomes, strict=True))
    found: dict[str, dict[str, float]] = {}
    for origin in dict.fromkeys(row.origin for row in rows):
        of_set = np.array([row.origin == origin for row in rows])
        found[origin] = {
            "auroc": metrics.auroc(confidences[of_set], right[of_set]) or 0.0,
            "ece": metrics.expected_calibration_error(confidences[of_set], right[of_set]),
        }
        for kind in ("answerable", "unanswerable", "withheld"):
            of_kind = of_set & np.array([row.kind == kind for row in rows])
            if of_kind.any():
                found[origin][f"{kind}_answered"] = float((confidences[of_kind] >= threshold).mean())
                if kind == "answerable":
                    answered_right = (confidences[of_kind] >= threshold) & right[of_kind]
                    found[origin]["answerable_right"] = float(answered_right.mean())
                    found[origin]["forced_right"] = float(right[of_kind].mean())
    return {origin: {name: round(value, 4) for name, value in values.items()} for origin, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder with train.json.gz")
    arguments = parser.parse_args()
    reader = load_reader()
    rows = read_all(retrieve_all(arguments.data), reader)
    outcomes = cross_predict(rows, reader.fingerprint)
    threshold = choose(rows, outcomes)
    calibration = fit(rows, reader.fingerprint, threshold)
    report = {
        "rows": dict(Counter(f"{row.origin}, {row.kind}" for row in rows)),
        "threshold": threshold,
        "cross_validated": figures(rows, outcomes, threshold),
    }
    FIGURES.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (MODELS / "calibration.json").write_text(calibration.to_json(), encoding="utf-8")
    write_checksums(MODELS)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
