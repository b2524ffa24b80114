"""An evaluation in the forms that other programs read: JSON, JSONL, a TREC run, JUnit XML; files are written whole.

TREC's run has six columns, `query Q0 document rank score tag`. A document is a BEIR set's own id, or for answered
questions a passage, `path:start-end`. White space in an id, which would be a column of its own, is percent-encoded.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from epiqa.errors import EpiQAError
from epiqa.evaluation.compare import Difference
from epiqa.evaluation.measures import CUTOFFS
from epiqa.evaluation.outcomes import Evaluation, Outcome, QueryOutcome, per_question, verdict
from epiqa.types import Citation

STANDARD_OUTPUT = Path("-")
RUN_TAG = "epiqa"

# XML 1.0, section 2.2: all else cannot be written in it, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_json(evaluation: Evaluation, differences: Sequence[Difference] = ()) -> str:
    """Returns the measures as the design names them, and beside them what they were taken from."""
    content: dict[str, Any] = dict(evaluation.measures)
    content["settings"] = evaluation.settings
    content["intervals"] = evaluation.intervals
    if differences:
        content["differences"] = {each.name: _without_name(each) for each in differences}
    if evaluation.skipped:
        content["skipped"] = evaluation.skipped
    content["per_question"] = per_question(evaluation)
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def as_jsonl(evaluation: Evaluation) -> str:
    """Returns a line for each question: its row of `per_question`, and what was expected, cited and retrieved."""
    further = [*map(_about_answer, evaluation.outcomes), *map(_about_query, evaluation.queries)]
    rows = [row | more for row, more in zip(per_question(evaluation), further, strict=True)]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_trec_run(evaluation: Evaluation) -> str:
    """Returns a line for each document, or passage, that was retrieved for each question."""
    lines: list[str] = []
    for outcome in evaluation.outcomes:
        ranking = ((f"{each.path}:{each.start}-{each.end}", each.score) for each in outcome.retrieved)
        lines += _trec_lines(outcome.question.id, ranking)
    for query in evaluation.queries:
        lines += _trec_lines(query.id, query.ranking)
    return "".join(f"{line}\n" for line in lines)


def as_junit(evaluation: Evaluation) -> str:
    """Returns a test case for each question; it fails unless it was answered, or not answered, rightly.

    A query of a retrieval set fails when no relevant document is among the first twenty.
    """
    name = str(evaluation.settings.get("questions", {}).get("name", "questions"))
    cases = [*(_answer_case(each, name) for each in evaluation.outcomes)]
    cases += [_query_case(each, name) for each in evaluation.queries]
    suite = ElementTree.Element(
        "testsuite",
        name=_as_xml(f"epiqa evaluate {name}"),
        tests=str(len(cases)),
        failures=str(sum(len(case) for case in cases)),
        errors="0",
        skipped="0",
        time=f"{sum(float(case.attrib['time']) for case in cases):.3f}",
    )
    suite.extend(cases)
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def check_writable(paths: Mapping[str, Path | None], inputs: Iterable[Path]) -> None:
    """Raises EpiQAError when a file, by the option that names it, cannot be written, or is one that is read."""
    seen = {path.resolve(): "the question set" for path in inputs}
    for option, path in paths.items():
        if path is None:
            continue
        try:
            if _is_special(path):
                continue
            if path != STANDARD_OUTPUT:
                _check_place(path)
            target = path.resolve()
        except (OSError, RuntimeError) as error:  # a name too long, a folder that may not be read, a loop of links
            raise EpiQAError(f"{path} cannot be written ({error})") from error
        if target in seen:
            raise EpiQAError(f"{option} would overwrite {seen[target]}, {path}: give another file")
        seen[target] = f"the file of {option}"


def write_text(path: Path, text: str) -> None:
    """Puts a text in the place of a file in one step, or prints it for `-`; a pipe or device is written to.

    Half a surrogate pair, which UTF-8 cannot hold, becomes an escape, which is JSON's, too. Raises EpiQAError with
    the path; what was there is then as it was.
    """
    if path == STANDARD_OUTPUT:
        sys.stdout.write(text)
        return
    data = text.encode("utf-8", "backslashreplace")
    try:
        if _is_special(path):
            path.write_bytes(data)
            return
        target = path.resolve()
        new = target.with_name(f".epiqa-{secrets.token_hex(8)}")
        try:
            with new.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, new)
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise EpiQAError(f"{path} cannot be written ({error.strerror})") from error


def _check_place(path: Path) -> None:
    if not path.parent.is_dir():
        raise EpiQAError(f"{path} cannot be written: there is no folder {path.parent}")
    if path.is_dir():
        raise EpiQAError(f"{path} cannot be written: it is a folder")
    if not os.access(path.parent, os.W_OK):
        raise EpiQAError(f"{path} cannot be written: files cannot be made in {path.parent}")


def _is_special(path: Path) -> bool:
    """Returns whether it is a pipe or a device, which must not be replaced by a file."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _without_name(difference: Difference) -> dict[str, Any]:
    return {name: value for name, value in asdict(difference).items() if name != "name"}


def _about_answer(outcome: Outcome) -> dict[str, Any]:
    answer = outcome.answer
    return {
        "expected": outcome.question.answers,
        "document": outcome.question.document,
        "citation": _citation(answer.citations[0]) if answer.citations else None,
        "candidates": [{"text": each.text, "confidence": each.confidence} for each in answer.candidates],
        "retrieved": [asdict(each) for each in outcome.retrieved],
    }


def _about_query(query: QueryOutcome) -> dict[str, Any]:
    ranking = [{"document": document, "score": score} for document, score in query.ranking]
    return {"relevant": dict(query.relevant), "retrieved": ranking}


def _citation(citation: Citation) -> dict[str, Any]:
    return asdict(citation) | {"date": citation.date.written if citation.date else None}


def _trec_lines(query: str, ranking: Iterable[tuple[str, float]]) -> list[str]:
    """Returns a query's lines, each document once.

    trec_eval orders by score, in single precision, and equal scores by document: a score that does not fall is
    made the next lower number, so that the order stays.
    """
    lines: dict[str, str] = {}
    last = np.float32(np.inf)
    for document, score in ranking:
        name = _one_column(document)
        if name not in lines:
            last = min(np.float32(score), np.nextafter(last, np.float32(-np.inf)))
            lines[name] = f"{_one_column(query)} Q0 {name} {len(lines) + 1} {last:.9g} {RUN_TAG}"
    return list(lines.values())


def _one_column(name: str) -> str:
    """Returns a name without white space; an empty one is a dash."""
    return re.sub(r"[\s\x00-\x1f]", lambda found: quote(found[0]), name) or "-"


def _answer_case(outcome: Outcome, name: str) -> ElementTree.Element:
    answer, question = outcome.answer, outcome.question
    case = _case(question.id, question.question, name, outcome.latency_ms)
    said = verdict(outcome)
    if not said.startswith("right"):
        lines = [
            f"expected: {' | '.join(dict.fromkeys(question.answers)) or 'no answer'}",
            f"given: {'no answer' if answer.text is None else answer.text}",
        ]
        if answer.candidates:
            lines.append(f"best candidate: {answer.candidates[0].text} (confidence {answer.confidence:.2f})")
        lines += [f"cited: {each.path}:{each.start}-{each.end}" for each in answer.citations[:1]]
        _fail(case, said, lines)
    return case


def _query_case(query: QueryOutcome, name: str) -> ElementTree.Element:
    case = _case(query.id, query.query, name, query.latency_ms)
    found = [document for document, _ in query.ranking[: max(CUTOFFS)]]
    if not set(found).intersection(query.relevant):
        lines = [f"expected: {' | '.join(query.relevant)}", f"retrieved: {' | '.join(found) or 'nothing'}"]
        _fail(case, "not retrieved", lines)
    return case


def _case(identity: str, question: str, name: str, latency_ms: float) -> ElementTree.Element:
    return ElementTree.Element(
        "testcase",
        classname=_as_xml(name),
        name=_as_xml(f"{identity}: {question}"),
        time=f"{latency_ms / 1000:.3f}",
    )


def _fail(case: ElementTree.Element, said: str, lines: Sequence[str]) -> None:
    failure = ElementTree.SubElement(case, "failure", message=said, type=said)
    failure.text = _as_xml("\n".join(lines))


def _as_xml(text: str) -> str:
    """Replaces the characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
