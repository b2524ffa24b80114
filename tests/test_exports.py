"""The public names, and what importing them must not bring along."""

from __future__ import annotations

import subprocess
import sys

import epiqa


def test_the_public_names_are_these() -> None:
    assert epiqa.__all__ == [
        "Answer",
        "Candidate",
        "Chunking",
        "Citation",
        "DocumentInfo",
        "Embedder",
        "EpiQA",
        "EpiQAError",
        "Filter",
        "FilterError",
        "IndexInfo",
        "IndexReport",
        "IndexUnavailableError",
        "IngestError",
        "ModelError",
        "Passage",
        "QuestionError",
        "Reader",
        "Span",
    ]
    assert all(hasattr(epiqa, name) for name in epiqa.__all__)


def test_importing_epiqa_imports_no_heavy_package() -> None:
    heavy = "{'torch', 'transformers', 'sentence_transformers', 'gradio'}"
    script = f"import sys, epiqa, epiqa.cli; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
