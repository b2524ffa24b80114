"""Limits that measures must keep: `--fail-under f1=0.80` and `--fail-over ece=0.1`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from epiqa.errors import EpiQAError
from epiqa.evaluation.measures import (
    ALL_MEASURES,
    LOWER_IS_BETTER,
    QUERY_MEASURES,
    RANKING_MEASURES,
    SHARES,
    TIMES,
    flat_values,
)
from epiqa.evaluation.questions import QuestionSet, RetrievalSet

UNDER, OVER = "--fail-under", "--fail-over"
_ROUNDING = 1e-9  # 0.8 as a mean of floats may be a hair less


@dataclass(frozen=True, slots=True)
class Limit:
    """What a measure, by its flat name, must at least have, or with `is_most` at most."""

    name: str
    value: float
    is_most: bool

    def is_met(self, value: float) -> bool:
        return value <= self.value + _ROUNDING if self.is_most else value >= self.value - _ROUNDING


def parse_limits(under: Sequence[str], over: Sequence[str]) -> tuple[Limit, ...]:
    """Reads the values of both options, NAME=VALUE each.

    A name is a measure's flat name or the last part of it. Raises EpiQAError for one that there is not, a value
    that is no number or that the measure cannot have, and a limit on the wrong side: a measure that is better the
    lower it is has no `--fail-under`, any other no `--fail-over`.
    """
    return (
        *(_parse(text, UNDER, is_most=False) for text in under),
        *(_parse(text, OVER, is_most=True) for text in over),
    )


def check_limits(limits: Sequence[Limit], questions: QuestionSet | RetrievalSet, mode: str) -> None:
    """Raises EpiQAError for a limit on a measure that these questions cannot have, before they are asked.

    That AUROC needs right answers and wrong ones, say, is known only after (`unmet`).
    """
    possible = _possible_measures(questions, mode)
    for limit in limits:
        if limit.name not in possible:
            raise _not_applicable(limit, possible)


def unmet(measures: Mapping[str, Any], limits: Sequence[Limit]) -> list[str]:
    """Returns a message for each limit that the measures miss.

    Raises EpiQAError for a limit on a measure that does not apply to what was asked.
    """
    values = flat_values(measures)
    said = []
    for limit in limits:
        if limit.name not in values:
            raise _not_applicable(limit, list(values))
        if not limit.is_met(values[limit.name]):
            how = f"more than {limit.value:g} ({OVER})" if limit.is_most else f"less than {limit.value:g} ({UNDER})"
            said.append(f"{limit.name} is {values[limit.name]:.6g}, {how}")
    return said


def _possible_measures(questions: QuestionSet | RetrievalSet, mode: str) -> list[str]:
    if isinstance(questions, RetrievalSet):
        return ["questions", *QUERY_MEASURES, *TIMES]
    of_all = questions.questions
    impossible = set(QUERY_MEASURES) - set(RANKING_MEASURES)
    if not any(question.is_answerable for question in of_all):
        impossible |= {"has_answer_f1", *RANKING_MEASURES}
    if all(question.is_answerable for question in of_all):
        impossible |= {"no_answer_accuracy", "abstention.false_answer_rate"}
    if mode == "reader":  # which searches nothing
        impossible |= set(RANKING_MEASURES)
    if mode == "reader" or not any(question.document for question in of_all):
        impossible.add("citation.document_accuracy")
    return [name for name in ALL_MEASURES if name not in impossible]


def _not_applicable(limit: Limit, applicable: Sequence[str]) -> EpiQAError:
    return EpiQAError(
        f"{limit.name} does not apply to these questions, so its limit cannot be kept; these do:"
        f" {', '.join(applicable)}"
    )


def _parse(text: str, option: str, *, is_most: bool) -> Limit:
    given, _, number = (part.strip() for part in text.partition("="))
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not given or not math.isfinite(value):
        raise EpiQAError(f"{option} {text!r} is not NAME=VALUE, such as f1=0.80")
    name = _full_name(given, option)
    if (name in LOWER_IS_BETTER) != is_most:
        better, other = ("higher", UNDER) if is_most else ("lower", OVER)
        raise EpiQAError(f"{name} is better the {better} it is: say {other} {given}={number}")
    if name in SHARES and not 0 <= value <= 1:
        raise EpiQAError(f"{option} {text!r}: {name} is from 0 to 1, so {number} is no limit for it")
    return Limit(name, value, is_most)


def _full_name(given: str, option: str) -> str:
    """Returns the flat name; raises EpiQAError unless there is exactly one that fits."""
    if given in ALL_MEASURES:
        return given
    found = [name for name in ALL_MEASURES if name.rpartition(".")[2] == given]
    if len(found) == 1:
        return found[0]
    possible = found or [name for name in ALL_MEASURES if (name in LOWER_IS_BETTER) == (option == OVER)]
    what = "is more than one measure" if found else "is no measure"
    raise EpiQAError(f"{option}: {given!r} {what}: give one of {', '.join(possible)}")
