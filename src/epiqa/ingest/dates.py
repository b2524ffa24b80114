"""The date of a document, as it writes it: a date line, or the dateline of its opening ("On February 3, …").

What the document does not say is left out: a date without a year stays without one.
"""

from __future__ import annotations

import datetime
import re

from epiqa.types import DocumentDate

_MONTHS = "January February March April May June July August September October November December".split()
_NAMES = "|".join(_MONTHS)
# Date lines are looked for among the first lines, where a title, a date and a source stand.
_HEAD_LINES = 6
_LEAP_YEAR = 2000  # makes February 29 valid where no year is written

_DATE_LINE = re.compile(
    r"^\s*(?P<written>(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
    r"(?:[ T]\d{1,2}:\d{2}(?::\d{2})?)?)\s*$"
)
# A year counts only where punctuation ends it: "On February 3, 1200 people were tested" names none.
_DATELINE = re.compile(
    rf"\s*On\s+(?P<written>(?:(?P<month>{_NAMES})\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?"
    rf"|(?P<day_first>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<month_last>{_NAMES}))\b"
    r"(?:,?\s+(?P<year>\d{4})(?=\s*[,.;:\n]|\s*$))?)"
)
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")
_LONGEST_STATED = 100
# Paragraphs whose first words may be the dateline: that of a title comes before that of the text.
_OPENING_PARAGRAPHS = 2


def _valid(written: str, year: int | None, month: int, day: int) -> DocumentDate | None:
    try:
        datetime.date(_LEAP_YEAR if year is None else year, month, day)
    except ValueError:
        return None
    return DocumentDate(written=written, month=month, day=day, year=year)


def find_date(text: str) -> DocumentDate | None:
    """Returns the date of the document, or None where it states none.

    A line that is nothing but an ISO date, near the top, is preferred. Else the opening of the text gives it,
    if that is "On <month> <day>".
    """
    for line in text.splitlines()[:_HEAD_LINES]:
        if match := _DATE_LINE.match(line):
            found = _valid(match["written"], int(match["year"]), int(match["month"]), int(match["day"]))
            if found:
                return found
    for paragraph in re.split(r"\n\s*\n", text.strip())[:_OPENING_PARAGRAPHS]:
        if match := _DATELINE.match(paragraph):
            month = _MONTHS.index(match["month"] or match["month_last"]) + 1
            year = int(match["year"]) if match["year"] else None
            found = _valid(match["written"], year, month, int(match["day"] or match["day_first"]))
            if found:
                return found
    return None


def parse_date(stated: str) -> DocumentDate | None:
    """Returns a date that a file states apart from its text: in ISO 8601, as mails have it, or "May 11, 2022"."""
    from email.utils import parsedate  # late: the formats that state dates are seldom met when a question is asked

    stated = " ".join(stated.split())
    if len(stated) > _LONGEST_STATED:
        return None
    if match := _ISO.match(stated):
        return _valid(stated, *map(int, match.groups()))
    if match := _DATELINE.match(f"On {stated}"):
        month = _MONTHS.index(match["month"] or match["month_last"]) + 1
        year = int(match["year"]) if match["year"] else None
        return _valid(stated, year, month, int(match["day"] or match["day_first"]))
    fields = parsedate(stated)
    return _valid(stated, *fields[:3]) if fields else None
