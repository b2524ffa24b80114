"""The questions as people ask offices: each stands on its passage, and on none of a set that is reported on."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from paths import ROOT

SHARED = ROOT.parent / "shared" / "data"
LINES = (ROOT / "training" / "office_questions.jsonl").read_text("utf-8").splitlines()
PASSAGES: list[dict[str, Any]] = [json.loads(line) for line in LINES]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def pages(name: str) -> Mapping[str, list[str]]:
    """Returns the texts of pages by their id, which a few pages share."""
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    found: dict[str, list[str]] = {}
    for line in gzip.decompress(path.read_bytes()).splitlines():
        page = json.loads(line)
        found.setdefault(page["_id"], []).append(page["text"])
    return found


def test_every_span_stands_where_it_is_said_to() -> None:
    texts = {"office": pages("passages/office.jsonl.gz"), "medquad": pages("medquad/corpus.jsonl.gz")}
    training = json.loads(gzip.decompress((SHARED / "reader" / "train.json.gz").read_bytes()))["data"]
    paragraphs = [paragraph["context"] for article in training for paragraph in article["paragraphs"]]
    by_digest = {digest(text): text for text in paragraphs}
    for passage in PASSAGES:
        if passage["corpus"] == "train":
            text = by_digest[passage["passage"]]
        else:
            of_id = texts[passage["corpus"]][passage["document"]]
            cut = (text[passage["start"] : passage["end"]] for text in of_id)
            text = next(text for text in cut if digest(text) == passage["passage"])
        for qa in passage["qas"]:
            assert all(text[start : start + len(span)] == span for start, span in qa["spans"])
            assert qa["spans"] or qa["is_impossible"]


def test_no_page_of_a_reported_set_is_asked_about() -> None:
    rows = SHARED / "medquad" / "qrels_dev.tsv"
    if not rows.is_file():
        pytest.skip(f"{rows} is not here")
    reported = {line.split("\t")[1] for line in rows.read_text("utf-8").splitlines()[1:]}
    assert reported.isdisjoint(passage["document"] for passage in PASSAGES if passage["corpus"] == "medquad")


def test_the_page_says_how_many_there_are() -> None:
    page = (ROOT / "training" / "office_questions.md").read_text("utf-8")
    questions = [qa for passage in PASSAGES for qa in passage["qas"]]
    told = re.search(r"has ([\d,]+) questions on (\d+) passages", page)
    assert told is not None
    assert (f"{len(questions):,}", str(len(PASSAGES))) == told.groups()
    impossible = [qa for qa in questions if qa["is_impossible"]]
    elsewhere = sum(not qa["spans"] for qa in impossible)
    counts = (len(questions) - len(impossible), len(impossible) - elsewhere, elsewhere)
    assert f"| {counts[0]}; {counts[1]}; {counts[2]} |" in page
