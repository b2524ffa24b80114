"""Question sets: JSONL, SQuAD and BEIR, told apart by content, plain or gzipped.

{"question", "answers", "answerable", "document"}      JSONL, one question a line
{"data": [{"title", "paragraphs": [...]}]}             SQuAD 1.1 or 2.0
corpus.jsonl, queries.jsonl, qrels.tsv                 a BEIR folder
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epiqa.errors import QuestionError, QuestionSetError
from epiqa.ingest import make_document, normalise
from epiqa.pipeline import check_question
from epiqa.types import Document

_GZIP = b"\x1f\x8b"
_PARAGRAPH_BREAK = "\n\n"


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its gold answers, none when it is unanswerable.

    `document` is the file name, or path, of the document that answers it; `places` are the offsets of the
    gold answers in it, where the set gives them; `context` is the paragraph given with it, in SQuAD.
    """

    question: str
    answers: tuple[str, ...]
    document: str | None = None
    places: tuple[tuple[int, int], ...] = ()
    context: str | None = None
    title: str = ""

    @property
    def is_answerable(self) -> bool:
        return bool(self.answers)


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions, and the documents to ask them of where the set brings its own."""

    questions: tuple[Question, ...]
    documents: tuple[Document, ...] = ()


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """A BEIR set: documents under their corpus ids as paths, queries by id, graded relevance by query id."""

    documents: tuple[Document, ...]
    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, float]]


def read_questions(path: Path) -> QuestionSet | RetrievalSet:
    """Reads a question set of any of the three forms.

    Raises QuestionSetError naming the file, the line where there is one, and what it lacks.
    """
    if path.is_dir():
        return _read_beir(path)
    text = _read_text(path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, dict) and "data" in content:
        return squad_questions(content, path)
    return _jsonl(text, path)


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if data.startswith(_GZIP) else data).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise QuestionSetError(f"{path}: there is no such question set") from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise QuestionSetError(f"{path}: cannot be read as UTF-8 text, plain or gzipped ({error})") from error


def _lines(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the JSON objects of a JSONL file with their line numbers."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise QuestionSetError(f"{path}, line {number}: is not JSON ({error})") from error
        if not isinstance(row, dict):
            raise QuestionSetError(f"{path}, line {number}: is not a JSON object")
        yield number, row


def _jsonl(text: str, path: Path) -> QuestionSet:
    questions = []
    for number, row in _lines(text, path):
        question, answers = row.get("question"), row.get("answers")
        if not isinstance(question, str):
            raise QuestionSetError(f'{path}, line {number}: lacks "question", a text')
        try:
            question = check_question(question)
        except QuestionError as error:
            raise QuestionSetError(f"{path}, line {number}: {error}") from error
        if not isinstance(answers, list) or not all(isinstance(a, str) and a.strip() for a in answers):
            raise QuestionSetError(f'{path}, line {number}: lacks "answers", a list of texts')
        if row.get("answerable", bool(answers)) is not bool(answers):
            raise QuestionSetError(
                f'{path}, line {number}: "answerable" is {json.dumps(row["answerable"])}'
                f" with {len(answers)} answers"
            )
        document = row.get("document")
        if document is not None and not isinstance(document, str):
            raise QuestionSetError(f'{path}, line {number}: "document" is neither a file name nor null')
        questions.append(
            Question(
                question=question,
                answers=tuple(normalise(answer) for answer in answers),
                document=document and normalise(document),
            )
        )
    if not questions:
        raise QuestionSetError(f"{path}: holds no questions")
    return QuestionSet(tuple(questions))


def squad_questions(content: dict[str, Any], path: Path) -> QuestionSet:
    """Makes a question set of SQuAD's JSON, one document an article; `path` names it in errors and ids.

    Raises QuestionSetError when the JSON is not as SQuAD has it.
    """
    questions: list[Question] = []
    documents = []
    try:
        for number, article in enumerate(content["data"]):
            document, found = _article(article, f"{path.name}#{number}")
            documents.append(document)
            questions += found
    except (KeyError, TypeError, AttributeError, QuestionError) as error:
        raise QuestionSetError(
            f"{path}: article {len(documents)} is not as SQuAD has them ({type(error).__name__}: {error})"
        ) from error
    if not questions:
        raise QuestionSetError(f"{path}: holds no questions")
    return QuestionSet(tuple(questions), tuple(documents))


def _article(article: dict[str, Any], name: str) -> tuple[Document, list[Question]]:
    """Makes one document of an article's paragraphs, and its questions with places in that document."""
    title = normalise(str(article.get("title") or "")).replace("_", " ")
    questions: list[Question] = []
    contexts: list[str] = []
    offset = 0
    for paragraph in article["paragraphs"]:
        raw = paragraph["context"]
        context = normalise(raw)
        for qa in paragraph["qas"]:
            golds = [] if qa.get("is_impossible") is True else qa["answers"]
            questions.append(
                Question(
                    question=check_question(qa["question"]),
                    answers=tuple(normalise(gold["text"]) for gold in golds if gold["text"].strip()),
                    document=name,
                    places=tuple(place for gold in golds for place in _places(raw, context, gold, offset)),
                    context=context,
                    title=title,
                )
            )
        contexts.append(context)
        offset += len(context) + len(_PARAGRAPH_BREAK)
    text = _PARAGRAPH_BREAK.join(contexts)
    return make_document(text, path=name, location=name, title=title or None), questions


def _places(raw: str, context: str, gold: Mapping[str, Any], offset: int) -> list[tuple[int, int]]:
    """Returns where a gold answer stands in the document, or nothing if it is not where the set says."""
    text = normalise(gold["text"])
    start = len(normalise(raw[: max(0, gold["answer_start"])]))
    if not text.strip() or context[start : start + len(text)] != text:
        return []
    return [(offset + start, offset + start + len(text))]


def _read_beir(folder: Path) -> RetrievalSet:
    corpus = _only(folder, "corpus*.jsonl*")
    queries = _only(folder, "queries*.jsonl*")
    in_folder = [
        path for path in (folder / "qrels" / "test.tsv", folder / "qrels" / "test.tsv.gz") if path.is_file()
    ]
    qrels = in_folder[0] if in_folder else _only(folder, "qrels*.tsv*")
    documents = []
    for number, row in _lines(_read_text(corpus), corpus):
        name, title, text = row.get("_id"), row.get("title") or "", row.get("text")
        if not isinstance(name, str) or not isinstance(text, str) or not isinstance(title, str):
            raise QuestionSetError(f'{corpus}, line {number}: lacks "_id" or "text", or they are no texts')
        name, title, text = (normalise(value).replace("\0", " ") for value in (name, title, text))
        if text.strip() or title.strip():
            content = text if text.strip() else title
            documents.append(make_document(content, path=name, location=name, title=title or None))
    texts: dict[str, str] = {}
    for number, row in _lines(_read_text(queries), queries):
        if not isinstance(row.get("_id"), str) or not isinstance(row.get("text"), str):
            raise QuestionSetError(f'{queries}, line {number}: lacks "_id" or "text"')
        try:
            texts[row["_id"]] = check_question(row["text"])
        except QuestionError as error:
            raise QuestionSetError(f"{queries}, line {number}: {error}") from error
    grades = _read_qrels(qrels)
    unknown = grades.keys() - texts.keys()
    if unknown:
        raise QuestionSetError(f"{qrels}: judges the query {min(unknown)!r}, which {queries.name} does not hold")
    if not documents or not grades:
        raise QuestionSetError(f"{folder}: holds no documents or no judged queries")
    return RetrievalSet(tuple(documents), {query: texts[query] for query in grades}, grades)


def _read_qrels(path: Path) -> dict[str, dict[str, float]]:
    grades: dict[str, dict[str, float]] = {}
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        cells = line.split("\t")
        if not line.strip() or (number == 1 and cells[-1] == "score"):
            continue
        try:
            query, document, grade = cells
            value = float(grade)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise QuestionSetError(f"{path}, line {number}: is not a query, a document and a grade")
        if value > 0:
            grades.setdefault(query, {})[document] = value
    return grades


def _only(folder: Path, pattern: str) -> Path:
    """Returns the one file that matches; `queries_dev.jsonl` serves as well as `queries.jsonl`."""
    found = sorted(folder.glob(pattern))
    exact = [path for path in found if path.name.removesuffix(".gz") == pattern.replace("*", "")]
    if len(exact or found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise QuestionSetError(f"{folder}: a BEIR folder has one {pattern.replace('*', '')}, here is {names}")
    return (exact or found)[0]
