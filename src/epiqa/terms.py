"""Question -> the words and phrases that the word index is asked for.

The same thing is written in several ways: a date ("Feb. 3", "2 February", "2022-02-03"), a number ("1,200", "1200",
"three"), a name ("COVID19", "Xi'an", "US"). All of them are searched, as phrases where they have several words. A
word that no document has is taken for two words run together, or for misspelt, and gives way to those that look
most like it. Inflection is left to the index, which stems (Porter 1980).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from functools import cache

from epiqa import graphs
from epiqa.index import Index, Stem
from epiqa.sentences import content_words

MONTHS = "january february march april may june july august september october november december".split()
NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
MIN_MISSPELT = 4  # a shorter word has too many neighbours
CORRECTIONS = 2
MIN_SIMILARITY = 0.8  # of `difflib`: one letter wrong in five, or one left out of four
MAX_CORRECTED = 8  # words of one question; each is held against all stems with its first letter

_ABBREVIATIONS = {name[:3]: name for name in MONTHS} | {"sept": "september"}
_MONTH = "|".join(sorted({*MONTHS, *_ABBREVIATIONS}, key=len, reverse=True))
_DATE = re.compile(
    rf"\b(?:(?P<month>{_MONTH})\b\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?![.,:]\d)"
    rf"|(?P<first>\d{{1,2}})(?:st|nd|rd|th)?[\s-]+(?:of\s+)?(?P<second>{_MONTH})\b"
    r"|\b\d{4}(?P<sign>[-/.])(?P<number>\d{1,2})(?P=sign)(?P<last>\d{1,2})\b)"
)
# From two on: "one" is a pronoun as often as a number.
_NUMBERS = dict(enumerate(NUMBERS[2:], 2)) | {
    ten + unit: f"{word} {NUMBERS[unit]}" if unit else word
    for ten, word in zip(range(20, 100, 10), TENS, strict=True)
    for unit in range(10)
}
_VALUES = {word: value for value, word in _NUMBERS.items()}
_NUMBER = re.compile(
    rf"\b(?:(?:{'|'.join(TENS)})(?:[\s-]+(?:{'|'.join(NUMBERS[1:10])}))?|{'|'.join(NUMBERS[2:])})\b"
)
_GROUPED = re.compile(r"\b\d{1,3}(?:,\d{3})+\b")
_UNGROUPED = re.compile(r"(?<![\d.,])\d{4,9}(?![\d,]|\.\d)")
_JOINED = re.compile(r"\b\w+(?:[-'’.&/]\w+)+")
_LETTERS_AND_DIGITS = re.compile(r"\b([^\W\d_]{2,})(\d+)\b|\b(\d+)([^\W\d_]{3,})\b")
_NAME_AND_NUMBER = re.compile(r"\b[^\W\d_]{2,} \d+\b")
_CAPITALS = re.compile(r"\b[A-Z]{2,5}\b")


def search_terms(question: str, index: Index, *, rewrite: bool = True) -> list[str]:
    """Returns what to search for, any of it; without `rewrite`, the question's own content words alone."""
    words = content_words(question)
    if not rewrite:
        return words
    misspelt = [word for word in words if _may_be_misspelt(word) and not index.has_word(word)]
    terms = {word: [word] for word in words} | {word: corrected(word, index) for word in misspelt[:MAX_CORRECTED]}
    return list(dict.fromkeys([*(term for word in words for term in terms[word]), *other_forms(question)]))


def _may_be_misspelt(word: str) -> bool:
    return len(word) >= MIN_MISSPELT and word.isalpha() and word not in _common_words()


@cache
def _common_words() -> frozenset[str]:
    """Returns the words, and pieces of words, that the bundled embedder knows: what is among them is no mistake."""
    return frozenset(graphs.bundled_tokenizer("embedder").get_vocab())


def other_forms(question: str) -> Iterator[str]:
    """Yields other ways to write the dates, numbers, compounds and abbreviations of a question, in lower case."""
    text = question.lower()
    for match in _DATE.finditer(text):
        name = match["month"] or match["second"]
        month = MONTHS.index(_ABBREVIATIONS.get(name, name)) + 1 if name else int(match["number"])
        day = int(match["day"] or match["first"] or match["last"])
        if 1 <= month <= 12 and 1 <= day <= 31:
            yield from _date_forms(month, day)
    for number in _NUMBER.findall(text):
        yield str(_VALUES[" ".join(re.findall(r"\w+", number))])
    for word in re.findall(r"\w+", text):
        if word in _ABBREVIATIONS:
            yield _ABBREVIATIONS[word]
        elif word in MONTHS:
            yield word[:3]
        elif re.fullmatch("[1-9][0-9]?", word) and word != "1":
            yield _NUMBERS[int(word)]
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
    for name in _NAME_AND_NUMBER.findall(text):
        yield name.replace(" ", "")
    if question != question.upper() or " " not in question:  # where all is in capitals, they say nothing
        for letters in _CAPITALS.findall(question):
            yield " ".join(letters.lower())
            yield letters.lower()  # which may be a stopword: "US", "WHO"


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
    """Returns what a word that no chunk has may stand for there; the word itself if that is nothing.

    That is two words that stand together in a chunk, and the stems most like the word's.
    """
    halves = (f"{word[:cut]} {word[cut:]}" for cut in range(2, len(word) - 1))
    stem = index.stem(word)
    stems = index.stems(stem[0])
    similar = difflib.get_close_matches(stem, stems, CORRECTIONS, MIN_SIMILARITY)
    for length in range(len(stem) - 1, max(MIN_MISSPELT, (len(stem) + 1) // 2) - 1, -1):
        if similar:
            break
        # A misspelt ending is not cut off by stemming ("meetigns"): hold only as many letters against each stem.
        of_length = [known for known in stems if len(known) == length]
        similar = difflib.get_close_matches(stem[:length], of_length, CORRECTIONS, MIN_SIMILARITY)
    return [*filter(index.has_word, halves), *map(Stem, similar)] or [word]
