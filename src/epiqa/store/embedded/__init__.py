"""Vectors, text and words on disk; the only package that imports faiss.

An index directory holds

    CURRENT                  the name of the live generation and the SHA-256 of its manifest
    LOCK                     held by the one process that writes
    generations/g000001/     manifest.json, catalogue.sqlite, and of each segment text-0.sqlite, vectors-0.faiss;
                             never changed once it is current

`Index` reads one generation; `IndexWriter` makes the next one beside it and switches to it by renaming a
new `CURRENT` over the old. Both know documents, chunks and vectors, and nothing of models.
"""

from epiqa.store.embedded.inverted_index import Form, Stem
from epiqa.store.embedded.reader import Index
from epiqa.store.embedded.verify import verify
from epiqa.store.embedded.writer import IndexWriter

__all__ = ["Form", "Index", "IndexWriter", "Stem", "verify"]
