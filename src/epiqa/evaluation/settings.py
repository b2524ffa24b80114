"""What an evaluation depends on, as its JSON and its report tell: the same settings, the same figures."""

from __future__ import annotations

import hashlib
import platform
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import onnxruntime

from epiqa import __version__
from epiqa.answering.calibration import Calibration
from epiqa.assistant import EpiQA
from epiqa.errors import QuestionSetError

_HASH_DIGITS = 16
_BEIR_FILES = ("corpus*.jsonl*", "queries*.jsonl*", "qrels*.tsv*", "qrels/*.tsv*")


def question_set_settings(path: Path) -> dict[str, str | None]:
    """Returns the name of a question set and its SHA-256; that of a folder is over its files' names and contents.

    A pipe, which cannot be read twice, has none. Raises QuestionSetError when it cannot be read.
    """
    if not path.is_file() and not path.is_dir():
        return {"name": path.name, "sha256": None}
    digest = hashlib.sha256()
    try:
        if path.is_dir():
            for file in sorted(file for pattern in _BEIR_FILES for file in path.glob(pattern)):
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                digest.update(f"{content}  {file.relative_to(path)}\n".encode("utf-8", "backslashreplace"))
        else:
            digest.update(path.read_bytes())
    except OSError as error:
        raise QuestionSetError(f"{path}: cannot be read ({error})") from error
    return {"name": path.resolve().name, "sha256": digest.hexdigest()}


def calibration_settings(calibration: Calibration) -> dict[str, Any]:
    """Returns the threshold of abstention, and a short hash of the whole calibration."""
    digest = hashlib.sha256(calibration.to_json().encode()).hexdigest()
    return {"threshold": calibration.threshold, "hash": digest[:_HASH_DIGITS]}


def index_settings(qa: EpiQA) -> dict[str, Any]:
    """Returns what the index holds.

    Its fingerprint is made of the documents' ids, which follow from their paths and texts: two indexes of the same
    documents have the same one, however and in which order they were built.
    """
    ids = sorted(document.id for document in qa.documents())
    return {
        "generation": qa.info.generation,
        "documents": qa.info.documents,
        "chunks": qa.info.chunks,
        "vectors": qa.info.vectors,
        "fingerprint": hashlib.sha256("\n".join(ids).encode("utf-8", "backslashreplace")).hexdigest()[
            :_HASH_DIGITS
        ],
    }


def versions() -> Mapping[str, str]:
    """Returns the versions of what computes the figures."""
    return {
        "epiqa": __version__,
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "faiss": faiss.__version__,
        "numpy": np.__version__,
        "sqlite": sqlite3.sqlite_version,
        "machine": platform.machine(),
    }
