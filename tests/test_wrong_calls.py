"""Every public call with values of wrong types: an error that names the argument and the way out, or it works."""

from __future__ import annotations

import datetime
import inspect
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import epiqa
from epiqa import Chunking, EpiQA, EpiQAError, Filter, errors, types
from epiqa.answering.calibration import bundled_calibration
from epiqa.text_qa import TextQA
from fakes import KeywordReader, WordEmbedder, make_passage

# Of each type that a person might give by mistake, one.
VALUES: dict[str, Any] = {
    "None": None,
    "int": 3,
    "float": 0.5,
    "nan": float("nan"),
    "bool": True,
    "str": "some text",
    "number as text": "5",
    "bytes": b"text",
    "list": ["text"],
    "list of numbers": [1, 2],
    "dict": {},
    "set": {"text"},
    "date": datetime.date(2022, 1, 1),
    "path": Path("some/path"),
    "object": object(),
    "class": Filter,
    "function": len,
}
# Which of them each parameter takes; all others must be refused.
NAMES = {"str", "number as text", "list", "set", "path"}
PARAMETERS: dict[str, set[str]] = {
    "paths": {"str", "number as text", "list", "set", "path"},
    "index": {"str", "number as text", "path"},
    "embedder": {"None", "str", "number as text", "path"},
    "reader": {"None", "str", "number as text", "path"},
    "chunking": {"None"},
    "prune": {"bool"},
    "ocr": {"bool"},
    "rebuild": {"bool"},
    "rerank": {"bool"},
    "rewrite": {"bool"},
    "is_pinned": {"bool"},
    "with_title": {"bool"},
    "on_progress": {"None", "function", "class"},
    "question": {"str", "number as text"},
    "query": {"str", "number as text"},
    "text": {"str", "number as text"},
    "title": {"str", "number as text"},
    "name": {"str", "number as text"},
    "document_id": {"str", "number as text"},
    "top_k": {"int"},
    "min_confidence": {"None", "float"},
    "within": set(),
    "method": set(),
    "passages": set(),
    "calibration": set(),
    "documents": NAMES,
    "since": {"None", "date"},
    "until": {"None", "date"},
    "min_words": set(),
    "max_words": set(),
    "live": set(),
}
# What messages call a parameter, where it is not by its name; of EpiQA itself, they say to call EpiQA.open.
NAMED = {"query": "question"}


@pytest.fixture(scope="module")
def qa(tmp_path_factory: pytest.TempPathFactory) -> EpiQA:
    folder = tmp_path_factory.mktemp("documents")
    (folder / "a.txt").write_text("A notice\n\nBeds, answer: forty two.", encoding="utf-8")
    return EpiQA.build(folder, tmp_path_factory.mktemp("index"), embedder=WordEmbedder(), reader=KeywordReader())


def calls(qa: EpiQA) -> Iterator[tuple[str, Callable[..., object], dict[str, Any]]]:
    """Yields each public call with arguments that are right."""
    right: dict[str, dict[str, Any]] = {
        "ask": {"question": "How many beds?"},
        "search": {"query": "beds"},
        "read": {"question": "How many beds?", "passages": [make_passage("forty two beds")]},
        "add": {"paths": "none"},
        "remove": {"name": "none"},
        "document_text": {"document_id": "none"},
        "original": {"document_id": "none"},
        "use_calibration": {"calibration": bundled_calibration()},
        "build": {"paths": "none", "index": "none"},
        "open": {"index": "none"},
    }
    for name, call in inspect.getmembers(qa, inspect.ismethod):
        if not name.startswith("_"):
            yield name, call, right.get(name, {})
    yield "Filter", Filter, {}
    yield "Chunking", Chunking, {}
    yield "EpiQA", EpiQA, {"live": "ix"}
    yield "TextQA", TextQA, {}
    yield "TextQA.ask", TextQA(reader=KeywordReader()).ask, {"question": "How many?", "text": "Forty two beds."}


def test_every_public_parameter_refuses_what_it_does_not_take(
    qa: EpiQA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tried = 0
    for name, call, right in calls(qa):
        for parameter in set(inspect.signature(call).parameters) - {"more"}:  # all of which are refused
            taken = PARAMETERS[parameter]  # a new public parameter needs a row
            for kind, value in VALUES.items():
                tried += 1
                try:
                    call(**{**right, parameter: value})
                except EpiQAError as error:
                    message = str(error)
                    is_named = any(
                        word in message for word in (parameter, NAMED.get(parameter, ""), "EpiQA.open") if word
                    )
                    assert kind in taken or is_named, f"{name}({parameter}={value!r}) says {message!r}"
                    assert len(message) < 400
                except BaseException as error:
                    pytest.fail(f"{name}({parameter}={value!r}) raised {type(error).__name__}: {error}")
                else:
                    assert kind in taken, f"{name}({parameter}={value!r}) went through"
    assert tried > 500


def test_every_public_function_is_among_the_calls(qa: EpiQA) -> None:
    tried = {name for name, _, _ in calls(qa)}
    assert {name for name in dir(EpiQA) if not name.startswith("_") and callable(getattr(EpiQA, name))} <= tried
    values = {"Answer", "Candidate", "Citation", "DocumentInfo", "IndexInfo", "IndexReport", "Passage", "Span"}
    protocols = {"Embedder", "Reader"}
    kinds = {name for name in epiqa.__all__ if name.endswith("Error")}
    assert set(epiqa.__all__) - values - protocols - kinds <= tried


CALLED: Any = EpiQA
FILTER: Any = Filter


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda qa: qa.ask(None), "the question is None, not a text: ask one question"),
        (lambda qa: qa.ask(["a", "b"]), "the question is ['a', 'b'], not a text"),
        (lambda qa: qa.search(3), "the question is 3, not a text"),
        (lambda qa: qa.ask("Beds?", within={}), "within is {}, not a Filter: give Filter(paths="),
        (lambda qa: qa.ask("Beds?", top_k="5"), "top_k is '5': it must be a whole number from 1 to 1000"),
        (lambda qa: CALLED("ix", "ix"), "call EpiQA.open(index)"),
        (lambda qa: CALLED("ix"), "EpiQA('ix', …) opens nothing: call EpiQA.open(index)"),
        (lambda qa: FILTER(since=20220101), "since is 20220101: give a day as 2022-02-03"),
        (
            lambda qa: CALLED.open("ix", reader=3),
            "reader is 3, which has no fingerprint, read: give a model's folder",
        ),
    ],
)
def test_a_wrong_call_gets_a_word(qa: EpiQA, call: Callable[[Any], object], words: str) -> None:
    with pytest.raises(EpiQAError) as raised:
        call(qa)
    assert words in str(raised.value)


def test_what_is_meant_works(qa: EpiQA, tmp_path: Path) -> None:
    assert FILTER(since=datetime.date(2022, 1, 1)) == Filter(since="2022-01-01")
    assert FILTER(until=datetime.datetime(2022, 1, 1, 12)) == Filter(until="2022-01-01")
    assert FILTER(paths="*.txt") == Filter(paths=("*.txt",)) == FILTER(paths=["*.txt"])
    assert qa.ask("How many beds?", within=FILTER(paths="*.txt")).is_answered
    with pytest.raises(errors.ModelError, match="is not a folder with"):
        _ = EpiQA.open(qa.directory, embedder=WordEmbedder(), reader=tmp_path).reader


def test_all_values_and_errors_pickle(qa: EpiQA) -> None:
    answer = qa.ask("How many beds?")
    values = [
        answer,
        qa.info,
        *qa.documents(),
        *answer.passages,
        Chunking(),
        Filter(paths=("a",)),
        types.IndexReport(),
    ]
    for value in values:
        assert pickle.loads(pickle.dumps(value)) == value
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, EpiQAError)]
    assert len(kinds) > 10
    for kind in kinds:
        raised = kind("a.txt", "is empty", may_pass=True) if kind is errors.IngestError else kind("said so")
        again = pickle.loads(pickle.dumps(raised))
        assert (type(again), str(again), vars(again)) == (kind, str(raised), vars(raised))
