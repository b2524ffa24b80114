"""Real text and vectors, and a corpus of any size made from them.

Embedding a million chunks takes hours on two cores, so the real chunks (MedQuAD's pages, the paragraphs of SQuAD
and SQuADShifts) are embedded once, and then multiplied. The first documents of a corpus are the real ones.
Each further document is a copy of a real one in which every chunk is crossed with a partner, another real chunk: a
third of its sentences give way to the partner's, then a tenth of its words to words drawn from all text. So words
keep the frequencies of real text, and the lists of the chunks in which each stands grow as they would. The vector
is a mixture of both real ones, with noise, of length 1. Mixtures fill the space between real vectors, as more text
of the same kinds would, where copies with noise alone would lie in tight clusters that no real index has; the noise
keeps vectors apart whose partners are alike. That does not make them real: recall is taken on real ones, too.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from epiqa.chunk import chunk
from epiqa.embed import OnnxEmbedder, titled
from epiqa.ingest import normalise
from epiqa.sentences import sentence_offsets
from epiqa.types import Chunk, Document, Vectors

QUESTIONS = 1000
EMBED_CHUNKS = 1024
SENTENCES_EXCHANGED, WORDS_EXCHANGED = 1 / 3, 1 / 10
OWN, PARTNERS, NOISE = 0.75, 0.45, 0.35  # lengths of the parts of a mixed vector


@dataclass(frozen=True, slots=True)
class Real:
    """Real documents, the chunks of each, the vectors of all, shape (chunks, dimensions), and questions."""

    documents: list[Document]
    chunks: list[list[Chunk]]
    vectors: Vectors
    questions: list[str]
    question_vectors: Vectors


def read_real(medquad: Path, reader: Path, work: Path) -> Real:
    """Returns the real documents; their vectors are made once, and kept in `work`."""
    pages = [_document(row["_id"], row["title"], row["text"]) for row in _lines(medquad / "corpus.jsonl.gz")]
    questions = [row["text"] for row in _lines(medquad / "queries_dev.jsonl")]
    paragraphs = dict[str, Document]()
    for article in json.loads(gzip.decompress((reader / "train.json.gz").read_bytes()))["data"]:
        for paragraph in article["paragraphs"]:
            text = paragraph["context"]
            if article["source"].startswith("squad") and text not in paragraphs:
                paragraphs[text] = _document(f"p{len(paragraphs)}", article["title"], text)
                questions.append(paragraph["qas"][0]["question"])
    real = list[tuple[Document, list[Chunk], Vectors]]()
    for name, documents in (("medquad", pages), ("squad", list(paragraphs.values()))):
        chunks = [chunk(document) for document in documents]
        pairs = zip(documents, chunks, strict=True)
        texts = [titled(document.title, piece.quote) for document, pieces in pairs for piece in pieces]
        parts = np.split(_embedded(texts, work / name), np.cumsum([len(pieces) for pieces in chunks])[:-1])
        real += zip(documents, chunks, parts, strict=True)
    random.Random(1).shuffle(real)
    questions = random.Random(1).sample(questions, QUESTIONS)
    shuffled, pieces_of, vectors_of = zip(*real, strict=True)
    vectors = np.concatenate(vectors_of)
    return Real(list(shuffled), list(pieces_of), vectors, questions, _embedded(questions, work / "questions"))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    data = path.read_bytes()
    yield from map(json.loads, (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines())


def _document(name: str, title: str, text: str) -> Document:
    return Document(
        id=name, title=title, path=f"{name}.txt", location=f"/multiplied/{name}.txt", text=normalise(text)
    )


def _embedded(texts: list[str], folder: Path) -> Vectors:
    """Returns the texts' vectors; parts that are on the disk are not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    embedder = OnnxEmbedder()
    parts = []
    for first in range(0, len(texts), EMBED_CHUNKS):
        part = folder / f"{first}.npy"
        if not part.exists():
            np.save(folder / "unfinished.npy", embedder.encode(texts[first : first + EMBED_CHUNKS]))
            (folder / "unfinished.npy").replace(part)
        parts.append(np.load(part))
    return np.concatenate(parts)


def multiplied(real: Real, chunks: int, *, seed: int = 2) -> Iterator[tuple[Document, list[Chunk], Vectors]]:
    """Yields documents with `chunks` chunks and their vectors, first the real ones."""
    firsts = np.cumsum([0, *map(len, real.chunks)])
    count = 0
    for document, pieces, first in zip(real.documents, real.chunks, firsts, strict=False):
        if count >= chunks:
            return
        pieces = pieces[: chunks - count]
        count += len(pieces)
        yield document, pieces, real.vectors[first : first + len(pieces)]
    copies = _Copies(real, seed)
    for turn in range(1, 1_000):
        for number, first in enumerate(firsts[:-1]):
            if count >= chunks:
                return
            document, pieces, vectors = copies.copy(number, int(first), turn, chunks - count)
            count += len(pieces)
            yield document, pieces, vectors


class _Copies:
    """Makes copies of real documents crossed with others; the same ones for the same seed and order of calls."""

    def __init__(self, real: Real, seed: int) -> None:
        self._real = real
        self._chooser = random.Random(seed)
        self._generator = np.random.default_rng(seed)
        self._sentences = [_sentences(piece.quote) for pieces in real.chunks for piece in pieces]
        self._words = [word for sentences in self._sentences for text in sentences for word in text.split()]

    def copy(self, number: int, first: int, turn: int, most: int) -> tuple[Document, list[Chunk], Vectors]:
        """Returns a copy of the document of that number, whose first chunk has the number `first`."""
        real, chooser = self._real, self._chooser
        original = real.documents[number]
        rows = np.arange(first, first + min(len(real.chunks[number]), most))
        partners = [chooser.randrange(len(self._sentences)) for _ in rows]
        quotes = [self._crossed(row, partner) for row, partner in zip(rows.tolist(), partners, strict=True)]
        name = f"{original.id}-{turn}"
        document = _document(name, original.title, "\n\n".join(quotes))
        pieces, start = [], 0
        for quote in quotes:
            pieces.append(Chunk(name, start, start + len(quote), quote))
            start += len(quote) + 2
        noise = self._generator.normal(size=(len(rows), real.vectors.shape[1])).astype(np.float32)
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        vectors = OWN * real.vectors[rows] + PARTNERS * real.vectors[partners] + NOISE * noise
        return document, pieces, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _crossed(self, row: int, partner: int) -> str:
        chooser, others, words = self._chooser, self._sentences[partner], self._words
        sentences = []
        for sentence in self._sentences[row]:
            chosen = chooser.choice(others) if chooser.random() < SENTENCES_EXCHANGED else sentence
            kept = chosen.split()
            for place in range(len(kept)):
                if chooser.random() < WORDS_EXCHANGED:
                    kept[place] = words[int(chooser.random() * len(words))]
            sentences.append(" ".join(kept))
        return " ".join(sentences)


def _sentences(text: str) -> list[str]:
    """Returns the sentences of a chunk; the whole of one that has no words is its only sentence."""
    return [text[start:end] for start, end in sentence_offsets(text)] or [text]
