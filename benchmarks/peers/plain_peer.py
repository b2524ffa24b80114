"""A script of one's own: sentence-transformers, FAISS, and the question-answering pipeline of transformers 4.

Written as a careful person would: overlapping windows of words that remember where they stand, the title embedded
with the text, all eight passages in one batch, and the best of what the pipeline does not call impossible. (The
pipeline left transformers in version 5; who wants it pins 4, or writes its decoding anew.)
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import faiss
import transformers
from sentence_transformers import SentenceTransformer

from peers.peer import RECALL_K, TOP_K, Document, Found, Reply, main

WORDS = 180
OVERLAP = 30


def windows(document: Document) -> list[Found]:
    words = [match.span() for match in re.finditer(r"\S+", document.text)]
    firsts = range(0, max(1, len(words) - OVERLAP), WORDS - OVERLAP)
    places = [(words[first][0], words[min(first + WORDS, len(words)) - 1][1]) for first in firsts]
    return [Found(document.id, document.text[start:end], start, end) for start, end in places]


class Plain:
    packages = ("sentence-transformers", "transformers", "faiss-cpu", "torch")

    def __init__(self, embedder: str | None, reader: str | None) -> None:
        pipeline: Any = transformers.pipeline
        self.embedder = SentenceTransformer(str(embedder), device="cpu")
        self.reader = pipeline("question-answering", model=reader, tokenizer=reader, device="cpu")

    def ingest(self, documents: Sequence[Document], index: Path) -> None:
        self.passages = [found for document in documents for found in windows(document)]
        titles = {document.id: document.title for document in documents}
        texts = [f"{titles[found.document]}\n{found.text}" for found in self.passages]
        vectors = self.embedder.encode(texts, normalize_embeddings=True)
        self.index: Any = faiss.IndexFlatIP(vectors.shape[1])
        self.index.add(vectors)
        index.mkdir(parents=True)
        faiss.write_index(self.index, str(index / "vectors.faiss"))
        rows = [asdict(found) for found in self.passages]
        (index / "passages.json").write_text(json.dumps(rows), encoding="utf-8")

    def open(self, index: Path) -> None:
        self.index = faiss.read_index(str(index / "vectors.faiss"))
        self.passages = [Found(**row) for row in json.loads((index / "passages.json").read_text("utf-8"))]

    def search(self, question: str, top_k: int = RECALL_K) -> list[Found]:
        vectors = self.embedder.encode([question], normalize_embeddings=True)
        _, found = self.index.search(vectors, top_k)
        return [self.passages[number] for number in found[0] if number >= 0]

    def ask(self, question: str) -> Reply:
        passages = self.search(question, TOP_K)
        # Two answers a passage: where "no answer" comes first, the second is what it would have been.
        answers = self.reader(
            question=[question] * len(passages),
            context=[found.text for found in passages],
            handle_impossible_answer=True,
            top_k=2,
            batch_size=TOP_K,
        )
        given: list[tuple[float, Found, dict[str, Any]]] = []
        held_back: list[tuple[float, Found, dict[str, Any]]] = []
        for found, ranked in zip(passages, answers, strict=True):
            best = next((answer for answer in ranked if answer["answer"]), None)
            if best is not None:  # else both are "no answer"
                (given if best is ranked[0] else held_back).append((best["score"], found, best))
        if not given and not held_back:
            return Reply(text=None, best=None, score=None)
        if not given:
            score, _, answer = max(held_back, key=lambda row: row[0])
            return Reply(text=None, best=answer["answer"], score=score)
        score, found, answer = max(given, key=lambda row: row[0])
        offset = found.start or 0
        return Reply(
            text=answer["answer"],
            document=found.document,
            start=offset + answer["start"],
            end=offset + answer["end"],
            best=answer["answer"],
            score=score,
        )


if __name__ == "__main__":
    main(Plain)
