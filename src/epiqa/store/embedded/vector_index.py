"""The vectors of a segment: inner-product search with FAISS. A vector's number is its row.

Few vectors are compared one by one, exactly ("Flat"). Many are divided into lists around centres found by k-means
(an inverted file: Sivic & Zisserman 2003), of which the nearest are searched, and kept in half precision. What is
few, and how near, was chosen by measurement: see `benchmarks/README.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import faiss
import numpy as np
from numpy.typing import NDArray

from epiqa.store.embedded import generations as files
from epiqa.store.embedded.inverted_index import Mask
from epiqa.types import Vectors

io: Any = faiss  # its type stubs leave out the reading and writing through Python
FLAT = "Flat"
FLAT_UP_TO = 100_000  # vectors
VECTORS_PER_LIST = 500
SEARCHED_SHARE = 1 / 3  # of the lists
COMPARED_ONE_BY_ONE = 20_000  # vectors of lists that a filter leaves, at most
TRAINED_ON = 50  # vectors for each list
SEED = 1234
_BLOCK_BYTES = 1 << 20

# Rows with their vectors, in any order and as many as there are.
Blocks: TypeAlias = Iterator[tuple[NDArray[np.int64], Vectors]]


def kind_for(count: int, *, flat_up_to: int = FLAT_UP_TO) -> str:
    """Returns the kind of index for this number of vectors, as FAISS's `index_factory` names it."""
    if count <= flat_up_to:
        return FLAT
    return f"IVF{2 ** round(np.log2(count / VECTORS_PER_LIST))},SQfp16"


def write_vectors(
    path: Path, dimensions: int, count: int, blocks: Callable[[], Blocks], kind: str | None = None
) -> str:
    """Writes the vectors of rows 0 to `count`; returns the kind of index, `kind` or the one for that many.

    `blocks` gives them block by block, each time it is called.
    """
    kind = kind or kind_for(count)
    made: Any = faiss.index_factory(dimensions, kind, faiss.METRIC_INNER_PRODUCT)
    if kind == FLAT:
        vectors = np.empty((count, dimensions), dtype=np.float32)
        for rows, some in blocks():
            vectors[rows] = some
        made.add(vectors)
    else:
        made.by_residual = False  # so that what is read back is what was stored, and merging loses nothing
        made.train(_sample(blocks(), count, min(count, TRAINED_ON * made.nlist), dimensions))
        for rows, some in blocks():
            made.add_with_ids(some, rows)
    with path.open("wb") as file:
        writer = io.PyCallbackIOWriter(file.write)
        faiss.write_index(made, writer)
        del writer  # which flushes
    return kind


def _sample(blocks: Blocks, count: int, size: int, dimensions: int) -> Vectors:
    """Returns vectors drawn at random, the same for the same vectors."""
    chosen = np.zeros(count, dtype=bool)
    chosen[np.random.default_rng(SEED).choice(count, size, replace=False)] = True
    places = np.cumsum(chosen) - 1
    sample = np.empty((size, dimensions), dtype=np.float32)
    for rows, vectors in blocks:
        drawn = chosen[rows]
        sample[places[rows[drawn]]] = vectors[drawn]
    return sample


def _parameters(selector: Any, lists: int | None = None) -> Any:
    """Returns how to search: among what a selector selects, and in this number of lists."""
    parameters: Any = faiss.SearchParameters() if lists is None else faiss.SearchParametersIVF()
    parameters.sel = selector
    if lists is not None:
        parameters.nprobe = lists
    return parameters


class VectorIndex:
    """The vectors of a segment, by row; all have length 1, so the inner product is the cosine."""

    def __init__(self, found: Any) -> None:
        self._index = found

    @classmethod
    def read(cls, path: Path, digest: str) -> VectorIndex:
        """Reads a file whose SHA-256 is `digest`; another one is not parsed, since it could crash the process.

        Raises OSError, or ValueError for a file that was not written here.
        """
        with path.open("rb") as file:
            if (found := files.sha256_of(file)) != digest:
                raise ValueError(f"is not the file that was written (SHA-256 {found})")
            file.seek(0)
            try:
                index = faiss.read_index(io.PyCallbackIOReader(file.read, _BLOCK_BYTES))
            except RuntimeError as error:
                raise ValueError("is not a FAISS index") from error
        if not isinstance(index, (faiss.IndexFlatIP, faiss.IndexIVFScalarQuantizer)):
            raise ValueError(f"is of a kind that is not written here: {type(index).__name__}")
        return cls(index)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimensions(self) -> int:
        return int(self._index.d)

    @property
    def is_flat(self) -> bool:
        """Returns whether vectors are kept and compared in full precision."""
        return isinstance(self._index, faiss.IndexFlatIP)

    def blocks(self) -> Blocks:
        """Yields all rows and their vectors."""
        if self.is_flat:
            if len(self):
                yield np.arange(len(self)), self._index.reconstruct_n(0, len(self))
            return
        lists = self._index.invlists
        for number in range(self._index.nlist):
            if size := lists.list_size(number):
                rows = faiss.rev_swig_ptr(lists.get_ids(number), size).copy()
                codes = faiss.rev_swig_ptr(lists.get_codes(number), size * lists.code_size)
                yield rows, codes.view(np.float16).reshape(size, self.dimensions).astype(np.float32)

    def take(self, first: int, count: int) -> Vectors:
        """Returns the vectors of `count` rows, shape (count, dimensions)."""
        if not self.is_flat:
            self._index.make_direct_map()
        taken: Vectors = self._index.reconstruct_batch(np.arange(first, first + count))
        return taken

    def search(self, vector: Vectors, top_k: int, among: Mask | None = None) -> list[tuple[int, float]]:
        """Returns up to `top_k` (row, cosine), nearest first; `vector` has shape (dimensions,).

        `among` masks the searchable rows, shape (rows,).
        """
        searched = len(self) if among is None else int(among.sum())
        top_k = min(top_k, searched)
        if top_k < 1:
            return []
        if among is not None and searched <= (len(self) // 4 if self.is_flat else COMPARED_ONE_BY_ONE):
            return self._compare(vector, top_k, np.flatnonzero(among))
        selector = None
        if among is not None:
            bits = np.packbits(among, bitorder="little")
            selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
        if self.is_flat:
            return self._search(vector, top_k, _parameters(selector))
        lists = self._index.nlist
        # The fewer vectors of a list count, the more lists are looked at, so that as many vectors are compared.
        wanted = min(lists, round(lists * SEARCHED_SHARE * len(self) / searched))
        found = self._search(vector, top_k, _parameters(selector, wanted))
        if len(found) < top_k:
            found = self._search(vector, top_k, _parameters(selector, lists))
        return found

    def _compare(self, vector: Vectors, top_k: int, rows: NDArray[np.int64]) -> list[tuple[int, float]]:
        """Returns the `top_k` best of some rows, each compared with the vector."""
        if self.is_flat:
            stored = faiss.rev_swig_ptr(self._index.get_xb(), len(self) * self.dimensions)
            scores = stored.reshape(len(self), self.dimensions)[rows] @ vector
        else:
            if self._index.direct_map.no():
                self._index.make_direct_map()
            scores = self._index.reconstruct_batch(rows) @ vector
        order = np.argsort(-scores, kind="stable")[:top_k]
        return list(zip(rows[order].tolist(), scores[order].tolist(), strict=True))

    def _search(self, vector: Vectors, top_k: int, parameters: Any) -> list[tuple[int, float]]:
        scores, rows = self._index.search(vector[np.newaxis, :], top_k, params=parameters)
        return [(row, score) for row, score in zip(rows[0].tolist(), scores[0].tolist(), strict=True) if row >= 0]
