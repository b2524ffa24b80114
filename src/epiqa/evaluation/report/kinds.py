"""What becomes of questions, in kinds: how many of each, what each means, and what to mend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from markupsafe import Markup

from epiqa.assistant import TOP_K
from epiqa.evaluation.measures import RANK_CUTOFF
from epiqa.evaluation.outcomes import Evaluation, Outcome, QueryOutcome, verdict
from epiqa.evaluation.report.markup import macros

_NARROW = 0.04  # of the bar: a part less wide has no room for its number
_GOAL_OF_RANKING = f"queries have a relevant document among the first {RANK_CUTOFF}"
_GAP = 0.15  # per cent of the bar, between its parts


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of outcome: `name` is a verdict, or says of a rank; `hint` is HTML, what it means and what to mend."""

    name: str
    slug: str
    colour: str
    hint: str
    is_right: bool = False


@dataclass(frozen=True, slots=True)
class KindCount:
    """How many questions are of a kind, and what there is to add to its hint."""

    kind: Kind
    count: int
    note: str = ""


# White text can be read on each of these colours.
_ANSWER_KINDS = (
    Kind("right", "right", "#1b7f3b", "The answer agrees with an expected one (F1 of at least 0.5).", True),
    Kind(
        "right to abstain", "right-to-abstain", "#2a7677", "The documents hold no answer, and none was given.", True
    ),
    Kind(
        "answered the unanswerable",
        "answered-the-unanswerable",
        "#b3261e",
        "The documents hold no answer, yet one was given: the threshold is too low for these questions. Calibrate "
        "with more unanswerable ones (<code>epiqa calibrate</code>).",
    ),
    Kind(
        "misread",
        "misread",
        "#b3500a",
        "The passage was there; the reader chose other words. Look whether the given answers deserve to be "
        "expected ones, then try another reader.",
    ),
    Kind(
        "not retrieved",
        "not-retrieved",
        "#7a3fa0",
        "No passage read holds the answer: look at chunking and search (<code>epiqa search</code>).",
    ),
    Kind(
        "wrongly abstained",
        "wrongly-abstained",
        "#846700",
        "The answer was found and held back: <code>epiqa calibrate</code> fits the threshold to such questions.",
    ),
)
_RANK_KINDS = (
    Kind("first", "first", "#1b7f3b", "The best document found is relevant.", True),
    Kind(
        f"in the first {RANK_CUTOFF}",
        "high",
        "#2a7677",
        "A relevant document is near the top, below others that nobody judged relevant.",
        True,
    ),
    Kind(
        "none found", "none-found", "#7a3fa0", "No relevant document was found: look at chunking and the embedder."
    ),
    Kind(
        f"below the first {RANK_CUTOFF}",
        "low",
        "#b3500a",
        "A relevant document was found and ranked too low: look at how results are ranked and fused.",
    ),
)
_BY_NAME = {kind.name: kind for kind in _ANSWER_KINDS}

KINDS_STYLE = "".join(
    f".{kind.slug} {{ --kind: {kind.colour}; }}\n"
    f"#only-{kind.slug}:target ~ .rows tbody tr:not(.{kind.slug}) {{ display: none; }}\n"
    f'#only-{kind.slug}:target ~ .filter a[href="#only-{kind.slug}"] {{ background: var(--kind); color: #fff; }}\n'
    for kind in (*_ANSWER_KINDS, *_RANK_KINDS)
)


def kind_of_answer(outcome: Outcome) -> Kind:
    return _BY_NAME[verdict(outcome)]


def kind_of_ranking(query: QueryOutcome) -> Kind:
    first, high, none, low = _RANK_KINDS
    rank = first_rank(query)
    if rank is None:
        return none
    return first if rank == 1 else high if rank <= RANK_CUTOFF else low


def first_rank(query: QueryOutcome) -> int | None:
    """Returns the rank of the first relevant document, from 1, or None when none was found."""
    ranks = (rank for rank, (name, _) in enumerate(query.ranking, start=1) if name in query.relevant)
    return next(ranks, None)


def count_kinds(evaluation: Evaluation) -> list[KindCount]:
    """Returns the kinds with their numbers: those right, then the others, the most frequent first."""
    every = _ANSWER_KINDS if evaluation.outcomes else _RANK_KINDS
    counts = Counter([kind_of_answer(outcome) for outcome in evaluation.outcomes])
    counts.update(kind_of_ranking(query) for query in evaluation.queries)
    ordered = sorted(every, key=lambda kind: (not kind.is_right, 0 if kind.is_right else -counts[kind]))
    return [KindCount(kind, counts[kind], _note(kind, evaluation.outcomes)) for kind in ordered]


def overview(evaluation: Evaluation, counts: Sequence[KindCount]) -> Markup:
    """Returns how many are of each kind, as a sentence, a bar, and a list that filters the table."""
    total = sum(each.count for each in counts)
    present = [each for each in counts if each.count]
    goal = "questions went right" if evaluation.outcomes else _GOAL_OF_RANKING
    right = sum(each.count for each in counts if each.kind.is_right)
    worst = max((each for each in present if not each.kind.is_right), key=lambda each: each.count, default=None)
    absent = [each.kind.name for each in counts if not each.count]
    return cast(Markup, macros().overview(right, total, goal, worst, present, _bar(present, total), absent))


def filters(counts: Sequence[KindCount]) -> Markup:
    """Returns the links that filter the table after them, and the field that searches it."""
    present = [each for each in counts if each.count]
    by_fault = sorted(present, key=lambda each: each.kind.is_right)
    return cast(Markup, macros().filters(present, by_fault, sum(each.count for each in counts)))


def _bar(present: Sequence[KindCount], total: int) -> Iterator[dict[str, Any]]:
    """Yields a bar's parts, one for each kind: where each begins and how wide it is, in per cent of the bar."""
    done = 0.0
    for each in present:
        share = each.count / total
        yield {
            "kind": each.kind,
            "count": each.count,
            "x": f"{100 * done:.2f}",
            "width": f"{max(_GAP, 100 * share - _GAP):.2f}",
            "middle": f"{100 * (done + share / 2):.2f}" if share >= _NARROW else "",
        }
        done += share


def _note(kind: Kind, outcomes: Sequence[Outcome]) -> str:
    """Returns what these very questions add to a kind's hint."""
    of_kind = [outcome for outcome in outcomes if kind_of_answer(outcome) is kind]
    said = ""
    if kind.slug == "not-retrieved":
        low = sum(any(outcome.hits or ()) for outcome in of_kind)
        said += f" For {low} it was found below the {TOP_K} passages that are read." if low else ""
    if kind.slug == "misread":
        unknown = sum(outcome.hits is None and outcome.question.context is None for outcome in of_kind)
        said += f" For {unknown} it is not known whether the passage was there." if unknown else ""
    held_back = sum(not outcome.answer.is_answered for outcome in of_kind)
    if held_back and kind.slug in ("not-retrieved", "misread"):
        were = "was" if held_back == 1 else "were"
        said += f" Of the wrong answers, {held_back} {were} held back, {len(of_kind) - held_back} given."
    return said
