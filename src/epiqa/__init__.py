"""EpiQA answers questions about a folder of documents, offline, in the documents' own words.

>>> from epiqa import EpiQA
>>> qa = EpiQA.build(["seeds"], index="index")
>>> answer = qa.ask("Who presided over the meeting on February 2?")
>>> answer.text, answer.confidence, answer.citations[0].quote
"""

import epiqa.offline  # noqa: F401  (first of all)

# isort: split
from epiqa.assistant import EpiQA
from epiqa.errors import (
    EpiQAError,
    FilterError,
    IndexUnavailableError,
    IngestError,
    ModelError,
    QuestionError,
)
from epiqa.filters import Filter
from epiqa.types import (
    Answer,
    Candidate,
    Chunking,
    Citation,
    DocumentInfo,
    Embedder,
    IndexInfo,
    IndexReport,
    Passage,
    Reader,
    Span,
)

__version__ = "0.2.0"

__all__ = [
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
