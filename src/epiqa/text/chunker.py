"""Document -> Chunks: runs of whole sentences, overlapping by one, each about a reader's window long.

Pure. A sentence longer than a whole chunk (a table, a text without punctuation) is cut between words.
"""

from __future__ import annotations

from epiqa.text.sentences import Offsets, sentence_offsets, word_offsets
from epiqa.types import DEFAULT_CHUNKING, Chunk, Chunking, Document


def _pieces(text: str, max_words: int) -> list[tuple[Offsets, int]]:
    """Returns the sentences with their word counts, those over `max_words` cut between words."""
    pieces: list[tuple[Offsets, int]] = []
    for start, end in sentence_offsets(text):
        words = word_offsets(text[start:end])
        cuts = [start + words[i][0] for i in range(max_words, len(words), max_words)]
        counts = [max_words] * len(cuts) + [len(words) - max_words * len(cuts)]
        for left, right, count in zip([start, *cuts], [*cuts, end], counts, strict=True):
            stripped = text[left:right].rstrip()
            pieces.append(((left, left + len(stripped)), count))
    return pieces


def chunk(document: Document, chunking: Chunking = DEFAULT_CHUNKING) -> list[Chunk]:
    """Cuts a document into chunks of `min_words` to `max_words` words.

    Consecutive chunks share one sentence, unless it would leave no room for a new one. The last chunk
    reaches back as far as it needs to have `min_words`, so no chunk but an only one is shorter because
    the text ends. A chunk is shorter, too, where the next sentence is too long to be added.
    """
    text, min_words, max_words = document.text, chunking.min_words, chunking.max_words
    pieces = _pieces(text, max_words)
    runs: list[tuple[int, int]] = []
    first = 0
    while first < len(pieces):
        last, words = first, pieces[first][1]
        while last + 1 < len(pieces) and words + pieces[last + 1][1] <= max_words:
            last += 1
            words += pieces[last][1]
        if last + 1 == len(pieces):
            while first > 0 and words < min_words and words + pieces[first - 1][1] <= max_words:
                first -= 1
                words += pieces[first][1]
            while runs and runs[-1][0] >= first:
                runs.pop()
            runs.append((first, last))
            break
        runs.append((first, last))
        overlaps = last > first and pieces[last][1] + pieces[last + 1][1] <= max_words
        first = last if overlaps else last + 1
    chunks = []
    for first, last in runs:
        start, end = pieces[first][0][0], pieces[last][0][1]
        chunks.append(Chunk(document_id=document.id, start=start, end=end, quote=text[start:end]))
    return chunks
