"""Question -> the words and phrases that the word index is asked for.

The same thing is written in several ways: a date ("Feb. 3", "2 February", "2022-02-03"), a number ("1,200", "1200",
"three"), a name ("COVID19", "Xi'an", "US"), a word ("colour", "color"; see `inflection`). All of them are searched,
several words as a phrase; each replaces the words that it paraphrases. A word that no document has is taken for two
words run together, or for a misspelling, and gives way to the words most like it. Regular inflection is left to the
index, which stems (Porter 1980).
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise

from epiqa.models import read_bundled
from epiqa.search.inflection import forms_of, past_of
from epiqa.store.protocol import IndexReader, QueryTerm
from epiqa.text.sentences import STOPWORDS, content_words

MONTHS = "january february march april may june july august september october november december".split()
NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
MIN_MISSPELT = 4  # a shorter word has too many neighbours
CORRECTIONS = 2
MIN_SIMILARITY = 0.8  # of `difflib`: one letter wrong in five, or one left out of four
MIN_PART, LONGEST_JOINED = 3, 24  # letters of a word that may be run together with another, of both together
MAX_JOINED = 40  # words of one question
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
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_ORDINALS = dict(
    enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
        " fifteenth sixteenth seventeenth eighteenth nineteenth twentieth".split(),
        1,
    )
)
_ROMAN = dict(enumerate("i ii iii iv v vi vii viii ix x xi xii".split(), 1))
_VALUES_BY_WORD = {word: value for value, word in _ORDINALS.items()} | {
    word: value for value, word in _ROMAN.items()
}
_NUMBER = re.compile(
    rf"\b(?:(?:{'|'.join(TENS)})(?:[\s-]+(?:{'|'.join(NUMBERS[1:10])}))?|{'|'.join(NUMBERS[2:])})\b"
)
_SCALED = re.compile(rf"\b(?:(a|one|\d{{1,3}}|{'|'.join(_VALUES)})[\s-])({'|'.join(_SCALES)})s?\b")
_ORDINAL = re.compile(rf"\b(?:([12]?\d)(?:st|nd|rd|th)|({'|'.join(_ORDINALS.values())}))\b")
_NAME_AND_ROMAN = re.compile(r"\b([^\W\d_]{3,}) (i{1,3}|i?v|vi{1,3}|i?x|xi{1,2})\b")
_NAME_AND_SMALL = re.compile(r"\b([^\W\d_]{3,}) (\d{1,2})\b")
_WHOLE = re.compile(r"(?<![\d.,])(?:\d{1,3}(?:,\d{3})+(?![\w,])|\d{3,12}(?![\w,]|\.\d))")
_DAY_MONTH_YEAR = re.compile(r"\b(\d{1,2})([-/.])(\d{1,2})\2(\d{4})\b")
_GROUPED = re.compile(r"\b\d{1,3}(?:,\d{3})+\b")
_UNGROUPED = re.compile(r"(?<![\d.,])\d{4,9}(?![\d,]|\.\d)")
_JOINED = re.compile(r"\b\w+(?:[-'’.&/]\w+)+")
_LETTERS_AND_DIGITS = re.compile(r"\b([^\W\d_]+)(\d+)\b|\b(\d+)([^\W\d_]{2,})\b")
_NAME_AND_NUMBER = re.compile(r"\b[^\W\d_]{2,} \d+\b")
_CAPITALS = re.compile(r"\b[A-Z]{2,5}\b")


def search_terms(question: str, index: IndexReader, *, rewrite: bool = True) -> list[QueryTerm]:
    """Returns the terms to search for; without `rewrite`, only the question's own content words."""
    words = content_words(question)
    if not rewrite:
        return list(map(QueryTerm, words))
    misspelt = [word for word in words if _may_be_misspelt(word) and not index.has_word(word)]
    corrections = {word: corrected(word, index) for word in misspelt[:MAX_CORRECTED]}
    inflected = [QueryTerm(form, (word,)) for word in words for form in forms_of(word)]
    if "did" in re.findall(r"\w+", question.lower()):  # "did she write" is answered by "wrote"
        inflected += [QueryTerm(past, (word,)) for word in words for past in past_of(word)]
    variants = [*other_forms(question), *joined_and_parted(question), *inflected]
    own = [term for word in words for term in corrections.get(word, [QueryTerm(word)])]
    terms: dict[str, QueryTerm] = {}
    for term in (*own, *variants):  # where a variant is a word of the question, that word counts
        terms.setdefault(term.text, term)
    return list(terms.values())


def _may_be_misspelt(word: str) -> bool:
    return len(word) >= MIN_MISSPELT and word.isalpha() and word not in _common_words()


@cache
def _common_words() -> frozenset[str]:
    """Returns the words, and pieces of words, that the bundled embedder knows: what is among them is no mistake."""
    return frozenset(json.loads(read_bundled("embedder/tokenizer.json"))["model"]["vocab"])


def _forms(texts: Iterable[str], written: str) -> Iterator[QueryTerm]:
    """Yields other forms of what is written in a question."""
    of = tuple(content_words(written))
    yield from (QueryTerm(text, of) for text in texts)


def other_forms(question: str) -> Iterator[QueryTerm]:
    """Yields other ways to write the dates, numbers, compounds and abbreviations of a question, in lower case."""
    text = question.lower()
    for match in _DATE.finditer(text):
        name = match["month"] or match["second"]
        month = MONTHS.index(_ABBREVIATIONS.get(name, name)) + 1 if name else int(match["number"])
        day = int(match["day"] or match["first"] or match["last"])
        if 1 <= month <= 12 and 1 <= day <= 31:
            yield from _forms(_date_forms(month, day), match[0])
    for match in _DAY_MONTH_YEAR.finditer(text):
        first, second = int(match[1]), int(match[3])
        for month, day in {(first, second), (second, first)}:  # who can tell which is which?
            if 1 <= month <= 12 and 1 <= day <= 31:
                yield from _forms(_date_forms(month, day), match[0])
    yield from _other_numbers(text)
    for match in _NUMBER.finditer(text):
        yield from _forms([str(_VALUES[" ".join(re.findall(r"\w+", match[0]))])], match[0])
    for word in re.findall(r"\w+", text):
        if word in _ABBREVIATIONS:
            yield QueryTerm(_ABBREVIATIONS[word], (word,))
        elif word in MONTHS:
            yield QueryTerm(word[:3], (word,))
        elif re.fullmatch("[1-9][0-9]?", word) and word != "1":
            yield QueryTerm(_NUMBERS[int(word)], (word,))
    for grouped in _GROUPED.findall(text):
        yield from _forms([grouped.replace(",", " "), grouped.replace(",", "")], grouped)
    for number in _UNGROUPED.findall(text):
        yield QueryTerm(f"{int(number):,}".replace(",", " "), (number,))
    for compound in _JOINED.findall(text):
        parts = re.findall(r"\w+", compound)
        yield from _forms([" ".join(parts), "".join(parts)], compound)
    for match in _LETTERS_AND_DIGITS.finditer(text):
        yield from _forms([" ".join(part for part in match.groups() if part)], match[0])
    for name in _NAME_AND_NUMBER.findall(text):
        yield from _forms([name.replace(" ", "")], name)
    if question != question.upper() or " " not in question:  # where all is in capitals, they say nothing
        for letters in _CAPITALS.findall(question):
            # In lower case, it may be a stopword: "US", "WHO".
            yield from _forms([" ".join(letters.lower()), letters.lower()], letters)


def _other_numbers(text: str) -> Iterator[QueryTerm]:
    """Yields other ways to write round numbers, ordinals, and numbers behind a name ("phase 3", "World War II")."""
    for match in _SCALED.finditer(text):
        count, scale = match.groups()
        factor = 1 if count in ("a", "one") else _VALUES.get(count) or int(count)
        yield from _forms(_round_forms(factor * _SCALES[scale]), match[0])
    for digits in _WHOLE.findall(text):
        yield from _forms(_round_forms(int(digits.replace(",", ""))), digits)
    for match in _ORDINAL.finditer(text):
        digits, word = match.groups()
        value = int(digits) if digits else _VALUES_BY_WORD[word]
        if not digits:
            yield QueryTerm(f"{value}{_suffix(value)}", (word,))
        elif value in _ORDINALS:
            yield from _forms([_ORDINALS[value]], match[0])
    for name, roman in _NAME_AND_ROMAN.findall(text):
        yield from _forms([f"{name} {_VALUES_BY_WORD[roman]}"], f"{name} {roman}")
    for name, digits in _NAME_AND_SMALL.findall(text):
        if name not in MONTHS and name not in _ABBREVIATIONS and int(digits) in _ROMAN:
            yield from _forms([f"{name} {_ROMAN[int(digits)]}"], f"{name} {digits}")


def _round_forms(value: int) -> Iterator[str]:
    yield str(value)
    if value >= 1_000:
        yield f"{value:,}".replace(",", " ")
    for name, scale in _SCALES.items():
        count, rest = divmod(value, scale)
        if not rest and 1 <= count < 1_000:
            yield f"{count} {name}"
            yield f"{'one' if count == 1 else _NUMBERS.get(count, str(count))} {name}"


def _suffix(number: int) -> str:
    return "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def joined_and_parted(question: str) -> Iterator[QueryTerm]:
    """Yields two words as one ("health care"), and one as two that are words, or a letter and a word ("email")."""
    words = re.findall(r"\w+", question.lower())[:MAX_JOINED]
    for one, other in pairwise(words):
        if STOPWORDS.isdisjoint((one, other)):
            yield QueryTerm(one + other, (one, other))
    known = _common_words()
    for word in words:
        if word in STOPWORDS or len(word) > LONGEST_JOINED:
            continue
        for cut in range(MIN_PART, len(word) - MIN_PART + 1):
            parts = (word[:cut], word[cut:])
            if known.issuperset(parts) and STOPWORDS.isdisjoint(parts):
                yield QueryTerm(" ".join(parts), (word,))
        if word[0] in "etx" and len(word) > MIN_PART and word[1:] in known:
            yield QueryTerm(f"{word[0]} {word[1:]}", (word,))


def _date_forms(month: int, day: int) -> Iterator[str]:
    full = MONTHS[month - 1]
    for name in dict.fromkeys([full, full[:3], *(["sept"] if month == 9 else [])]):
        for number in (str(day), f"{day:02d}", f"{day}{_suffix(day)}"):
            yield f"{name} {number}"
            yield f"{number} {name}"
            yield f"{number} of {name}"
    yield f"{month:02d} {day:02d}"
    yield f"{day:02d} {month:02d}"


def corrected(word: str, index: IndexReader) -> list[QueryTerm]:
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
    stems_like_it = [QueryTerm(stem, is_stem=True) for stem in similar]
    return [*map(QueryTerm, filter(index.has_word, halves)), *stems_like_it] or [QueryTerm(word)]
