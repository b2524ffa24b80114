"""A small deterministic embedder and reader, which follow the words of a text and need no weights."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from epiqa.store.protocol import QueryTerm
from epiqa.types import Document, Passage, Span, Vectors


def make_document(text: str, *, path: str = "a.txt", title: str = "A title") -> Document:
    """Makes a document whose id is its path."""
    return Document(id=path, title=title, path=path, location=f"/{path}", text=text)


def make_passage(text: str, *, document_id: str = "d", start: int = 0, dense: float | None = 0.5) -> Passage:
    """Makes a passage that begins at `start` of its document."""
    return Passage(
        document_id=document_id,
        title="A title",
        path=f"{document_id}.txt",
        date=None,
        page=None,
        start=start,
        end=start + len(text),
        quote=text,
        score=1.0,
        dense=dense,
    )


def query_terms(*words: str) -> list[QueryTerm]:
    """Makes terms of plain words and phrases."""
    return list(map(QueryTerm, words))


class WordEmbedder:
    """Vectors that count words, each word in a dimension of its own as far as they go."""

    def __init__(self, name: str = "words", dimensions: int = 64) -> None:
        self.name = name
        self.dimensions = dimensions
        self.fingerprint = f"{name}@{dimensions}"
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.encoded += texts
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            row[0] = 0.01
            for word in re.findall(r"\w+", text.lower()):
                row[int(hashlib.md5(word.encode()).hexdigest(), 16) % self.dimensions] += 1
            row /= np.linalg.norm(row)
        return vectors


class KeywordReader:
    """Finds the words after "answer:" in a passage and is sure of them; of other text, it takes the first word."""

    fingerprint = "keywords"

    def read(self, question: str, passages: Sequence[Passage]) -> list[Span]:
        spans = []
        for passage in passages:
            found = re.search(r"answer: ([\w ]+)", passage.quote)
            start, end = found.span(1) if found else (0, len(passage.quote.split()[0]))
            spans.append(
                Span(
                    passage=passage,
                    start=passage.start + start,
                    end=passage.start + end,
                    quote=passage.quote[start:end],
                    score=20.0 if found else -10.0,
                    null_score=0.0,
                    probability=0.9 if found else 0.01,
                )
            )
        return spans
