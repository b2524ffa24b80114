"""Every question in a table, worst first: what was expected and given, where it stands, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence

from epiqa.evaluation.measures import RANK_CUTOFF
from epiqa.evaluation.outcomes import Outcome, QueryOutcome, RankedPassage
from epiqa.evaluation.report.kinds import Kind, first_rank, kind_of_answer, kind_of_ranking
from epiqa.evaluation.report.markup import column, escape, isolated, table
from epiqa.types import Citation

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


def outcomes_table(outcomes: Sequence[Outcome]) -> str:
    """Returns the questions: the least right first, of these first those answered, the most confident first."""
    heads = [column(*each) for each in _OUTCOME_COLUMNS]
    caption = (
        "Worst first: wrong answers given, then those held back, the most confident first. "
        "Found at: the rank of the first passage with the answer."
    )
    ordered = sorted(outcomes, key=lambda each: (each.f1, not each.answer.is_answered, -each.answer.confidence))
    return table("rows outcomes", caption, heads, map(_outcome_row, ordered))


def queries_table(queries: Sequence[QueryOutcome]) -> str:
    """Returns the queries, the lowest nDCG first."""
    heads = [column(*each) for each in _QUERY_COLUMNS]
    caption = (
        f"Worst first, by nDCG. Rank: of the first relevant document. Found: the first {_FOUND} with their scores, "
        "marked where relevant."
    )
    ordered = sorted(queries, key=lambda query: query.measures.get(_NDCG, 0.0))
    return table("rows queries", caption, heads, map(_query_row, ordered))


def _outcome_row(outcome: Outcome) -> str:
    question, answer = outcome.question, outcome.answer
    expected = isolated(" | ".join(dict.fromkeys(question.answers)) or _DASH)
    if question.document:
        expected += f"<small>in {isolated(question.document)}</small>"
    candidate = answer.candidates[0] if answer.candidates else None
    if answer.is_answered:
        given = isolated(answer.text or _DASH)
    else:
        given = "<i>abstained</i>" + (f"<small>held back: {isolated(candidate.text)}</small>" if candidate else "")
    cells = (
        ("", isolated(question.question) + _small(question.id)),
        ("", expected),
        ("", given),
        ("figure", _found_at(outcome)),
        ("figure", f"{answer.confidence:.2f}"),
        ("figure", f"{outcome.f1:.2f}"),
        ("", _evidence(outcome)),
    )
    return _row(kind_of_answer(outcome), cells)


def _query_row(query: QueryOutcome) -> str:
    rank = first_rank(query)
    found = "".join(
        f"<li>{_marked(name) if name in query.relevant else isolated(name)} <small>{score:.3f}</small></li>"
        for name, score in query.ranking[:_FOUND]
    )
    ranks = {name: place for place, (name, _) in enumerate(query.ranking, start=1)}
    best_first = sorted(query.relevant, key=lambda name: (-query.relevant[name], ranks.get(name, len(ranks) + 1)))
    judged = "".join(
        f"<li>{isolated(name)} <small>grade {query.relevant[name]:g}, "
        f"{f'rank {ranks[name]}' if name in ranks else 'not found'}</small></li>"
        for name in best_first[:_JUDGED]
    )
    more = len(best_first) - _JUDGED
    ndcg = query.measures.get(_NDCG)
    cells = (
        ("", isolated(query.query) + _small(query.id)),
        ("figure", _DASH if ndcg is None else f"{ndcg:.2f}"),
        ("figure", _DASH if rank is None else str(rank)),
        ("", f"<ol>{found}</ol>" if found else _DASH),
        ("", f"<ul>{judged}</ul>" + (f"<small>and {more} more</small>" if more > 0 else "")),
    )
    return _row(kind_of_ranking(query), cells)


def _row(kind: Kind, cells: Sequence[tuple[str, str]]) -> str:
    """Returns a row that its kind's filter finds; of each cell the class and the HTML."""
    texts = "".join(f"<td{f' class={name}' if name else ''}><div>{cell}</div></td>" for name, cell in cells)
    return f"<tr class={kind.slug}><td><span class=chip>{escape(kind.name)}</span></td>{texts}</tr>"


def _found_at(outcome: Outcome) -> str:
    if outcome.hits is None:
        return _DASH
    return str(outcome.first_hit) if outcome.first_hit else f"not in {len(outcome.hits)}"


def _evidence(outcome: Outcome) -> str:
    """Returns where the answer stands, or the best candidate that was held back; unfolded, what else was found."""
    citations, candidates = outcome.answer.citations, outcome.answer.candidates
    places = citations or (candidates[0].citations if candidates else ())
    sentences = "".join(
        f"<p dir=auto>{escape(place.before)}<mark>{escape(place.quote)}</mark>{escape(place.after)}"
        f"<small>{_place(place)}</small></p>"
        for place in places[:_CITED]
    )
    others = " | ".join(f"{each.text} ({each.confidence:.2f})" for each in candidates[1 : 1 + _CANDIDATES])
    also = f"<p class=quiet>Other candidates: {isolated(others)}</p>" if others else ""
    unfolded = sentences + also + _retrieved(outcome)
    if not unfolded:
        return _DASH
    summary = ("" if citations else "held back: ") + _place(places[0]) if places else "no candidate"
    return f"<details><summary>{summary}</summary>{unfolded}</details>"


def _retrieved(outcome: Outcome) -> str:
    """Returns the first passages that were retrieved, marked where they hold an expected answer."""
    hits = outcome.hits or ()
    items = "".join(
        f"<li>{'<mark>✓</mark> ' if any(hits[i : i + 1]) else ''}{_place(passage)}</li>"
        for i, passage in enumerate(outcome.retrieved[:_FOUND])
    )
    return f"<p class=quiet>First retrieved (✓ holds the answer):</p><ol>{items}</ol>" if items else ""


def _place(place: Citation | RankedPassage) -> str:
    page = f", page {place.page}" if isinstance(place, Citation) and place.page else ""
    section = f", {isolated(place.section)}" if isinstance(place, Citation) and place.section else ""
    return f"{isolated(place.path)}{page}{section} [{place.start}:{place.end}]"


def _marked(name: str) -> str:
    return f"<mark>{isolated(name)}</mark>"


def _small(text: str) -> str:
    return f"<small>{isolated(text)}</small>" if text else ""
