"""Approximate vector search against NumPy, with filters, and from one kind of index to another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from epiqa.store.embedded import vector_index as module
from epiqa.store.embedded.generations import sha256
from epiqa.store.embedded.vector_index import FLAT, Blocks, VectorIndex, kind_for, write_vectors
from epiqa.types import Vectors

COUNT, DIMENSIONS = 20_000, 64
KIND = "IVF64,SQfp16"


def made_up(count: int, seed: int) -> Vectors:
    """Returns vectors of length 1, which lie near a space of twelve dimensions, as those of texts do."""
    generator = np.random.default_rng(seed)
    space = np.random.default_rng(0).normal(size=(12, DIMENSIONS))
    vectors = generator.normal(size=(count, 12)) @ space + 0.5 * generator.normal(size=(count, DIMENSIONS))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


VECTORS, QUERIES = made_up(COUNT, 1), made_up(100, 2)


def blocks() -> Blocks:
    for first in range(0, COUNT, 7_000):
        yield np.arange(first, min(first + 7_000, COUNT)), VECTORS[first : first + 7_000]


def written(path: Path, kind: str | None = None) -> VectorIndex:
    write_vectors(path, DIMENSIONS, COUNT, blocks, kind)
    return VectorIndex.read(path, sha256(path))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> VectorIndex:
    return written(tmp_path_factory.mktemp("vectors") / "many.faiss", KIND)


def recall(index: VectorIndex, among: NDArray[np.bool_] | None = None) -> float:
    """Returns recall@20; asserts that scores are cosines, and that nothing but `among` is found."""
    shares = []
    for query in QUERIES:
        cosines = VECTORS @ query
        if among is not None:
            cosines[~among] = -2
        found = index.search(query, 20, among)
        rows = [row for row, _ in found]
        scores = [score for _, score in found]
        wanted = 20 if among is None else min(20, int(among.sum()))
        assert len(set(rows)) == len(rows) == wanted
        assert scores == sorted(scores, reverse=True)
        np.testing.assert_allclose(scores, cosines[rows], atol=2e-3)
        shares.append(len(set(rows) & set(np.argsort(-cosines)[:wanted].tolist())) / wanted)
    return float(np.mean(shares))


def test_an_approximate_search_finds_nearly_all(index: VectorIndex) -> None:
    assert recall(index) >= 0.98


@pytest.mark.parametrize("share", [0.5, 0.05, 0.01, 0.0005])
def test_a_filter_costs_no_results(index: VectorIndex, share: float) -> None:
    among = np.random.default_rng(3).random(COUNT) < share
    assert recall(index, among) >= 0.98


def test_a_filter_on_one_corner_costs_no_results(index: VectorIndex) -> None:
    # All that counts is far from the query: the lists that are looked at first have none of it.
    far = np.argsort(VECTORS @ QUERIES[0])[:200]
    among = np.zeros(COUNT, dtype=bool)
    among[far] = True
    assert len(index.search(QUERIES[0], 150, among)) == 150
    assert index.search(QUERIES[0], 20, np.zeros(COUNT, dtype=bool)) == []


def test_what_is_flat_is_exact_and_what_is_few_is_flat(tmp_path: Path) -> None:
    assert write_vectors(tmp_path / "few.faiss", DIMENSIONS, COUNT, blocks) == FLAT
    assert recall(written(tmp_path / "flat.faiss", FLAT)) == 1.0


def test_the_kind_follows_from_the_size() -> None:
    assert kind_for(module.FLAT_UP_TO) == FLAT
    assert kind_for(1_000_000) == "IVF2048,SQfp16"


def test_the_same_vectors_make_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_vectors(tmp_path / name, DIMENSIONS, COUNT, blocks, KIND)
    assert sha256(tmp_path / "a") == sha256(tmp_path / "b")


def test_writing_what_was_read_loses_nothing(index: VectorIndex, tmp_path: Path) -> None:
    write_vectors(tmp_path / "again", DIMENSIONS, COUNT, index.blocks, KIND)
    again = VectorIndex.read(tmp_path / "again", sha256(tmp_path / "again"))
    for one, other in ((index, again), (again, index)):
        stored = np.empty((2, COUNT, DIMENSIONS), dtype=np.float32)
        for side, some in enumerate((one, other)):
            for rows, vectors in some.blocks():
                stored[side, rows] = vectors
        np.testing.assert_array_equal(stored[0], stored[1])
    np.testing.assert_allclose(stored[0], VECTORS, atol=1e-3)
