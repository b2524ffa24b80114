"""Haystack: its splitter, embedders, in-memory store and extractive reader, in the pipelines of its tutorial.

`TransformersExtractiveReader` is in the package transformers-haystack, the embedders are in
sentence-transformers-haystack. Settings are the defaults, but for the models, the number of passages, and the
title, which is embedded with the text. Where an answer stands is the splitter's `split_idx_start` and the reader's
`document_offset`, added.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from haystack import Document as HaystackDocument
from haystack import Pipeline
from haystack.components.preprocessors import DocumentSplitter
from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
from haystack.components.writers import DocumentWriter
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack_integrations.components.embedders.sentence_transformers import (
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)
from haystack_integrations.components.readers.transformers import (
    TransformersExtractiveReader,
)

from peers.peer import RECALL_K, TOP_K, Document, Found, Reply, main

STORE = "store.json"


class Haystack:
    packages = (
        "haystack-ai",
        "transformers-haystack",
        "sentence-transformers-haystack",
        "sentence-transformers",
        "transformers",
        "torch",
    )

    def __init__(self, embedder: str | None, reader: str | None) -> None:
        self.document_embedder = SentenceTransformersDocumentEmbedder(
            model=embedder, meta_fields_to_embed=["title"], progress_bar=False
        )
        self.text_embedder = SentenceTransformersTextEmbedder(model=embedder, progress_bar=False)
        self.reader = TransformersExtractiveReader(model=reader)
        for component in (self.document_embedder, self.text_embedder, self.reader):
            component.warm_up()

    def ingest(self, documents: Sequence[Document], index: Path) -> None:
        store = InMemoryDocumentStore()
        pipeline = Pipeline()
        pipeline.add_component("splitter", DocumentSplitter())
        pipeline.add_component("embedder", self.document_embedder)
        pipeline.add_component("writer", DocumentWriter(document_store=store))
        pipeline.connect("splitter", "embedder")
        pipeline.connect("embedder", "writer")
        texts = [HaystackDocument(id=d.id, content=d.text, meta={"title": d.title}) for d in documents]
        pipeline.run({"splitter": {"documents": texts}})
        index.mkdir(parents=True)
        store.save_to_disk(str(index / STORE))
        self._use(store)

    def open(self, index: Path) -> None:
        self._use(InMemoryDocumentStore.load_from_disk(str(index / STORE)))

    def _use(self, store: Any) -> None:
        self.retriever = InMemoryEmbeddingRetriever(document_store=store, top_k=RECALL_K)
        self.pipeline = Pipeline()
        self.pipeline.add_component("embedder", self.text_embedder)
        self.pipeline.add_component("retriever", InMemoryEmbeddingRetriever(document_store=store, top_k=TOP_K))
        self.pipeline.add_component("reader", self.reader)
        self.pipeline.connect("embedder.embedding", "retriever.query_embedding")
        self.pipeline.connect("retriever.documents", "reader.documents")

    def search(self, question: str) -> list[Found]:
        embedding = self.text_embedder.run(text=question)["embedding"]
        documents = self.retriever.run(query_embedding=embedding)["documents"]
        starts = [document.meta["split_idx_start"] for document in documents]
        return [
            Found(document.meta["source_id"], document.content, start, start + len(document.content))
            for document, start in zip(documents, starts, strict=True)
        ]

    def ask(self, question: str) -> Reply:
        result = self.pipeline.run({"embedder": {"text": question}, "reader": {"query": question}})
        answers = result["reader"]["answers"]
        best = next(answer for answer in answers if answer.data)
        if not answers[0].data:
            return Reply(text=None, best=best.data, score=best.score)
        start = best.document.meta["split_idx_start"]
        return Reply(
            text=best.data,
            document=best.document.meta["source_id"],
            start=start + best.document_offset.start,
            end=start + best.document_offset.end,
            best=best.data,
            score=best.score,
        )


if __name__ == "__main__":
    main(Haystack)
