"""Which documents a search is confined to: by name, by path pattern, by date."""

from __future__ import annotations

import datetime
import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from epiqa.errors import FilterError

# (year or None, month, day)
Day = tuple[int | None, int, int]

_DAY = re.compile(r"(?:(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?|(?:--)?(\d{1,2})-(\d{1,2}))")
_LONGEST_PATH = 4096  # what Linux takes; SQLite takes patterns of up to 50,000 bytes
_SHOWN = 3
_LAST_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class Filter:
    """All conditions that are given must hold; of several documents or patterns, one.

    `documents` are ids, paths, or file names. `paths` are patterns for the path, or for its end after a slash: `*`
    stands for any characters, `/` too, `?` for one, `[abc]` for one of these, `[^abc]` for one other. `since` and
    `until` are the first and last day: "2022-02-03", a month, "2022-02", a year, or a day of any year, "02-03";
    "12-20" to "01-10" is over the turn of the year. A document without a date is left out by either, one whose date
    has no year by a bound that has one.

    One name may also be given as a str, several as any sequence, a day as a `datetime.date`. Raises FilterError for
    an invalid date or name, or when the first day comes after the last.
    """

    documents: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None

    def __post_init__(self) -> None:
        for name in ("documents", "paths"):
            object.__setattr__(self, name, _names(name, getattr(self, name)))
        for name in ("since", "until"):
            object.__setattr__(self, name, _bound(name, getattr(self, name)))
        for pattern in self.paths:
            if len(pattern) > _LONGEST_PATH:
                raise FilterError(
                    f"the path pattern {pattern[:20]!r}… has {len(pattern)} characters, more than {_LONGEST_PATH}"
                    ": shorten it"
                )
        first, last = self.first_day, self.last_day
        if first and last and first[0] is not None and last[0] is not None and first > last:
            raise FilterError(f"since {self.since} is after until {self.until}: exchange them")

    @property
    def first_day(self) -> Day | None:
        """The day that `since` begins with."""
        return None if self.since is None else _day(self.since, is_last=False)

    @property
    def last_day(self) -> Day | None:
        """The day that `until` ends with."""
        return None if self.until is None else _day(self.until, is_last=True)

    @property
    def is_over_new_year(self) -> bool:
        """Returns whether both are days of any year, the first of them later in it than the last."""
        first, last = self.first_day, self.last_day
        if first is None or last is None:
            return False
        return first[0] is None and last[0] is None and first[1:] > last[1:]

    def __bool__(self) -> bool:
        return bool(self.documents or self.paths or self.since is not None or self.until is not None)

    def __str__(self) -> str:
        """Says the conditions as the shell takes them, of many names the first."""
        parts = []
        for option, names in (("--document", self.documents), ("--path", self.paths)):
            parts += [f"{option} {shlex.quote(name)}" for name in names[:_SHOWN]]
            parts += [f"{option} … ({len(names) - _SHOWN} more)"] * (len(names) > _SHOWN)
        parts += [f"--since {self.since}"] * (self.since is not None)
        parts += [f"--until {self.until}"] * (self.until is not None)
        return " ".join(parts)


def _names(argument: str, given: object) -> tuple[str, ...]:
    """Returns names or patterns as a tuple; one alone is taken for a tuple of it."""
    names = (given,) if isinstance(given, (str, os.PathLike)) else given
    if isinstance(names, (bytes, dict)) or not isinstance(names, Iterable):
        raise FilterError(f"{argument} is {given!r}: give a name or a tuple of names, each a str")
    listed = [os.fspath(name) if isinstance(name, os.PathLike) else name for name in names]
    wrong = [name for name in listed if not isinstance(name, str)]
    if wrong:
        raise FilterError(f"{argument} holds {wrong[0]!r}, which is not a str: give names as texts")
    return tuple(listed)


def _bound(argument: str, given: object) -> str | None:
    """Returns a day as text."""
    if isinstance(given, datetime.date):  # a datetime is one, too
        return f"{given:%Y-%m-%d}"
    if given is not None and not isinstance(given, str):
        raise FilterError(f"{argument} is {given!r}: give a day as 2022-02-03, 2022-02, 2022 or 02-03, or a date")
    return given


def _day(text: str, *, is_last: bool) -> Day:
    """Returns the day a bound stands for; of a month or a year, its first or its last."""
    match = _DAY.fullmatch(text.strip())
    if match:
        year = int(match[1]) if match[1] else None
        month = int(match[2] or match[4] or (12 if is_last else 1))
        if 1 <= month <= 12:
            length = _LAST_DAYS[month - 1] - (month == 2 and year is not None and not _is_leap(year))
            day = int(match[3] or match[5] or (length if is_last else 1))
            if 1 <= day <= length:
                return year, month, day
    argument = "until" if is_last else "since"
    raise FilterError(
        f"{argument} is {text!r}, not a day: give one as 2022-02-03, 2022-02, 2022, or 02-03 of any year"
    )


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


EVERYTHING = Filter()
