"""Compares arrangements of the two readers on questions that `train.py` keeps out of training.

    python training/arrangements.py PATH_TO_THE_READER_DATA

An arrangement is how many of the passages found the small reader reads, and how many of those the large one looks
at again. The questions, their kinds and the passages are those of `calibrate.py`; the small reader's first
training had seen the Wikipedia articles held out, which flatters it there. A passage is read once for a question;
an arrangement is a choice among what was found, with a calibration of its own, cross-validated as in
`calibrate.py`. For each, over all sets alike: the share of answerable questions whose best span is right, the
AUROC of the confidence, its ECE, and the share answered rightly at the threshold that lets a tenth of the
unanswerable ones through; and the median time that such reading takes, measured apart on some of the questions.
The result goes to `arrangements.json` here.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calibrate import Retrieved, choose, cross_predict, figures, read_all, retrieve_all
from epiqa.models import ROOT as MODELS
from epiqa.models.cascade import ReaderCascade
from epiqa.models.reader_loading import LARGE, SMALL, load_reader
from epiqa.types import Passage, Reader, Span

FIGURES = Path(__file__).with_name("arrangements.json")
PASSAGES = (4, 5, 6, 8)
LOOKS = (1, 2, 3)
TIMED_QUESTIONS = 25
AVERAGED = ("forced_right", "auroc", "ece", "answerable_right")


class Remembered:
    """A reader that reads each passage for a question once. Its int8 graph scales activations over a batch, so
    that a span's score may differ in the second decimal from one read in other company."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._found: dict[tuple[str, str, int], list[Span]] = {}
        self.fingerprint = reader.fingerprint

    def read(self, question: str, passages: Sequence[Passage]) -> list[Span]:
        keys = [(question, passage.document_id, passage.start) for passage in passages]
        new = [passage for key, passage in zip(keys, passages, strict=True) if key not in self._found]
        self._found |= {key: [] for key in keys if key not in self._found}
        for span in self._reader.read(question, new) if new else []:
            self._found[question, span.passage.document_id, span.passage.start].append(span)
        return [span for key in keys for span in self._found[key]]


class Fewer:
    """A reader that reads the first of the passages it is given."""

    def __init__(self, reader: Reader, passages: int) -> None:
        self._reader = reader
        self._passages = passages
        self.fingerprint = reader.fingerprint

    def read(self, question: str, passages: Sequence[Passage]) -> list[Span]:
        return self._reader.read(question, passages[: self._passages])


def milliseconds(reader: Reader, asked: Sequence[Retrieved]) -> float:
    """Returns the median time of reading for a question; those timed are spread over all sets."""
    seconds = []
    for question in asked[:: max(1, len(asked) // TIMED_QUESTIONS)]:
        begun = time.perf_counter()
        reader.read(question.question, question.passages)
        seconds.append(time.perf_counter() - begun)
    return round(statistics.median(seconds) * 1000, 1)


def measure(reader: Reader, asked: Sequence[Retrieved]) -> dict[str, Any]:
    """Returns the threshold, each measure averaged over the sets, and for each set."""
    rows = read_all(asked, reader)
    outcomes = cross_predict(rows, reader.fingerprint)
    threshold = choose(rows, outcomes)
    sets = figures(rows, outcomes, threshold)
    means = {name: round(statistics.fmean(found[name] for found in sets.values()), 4) for name in AVERAGED}
    return {"threshold": threshold, **means, "sets": sets}


def arrange(small: Reader, large: Reader) -> dict[str, Reader]:
    """Returns the arrangements by name."""
    return {
        **{
            f"small {passages}, large {looks}": Fewer(ReaderCascade(small, large, passages=looks), passages)
            for passages in reversed(PASSAGES)
            for looks in LOOKS
        },
        f"small {max(PASSAGES)}": small,
        f"large {max(PASSAGES)}": large,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder with train.json.gz")
    asked = retrieve_all(parser.parse_args().data, max(PASSAGES))
    small, large = (load_reader(str(MODELS / name)) for name in (SMALL, LARGE))
    found: dict[str, Any] = {
        name: {"milliseconds": milliseconds(reader, asked)} for name, reader in arrange(small, large).items()
    }
    for name, reader in arrange(Remembered(small), Remembered(large)).items():
        found[name] |= measure(reader, asked)
        FIGURES.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        print(name, json.dumps(found[name]), flush=True)


if __name__ == "__main__":
    main()
