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
import math
import pickle
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epiqa.ingest import normalise
from epiqa.models.embedder import OnnxEmbedder, titled
from epiqa.text.chunker import chunk
from epiqa.text.sentences import sentence_offsets
from epiqa.types import Chunk, Document, Vectors

PARAGRAPHS = 3000  # of SQuAD and SQuADShifts
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
    """Returns the real documents, cut and embedded; that is done once, and kept in `work`."""
    kept = work / "real.pickle"
    if not kept.exists():
        real = _read_real(medquad, reader, work)
        kept.write_bytes(pickle.dumps(real, protocol=5))
        return real
    found = pickle.loads(kept.read_bytes())
    assert isinstance(found, Real)
    return found


def _read_real(medquad: Path, reader: Path, work: Path) -> Real:
    pages = [make_document(row["_id"], row["title"], row["text"]) for row in _lines(medquad / "corpus.jsonl.gz")]
    questions = [row["text"] for row in _lines(medquad / "queries_dev.jsonl")]
    paragraphs = dict[str, Document]()
    for article in json.loads(gzip.decompress((reader / "train.json.gz").read_bytes()))["data"]:
        for paragraph in article["paragraphs"]:
            text = paragraph["context"]
            if article["source"].startswith("squad") and text not in paragraphs and len(paragraphs) < PARAGRAPHS:
                paragraphs[text] = make_document(f"p{len(paragraphs)}", article["title"], text)
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


def make_document(name: str, title: str, text: str) -> Document:
    """Makes a document that no file holds."""
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
    return np.concatenate(parts)[: len(texts)]


def vector_blocks(real: Real, chunks: int) -> Iterator[Vectors]:
    """Yields the vectors of `multiplied`, those of the real chunks first, then those of each turn of copies."""
    for turn in range(math.ceil(chunks / len(real.vectors))):
        yield _vectors(real, turn)[: chunks - turn * len(real.vectors)]


def multiplied(real: Real, chunks: int) -> Iterator[tuple[Document, list[Chunk], Vectors]]:
    """Yields documents with `chunks` chunks in all, and their vectors, first the real ones; always the same."""
    quotes = [piece.quote for pieces in real.chunks for piece in pieces]
    sentences = [_sentences(quote) for quote in quotes] if chunks > len(quotes) else []
    words = list(map(sys.intern, " ".join(quotes).split()))
    left = chunks
    for turn, vectors in enumerate(vector_blocks(real, chunks)):
        row, chooser, partners = 0, random.Random(turn), _partners(real, turn).tolist()
        for document, pieces in zip(real.documents, real.chunks, strict=True):
            pieces = pieces[:left]
            if turn:
                crossed = [
                    _crossed(sentences[own], sentences[partners[own]], words, chooser)
                    for own in range(row, row + len(pieces))
                ]
                document, pieces = _joined(f"{document.id}-{turn}", document.title, crossed)
            yield document, pieces, vectors[row : row + len(pieces)]
            row += len(pieces)
            left -= len(pieces)
            if not left:
                return


def _partners(real: Real, turn: int) -> NDArray[np.int64]:
    """Returns the chunk that each real one is crossed with."""
    return np.random.default_rng(turn).integers(len(real.vectors), size=len(real.vectors))


def _vectors(real: Real, turn: int) -> Vectors:
    if not turn:
        return real.vectors
    noise = np.random.default_rng([turn, 1]).normal(size=real.vectors.shape).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    vectors = OWN * real.vectors + PARTNERS * real.vectors[_partners(real, turn)] + NOISE * noise
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _crossed(own: list[str], partners: list[str], words: list[str], chooser: random.Random) -> str:
    sentences = [chooser.choice(partners) if chooser.random() < SENTENCES_EXCHANGED else text for text in own]
    kept = " ".join(sentences).split()
    for _ in range(int(WORDS_EXCHANGED * len(kept))):
        kept[int(chooser.random() * len(kept))] = words[int(chooser.random() * len(words))]
    return " ".join(kept)


def _joined(name: str, title: str, quotes: list[str]) -> tuple[Document, list[Chunk]]:
    """Returns a document of these chunks."""
    pieces, start = list[Chunk](), 0
    for quote in quotes:
        pieces.append(Chunk(name, start, start + len(quote), quote))
        start += len(quote) + 2
    return make_document(name, title, "\n\n".join(quotes)), pieces


def _sentences(text: str) -> list[str]:
    """Returns the sentences of a chunk; the whole of one that has no words is its only sentence."""
    return [text[start:end] for start, end in sentence_offsets(text)] or [text]
