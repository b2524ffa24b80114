"""Chunks: whole sentences, the right size, one sentence of overlap, and the verbatim invariant."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from epiqa.errors import EpiQAError
from epiqa.ingest import read_document
from epiqa.text.chunker import chunk
from epiqa.text.sentences import sentence_offsets, word_offsets
from epiqa.types import DEFAULT_CHUNKING, Chunking
from fakes import make_document
from paths import SEEDS

MIN_WORDS, MAX_WORDS = DEFAULT_CHUNKING.min_words, DEFAULT_CHUNKING.max_words


def words(text: str) -> int:
    return len(word_offsets(text))


def numbered(count: int, length: int = 20) -> str:
    """Returns sentences of `length` words, each with a number of its own."""
    return " ".join(f"Sentence {i} {'word ' * (length - 3)}end." for i in range(count))


@pytest.mark.parametrize("path", sorted(SEEDS.glob("*.txt")), ids=lambda path: path.name)
def test_chunks_of_the_seeds_are_verbatim_whole_sentences_and_cover_the_text(path: Path) -> None:
    document = read_document(path)
    bounds = sentence_offsets(document.text)
    starts, ends = {start for start, _ in bounds}, {end for _, end in bounds}
    chunks = chunk(document)
    covered = 0
    for piece in chunks:
        assert document.text[piece.start : piece.end] == piece.quote
        assert piece.start in starts
        assert piece.end in ends
        assert document.text[covered : piece.start].strip() == ""
        assert words(piece.quote) <= MAX_WORDS
        covered = max(covered, piece.end)
    assert document.text[covered:].strip() == ""
    sizes = [words(piece.quote) for piece in chunks]
    long_next = [words(document.text[start:end]) for start, end in bounds]
    assert all(size + max(long_next) > MAX_WORDS for size in sizes if size < MIN_WORDS)


def test_neighbours_share_one_sentence() -> None:
    chunks = chunk(make_document(numbered(30)))
    assert [words(piece.quote) for piece in chunks[:2]] == [180, 180]
    assert chunks[0].quote.endswith(chunks[1].quote.split(". ")[0] + ".")
    assert "Sentence 8 " in chunks[0].quote
    assert chunks[1].quote.startswith("Sentence 8 ")


def test_the_last_chunk_reaches_back_rather_than_being_short() -> None:
    chunks = chunk(make_document(numbered(10)))
    assert [piece.quote.count("Sentence") for piece in chunks] == [9, 6]
    assert words(chunks[-1].quote) == MIN_WORDS


def test_a_short_document_is_one_chunk() -> None:
    (only,) = chunk(make_document("  One sentence only.\n"))
    assert (only.start, only.end, only.quote) == (2, 20, "One sentence only.")


def test_a_sentence_too_long_for_a_chunk_is_cut_between_words() -> None:
    document = make_document("word " * 1000)
    chunks = chunk(document)
    assert [words(piece.quote) for piece in chunks][:-1] == [180] * 5
    assert all(document.text[piece.start : piece.end] == piece.quote for piece in chunks)
    assert chunks[-1].end == len(document.text.rstrip())


def test_a_run_without_any_break_is_cut_too() -> None:
    chunks = chunk(make_document("x" * 100_000))
    assert max(len(piece.quote) for piece in chunks) <= 40 * MAX_WORDS
    assert sum(len(piece.quote) for piece in chunks) >= 100_000


@pytest.mark.parametrize("sign", [".", "─", "😀", "="])
def test_a_run_of_signs_is_cut_too(sign: str) -> None:
    assert max(len(piece.quote) for piece in chunk(make_document(sign * 100_000))) <= 41 * MAX_WORDS


def test_the_invariant_holds_on_hostile_text() -> None:
    letters = [
        "a ",
        "b. ",
        "Ä! ",
        "漢字。",
        "😀",
        "\n",
        "\n\n",
        "- x\n",
        '"q." ',
        "e\u0301 ",
        "\t",
        "\u2028",
        "1. ",
    ]
    for seed in range(200):
        text = "".join(random.Random(seed).choices(letters, k=600))
        document = make_document(text)
        pieces = chunk(document, Chunking(20, 40))
        covered: set[int] = set()
        for piece in pieces:
            assert document.text[piece.start : piece.end] == piece.quote != ""
            covered.update(range(piece.start, piece.end))
        assert all(text[i].isspace() for i in range(len(text)) if i not in covered)
        assert len({(piece.start, piece.end) for piece in pieces}) == len(pieces)


@pytest.mark.parametrize(("least", "most"), [(19, 100), (100, 1001), (101, 100), (0, 0), (-20, 40)])
def test_sizes_that_no_sentence_fits_into_are_refused(least: int, most: int) -> None:
    with pytest.raises(EpiQAError, match=f"min_words is {least} and max_words {most}"):
        Chunking(least, most)
