"""Every question in a table, worst first: what was expected and given, where it stands, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from markupsafe import Markup

from epiqa.evaluation.measures import RANK_CUTOFF
from epiqa.evaluation.outcomes import Outcome, QueryOutcome
from epiqa.evaluation.report.kinds import first_rank, kind_of_answer, kind_of_ranking
from epiqa.evaluation.report.markup import macros

_CITED = 3
_CANDIDATES = 3
_FOUND = 3
_JUDGED = 5
_DASH = "—"
_NDCG = f"ndcg@{RANK_CUTOFF}"
_OUTCOME_COLUMNS = (
    ("Verdict", "verdict"),
    ("Question", "wide"),
    ("Expected", ""),
    ("Given", ""),
    ("Found at", "figure"),
    ("Confidence", "figure confidence"),
    ("F1", "figure short"),
    ("Cited", "wide"),
)
_QUERY_COLUMNS = (
    ("Relevant", "verdict"),
    ("Query", ""),
    (f"nDCG@{RANK_CUTOFF}", "figure"),
    ("Rank", "figure"),
    ("Found", "wide"),
    ("Judged relevant", "wide"),
)
# On a narrow page a row is a card, where each cell says what it is.
_NARROW_LABELS = "".join(
    f'.{kind} td:nth-child({i})::before {{ content: "{name}"; }}\n'
    for kind, columns in (("outcomes", _OUTCOME_COLUMNS), ("queries", _QUERY_COLUMNS))
    for i, (name, _) in enumerate(columns, start=1)
    if i > 1
)
ROWS_STYLE = f"@media screen and (max-width: 70rem) {{\n{_NARROW_LABELS}}}\n"


def outcomes_table(outcomes: Sequence[Outcome]) -> Markup:
    """Returns the questions: the least right first, of these first those answered, the most confident first."""
    caption = (
        "Worst first: wrong answers given, then those held back, the most confident first. "
        "Found at: the rank of the first passage with the answer."
    )
    ordered = sorted(outcomes, key=lambda each: (each.f1, not each.answer.is_answered, -each.answer.confidence))
    return cast(Markup, macros().outcomes(caption, _OUTCOME_COLUMNS, map(_outcome_row, ordered)))


def queries_table(queries: Sequence[QueryOutcome]) -> Markup:
    """Returns the queries, the lowest nDCG first."""
    caption = (
        f"Worst first, by nDCG. Rank: of the first relevant document. Found: the first {_FOUND} with their scores, "
        "marked where relevant."
    )
    ordered = sorted(queries, key=lambda query: query.measures.get(_NDCG, 0.0))
    return cast(Markup, macros().queries(caption, _QUERY_COLUMNS, map(_query_row, ordered)))


def _outcome_row(outcome: Outcome) -> dict[str, Any]:
    """Returns what a question's row shows; its evidence is where the answer, or the held-back candidate, stands."""
    question, answer = outcome.question, outcome.answer
    best = answer.candidates[0] if answer.candidates else None
    places = answer.citations or (best.citations if best else ())
    others = answer.candidates[1 : 1 + _CANDIDATES]
    hits = outcome.hits or ()
    return {
        "kind": kind_of_answer(outcome),
        "question": question.question,
        "id": question.id,
        "expected": " | ".join(dict.fromkeys(question.answers)) or _DASH,
        "document": question.document,
        "given": (answer.text or _DASH) if answer.is_answered else None,
        "held_back": best.text if best else "",
        "found_at": _found_at(outcome),
        "confidence": f"{answer.confidence:.2f}",
        "f1": f"{outcome.f1:.2f}",
        "places": places[:_CITED],
        "is_cited": bool(answer.citations),
        "others": " | ".join(f"{each.text} ({each.confidence:.2f})" for each in others),
        "retrieved": [(it, any(hits[i : i + 1])) for i, it in enumerate(outcome.retrieved[:_FOUND])],
    }


def _query_row(query: QueryOutcome) -> dict[str, Any]:
    """Returns what a query's row shows."""
    rank, ndcg = first_rank(query), query.measures.get(_NDCG)
    ranks = {name: place for place, (name, _) in enumerate(query.ranking, start=1)}
    best_first = sorted(query.relevant, key=lambda name: (-query.relevant[name], ranks.get(name, len(ranks) + 1)))
    return {
        "kind": kind_of_ranking(query),
        "query": query.query,
        "id": query.id,
        "ndcg": _DASH if ndcg is None else f"{ndcg:.2f}",
        "rank": _DASH if rank is None else str(rank),
        "found": [(name, f"{score:.3f}", name in query.relevant) for name, score in query.ranking[:_FOUND]],
        "judged": [
            (name, f"{query.relevant[name]:g}", f"rank {ranks[name]}" if name in ranks else "not found")
            for name in best_first[:_JUDGED]
        ],
        "more": len(best_first) - _JUDGED,
    }


def _found_at(outcome: Outcome) -> str:
    if outcome.hits is None:
        return _DASH
    return str(outcome.first_hit) if outcome.first_hit else f"not in {len(outcome.hits)}"
