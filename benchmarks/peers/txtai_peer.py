"""txtai: paragraphs in an embeddings database, and its RAG pipeline with an extractive model, `Questions`.

The paragraphs are joined, best first, and as much of them is read as the model takes in one window; an answer comes
with the id of the paragraph it is likeliest from, and without a place in it. "No answer" is a score below 0.05.
`Questions` (9.14) raises a TypeError when the model points at its first token, which is how a SQuAD 2 model says
"no answer"; that is taken for one here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from txtai import Embeddings
from txtai.pipeline import RAG, Questions, Segmentation

from peers.peer import RECALL_K, TOP_K, Document, Found, Reply, main

SEPARATOR = "::"


def document_of(row_id: str) -> str:
    return row_id.rpartition(SEPARATOR)[0]


class Txtai:
    packages = ("txtai", "transformers", "faiss-cpu", "torch")

    def __init__(self, embedder: str | None, reader: str | None) -> None:
        self.embeddings = Embeddings(path=embedder, content=True)
        self.questions = Questions(reader)
        self._use()

    def _use(self) -> None:
        self.rag = RAG(self.embeddings, self.questions, context=TOP_K, output="reference")

    def ingest(self, documents: Sequence[Document], index: Path) -> None:
        paragraphs = Segmentation(paragraphs=True)
        self.embeddings.index(
            (f"{document.id}{SEPARATOR}{number}", paragraph)
            for document in documents
            for number, paragraph in enumerate(paragraphs(document.text))
        )
        self.embeddings.save(str(index))

    def open(self, index: Path) -> None:
        self.embeddings.load(str(index))
        self._use()

    def search(self, question: str) -> list[Found]:
        rows = self.embeddings.search(question, RECALL_K)
        return [Found(document_of(row["id"]), row["text"]) for row in rows]

    def ask(self, question: str) -> Reply:
        try:
            found = self.rag(question)
        except TypeError:
            return Reply(text=None)
        if not found["answer"]:
            return Reply(text=None)
        return Reply(text=found["answer"], document=document_of(found["reference"]))


if __name__ == "__main__":
    main(Txtai)
