"""A corpus of real size: 5,486 health pages as files, indexed and searched.

    python benchmarks/medquad.py PATH_TO_MEDQUAD
    python benchmarks/medquad.py PATH_TO_MEDQUAD --embedder PATH_TO_A_SENTENCE_TRANSFORMERS_MODEL

Figures: documents a second from files to a committed index and peak memory of that process, recall of dense,
lexical and fused search. The second form does the same with fp32 weights, which shows what int8 costs.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import record
from epiqa.assistant import EpiQA
from epiqa.errors import EpiQAError
from epiqa.evaluation.questions import RetrievalSet, read_questions
from epiqa.evaluation.run import retrieval_measures
from epiqa.models.embedder import load_embedder
from epiqa.search.retriever import Method

METHODS: tuple[Method, ...] = ("dense", "lexical", "fused")
KEPT = Path(__file__).parent.parent / "build" / "medquad-kept"


def read_medquad(path: Path) -> RetrievalSet:
    """Reads the BEIR folder; exits where it is none."""
    questions = read_questions(path)
    if not isinstance(questions, RetrievalSet):
        raise SystemExit(f"{path} is not a BEIR folder")
    return questions


def kept_index(questions: RetrievalSet) -> Path:
    """Returns an index of all pages: that which is kept in `build/`, or a new one where it is of another embedder.

    Building takes three or four minutes.
    """
    index = KEPT / "index"
    try:
        EpiQA.open(index, embedder=load_embedder())
    except EpiQAError as error:  # none yet, cut off, of an older format, or of another embedder
        print(f"building {index}: {error}", file=sys.stderr)
        write_texts(questions, KEPT / "texts")
        index_files(KEPT / "texts", index, None)
    return index


def write_texts(questions: RetrievalSet, folder: Path) -> RetrievalSet:
    """Writes each document as a file, title first; returns the set with the files' names for ids."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for document in questions.documents:
        (folder / f"{document.path}.txt").write_text(f"{document.title}\n\n{document.text}", encoding="utf-8")
    qrels = {
        query: {str(folder / f"{name}.txt"): grade for name, grade in grades.items()}
        for query, grades in questions.qrels.items()
    }
    return RetrievalSet(questions.documents, questions.queries, qrels)


def index_files(folder: Path, index: Path, embedder: str | None) -> dict[str, Any]:
    """Runs `epiqa index` in a process of its own; returns its speed and peak memory."""
    shutil.rmtree(index, ignore_errors=True)
    command = [str(Path(sys.executable).with_name("epiqa")), "index", str(folder), "--index", str(index)]
    begun = time.perf_counter()
    subprocess.run(command + (["--embedder", embedder] if embedder else []), check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - begun
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    info = EpiQA.open(index).info
    size = sum(path.stat().st_size for path in index.rglob("*") if path.is_file())
    return {
        "documents": info.documents,
        "chunks": info.chunks,
        "seconds": round(seconds, 1),
        "documents_per_second": round(info.documents / seconds, 1),
        "chunks_per_second": round(info.chunks / seconds, 1),
        "peak_memory_mib": round(peak_kib / 1024),
        "index_mib": round(size / 2**20, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("medquad", type=Path)
    parser.add_argument("--embedder", help="a sentence-transformers model instead of the bundled one")
    parser.add_argument("--work", type=Path, default=Path("build/medquad"), help="for the files and the index")
    arguments = parser.parse_args()
    name = "medquad" if arguments.embedder is None else "medquad, fp32 embedder"
    questions = write_texts(read_medquad(arguments.medquad), arguments.work / "texts")
    index = arguments.work / name.replace(", ", "-").replace(" ", "-")
    figures: dict[str, Any] = {"index": index_files(arguments.work / "texts", index, arguments.embedder)}
    qa = EpiQA.open(index)
    for method in METHODS:
        figures[method] = retrieval_measures(questions, qa, method=method)
    record.write(name, figures)


if __name__ == "__main__":
    main()
