"""Question -> the words and phrases that the word index is asked for.

The same thing is written in several ways: a date ("Feb. 3", "2 February", "2022-02-03"), a number ("1,200", "1200",
"three"), a name ("COVID19", "Xi'an"). All of them are searched, as phrases where they have several words. A word
that no document has is taken for misspelt and gives way to those that look most like it. Inflection is left to the
index, which stems (Porter 1980).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from epiqa.index import Index
from epiqa.sentences import content_words

MONTHS = "january february march april may june july august september october november december".split()
NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen twenty"
).split()
TENS = {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
MIN_MISSPELT = 4  # a shorter word has too many neighbours
CORRECTIONS = 2
MIN_SIMILARITY = 0.8  # of `difflib`: one letter wrong in five, or one left out of four

_ABBREVIATIONS = {name[:3]: name for name in MONTHS} | {"sept": "september"}
_MONTH = "|".join(sorted({*MONTHS, *_ABBREVIATIONS}, key=len, reverse=True))
_DATE = re.compile(
    rf"\b(?:(?P<month>{_MONTH})\b\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?![.,:]\d)"
    rf"|(?P<first>\d{{1,2}})(?:st|nd|rd|th)?[\s-]+(?:of\s+)?(?P<second>{_MONTH})\b"
    r"|\b(?:\d{4})-(?P<number>\d{1,2})-(?P<last>\d{1,2})\b)",
    re.IGNORECASE,
)
_GROUPED = re.compile(r"\b\d{1,3}(?:,\d{3})+\b")
_UNGROUPED = re.compile(r"(?<![\d.,])\d{4,9}(?![\d,]|\.\d)")
_JOINED = re.compile(r"\w+(?:[-'’.&/]\w+)+")
_LETTERS_AND_DIGITS = re.compile(r"\b([^\W\d_]{2,})(\d+)\b|\b(\d+)([^\W\d_]{3,})\b")


def search_terms(question: str, index: Index, *, rewrite: bool = True) -> list[str]:
    """Returns what to search for, any of it; without `rewrite`, the question's own content words alone."""
    words = content_words(question)
    if not rewrite:
        return words
    known = [correction for word in words for correction in corrected(word, index)]
    return list(dict.fromkeys([*known, *other_forms(question)]))


def other_forms(question: str) -> Iterator[str]:
    """Yields other ways to write the dates, numbers and compounds of a question, in lower case."""
    text = question.lower()
    for match in _DATE.finditer(text):
        name = match["month"] or match["second"]
        month = MONTHS.index(_ABBREVIATIONS.get(name, name)) + 1 if name else int(match["number"])
        day = int(match["day"] or match["first"] or match["last"])
        if 1 <= month <= 12 and 1 <= day <= 31:
            yield from _date_forms(month, day)
    for word in re.findall(r"\w+", text):
        if word in TENS or word in NUMBERS[2:]:  # "one" is a pronoun as often as a number
            yield str(TENS.get(word) or NUMBERS.index(word))
        elif word in _ABBREVIATIONS and word not in MONTHS:
            yield _ABBREVIATIONS[word]
        elif word.isascii() and word.isdigit() and 2 <= int(word) < len(NUMBERS):
            yield NUMBERS[int(word)]
    for grouped in _GROUPED.findall(text):
        yield grouped.replace(",", " ")
        yield grouped.replace(",", "")
    for number in _UNGROUPED.findall(text):
        yield f"{int(number):,}".replace(",", " ")
    for compound in _JOINED.findall(text):
        yield " ".join(re.findall(r"\w+", compound))
        yield "".join(re.findall(r"\w+", compound))
    for match in _LETTERS_AND_DIGITS.finditer(text):
        yield " ".join(part for part in match.groups() if part)


def _date_forms(month: int, day: int) -> Iterator[str]:
    full = MONTHS[month - 1]
    suffix = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    for name in dict.fromkeys([full, full[:3], *(["sept"] if month == 9 else [])]):
        for number in (str(day), f"{day:02d}", f"{day}{suffix}"):
            yield f"{name} {number}"
            yield f"{number} {name}"
            yield f"{number} of {name}"
    yield f"{month:02d} {day:02d}"


def corrected(word: str, index: Index) -> list[str]:
    """Returns the word if a chunk has it, else the stems most like it; itself if none is."""
    if len(word) < MIN_MISSPELT or not word.isalpha() or index.has_word(word):
        return [word]
    stem = index.stem(word)
    return difflib.get_close_matches(stem, index.stems(stem[0]), CORRECTIONS, MIN_SIMILARITY) or [word]
