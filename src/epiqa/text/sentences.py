"""What a sentence and a word are: their offsets in a text, and the words that carry its content.

Blocks (paragraphs, headings, list items, a title or date on a line of its own) are found first, so that no
sentence runs across them; inside a block, `sentencex` finds the boundaries. It covers about 300 languages
and reads 100 million characters a second, 600 times as fast as pysbd with fewer wrong cuts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import sentencex

# Words that questions are made of say nothing about where the answer is, and an OR of them is slow.
STOPWORDS = frozenset(
    "a about all am an and any are as at be been being but by can could did do does for from had has have having"
    " he her his how i if in into is it its me my no not of on or our shall she should so some than that the"
    " their them then there these they this those to up us was we were what when where which who whom whose why"
    " will with would you your".split()
)

Offsets = tuple[int, int]

# A CJK character counts as a word, and so does each 40 characters of a run without a break, or of signs.
_CJK = "\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]{{1,40}}|[^\w\s]{{40}}")
_MARKER = re.compile(r"\s*(?:#{1,6}\s|[-*+•|>]|\d{1,3}[.)]\s)")
_ITEM_NUMBER = re.compile(r"\d{1,3}[.)]")
_TERMINAL = re.compile(r"[.!?:;。！？：；][\"'”’)\]]*\s*$")
# Text that was wrapped by hand has long lines except at the end of a paragraph.
_SHORT_LINE = 50


def word_offsets(text: str) -> list[Offsets]:
    """Returns the offsets of the words of `text`, in order."""
    return [match.span() for match in _WORD.finditer(text)]


def content_words(text: str) -> list[str]:
    """Returns the distinct words in lower case, without stopwords; all of them if all are stopwords."""
    words = list(dict.fromkeys(word.lower() for word in _WORD.findall(text)))
    return [word for word in words if word not in STOPWORDS] or words


def _continues(previous: str, line: str) -> bool:
    """Returns whether a sentence may run on from one line to the next, as in text wrapped by hand."""
    return not (
        len(previous) < _SHORT_LINE
        or not line.strip()
        or _TERMINAL.search(previous)
        or _MARKER.match(previous)
        or _MARKER.match(line)
    )


def _blocks(text: str, *, has_title: bool) -> Iterator[Offsets]:
    """Yields the runs of lines across which a sentence may continue; a title, the first line, is one."""
    lines = text.splitlines(keepends=True)
    start = position = 0
    for number, line in enumerate(lines):
        is_after_title = has_title and number == 1
        if is_after_title or (number and not _continues(lines[number - 1], line)):
            yield start, position
            start = position
        position += len(line)
    yield start, position


def _trimmed(text: str, start: int, end: int) -> Offsets:
    """Shrinks the offsets until no whitespace is at either side."""
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))


def sentence_offsets(text: str, *, has_title: bool = True) -> list[Offsets]:
    """Returns the offsets of the sentences of `text`, in order, without the whitespace between them.

    `has_title` says that the first line is a title, as in a whole document.
    """
    found: list[Offsets] = []
    for block_start, block_end in _blocks(text, has_title=has_title):
        number: Offsets | None = None  # of a list item, which belongs to the sentence after it
        for boundary in sentencex.get_sentence_boundaries("en", text[block_start:block_end]):
            start, end = _trimmed(text, block_start + boundary["start_index"], block_start + boundary["end_index"])
            if start >= end:
                continue
            start, number = (number[0] if number else start), None
            if _ITEM_NUMBER.fullmatch(text, start, end):
                number = (start, end)
            else:
                found.append((start, end))
        if number:
            found.append(number)
    return found
