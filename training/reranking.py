"""How much the readers' margins count for the order of passages, against the score of the search.

    python training/reranking.py FOLDER

The answerable questions of the sets of `calibrate.py`, none of which a figure is reported on: the share of each set
for which the first passage holds an answer, by the search alone, with the small reader's best margin at several
weights among the passages that `EpiQA.ask` reads and among those of `--rerank`, and with the large reader's in the
first three of the latter. The weights with the best mean over the sets stand in
`epiqa.search.reranker` and `epiqa.models.reader`. The result goes to `reranking.json` here.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from calibrate import Retrieved, retrieve_all
from epiqa.assistant import TOP_K
from epiqa.models import ROOT as MODELS
from epiqa.models.cascade import PassageKey, best_margins
from epiqa.models.reader_loading import LARGE, SMALL, load_reader
from epiqa.search.reranker import READER_WEIGHT, RERANKED, RERANKED_TWICE, reranked
from epiqa.types import Passage

FIGURES = Path(__file__).with_name("reranking.json")
WEIGHTS = (0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.1, 1000.0)

Margins = dict[PassageKey, float]
Order = Callable[[Retrieved, Margins, Margins], list[Passage]]


def by_small(weight: float, passages: int) -> Order:
    """Returns the order of so many passages by score and the small reader's margin."""
    return lambda asked, small, _: reranked(asked.passages[:passages], small, weight)


def by_both(weight: float) -> Order:
    """Returns the order in which the large reader puts the first three."""

    def order(asked: Retrieved, small: Margins, large: Margins) -> list[Passage]:
        return reranked(by_small(READER_WEIGHT, RERANKED)(asked, small, large)[:RERANKED_TWICE], large, weight)

    return order


def shares(read: Sequence[tuple[Retrieved, Margins, Margins]], order: Order) -> dict[str, float]:
    """Returns for each set the share of questions whose first passage holds an answer, and the mean of these."""
    hits: defaultdict[str, list[bool]] = defaultdict(list)
    for asked, small, large in read:
        first = order(asked, small, large)[0]
        hits[asked.origin].append(any(text in first.quote for text in asked.answers))
    found = {origin: round(statistics.fmean(values), 4) for origin, values in hits.items()}
    return {"mean": round(statistics.fmean(found.values()), 4), **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder with train.json.gz")
    asked = [a for a in retrieve_all(parser.parse_args().data, RERANKED) if a.kind == "answerable" and a.passages]
    small, large = (load_reader(str(MODELS / name)) for name in (SMALL, LARGE))
    read = []
    for count, question in enumerate(asked):
        first = best_margins(small.read(question.question, question.passages))
        few = reranked(question.passages, first)[:RERANKED_TWICE]
        read.append((question, first, best_margins(large.read(question.question, few))))
        if count % 50 == 0:
            print(f"{count} of {len(asked)} questions read", flush=True)
    figures = {
        f"small reader, {passages} passages": {str(w): shares(read, by_small(w, passages)) for w in WEIGHTS}
        for passages in (TOP_K, RERANKED)
    }
    figures["large reader, the first three"] = {str(weight): shares(read, by_both(weight)) for weight in WEIGHTS}
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
