"""Sentences and words: offsets that point at the right text, and cover all of it."""

from __future__ import annotations

import random

import pytest

from epiqa.text.sentences import content_words, sentence_offsets, word_offsets


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_offsets(text)]


def test_abbreviations_and_quotations_do_not_end_a_sentence() -> None:
    text = 'Dr. Smith met Mr. Jones on Feb. 3. He said: "We must win. We will." Then he left.'
    assert sentences(text) == [
        "Dr. Smith met Mr. Jones on Feb. 3.",
        'He said: "We must win. We will."',
        "Then he left.",
    ]


def test_title_date_and_headings_are_blocks_of_their_own() -> None:
    text = "A Meeting on the Prevention of Epidemics Was Held\n2022-05-11 13:00\n\n# Part one\nWe met. We left.\n"
    assert sentences(text) == [
        "A Meeting on the Prevention of Epidemics Was Held",
        "2022-05-11 13:00",
        "# Part one",
        "We met.",
        "We left.",
    ]


def test_a_sentence_runs_on_over_lines_that_were_wrapped_by_hand() -> None:
    text = (
        "Title\n\nThe meeting pointed out that the work of prevention is in its\n"
        "critical period and must go on in all of the districts of the\ncity. Then it closed."
    )
    assert sentences(text)[1:] == [
        "The meeting pointed out that the work of prevention is in its\n"
        "critical period and must go on in all of the districts of the\ncity.",
        "Then it closed.",
    ]


def test_list_items_are_sentences_of_their_own() -> None:
    assert sentences("Do this\n- wash hands\n- stay at home\n1. first\n2. second") == [
        "Do this",
        "- wash hands",
        "- stay at home",
        "1. first",
        "2. second",
    ]
    assert sentences("Title\n\nThere are two of them. 1. One. 2. \n\nEnd") == [
        "Title",
        "There are two of them.",
        "1. One.",
        "2.",
        "End",
    ]


@pytest.mark.parametrize("text", ["", " \n\t\n ", "\u2028"])
def test_blank_text_has_no_sentences(text: str) -> None:
    assert sentence_offsets(text) == []


def test_sentences_are_in_order_and_leave_only_whitespace_out() -> None:
    letters = "ab .!?\n\t\"'é漢。😀-#1)"
    for seed in range(300):
        text = "".join(random.Random(seed).choices(letters, k=120))
        left_out, position = "", 0
        for start, end in sentence_offsets(text):
            assert position <= start < end
            assert text[start:end].strip() == text[start:end]
            left_out += text[position:start]
            position = end
        assert (left_out + text[position:]).strip() == ""


def test_words_count_cjk_characters_and_cut_long_runs() -> None:
    assert [end - start for start, end in word_offsets("疫情 prevention " + "x" * 100)] == [1, 1, 10, 40, 40, 20]


def test_content_words_drop_stopwords_unless_nothing_is_left() -> None:
    assert content_words("Who presided over the Meeting, the meeting?") == ["presided", "over", "meeting"]
    assert content_words("Who is it?") == ["who", "is", "it"]
