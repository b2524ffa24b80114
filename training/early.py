"""Could the small reader stop early, its first passages having given a sure answer, and what would that cost?

    python training/early.py PATH_TO_THE_READER_DATA

The small reader reads the first passages that were found, and the others only if no span in the first is better
than "no answer" by a margin. Questions, kinds, passages and measures are those of `arrangements.py`, held out of
training; each way to stop has a calibration of its own, cross-validated. For each: the measures, beside those of
reading everything; the passages read for a question on average, and for the tenth of the questions for which most
are read; how many questions have another best span than where all is read, and how many of these were right
before, how many after. The result goes to `early.json` here.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arrangements import Remembered, measure
from calibrate import Retrieved, retrieve_all
from epiqa.evaluation.metrics import RIGHT_F1, best, f1_score
from epiqa.models import ROOT as MODELS
from epiqa.models.cascade import ReaderCascade, best_margins
from epiqa.models.reader_loading import LARGE, SMALL, load_reader
from epiqa.types import Passage, Reader, Span

FIGURES = Path(__file__).with_name("early.json")
FIRST = (1, 2, 3)  # passages
MARGINS = (3.0, 4.0, 5.0, 6.0)  # logits


class Early:
    """A reader that reads the first passages, and the others unless a span in these has the margin."""

    def __init__(self, reader: Reader, first: int, margin: float) -> None:
        self._reader = reader
        self._first = first
        self._margin = margin
        self.fingerprint = reader.fingerprint
        self.read_passages: list[int] = []

    def read(self, question: str, passages: Sequence[Passage]) -> list[Span]:
        spans = self._reader.read(question, passages[: self._first])
        is_enough = max(best_margins(spans).values(), default=-math.inf) >= self._margin
        self.read_passages.append(self._first if is_enough else len(passages))
        return spans if is_enough else spans + self._reader.read(question, passages[self._first :])


def best_span(reader: Reader, asked: Retrieved) -> Span | None:
    spans = reader.read(asked.question, asked.passages)
    return max(spans, key=lambda span: span.score - span.null_score, default=None)


def is_right(span: Span | None, asked: Retrieved) -> bool:
    return span is not None and bool(asked.answers) and best(f1_score, span.quote, asked.answers) >= RIGHT_F1


def changed(
    asked: Sequence[Retrieved], before: Sequence[Span | None], after: Sequence[Span | None]
) -> dict[str, int]:
    """Returns how many questions have another best span, and of these, how many had and have a right one."""
    others = [
        (is_right(one, question), is_right(other, question))
        for question, one, other in zip(asked, before, after, strict=True)
        if place(one) != place(other)
    ]
    return {
        "other_spans": len(others),
        "right_before": sum(was for was, _ in others),
        "right_after": sum(now for _, now in others),
    }


def place(span: Span | None) -> tuple[str, int, int] | None:
    return None if span is None else (span.passage.document_id, span.start, span.end)


def stopped(asked: Sequence[Retrieved], first: int, margin: float, small: Reader, large: Reader) -> dict[str, Any]:
    """Returns all figures of one way to stop; an infinite margin never stops."""
    early = Early(small, first, margin)
    found = measure(ReaderCascade(early, large), asked)
    read = early.read_passages[: len(asked)]
    answerable = [count for count, question in zip(read, asked, strict=True) if question.kind == "answerable"]
    return {
        "passages": round(statistics.fmean(read), 2),
        "passages_if_answerable": round(statistics.fmean(answerable), 2),
        "passages_p90": statistics.quantiles(read, n=10)[8],
        **{name: value for name, value in found.items() if name != "sets"},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder with train.json.gz")
    asked = retrieve_all(parser.parse_args().data)
    small, large = (Remembered(load_reader(str(MODELS / name))) for name in (SMALL, LARGE))
    everything = stopped(asked, max(FIRST), math.inf, small, large)
    before = [best_span(ReaderCascade(small, large), question) for question in asked]
    found: dict[str, Any] = {"all": everything | {"questions": len(asked)}}
    for first in FIRST:
        for margin in MARGINS:
            after = [best_span(ReaderCascade(Early(small, first, margin), large), question) for question in asked]
            name = f"first {first}, margin {margin:g}"
            found[name] = stopped(asked, first, margin, small, large) | changed(asked, before, after)
            FIGURES.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
            print(name, json.dumps(found[name]), flush=True)


if __name__ == "__main__":
    main()
