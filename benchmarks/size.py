"""What a question, an update and opening cost at 1,000 to 1,000,000 chunks; how fast the embedder is.

    python benchmarks/size.py --medquad FOLDER --reader FOLDER [--work FOLDER] [--sizes 1000 10000 …]
    python benchmarks/size.py --medquad FOLDER --reader FOLDER --sizes --kinds 0 1000000
    python benchmarks/size.py --medquad FOLDER --reader FOLDER --throughput FOLDER_OF_all-MiniLM-L6-v2

The first form builds an index of each size from real and multiplied text (see `multiplied.py`), measures it, and
draws `growth.svg`; an index that is there already is not built again. Each is built, searched, and updated in a
process of its own, whose peak memory counts all that it holds, the embedder included. Build times leave out the
embedding, which takes the same time for each chunk. The questions are real ones, and embedding them is a part of
what is timed, except where a search is by words alone. `processor_p50` is the time that all cores worked on
a question: where other work runs on the machine, it says more than the time that passed.

Recall is the share of the first 20 chunks of an exact search that are found: of vectors compared one by one, in
single precision; of words, by FTS5, up to 100,000 chunks; of both, fused as in `retrieve.py`. The second form
compares kinds of FAISS index. The third embeds chunks with the bundled graph and with sentence-transformers.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import record
from epiqa.filters import Filter
from epiqa.models.embedder import OnnxEmbedder, titled
from epiqa.search.query_expansion import search_terms
from epiqa.search.retriever import DEPTH, Method, Retrieval, lexical_weight, retrieve, weighted_sum
from epiqa.store.embedded import EmbeddedReader, EmbeddedWriter, vector_index
from epiqa.store.embedded.generations import sha256
from epiqa.store.embedded.vector_index import VectorIndex, kind_for, write_vectors
from epiqa.sync.operations import add_documents, remove_document
from epiqa.types import Vectors
from multiplied import Real, make_document, multiplied, read_real, vector_blocks

SIZES = (1_000, 10_000, 100_000, 1_000_000)
TOP_K = 20
TIMED, WARM_UP = 200, 20  # questions
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 3, 1 / 2)  # of the lists
COMPARED = 300  # questions whose results are compared with those of an exact search
SEED = 3
UPDATED = 10  # documents
EMBEDDED, TURNS = 256, 5  # chunks, and how often they are embedded
MOST_FOR_FTS5 = 100_000  # chunks
NAMES = {"search_peak_mib": "searching, peak", "build_peak_mib": "building, peak", "disk_mib": "on disk"}
METHODS: tuple[Method, ...] = ("dense", "lexical", "fused")


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a fresh process; raises RuntimeError where that dies."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(function, arguments)


def peak_mib() -> int:
    """Returns the most memory that this process has had; `getrusage` counts its parent's, too."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024)


def build(real: Real, chunks: int, directory: Path) -> dict[str, Any]:
    """Builds an index from documents that are cut and embedded; the time to make up their text is left out."""
    shutil.rmtree(directory, ignore_errors=True)
    made_up, base, begun = 0.0, 0, time.perf_counter()
    with EmbeddedWriter(directory) as writer:
        writer.set_embedder(OnnxEmbedder())
        before = time.perf_counter()
        for document, pieces, vectors in multiplied(real, chunks):
            made_up += time.perf_counter() - before
            base = base or peak_mib()
            writer.add(document, pieces, vectors)
            before = time.perf_counter()
        writer.commit()
    seconds = time.perf_counter() - begun - made_up
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {
        "build_s": round(seconds, 1),
        "build_chunks_per_second": round(chunks / seconds),
        "disk_mib": round(sum(path.stat().st_size for path in files) / 2**20),
        "build_peak_mib": peak_mib(),
        "of_which_the_benchmark_s_mib": base,
    }


def build_from(paths: tuple[Path, Path, Path], chunks: int, directory: Path) -> dict[str, Any]:
    return build(read_real(*paths), chunks, directory)


def recall_of(paths: tuple[Path, Path, Path], directory: Path, chunks: int) -> dict[str, float]:
    return recall(read_real(*paths), directory, chunks)


def fts5_of(paths: tuple[Path, Path, Path], directory: Path, chunks: int) -> dict[str, float]:
    real = read_real(*paths)
    return fts5(directory, real.questions, real, chunks)


def update(directory: Path, texts: list[tuple[str, str]]) -> dict[str, Any]:
    """Replaces or adds ten documents, and takes them out again; returns the time of each, embedding included."""
    documents = [make_document(f"new{number}", title, text) for number, (title, text) in enumerate(texts)]
    begun = time.perf_counter()
    add_documents(documents, directory)
    added = time.perf_counter() - begun
    begun = time.perf_counter()
    remove_document(documents[0].id, directory)
    return {
        "update_s": round(added, 2),
        "remove_s": round(time.perf_counter() - begun, 2),
        "update_peak_mib": peak_mib(),
    }


def search(directory: Path, questions: list[str]) -> dict[str, Any]:
    """Opens an index and asks it questions, one after another."""
    embedder = OnnxEmbedder()
    opening = []
    for _ in range(3):
        begun = time.perf_counter()
        index = EmbeddedReader.open(directory)
        opening.append(time.perf_counter() - begun)
    figures: dict[str, Any] = {
        "chunks": index.info.chunks,
        "documents": index.info.documents,
        "vectors": index.info.vectors,
        "opening_s": round(statistics.median(opening), 2),
    }
    chooser, names = random.Random(SEED), [document.path for document in index.documents()]
    ways: dict[str, Callable[[], Retrieval]] = {method: partial(Retrieval, method) for method in METHODS}
    # Other documents for each question: a filter that comes again is not looked up again.
    ways["fused_five_documents"] = lambda: Retrieval(within=Filter(documents=tuple(chooser.sample(names, 5))))
    ways["fused_path_pattern"] = lambda: Retrieval(within=Filter(paths=(f"*{chooser.randrange(10)}.txt",)))
    for name, how in ways.items():
        times, busy = [], []
        for question in questions[: WARM_UP + TIMED]:
            retrieval = how()
            begun, worked = time.perf_counter(), time.process_time()
            retrieve(question, index, embedder, top_k=TOP_K, how=retrieval)
            times.append(1000 * (time.perf_counter() - begun))
            busy.append(1000 * (time.process_time() - worked))
        figures[f"{name}_ms"] = {
            "p50": round(statistics.median(times[WARM_UP:]), 1),
            "p95": round(statistics.quantiles(times[WARM_UP:], n=20)[18], 1),
            "processor_p50": round(statistics.median(busy[WARM_UP:]), 1),
        }
    figures["search_peak_mib"] = peak_mib()
    return figures


def recall(real: Real, directory: Path, chunks: int) -> dict[str, float]:
    """Returns recall@20 of the vector search and of the fused one, against vectors compared one by one."""
    index = EmbeddedReader.open(directory)
    dense, fused = [], []
    nearest = exact(real.question_vectors[:COMPARED], vector_blocks(real, chunks), DEPTH)
    for question, vector, true in zip(real.questions, real.question_vectors, nearest, strict=False):
        found = dict(index.search_vector(vector, DEPTH))
        terms = search_terms(question, index)
        lexical = dict(index.search_words(terms, DEPTH))
        weights = (1.0, lexical_weight(terms))
        ways = [weighted_sum(way, lexical, weights, depth=DEPTH) for way in (true, found)]
        dense.append(shared(true, found))
        fused.append(shared(*ways))
    return {
        "dense_recall@20": round(statistics.fmean(dense), 4),
        "fused_recall@20": round(statistics.fmean(fused), 4),
    }


def exact(questions: Vectors, blocks: Iterator[Vectors], depth: int) -> list[dict[int, float]]:
    """Returns for each question the numbers of the nearest vectors with their cosines; all vectors are compared."""
    scores: NDArray[Any] = np.empty((len(questions), 0), dtype=np.float32)
    numbers: NDArray[Any] = np.empty((len(questions), 0), dtype=np.int64)
    first = 0
    for block in blocks:
        scores = np.hstack([scores, questions @ block.T])
        these = np.arange(first, first + len(block))
        numbers = np.hstack([numbers, np.broadcast_to(these, (len(questions), len(block)))])
        first += len(block)
        kept = np.argpartition(-scores, min(depth, scores.shape[1]) - 1, axis=1)[:, :depth]
        scores, numbers = (np.take_along_axis(values, kept, axis=1) for values in (scores, numbers))
    return [dict(zip(*row, strict=True)) for row in zip(numbers.tolist(), scores.tolist(), strict=True)]


def shared(wanted: Mapping[int, float], found: Mapping[int, float]) -> float:
    """Returns the share of the best 20 of the one that are among the best 20 of the other."""
    one, other = (set(sorted(scores, key=lambda n: (-scores[n], n))[:TOP_K]) for scores in (wanted, found))
    return len(one & other) / len(one)


def fts5(directory: Path, questions: list[str], real: Real, chunks: int) -> dict[str, float]:
    """Returns what SQLite's own search takes for the same words, and how many of its first 20 the index finds."""
    index = EmbeddedReader.open(directory)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(
            "CREATE VIRTUAL TABLE words USING fts5(title, quote, content='', tokenize='porter unicode61')"
        )
        texts = (
            (document.title, piece.quote) for document, pieces, _ in multiplied(real, chunks) for piece in pieces
        )
        rows = ((number, *pair) for number, pair in enumerate(texts))
        connection.executemany("INSERT INTO words (rowid, title, quote) VALUES (?, ?, ?)", rows)
        times, recalls = [], []
        for question in questions[:COMPARED]:
            terms = search_terms(question, index, rewrite=False)  # FTS5 knows no forms that stand for others
            query = " OR ".join('"' + term.text.replace('"', '""') + '"' for term in terms)
            begun = time.perf_counter()
            found = connection.execute(
                "SELECT rowid, -rank FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?", (query, DEPTH)
            ).fetchall()
            times.append(1000 * (time.perf_counter() - begun))
            if found:
                recalls.append(shared(dict(found), dict(index.search_words(terms, DEPTH))))
    return {
        "fts5_ms_p50": round(statistics.median(times), 1),
        "lexical_recall@20_of_fts5": round(statistics.fmean(recalls), 4),
    }


def kinds(real: Real, work: Path, chunks: int) -> dict[str, Any]:
    """Returns size, time and recall@20 of kinds of FAISS index for so many vectors, at shares of their lists."""
    questions = real.question_vectors[:COMPARED]
    nearest = exact(questions, vector_blocks(real, chunks), TOP_K)
    lists = kind_for(chunks, flat_up_to=0)
    figures = {}
    for kind in (vector_index.FLAT, lists, lists.replace("SQfp16", "SQ8")):
        path = work / "kind.faiss"
        begun = time.perf_counter()
        write_vectors(path, real.vectors.shape[1], chunks, lambda: numbered(vector_blocks(real, chunks)), kind)
        built = time.perf_counter() - begun
        index = VectorIndex.read(path, sha256(path))
        for share in SHARES if kind != vector_index.FLAT else (1.0,):
            vector_index.SEARCHED_SHARE = share
            times, recalls = [], []
            for question, true in zip(questions, nearest, strict=True):
                begun = time.perf_counter()
                found = index.search(question, TOP_K)
                times.append(1000 * (time.perf_counter() - begun))
                recalls.append(shared(true, dict(found)))
            figures[f"{kind}, 1/{round(1 / share)} of the lists"] = {
                "build_s": round(built, 1),
                "mib": round(path.stat().st_size / 2**20),
                "p50_ms": round(statistics.median(times), 2),
                "recall@20": round(statistics.fmean(recalls), 4),
            }
            print(kind, share, figures[f"{kind}, 1/{round(1 / share)} of the lists"], flush=True)
        path.unlink()
    return figures


def numbered(blocks: Iterator[Vectors]) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
    """Yields blocks with the rows that they have."""
    first = 0
    for block in blocks:
        yield np.arange(first, first + len(block)), block
        first += len(block)


def throughput(real: Real, folder: Path) -> dict[str, Any]:
    """Embeds the same chunks with the bundled graph and with sentence-transformers and its defaults, in turns."""
    from sentence_transformers import SentenceTransformer

    pairs = zip(real.documents, real.chunks, strict=True)
    texts = [titled(document.title, piece.quote) for document, pieces in pairs for piece in pieces][:EMBEDDED]
    ways: dict[str, Callable[[list[str]], Any]] = {
        "bundled": OnnxEmbedder().encode,
        "sentence_transformers": SentenceTransformer(str(folder)).encode,
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, encode in ways.items():
            begun = time.perf_counter()
            encode(texts)
            times[name].append(time.perf_counter() - begun)
    seconds = {name: statistics.median(some) for name, some in times.items()}
    return {
        "chunks": len(texts),
        **{f"{name}_chunks_per_second": round(len(texts) / some, 1) for name, some in seconds.items()},
        "ratio": round(seconds["sentence_transformers"] / seconds["bundled"], 2),
    }


def draw(sizes: Mapping[int, Mapping[str, Any]], path: Path) -> None:
    """Draws the time of a question, and memory, against the number of chunks."""
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "growth"
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    chunks = sorted(sizes)
    for method in METHODS:
        left.plot(chunks, [sizes[n][f"{method}_ms"]["p50"] for n in chunks], marker="o", label=method)
    left.set(xscale="log", yscale="log", xlabel="chunks", ylabel="ms, median", title="a search")
    for name in ("search_peak_mib", "build_peak_mib", "disk_mib"):
        right.plot(chunks, [sizes[n][name] for n in chunks], marker="o", label=NAMES[name])
    right.set(xscale="log", yscale="log", xlabel="chunks", ylabel="MiB", title="memory and disk")
    for axes in (left, right):
        axes.legend()
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def measure(paths: tuple[Path, Path, Path], chunks: int) -> dict[str, Any]:
    """Returns all figures of one size; the index stays, and so does what its building took."""
    directory = paths[2] / f"index-{chunks}"
    built = directory / "build.json"
    if not built.exists():
        built.write_text(json.dumps(apart(build_from, paths, chunks, directory)), encoding="utf-8")
    real = read_real(*paths)
    figures: dict[str, Any] = json.loads(built.read_text("utf-8"))
    figures |= apart(search, directory, real.questions)
    figures |= apart(recall_of, paths, directory, chunks)
    if chunks <= MOST_FOR_FTS5:
        figures |= apart(fts5_of, paths, directory, chunks)
    changed = paths[2] / "updated"
    shutil.rmtree(changed, ignore_errors=True)
    shutil.copytree(directory, changed, copy_function=os.link)  # no file of an index is changed in place
    texts = [(document.title, document.text[:5000]) for document in real.documents[:UPDATED]]
    figures |= apart(update, changed, texts)
    shutil.rmtree(changed)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--medquad", type=Path, required=True)
    parser.add_argument("--reader", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("build/size"), help="for vectors and indexes: 5 GB")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument(
        "--kinds", type=int, nargs="*", default=(), help="compare kinds of FAISS index; 0: on the real vectors"
    )
    parser.add_argument("--throughput", type=Path, help="the folder of all-MiniLM-L6-v2")
    arguments = parser.parse_args()
    paths = (arguments.medquad, arguments.reader, arguments.work)
    real = read_real(*paths)
    if arguments.throughput:
        record.write("embedding", throughput(real, arguments.throughput))
        return
    for chunks in arguments.kinds:
        chunks = chunks or len(real.vectors)
        record.write(f"kinds of index, {chunks} vectors", kinds(real, arguments.work, chunks))
    figures = {}
    for chunks in arguments.sizes:
        figures[chunks] = measure(paths, chunks)
        record.write(f"size, {chunks} chunks", figures[chunks])
    if figures:
        draw(figures, Path(__file__).with_name("growth.svg"))


if __name__ == "__main__":
    main()
