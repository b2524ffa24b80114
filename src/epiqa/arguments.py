"""Checks what a caller gives, so that a wrong type gets a word at once and no stack trace later.

Each check returns the value as it is used further on, or raises an EpiQAError that names the argument, the value
and the way out.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from epiqa.errors import EpiQAError, FilterError, QuestionError
from epiqa.filters import Filter
from epiqa.ingest import normalise
from epiqa.types import Embedder, Passage, Reader

AnyPath: TypeAlias = str | os.PathLike[str]
AnyEmbedder: TypeAlias = Embedder | AnyPath | None
AnyReader: TypeAlias = Reader | AnyPath | None

MAX_TOP_K = 1000
MAX_QUESTION_CHARACTERS = 1000
_SHOWN_CHARACTERS = 60


def shown(value: object) -> str:
    """Returns a value as a message shows it: its `repr`, cut short."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def check_question(question: str) -> str:
    """Returns the question, trimmed and normalised. Raises QuestionError where it cannot be asked."""
    if not isinstance(question, str):
        raise QuestionError(f"the question is {shown(question)}, not a text: ask one question, as a str")
    question = normalise(question).strip()
    if not question:
        raise QuestionError("the question is empty: ask one in a few words, such as Who presided over the meeting?")
    if len(question) > MAX_QUESTION_CHARACTERS:
        raise QuestionError(
            f"the question has {len(question)} characters, more than {MAX_QUESTION_CHARACTERS}: shorten it"
        )
    if not re.search(r"\w", question):
        raise QuestionError(f"the question {question!r} has no words: ask one in a few words")
    return question


def check_top_k(top_k: int) -> int:
    """Returns the number of passages, from 1 to 1,000."""
    if isinstance(top_k, bool) or not hasattr(top_k, "__index__"):
        raise EpiQAError(f"top_k is {shown(top_k)}: it must be a whole number from 1 to {MAX_TOP_K}")
    if not 1 <= top_k <= MAX_TOP_K:
        raise EpiQAError(f"top_k is {top_k}: it must be from 1 to {MAX_TOP_K}")
    return int(top_k)


def check_probability(name: str, value: float | None) -> float | None:
    """Returns a probability, or None."""
    if value is None:
        return None
    is_number = not isinstance(value, bool) and hasattr(value, "__float__") and not isinstance(value, str)
    if not is_number or math.isnan(value) or not 0 <= value <= 1:
        raise EpiQAError(f"{name} is {shown(value)}: it must be a number from 0 to 1")
    return float(value)


def check_flag(name: str, value: bool) -> bool:
    """Returns True or False."""
    if not isinstance(value, bool):
        raise EpiQAError(f"{name} is {shown(value)}: it must be True or False")
    return value


def check_choice(name: str, value: str, choices: Sequence[str]) -> str:
    """Returns one of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise EpiQAError(f"{name} is {shown(value)}: it must be one of {', '.join(choices)}")
    return value


def check_instance(name: str, value: object, kind: type, how: str) -> None:
    """Raises EpiQAError unless the value is of a kind; `how` says how to make one."""
    if not isinstance(value, kind):
        raise EpiQAError(f"{name} is {shown(value)}, not a {kind.__name__}: give {how}")


def check_passages(passages: Sequence[Passage]) -> list[Passage]:
    """Returns passages as a list."""
    listed = list(passages) if isinstance(passages, Sequence) else [passages]
    for passage in listed:
        check_instance("one of passages", passage, Passage, "what EpiQA.search returns")
    return listed


def check_text(name: str, value: str) -> str:
    """Returns a text."""
    if not isinstance(value, str):
        raise EpiQAError(f"{name} is {shown(value)}, not a text: give a str")
    return value


def check_filter(within: Filter) -> Filter:
    """Returns a filter."""
    if not isinstance(within, Filter):
        raise FilterError(f"within is {shown(within)}, not a Filter: give Filter(paths=…, since=…) or leave it out")
    return within


def check_path(name: str, value: AnyPath) -> Path:
    """Returns the path of a file or folder."""
    if not is_path(value):
        raise EpiQAError(f"{name} is {shown(value)}, not a path: give a str or a pathlib.Path")
    if "\0" in os.fspath(value) or not os.fspath(value):
        raise EpiQAError(f"{name} is {shown(value)}: a path has at least one character, and none is NUL")
    return Path(value)


def check_paths(name: str, value: AnyPath | Iterable[AnyPath]) -> list[AnyPath]:
    """Returns one path or several as a list."""
    if is_path(value):
        return [value]  # type: ignore[list-item]
    if isinstance(value, (bytes, bytearray, Mapping)) or not isinstance(value, Iterable):
        raise EpiQAError(f"{name} is {shown(value)}: give a path or a list of paths, each a str or a pathlib.Path")
    listed = list(value)
    for each in listed:
        check_path(f"one of {name}", each)
    return listed


def is_path(value: object) -> bool:
    """Returns whether a value is a path whose text is a str."""
    return isinstance(value, str) or (isinstance(value, os.PathLike) and isinstance(os.fspath(value), str))


def check_embedder(value: AnyEmbedder) -> Embedder | str | None:
    """Returns an embedder, or the name or path of one as a text."""
    if value is None or is_path(value):
        return None if value is None else os.fspath(value)  # type: ignore[arg-type]
    missing = [name for name in ("name", "fingerprint", "dimensions", "encode") if not hasattr(value, name)]
    if missing:
        raise EpiQAError(
            f"embedder is {shown(value)}, which has no {', '.join(missing)}: give a model's name or path, or an"
            " object like epiqa.Embedder"
        )
    return value  # type: ignore[return-value]


def check_reader(value: AnyReader) -> Reader | str | None:
    """Returns a reader, or the path of one as a text."""
    if value is None or is_path(value):
        return None if value is None else os.fspath(value)  # type: ignore[arg-type]
    missing = [name for name in ("fingerprint", "read") if not hasattr(value, name)]
    if missing:
        raise EpiQAError(
            f"reader is {shown(value)}, which has no {', '.join(missing)}: give a model's folder, or an object like"
            " epiqa.Reader"
        )
    return value  # type: ignore[return-value]
