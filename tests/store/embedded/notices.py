"""An index with an old and a new state, and what tests do to it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from epiqa.store.embedded import EmbeddedReader, EmbeddedWriter, verify
from epiqa.store.embedded.vector_index import write_vectors
from epiqa.types import Chunk, Vectors
from fakes import WordEmbedder, make_document, query_terms

EMBEDDER = WordEmbedder()


OLD = {"a.txt": "masks were free", "b.txt": "schools closed"}


NEW = {"a.txt": "masks cost money", "c.txt": "harbours reopened"}


WORDS = sorted({word for text in [*OLD.values(), *NEW.values()] for word in text.split()})


def put(writer: EmbeddedWriter, path: str, text: str) -> None:
    writer.add(make_document(text, path=path), [Chunk(path, 0, len(text), text)], EMBEDDER.encode([text]))


def write(directory: Path, texts: Mapping[str, str]) -> None:
    """Adds or replaces documents, each one chunk, and commits."""
    with EmbeddedWriter(directory) as writer:
        if writer.fingerprint is None:
            writer.set_embedder(EMBEDDER)
        for path, text in texts.items():
            put(writer, path, text)
        writer.commit()


def contents(directory: Path) -> dict[str, str]:
    """Returns the texts by path, after checking that chunks, vectors and words say the same."""
    info = verify(directory)
    with closing(EmbeddedReader.open(directory)) as index:
        texts = {document.path: index.text(document.id) or "" for document in index.documents()}
        assert (info, info.documents, info.chunks) == (index.info, len(texts), len(texts))
        for path, text in texts.items():
            (number, cosine), *_ = index.search_vector(EMBEDDER.encode([text])[0], 1)
            assert index.fetch([number])[number].path == path
            assert cosine == pytest.approx(1.0)
        for word in WORDS:
            numbers = [number for number, _ in index.search_words(query_terms(word), 10)]
            found = {passage.path for passage in index.fetch(numbers).values()}
            assert found == {path for path, text in texts.items() if word in text.split()}
    return texts


def tree(directory: Path) -> dict[str, bytes]:
    """Returns every file but the lock, by its path."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else b""
        for path in sorted(directory.rglob("*"))
        if path.name != "LOCK"
    }


PARTS = ("catalogue.sqlite", "text-0.sqlite", "vectors-0.faiss")


FILES = ["CURRENT", *(f"generations/g000002/{name}" for name in ("manifest.json", *PARTS))]


def enter(directory: Path) -> None:
    with EmbeddedWriter(directory, lock_timeout_s=0):
        pass


def forge(
    directory: Path,
    *,
    sql: str = "",
    segment_sql: str = "",
    manifest: Mapping[str, object] | None = None,
    vectors: bytes | Vectors | None = None,
    text: bytes | None = None,
) -> None:
    """Changes the live generation and makes every checksum fit again."""
    folder = directory / "generations" / "g000002"
    for name, script in (("catalogue.sqlite", sql), ("text-0.sqlite", segment_sql)):
        with closing(sqlite3.connect(folder / name)) as connection:
            connection.executescript(script)
    if isinstance(vectors, bytes):
        (folder / "vectors-0.faiss").write_bytes(vectors)
    elif vectors is not None:
        write_vectors(
            folder / "vectors-0.faiss", 64, len(vectors), lambda: iter([(np.arange(len(vectors)), vectors)])
        )
    if text is not None:
        (folder / "text-0.sqlite").write_bytes(text)
    fields = json.loads((folder / "manifest.json").read_bytes()) | (manifest or {})
    fields["files"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in fields["files"]}
    forge_manifest(directory, json.dumps(fields).encode())


def forge_manifest(directory: Path, data: bytes) -> None:
    (directory / "generations" / "g000002" / "manifest.json").write_bytes(data)
    (directory / "CURRENT").write_text(f"g000002 {hashlib.sha256(data).hexdigest()}\n")


OTHER_TEXT = "UPDATE texts SET text = 'schools closes' WHERE document = 2"
