"""The script that people write to search a folder: windows of words, sentence-transformers as it comes, FAISS.

    python benchmarks/plain_index.py FOLDER INDEX MODEL

Reads the text files of a folder, embeds windows of 180 words, and writes a FAISS file and a JSON file. Prints one
JSON object: how many documents and windows, and the seconds from the first file read to the last file written, the
model loaded before.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import faiss
from sentence_transformers import SentenceTransformer

from peers.peer import Document
from peers.plain_peer import windows


def main() -> None:
    folder, index, model = map(Path, sys.argv[1:])
    embedder = SentenceTransformer(str(model), device="cpu")
    begun = time.perf_counter()
    documents = []
    for path in sorted(folder.rglob("*.txt")):
        text = path.read_text("utf-8")
        documents.append(Document(path.name, text.partition("\n")[0], text))
    titles = {document.id: document.title for document in documents}
    passages = [found for document in documents for found in windows(document)]
    vectors = embedder.encode([f"{titles[found.document]}\n{found.text}" for found in passages])
    faiss.normalize_L2(vectors)
    flat: Any = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    index.mkdir(parents=True, exist_ok=True)
    faiss.write_index(flat, str(index / "vectors.faiss"))
    rows = [asdict(found) for found in passages]
    (index / "passages.json").write_text(json.dumps(rows), encoding="utf-8")
    seconds = time.perf_counter() - begun
    print(json.dumps({"documents": len(documents), "windows": len(passages), "seconds": seconds}))


if __name__ == "__main__":
    main()
