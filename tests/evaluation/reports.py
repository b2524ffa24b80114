"""Reports in tests: hand-made outcomes, and what a page of them says."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from typing import TYPE_CHECKING

from epiqa.evaluation import Outcome, QueryOutcome
from epiqa.evaluation.outcomes import RankedPassage
from epiqa.evaluation.questions import Question
from epiqa.types import Answer, Candidate, Citation

if TYPE_CHECKING:
    pass

HOSTILE = """<script>alert('1')</script>"'><img src=x onerror=alert(1)>&amp;</style></title></svg>"""


def outcome(
    question: str,
    *,
    golds: tuple[str, ...] = ("seven",),
    text: str = "seven",
    is_answered: bool = True,
    confidence: float = 0.5,
    f1: float = 1.0,
    forced_f1: float = 1.0,
    hits: tuple[bool, ...] | None = (True,),
    path: str = "a.txt",
    context: str | None = None,
    latency_ms: float = 1.0,
    others: tuple[str, ...] = (),
    name: str = "",
) -> Outcome:
    citation = Citation(
        document_id="d",
        title="A title",
        path=path,
        date=None,
        page=None,
        start=3,
        end=3 + len(text),
        quote=text,
        before=f"Before {path} ",
        after=" after.",
    )
    return Outcome(
        question=Question(question, golds, document=path, context=context, id=name),
        answer=Answer(
            question=question,
            is_answered=is_answered,
            text=text if is_answered else None,
            confidence=confidence,
            citations=(citation,) if is_answered else (),
            candidates=tuple(Candidate(each, confidence, (citation,)) for each in (text, *others)),
            passages=(),
        ),
        exact_match=float(f1 == 1.0),
        f1=f1,
        forced_f1=forced_f1,
        verbatim=(True,) if is_answered else (),
        hits=hits,
        latency_ms=latency_ms,
        retrieved=tuple(RankedPassage(path, 10 * i, 10 * i + 9, 0.5) for i in range(len(hits or ()))),
    )


def ranked(name: str, ranking: Sequence[str], relevant: dict[str, float], ndcg: float = 0.0) -> QueryOutcome:
    scores = tuple((document, 1 / (rank + 1)) for rank, document in enumerate(ranking))
    return QueryOutcome(name, f"query {name}", scores, relevant, {"ndcg@10": ndcg}, latency_ms=2.0)


def drawings(source: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall("<svg.*?</svg>", source, re.DOTALL)]


def drawing(source: str, name: str) -> ElementTree.Element:
    (svg,) = (svg for svg in drawings(source) if svg.attrib.get("aria-label", "").startswith(name))
    return svg
