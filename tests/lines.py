"""An index of documents in which each line is a chunk, and what such an index must hold."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from epiqa.store.embedded import EmbeddedReader, EmbeddedWriter, verify
from epiqa.types import Chunk, Document
from fakes import WordEmbedder, make_document, query_terms

EMBEDDER = WordEmbedder()


def document_of(path: str, text: str) -> tuple[Document, list[Chunk]]:
    """Makes a document whose id follows from path and content, each line of it a chunk."""
    digest = hashlib.sha256(f"{path}\0{text}".encode()).hexdigest()[:16]
    document = replace(make_document(text, path=path, title=f"Title of {path}"), id=digest)
    lines = [match.span() for match in re.finditer(r"[^\n]+", text)]
    return document, [Chunk(digest, start, end, text[start:end]) for start, end in lines]


def put(writer: EmbeddedWriter, path: str, text: str) -> bool:
    document, chunks = document_of(path, text)
    return writer.add(document, chunks, EMBEDDER.encode([chunk.quote for chunk in chunks])) is not None


def write(directory: Path, texts: Mapping[str, str]) -> None:
    """Adds or replaces the documents and commits."""
    with EmbeddedWriter(directory) as writer:
        if writer.fingerprint is None:
            writer.set_embedder(EMBEDDER)
        for path, text in texts.items():
            put(writer, path, text)
        writer.commit()


def assert_holds(directory: Path, texts: Mapping[str, str], words: set[str]) -> None:
    """Asserts that documents, chunks, vectors and word index are those of `texts`; `words` were ever there."""
    index = EmbeddedReader.open(directory)
    lines = Counter((path, line) for path, text in texts.items() for line in text.split("\n") if line)
    assert {info.path: index.text(info.id) for info in index.documents()} == texts
    assert (index.info.documents, index.info.chunks) == (len(texts), lines.total())
    assert index.info == verify(directory)
    query = EMBEDDER.encode(["harbour notice"])[0]
    scores = dict(index.search_vector(query, 10_000))
    passages = index.fetch(list(scores))
    assert passages.keys() == scores.keys()
    assert Counter((passage.path, passage.quote) for passage in passages.values()) == lines
    for number, passage in passages.items():
        assert scores[number] == pytest.approx(float(EMBEDDER.encode([passage.quote])[0] @ query), abs=1e-6)
    for word in words:
        found = [passages[number] for number, _ in index.search_words(query_terms(word), 10_000)]
        expected = {key: n for key, n in lines.items() if word in key[1].split()}
        assert Counter((passage.path, passage.quote) for passage in found) == expected
    index.close()
