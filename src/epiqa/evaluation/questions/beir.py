"""A BEIR folder: corpus.jsonl, queries.jsonl and qrels.tsv, for retrieval alone.

A judged document that the corpus does not hold counts as relevant and not found, as trec_eval has it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from epiqa.arguments import check_question
from epiqa.errors import QuestionSetError
from epiqa.evaluation.questions.sets import RetrievalSet, WrongLines, json_object, lines, read_text, shown
from epiqa.ingest import make_document, normalise
from epiqa.types import Document


def read_beir(folder: Path, *, skip_invalid: bool = False) -> RetrievalSet:
    """Reads a BEIR folder, with the judgements of qrels/test.tsv if there are several."""
    corpus = _only(folder, "corpus*.jsonl*")
    queries = _only(folder, "queries*.jsonl*")
    in_folder = [
        path for path in (folder / "qrels" / "test.tsv", folder / "qrels" / "test.tsv.gz") if path.is_file()
    ]
    qrels = in_folder[0] if in_folder else _only(folder, "qrels*.tsv*")
    wrong = WrongLines()
    documents = _read_corpus(corpus, wrong)
    texts = _read_queries(queries, wrong)
    grades = _read_qrels(qrels, texts, queries.name, wrong)
    skipped = wrong.settle(skip_invalid=skip_invalid)
    if not documents or not grades:
        raise QuestionSetError(f"{folder}: holds no documents or no judged queries")
    return RetrievalSet(documents, {query: texts[query] for query in grades}, grades, skipped)


def _read_corpus(path: Path, wrong: WrongLines) -> tuple[Document, ...]:
    """Makes a document of every line but those without any text."""
    documents: dict[str, Document | None] = {}
    for where, _, line in lines(read_text(path), path):
        with wrong.noted(where):
            row = json_object(line)
            name, title, text = row.get("_id"), row.get("title") or "", row.get("text")
            if not isinstance(name, str) or not isinstance(text, str) or not isinstance(title, str):
                raise QuestionSetError('lacks "_id" or "text", or they are no texts')
            name, title, text = (_clean(value) for value in (name, title, text))
            _check_new(name, documents)
            content = text if text.strip() else title
            documents[name] = (
                make_document(content, path=name, location=name, title=title or None) if content.strip() else None
            )
    return tuple(document for document in documents.values() if document)


def _read_queries(path: Path, wrong: WrongLines) -> dict[str, str]:
    texts: dict[str, str] = {}
    for where, _, line in lines(read_text(path), path):
        with wrong.noted(where):
            row = json_object(line)
            if not isinstance(row.get("_id"), str) or not isinstance(row.get("text"), str):
                raise QuestionSetError('lacks "_id" or "text"')
            _check_new(row["_id"], texts)
            texts[row["_id"]] = check_question(row["text"])
    return texts


def _read_qrels(path: Path, texts: dict[str, str], queries: str, wrong: WrongLines) -> dict[str, dict[str, float]]:
    """Returns the grades above zero by query and document."""
    grades: dict[str, dict[str, float]] = {}
    for where, number, line in lines(read_text(path), path):
        cells = line.rstrip("\r").split("\t")
        if number == 1 and cells[-1] == "score":
            continue
        with wrong.noted(where):
            query, document, grade = _judgement(cells)
            if query not in texts:
                raise QuestionSetError(f"judges the query {shown(query)}, which {queries} does not hold")
            if grade > 0:
                grades.setdefault(query, {})[_clean(document)] = grade
    return grades


def _judgement(cells: list[str]) -> tuple[str, str, float]:
    try:
        query, document, grade = cells
        value = float(grade)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise QuestionSetError("is not a query, a document and a grade")
    return query, document, value


def _check_new(name: str, known: dict[str, Any]) -> None:
    if name in known:
        raise QuestionSetError(f'the "_id" {shown(name)} is that of a line before it')


def _clean(value: str) -> str:
    """Returns the text as an index can hold it."""
    return normalise(value).replace("\0", " ")


def _only(folder: Path, pattern: str) -> Path:
    """Returns the one file that matches; `queries_dev.jsonl` serves as well as `queries.jsonl`."""
    found = sorted(folder.glob(pattern))
    exact = [path for path in found if path.name.removesuffix(".gz") == pattern.replace("*", "")]
    if len(exact or found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise QuestionSetError(f"{folder}: a BEIR folder has one {pattern.replace('*', '')}, here is {names}")
    return (exact or found)[0]
