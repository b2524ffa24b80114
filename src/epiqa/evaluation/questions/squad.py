"""SQuAD's JSON, 1.1 or 2.0, one document an article, with the places of the answers in it.

Articles, paragraphs and questions are counted from 0, in messages and in the ids of questions that have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from epiqa.arguments import check_question
from epiqa.errors import QuestionSetError
from epiqa.evaluation.questions.sets import (
    Question,
    QuestionSet,
    WrongLines,
    add_question,
    finished_set,
    question_id,
    shown,
)
from epiqa.ingest import make_document, normalise
from epiqa.types import Document

_PARAGRAPH_BREAK = "\n\n"


def squad_questions(content: Mapping[str, Any], path: Path, *, skip_invalid: bool = False) -> QuestionSet:
    """Makes a question set of SQuAD's JSON; `path` names it in errors and documents.

    Raises QuestionSetError that names the questions, paragraphs and articles that are not as SQuAD has them; with
    `skip_invalid` these are left out, each alone.
    """
    articles = content.get("data")
    if not isinstance(articles, list):
        raise QuestionSetError(f'{path}: is not as SQuAD has it: "data" is not a list of articles')
    questions: dict[str, Question] = {}
    documents: list[Document] = []
    wrong = WrongLines()
    for number, article in enumerate(articles):
        with wrong.noted(f"{path}, article {number}"):
            documents.append(_article(article, number, path, questions, wrong))
    return finished_set(path, questions, wrong, skip_invalid=skip_invalid, documents=tuple(documents))


def _article(article: Any, number: int, path: Path, questions: dict[str, Question], wrong: WrongLines) -> Document:
    """Makes one document of an article's paragraphs; adds its questions with places in that document."""
    paragraphs = _list(article, "paragraphs")
    title = article.get("title")
    title = normalise(str(title)).replace("_", " ") if isinstance(title, (str, int)) else ""
    name = f"{path.name}#{number}"
    contexts: list[str] = []
    offset = 0
    for index, paragraph in enumerate(paragraphs):
        where = f"{path}, article {number}{f' ({shown(title)})' if title else ''}, paragraph {index}"
        with wrong.noted(where):
            qas = _list(paragraph, "qas")
            raw = _text(paragraph, "context")
            context = normalise(raw)
            for position, qa in enumerate(qas):
                number_id = f"{number}.{index}.{position}"
                with wrong.noted(f"{where}, question {_shown_id(qa, number_id)}"):
                    answers, places = _golds(qa, raw, context, offset)
                    question = Question(
                        question=check_question(_text(qa, "question")),
                        answers=answers,
                        document=name,
                        places=places,
                        context=context,
                        title=title,
                        id=question_id(qa.get("id"), number_id),
                    )
                    add_question(questions, question)
            contexts.append(context)
            offset += len(context) + len(_PARAGRAPH_BREAK)
    text = _PARAGRAPH_BREAK.join(contexts)
    return make_document(text, path=name, location=name, title=title or None)


def _golds(qa: Any, raw: str, context: str, offset: int) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Returns the gold answers of a question, and where they stand in the document."""
    if isinstance(qa, dict) and qa.get("is_impossible") is True:
        return (), ()
    golds = _list(qa, "answers")
    for gold in golds:
        _text(gold, "text")
        if not isinstance(gold.get("answer_start"), int):
            raise QuestionSetError('an answer lacks "answer_start", a whole number')
    answers = tuple(normalise(gold["text"]) for gold in golds if gold["text"].strip())
    return answers, tuple(place for gold in golds for place in _places(raw, context, gold, offset))


def _places(raw: str, context: str, gold: Mapping[str, Any], offset: int) -> list[tuple[int, int]]:
    """Returns where a gold answer stands in the document, or nothing if it is not where the set says."""
    text = normalise(gold["text"])
    start = len(normalise(raw[: max(0, gold["answer_start"])]))
    if not text.strip() or context[start : start + len(text)] != text:
        return []
    return [(offset + start, offset + start + len(text))]


def _list(holder: Any, key: str) -> list[Any]:
    value = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(value, list):
        raise QuestionSetError(f'lacks "{key}", a list')
    return value


def _text(holder: Any, key: str) -> str:
    value = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(value, str):
        raise QuestionSetError(f'lacks "{key}", a text')
    return value


def _shown_id(qa: Any, number_id: str) -> str:
    value = qa.get("id") if isinstance(qa, dict) else None
    return shown(value) if isinstance(value, str) and value.strip() else number_id
