"""The vectors of an index: exact inner-product search with FAISS, under the chunks' own numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from epiqa.index import generation as files
from epiqa.types import Vectors

_PER_PIECE = 1 << 16


class VectorIndex:
    """Vectors by chunk number; all have length 1, so the inner product is the cosine."""

    def __init__(self, flat: faiss.IndexIDMap2) -> None:
        self._flat = flat

    @classmethod
    def empty(cls, dimensions: int) -> VectorIndex:
        return cls(faiss.IndexIDMap2(faiss.IndexFlatIP(dimensions)))

    @classmethod
    def from_bytes(cls, data: bytes) -> VectorIndex:
        """Restores what `to_bytes` gave. Check the SHA-256 first: damaged bytes can crash the process.

        Raises ValueError when the bytes are something else.
        """
        try:
            restored = faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8))
        except RuntimeError as error:
            raise ValueError("these bytes are not a FAISS index") from error
        if not isinstance(restored, faiss.IndexIDMap2):
            raise ValueError(f"{type(restored).__name__} is not the kind of FAISS index that is written here")
        return cls(restored)

    def to_bytes(self) -> bytes:
        return bytes(faiss.serialize_index(self._flat))

    def __len__(self) -> int:
        return int(self._flat.ntotal)

    @property
    def dimensions(self) -> int:
        return int(self._flat.d)

    def numbers(self) -> set[int]:
        """Returns the chunk numbers that have a vector."""
        return set(faiss.vector_to_array(self._flat.id_map).tolist())

    def lengths(self) -> NDArray[np.float32]:
        """Returns the length of every vector, shape (vectors,)."""
        stored = faiss.downcast_index(self._flat.index)
        pieces = [
            np.linalg.norm(stored.reconstruct_n(first, min(_PER_PIECE, len(self) - first)), axis=1)
            for first in range(0, len(self), _PER_PIECE)
        ]
        return np.concatenate([np.empty(0, dtype=np.float32), *pieces])

    def add(self, numbers: Sequence[int], vectors: Vectors) -> None:
        self._flat.add_with_ids(np.ascontiguousarray(vectors), np.array(numbers, dtype=np.int64))

    def remove(self, numbers: Sequence[int]) -> None:
        self._flat.remove_ids(faiss.IDSelectorBatch(np.array(numbers, dtype=np.int64)))

    def search(self, vector: Vectors, top_k: int, among: Sequence[int] | None = None) -> list[tuple[int, float]]:
        """Returns up to `top_k` (chunk number, cosine), nearest first; `vector` has shape (dimensions,).

        `among` are the chunk numbers that are searched, all for None.
        """
        top_k = min(top_k, len(self) if among is None else len(among))
        if top_k < 1:
            return []
        parameters = None
        if among is not None:
            parameters = faiss.SearchParameters()
            parameters.sel = faiss.IDSelectorBatch(np.array(among, dtype=np.int64))
        scores, numbers = self._flat.search(vector[np.newaxis, :], top_k, params=parameters)
        return list(zip(numbers[0].tolist(), scores[0].tolist(), strict=True))


def read_vectors(directory: Path, generation: Path) -> VectorIndex:
    """Reads the vectors of a generation whose checksums hold; raises IndexDamagedError when they are none."""
    try:
        return VectorIndex.from_bytes((generation / files.VECTORS).read_bytes())
    except (OSError, ValueError) as error:
        raise files.damaged(directory, f"{generation.name}/{files.VECTORS}: {error}") from error
