"""What becomes of questions, in kinds: how many of each, what each means, and what to mend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from epiqa.assistant import TOP_K
from epiqa.evaluation.measures import RANK_CUTOFF
from epiqa.evaluation.outcomes import Evaluation, Outcome, QueryOutcome, verdict
from epiqa.evaluation.report.markup import escape

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


def overview(evaluation: Evaluation, counts: Sequence[KindCount]) -> str:
    """Returns how many are of each kind, as a sentence, a bar, and a list that filters the table."""
    total = sum(each.count for each in counts)
    present = [each for each in counts if each.count]
    goal = "questions went right" if evaluation.outcomes else _GOAL_OF_RANKING
    items = "".join(
        f"<li class={each.kind.slug}>{_link(each)} <span class=quiet>({each.count / total:.1%})</span><br>"
        f"{each.kind.hint}{each.note}</li>"
        for each in present
    )
    absent = ", ".join(each.kind.name for each in counts if not each.count)
    none = f"<p class=quiet>No question: {escape(absent)}.</p>" if absent else ""
    said = _sentence(counts, total, goal)
    return f"<p class=lead>{said}</p>{_bar(present, total)}<ul class=kinds>{items}</ul>{none}"


def filters(counts: Sequence[KindCount]) -> str:
    """Returns the links that filter the table after them, and the field that searches it."""
    total = sum(each.count for each in counts)
    present = [each for each in counts if each.count]
    only = "".join(
        f'<p class=only id="only-{each.kind.slug}">Only <strong>{escape(each.kind.name)}</strong>: {each.count} of '
        f'{total}. <a href="#questions">Show all {total}</a></p>'
        for each in present
    )
    links = "".join(_link(each) for each in sorted(present, key=lambda each: each.kind.is_right))
    return (
        f'{only}<nav class=filter aria-label="Filter by verdict"><a href="#questions">all {total}</a>{links}</nav>'
        "<p class=search hidden><label>Search the table: <input type=search autocomplete=off></label> "
        "<output class=quiet></output></p>"
    )


def _link(each: KindCount) -> str:
    return f'<a class={each.kind.slug} href="#only-{each.kind.slug}">{each.count} {escape(each.kind.name)}</a>'


def _sentence(counts: Sequence[KindCount], total: int, goal: str) -> str:
    right = sum(each.count for each in counts if each.kind.is_right)
    wrong = [each for each in counts if each.count and not each.kind.is_right]
    said = f"<strong>{right} of {total} {goal} ({right / total:.1%}).</strong>"
    if wrong:
        worst = max(wrong, key=lambda each: each.count)
        said += f" The most frequent fault: <strong>{escape(worst.kind.name)}</strong> ({worst.count})."
    return said


def _bar(present: Sequence[KindCount], total: int) -> str:
    """Returns a bar with a part for each kind, each a link to its questions, as wide as the page."""
    parts = "".join(_parts(present, total))
    said = ", ".join(f"{each.count} {each.kind.name}" for each in present)
    return f'<svg class="bar" role="group" aria-label="Of {total} questions: {escape(said)}">{parts}</svg>'


def _parts(present: Sequence[KindCount], total: int) -> Iterator[str]:
    done = 0.0
    for each in present:
        share = each.count / total
        name = f"{each.count} {escape(each.kind.name)}"
        number = (
            f'<text x="{100 * (done + share / 2):.2f}%" y="62%" text-anchor="middle">{each.count}</text>'
            if share >= _NARROW
            else ""
        )
        # The list below has the same links: the keyboard need not stop twice.
        yield (
            f'<a class="{each.kind.slug}" href="#only-{each.kind.slug}" tabindex="-1" aria-label="{name}">'
            f'<title>{name}</title><rect x="{100 * done:.2f}%" width="{max(_GAP, 100 * share - _GAP):.2f}%" '
            f'height="100%"/>{number}</a>'
        )
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
