"""Small deterministic parts that need no weights: an embedder, a reader, and a store that keeps all in memory."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from threading import Lock

import numpy as np

from epiqa.errors import IndexBusyError, IndexMissingError
from epiqa.filters import EVERYTHING, Filter
from epiqa.store.embedded.bm25 import K1, MIN_IDF, B
from epiqa.store.embedded.inverted_index import stems
from epiqa.store.protocol import DocumentLocation, QueryTerm, Scored, SourceFile, content_digest
from epiqa.types import (
    DEFAULT_CHUNKING,
    Chunk,
    Chunking,
    Document,
    DocumentInfo,
    Embedder,
    IndexInfo,
    Passage,
    Span,
    Vectors,
)


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


@dataclass
class _Kept:
    """What one generation of a `MemoryStore` holds."""

    generation: int = 0
    embedder: str = ""
    fingerprint: str | None = None
    dimensions: int = 0
    chunking: Chunking = DEFAULT_CHUNKING
    documents: dict[str, tuple[Document, list[Chunk], Vectors]] = field(default_factory=dict)
    files: dict[str, SourceFile] = field(default_factory=dict)
    locations: dict[str, DocumentLocation] = field(default_factory=dict)
    unread: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def copy(self) -> _Kept:
        return replace(
            self,
            documents=dict(self.documents),
            files=dict(self.files),
            locations=dict(self.locations),
            unread=dict(self.unread),
        )

    def paths_of(self, document_id: str) -> list[str]:
        return sorted(each.path for each in self.locations.values() if each.document_id == document_id)

    def chunks(self) -> Iterator[tuple[Document, Chunk, Vectors]]:
        for document, chunks, vectors in self.documents.values():
            yield from ((document, chunk, vector) for chunk, vector in zip(chunks, vectors, strict=True))

    @property
    def info(self) -> IndexInfo:
        return IndexInfo(
            generation=f"g{self.generation:06d}",
            documents=len(self.documents),
            chunks=sum(len(chunks) for _, chunks, _ in self.documents.values()),
            embedder=self.fingerprint or "",
            dimensions=self.dimensions,
            unread=sum(map(len, self.unread.values())),
        )


class MemoryStore:
    """A store that keeps its generations in memory and searches by brute force; it meets the stores' contract."""

    def __init__(self) -> None:
        self.live: _Kept | None = None
        self.lock = Lock()

    def open_reader(self) -> MemoryReader:
        if self.live is None:
            raise IndexMissingError("there is no index in this memory")
        return MemoryReader(self.live)

    def open_writer(self, *, rebuild: bool = False) -> MemoryWriter:
        return MemoryWriter(self, rebuild=rebuild)


class MemoryReader:
    """One generation of a `MemoryStore`."""

    def __init__(self, kept: _Kept) -> None:
        self._kept = kept
        self._chunks = list(kept.chunks())
        self.info, self.embedder_name = kept.info, kept.embedder
        with_title = kept.chunking.with_title
        # Title and text are apart, so that no phrase runs from the one into the other.
        titles = stems([document.title if with_title else "" for document, _, _ in self._chunks])
        texts = stems([chunk.quote for _, chunk, _ in self._chunks])
        self._words = list(zip(titles, texts, strict=True))

    def search_vector(self, vector: Vectors, top_k: int, within: Filter = EVERYTHING) -> Scored:
        among = self._among(within)
        scored = [(number, float(self._chunks[number][2] @ vector)) for number in among]
        return sorted(scored, key=lambda pair: -pair[1])[: max(top_k, 0)]

    def search_words(self, terms: Sequence[QueryTerm], top_k: int, within: Filter = EVERYTHING) -> Scored:
        scores = dict.fromkeys(range(len(self._chunks)), 0.0)
        own: dict[str, tuple[dict[int, float], float]] = {}
        gains: dict[tuple[int, tuple[str, ...]], float] = {}
        for term in terms:
            phrase = (term.text,) if term.is_stem else stems([term.text])[0]
            if not phrase:
                continue
            found, idf = self._bm25(phrase)
            if term.variant_of is None:
                own[term.text] = found, idf
                for number, score in found.items():
                    scores[number] += score
                continue
            replaced = [own.get(word, ({}, self._idf(0))) for word in term.variant_of]
            share = min(1.0, sum(weight for _, weight in replaced) / idf) if replaced else 1.0
            for number, score in found.items():
                gain = score * share - sum(those.get(number, 0.0) for those, _ in replaced)
                gains[number, term.variant_of] = max(gain, gains.get((number, term.variant_of), 0.0))
        for (number, _), gain in gains.items():
            scores[number] += gain
        among = set(self._among(within))
        found_ = [(number, score) for number, score in scores.items() if score > 0 and number in among]
        return sorted(found_, key=lambda pair: (-pair[1], pair[0]))[: max(top_k, 0)]

    def _bm25(self, phrase: Sequence[str]) -> tuple[dict[int, float], float]:
        counts = {number: self._count(number, phrase) for number in range(len(self._chunks))}
        counts = {number: count for number, count in counts.items() if count}
        idf, lengths = self._idf(len(counts)), [sum(map(len, words)) for words in self._words]
        mean = max(sum(lengths) / max(len(lengths), 1), 1.0)
        norms = {number: K1 * (1 - B + B * lengths[number] / mean) for number in counts}
        return {n: idf * (K1 + 1) * count / (count + norms[n]) for n, count in counts.items()}, idf

    def _idf(self, chunks: int) -> float:
        return max(math.log((len(self._chunks) - chunks + 0.5) / (chunks + 0.5)), MIN_IDF)

    def _count(self, number: int, phrase: Sequence[str]) -> int:
        size = len(phrase)
        parts = self._words[number]
        return sum(part[i : i + size] == tuple(phrase) for part in parts for i in range(len(part) - size + 1))

    def _among(self, within: Filter) -> list[int]:
        chosen = {id_ for id_ in self._kept.documents if self._meets(id_, within)}
        return [number for number, (document, _, _) in enumerate(self._chunks) if document.id in chosen]

    def _meets(self, id_: str, within: Filter) -> bool:
        paths, date = self._kept.paths_of(id_), self._kept.documents[id_][0].date
        names = {id_, *paths, *(PurePath(path).name for path in paths)}
        if within.documents and names.isdisjoint(within.documents):
            return False
        patterns = [pattern.replace("[^", "[!") for pattern in within.paths]
        ways = [way for pattern in patterns for way in (pattern, f"*/{pattern}")]
        if ways and not any(fnmatchcase(path, way) for path in paths for way in ways):
            return False
        bounds = []
        for day, is_first in ((within.first_day, True), (within.last_day, False)):
            if day is not None and date is not None and (day[0] is None or date.year is not None):
                own = (0 if day[0] is None else date.year, date.month, date.day)
                bound = (day[0] or 0, *day[1:])
                bounds.append(own >= bound if is_first else own <= bound)
            elif day is not None:
                bounds.append(False)
        return any(bounds) if within.is_over_new_year else all(bounds)

    def fetch(self, chunks: Sequence[int]) -> dict[int, Passage]:
        found = {}
        for number in chunks:
            document, chunk, _ = self._chunks[number]
            found[number] = Passage(
                document_id=document.id,
                title=document.title,
                path=self._kept.paths_of(document.id)[0],
                date=document.date,
                page=None,
                start=chunk.start,
                end=chunk.end,
                quote=chunk.quote,
                score=0.0,
            )
        return found

    def has_word(self, word: str) -> bool:
        (phrase,) = stems([word])
        return bool(phrase) and any(self._count(number, phrase) for number in range(len(self._chunks)))

    def stem(self, word: str) -> str:
        (found,) = stems([word])
        return found[0] if found else word

    def stems(self, initial: str) -> list[str]:
        return sorted({stem for parts in self._words for part in parts for stem in part if stem[0] == initial})

    def count_documents(self, within: Filter) -> int:
        return sum(self._meets(id_, within) for id_ in self._kept.documents)

    def unknown_documents(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if not self.count_documents(Filter(documents=(name,)))]

    def documents(self) -> list[DocumentInfo]:
        listed = []
        for id_, (document, chunks, _) in self._kept.documents.items():
            path, *also = self._kept.paths_of(id_)
            listed.append(
                DocumentInfo(
                    id=id_,
                    title=document.title,
                    path=path,
                    date=document.date,
                    characters=len(document.text),
                    chunks=len(chunks),
                    language=document.language,
                    note=document.note,
                    also=tuple(also),
                    pages=len(document.pages),
                )
            )
        return sorted(listed, key=lambda info: (info.path, info.id))

    def unread(self) -> list[tuple[str, str]]:
        return sorted(pair for reasons in self._kept.unread.values() for pair in reasons)

    def text(self, document_id: str) -> str | None:
        kept = self._kept.documents.get(document_id)
        return None if kept is None else kept[0].text

    def files_of(self, document_id: str) -> list[bytes]:
        here = [each for each in self._kept.locations.values() if each.document_id == document_id]
        files = dict.fromkeys(each.location.partition("//")[0] for each in sorted(here, key=lambda each: each.path))
        return [self._kept.files[file].name for file in files if file in self._kept.files]


class MemoryWriter:
    """The next generation of a `MemoryStore`, and what it knows of the files: its own `sources`."""

    def __init__(self, store: MemoryStore, *, rebuild: bool) -> None:
        self._store, self._rebuild = store, rebuild
        self.set_aside: Path | None = None

    def __enter__(self) -> MemoryWriter:
        if not self._store.lock.acquire(timeout=10):
            raise IndexBusyError("another thread is writing this memory")
        self._begin(None if self._rebuild else self._store.live)
        return self

    def __exit__(self, *_: object) -> None:
        self._store.lock.release()

    def _begin(self, live: _Kept | None) -> None:
        self._next = live.copy() if live else _Kept(self._store.live.generation if self._store.live else 0)
        self.info = live.info if live else None
        self.is_changed = False

    @property
    def sources(self) -> MemoryWriter:
        return self

    @property
    def fingerprint(self) -> str | None:
        return self._next.fingerprint

    @property
    def embedder(self) -> str:
        return self._next.embedder

    @property
    def chunking(self) -> Chunking:
        return self._next.chunking

    @contextmanager
    def translated(self) -> Iterator[None]:
        yield

    def set_embedder(self, embedder: Embedder, chunking: Chunking = DEFAULT_CHUNKING) -> None:
        self._next.embedder, self._next.fingerprint = embedder.name, embedder.fingerprint
        self._next.dimensions, self._next.chunking = embedder.dimensions, chunking

    def add(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> str | None:
        earlier = self._next.locations.get(document.location)
        self.remove(document.id)
        self._next.documents[document.id] = (document, list(chunks), np.array(vectors))
        self.put(document.location, document.path, document.id)
        return None if earlier is None else earlier.document_id

    def remove(self, document_id: str) -> bool:
        if self._next.documents.pop(document_id, None) is None:
            return False
        for location in [each for each in self._next.locations.values() if each.document_id == document_id]:
            del self._next.locations[location.location]
            file = location.location.partition("//")[0]
            if file in self._next.files:
                self._next.files[file] = replace(self._next.files[file], content=None)
        self.is_changed = True
        return True

    def path_of(self, document_id: str) -> str:
        return self._next.paths_of(document_id)[0]

    def count_documents(self) -> int:
        return sum(bool(self._next.paths_of(id_)) for id_ in self._next.documents)

    def commit(self) -> None:
        assert self.fingerprint is not None, "set_embedder comes first"
        for id_ in list(self._next.documents):
            if not self._next.paths_of(id_):
                del self._next.documents[id_]
        self._next.generation += 1
        self._store.live, self.info = self._next, self._next.info

    def checkpoint(self) -> None:
        self.commit()
        self._begin(self._store.live)

    def file(self, location: str) -> SourceFile | None:
        return self._next.files.get(location)

    def files(self) -> Iterator[SourceFile]:
        return iter(list(self._next.files.values()))

    def files_with(self, content: str) -> list[SourceFile]:
        return [file for file in self._next.files.values() if file.content == content]

    def locations_in(self, location: str) -> list[DocumentLocation]:
        under = f"{location}//"
        return [each for at, each in self._next.locations.items() if at == location or at.startswith(under)]

    def notes(self, location: str) -> list[tuple[str, str]]:
        noted = [
            (each.path, self._next.documents[each.document_id][0].note) for each in self.locations_in(location)
        ]
        return [(path, note) for path, note in noted if note is not None]

    def unread(self, location: str) -> list[tuple[str, str]]:
        return self._next.unread.get(location, [])

    def find_same(self, digest: str) -> str | None:
        same = (id_ for id_, (kept, _, _) in self._next.documents.items() if content_digest(kept) == digest)
        return next(same, None)

    def free_id(self, document: Document) -> str:
        here = self._next.locations.get(document.location)
        is_same = here is not None and self._next.documents[here.document_id][0].text == document.text
        if here is not None and is_same and len(self._next.paths_of(here.document_id)) == 1:
            return here.document_id
        return f"{document.id}-again" if self._next.paths_of(document.id) else document.id

    def put(self, location: str, path: str, document_id: str) -> str | None:
        earlier = self._next.locations.get(location)
        self._next.locations[location] = DocumentLocation(location, path, document_id)
        self.is_changed = True
        return None if earlier is None else earlier.document_id

    def clear(self, locations: Iterable[DocumentLocation]) -> None:
        for each in locations:
            del self._next.locations[each.location]
            self.is_changed = True

    def set_file(self, file: SourceFile) -> None:
        self.is_changed |= self._next.files.get(file.location) != file
        self._next.files[file.location] = file

    def drop_file(self, location: str) -> None:
        self._next.files.pop(location, None)
        self._next.unread.pop(location, None)
        self.is_changed = True

    def set_unread(self, location: str, reasons: Sequence[tuple[str, str]]) -> None:
        self.is_changed |= self.unread(location) != list(reasons)
        self._next.unread[location] = list(reasons)

    def forget_unread(self, path: str) -> bool:
        holding = [at for at, reasons in self._next.unread.items() if any(path == each for each, _ in reasons)]
        for location in holding:
            self.set_unread(location, [pair for pair in self.unread(location) if pair[0] != path])
        return bool(holding)
