"""EpiQA, with the same weights as the peers or, when no folders are given, as shipped.

The documents are those of `epiqa evaluate --mode open`: not files, so that each keeps its article's title.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from epiqa import EpiQA
from epiqa.ingest import make_document
from epiqa.models.embedder import load_embedder
from epiqa.models.reader_loading import load_reader
from epiqa.sync.operations import add_documents
from epiqa.sync.options import UpdateOptions
from peers.peer import RECALL_K, TOP_K, Document, Found, Reply, main


class Epiqa:
    def __init__(self, embedder: str | None, reader: str | None) -> None:
        self.embedder = load_embedder(embedder)
        self.reader = load_reader(reader)
        self.packages = ["epiqa", "onnxruntime", "faiss-cpu", "tokenizers"]
        if reader:
            self.packages += ["sentence-transformers", "transformers", "torch"]

    def ingest(self, documents: Sequence[Document], index: Path) -> None:
        add_documents(
            (make_document(d.text, path=d.id, location=d.id, title=d.title) for d in documents),
            index,
            UpdateOptions(embedder=self.embedder),
        )
        self.open(index)

    def open(self, index: Path) -> None:
        self.qa = EpiQA.open(index, embedder=self.embedder, reader=self.reader)

    def search(self, question: str) -> list[Found]:
        passages = self.qa.search(question, top_k=RECALL_K)
        return [Found(passage.path, passage.quote, passage.start, passage.end) for passage in passages]

    def ask(self, question: str) -> Reply:
        answer = self.qa.ask(question, top_k=TOP_K)
        best = answer.candidates[0].text if answer.candidates else None
        if not answer.is_answered:
            return Reply(text=None, best=best, score=answer.confidence)
        place = answer.citations[0]
        return Reply(answer.text, place.path, place.start, place.end, best=best, score=answer.confidence)


if __name__ == "__main__":
    main(Epiqa)
