"""Feedback from the page, kept in the index directory, and the questions that found no answer.

`feedback.json` is SQuAD 2.0, as `epiqa evaluate` and `epiqa calibrate` read it. An article is a document, titled by
its path; a paragraph is the text around an answer, or all of a short document. SQuAD cannot hold a wrong answer
without the right one: these stand beside "data", under "wrong". The file is replaced as a whole, under a lock, so
several people and processes can judge at once. The last verdict on a question counts.

`unanswered.jsonl` has a line per unanswered question. A file that grows too long is cut to its last half.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from epiqa.errors import EpiQAError
from epiqa.evaluation.export import write_text

FEEDBACK = "feedback.json"
UNANSWERED = "unanswered.jsonl"
LOCK = "feedback.lock"
CONTEXT_CHARACTERS = 10_000
MAX_UNANSWERED_BYTES = 1 << 20
LOCK_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Judged:
    """A judged question with its gold answer, None if there is none; with `is_wrong`, with the wrong answer."""

    question: str
    answer: str | None
    path: str = ""
    is_wrong: bool = False


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question that found no answer, how often, and when last (ISO 8601, UTC)."""

    question: str
    times: int
    last: str


class FeedbackStore:
    """The two files of one index directory."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FEEDBACK
        self._unanswered = directory / UNANSWERED
        self._lock = directory / LOCK

    def save_answer(self, question: str, path: str, whole: str, start: int, end: int) -> None:
        """Saves `whole[start:end]`, of the document at `path`, as the right answer."""
        first, last = context_around(whole, start, end)
        answers = [{"text": whole[start:end], "answer_start": start - first}]
        self._save(question, path, whole[first:last], answers)

    def save_impossible(self, question: str, path: str, whole: str, near: int) -> None:
        """Saves that no document answers a question; its paragraph is the text around offset `near`."""
        first, last = context_around(whole, near, near)
        self._save(question, path, whole[first:last], [])

    def save_wrong(self, question: str, answer: str, path: str) -> None:
        """Saves that an answer is wrong; a later right answer replaces this."""

        def change(content: dict[str, Any]) -> None:
            _forget(content, question)
            content["wrong"].append({"question": question, "answer": answer, "path": path})

        self._change(change)

    def forget(self, question: str) -> None:
        """Deletes a question from both files."""
        self._change(lambda content: _forget(content, question))
        with self._locked():
            lines = [line for line in _lines(self._unanswered) if line["question"] != question]
            write_text(self._unanswered, "".join(json.dumps(line) + "\n" for line in lines))

    def judged(self) -> list[Judged]:
        """Returns all judged questions, those with a wrong answer last."""
        content = self._read()
        found = [
            Judged(qa["question"], qa["answers"][0]["text"] if qa["answers"] else None, article["title"])
            for article in content["data"]
            for paragraph in article["paragraphs"]
            for qa in paragraph["qas"]
        ]
        return found + [Judged(w["question"], w["answer"], w["path"], is_wrong=True) for w in content["wrong"]]

    def note_unanswered(self, question: str) -> None:
        """Appends an unanswered question."""
        line = json.dumps({"question": question, "time": datetime.now(timezone.utc).isoformat(timespec="seconds")})
        with self._locked():
            with self._unanswered.open("ab") as file:
                file.write(line.encode() + b"\n")
                is_long = file.tell() > MAX_UNANSWERED_BYTES
            if is_long:
                lines = _lines(self._unanswered)
                write_text(self._unanswered, "".join(json.dumps(kept) + "\n" for kept in lines[len(lines) // 2 :]))

    def unanswered(self) -> list[Unanswered]:
        """Returns the unanswered questions that nobody has judged, the latest first."""
        done = {judged.question for judged in self.judged()}
        times: dict[str, int] = {}
        last: dict[str, str] = {}
        for line in _lines(self._unanswered):
            question = line["question"]
            times[question] = times.pop(question, 0) + 1  # the order is that of the last time
            last[question] = line["time"]
        return [Unanswered(q, times[q], last[q]) for q in reversed(times) if q not in done]

    def _save(self, question: str, path: str, context: str, answers: list[dict[str, Any]]) -> None:
        def change(content: dict[str, Any]) -> None:
            _forget(content, question)
            articles = {article["title"]: article for article in content["data"]}
            if path not in articles:
                articles[path] = {"title": path, "paragraphs": []}
                content["data"].append(articles[path])
            paragraphs = articles[path]["paragraphs"]
            known = next((p for p in paragraphs if p["context"] == context), None)
            if known is None:
                known = {"context": context, "qas": []}
                paragraphs.append(known)
            known["qas"].append(
                {"id": _id(question), "question": question, "is_impossible": not answers, "answers": answers}
            )

        self._change(change)

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        with self._locked():
            content = self._read()
            change(content)
            write_text(self.path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            return {"version": "v2.0", "data": content["data"], "wrong": content.get("wrong", [])}
        except FileNotFoundError:
            return {"version": "v2.0", "data": [], "wrong": []}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EpiQAError(f"{self.path} is not the feedback that was written: move it away ({error})") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with FileLock(self._lock, timeout=LOCK_TIMEOUT_S):
                yield
        except Timeout as error:
            raise EpiQAError(f"{self.path} is being written by another process: try again") from error
        except OSError as error:
            raise EpiQAError(f"{self.path} cannot be written ({error.strerror}): make room for it") from error


def context_around(whole: str, start: int, end: int) -> tuple[int, int]:
    """Returns (start, end) of the context around an answer: a short document as a whole, else cut between words."""
    if len(whole) <= CONTEXT_CHARACTERS:
        return 0, len(whole)
    around = CONTEXT_CHARACTERS // 2
    first, last = max(0, start - around), min(len(whole), end + around)
    if first:
        space = max(whole.find(" ", first, start), whole.find("\n", first, start))
        first = start if space < 0 else space + 1
    if last < len(whole):
        space = max(whole.rfind(" ", end, last), whole.rfind("\n", end, last))
        last = end if space < 0 else space
    return first, last


def _forget(content: dict[str, Any], question: str) -> None:
    content["wrong"] = [wrong for wrong in content["wrong"] if wrong["question"] != question]
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            paragraph["qas"] = [qa for qa in paragraph["qas"] if qa["question"] != question]
        article["paragraphs"] = [paragraph for paragraph in article["paragraphs"] if paragraph["qas"]]
    content["data"] = [article for article in content["data"] if article["paragraphs"]]


def _id(question: str) -> str:
    return hashlib.sha256(question.encode("utf-8", "replace")).hexdigest()[:16]


def _lines(path: Path) -> list[dict[str, str]]:
    """Returns the valid lines of a file; a torn line, as after a full disk, is skipped."""
    lines = []
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    for line in data.splitlines():
        try:
            row = json.loads(line)
            lines.append({"question": str(row["question"]), "time": str(row["time"])})
        except (ValueError, KeyError, TypeError):
            continue
    return lines
