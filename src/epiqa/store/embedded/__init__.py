"""Vectors, text and words on disk; the only package that imports faiss.

An index directory holds

    CURRENT                  the name of the live generation and the SHA-256 of its manifest
    LOCK                     held by the one process that writes
    generations/g000001/     manifest.json, catalogue.sqlite, and of each segment text-0.sqlite, vectors-0.faiss;
                             never changed once it is current

`EmbeddedReader` reads one generation. `EmbeddedWriter` makes the next one beside it, and renames a
new `CURRENT` over the old to switch to it. Neither knows anything of models.
"""

from epiqa.store.embedded.generations import CURRENT
from epiqa.store.embedded.reader import EmbeddedReader
from epiqa.store.embedded.verify import verify
from epiqa.store.embedded.writer import EmbeddedWriter

__all__ = ["CURRENT", "EmbeddedReader", "EmbeddedWriter", "verify"]
