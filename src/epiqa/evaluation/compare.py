"""Two runs on the same questions: the differences of their measures, and how far chance alone would go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """A measure of two runs over the same questions.

    `low` and `high` bound the difference `after - before` with 95 % confidence (paired bootstrap); `p_value` is that
    of a two-sided paired randomisation test.
    """

    name: str
    before: float
    after: float
    low: float
    high: float
    p_value: float
