"""Text -> vectors: the bundled ONNX graph, or any sentence-transformers model; the only importer of that package.

The bundled graph is all-MiniLM-L6-v2 with pooling and normalisation inside (`models/embedder/README.md`); it
needs neither torch nor sentence-transformers, whose import takes about ten seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from epiqa.errors import EmbedderMismatchError, ModelError
from epiqa.models import checksums, onnx_runtime
from epiqa.types import Embedder, Vectors

BUNDLED = "all-MiniLM-L6-v2"
SENTENCE_TRANSFORMERS = "sentence-transformers@"  # begins the fingerprint of such a model
BATCH_TEXTS = 16


def titled(title: str, text: str) -> str:
    """Returns what is embedded for a chunk: the title of its document, then its text."""
    return f"{title}\n{text}"


class OnnxEmbedder:
    """The bundled all-MiniLM-L6-v2, int8: 384 dimensions, texts cut at 256 tokens."""

    name = BUNDLED
    dimensions = 384

    def __init__(self) -> None:
        parts = "".join(checksums()[f"embedder/{name}"] for name in ("model.onnx", "tokenizer.json"))
        self.fingerprint = f"{BUNDLED}-int8@{hashlib.sha256(parts.encode()).hexdigest()[:16]}"
        self._tokenizer = onnx_runtime.bundled_tokenizer("embedder")
        self._session = onnx_runtime.bundled_session("embedder")

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Returns float32, shape (texts, 384), rows of length 1.

        The same texts give the same vectors, and a graph without an attention mask gives a text the same
        vector whatever it is computed with.
        """
        encodings = self._tokenizer.encode_batch(list(texts))
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        names = onnx_runtime.input_names(self._session)
        for rows, found in onnx_runtime.run_batches(self._run, encodings, BATCH_TEXTS, names=names):
            vectors[rows] = found
        return vectors

    def _run(self, inputs: onnx_runtime.Inputs) -> Vectors:
        vectors: Vectors = self._session.run(["embedding"], inputs)[0]
        return vectors


class SentenceTransformerEmbedder:
    """Any sentence-transformers model on this machine, by local path or by name in its cache."""

    def __init__(self, name: str) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise ModelError(
                f"the embedder {name!r} needs sentence-transformers: pip install 'epiqa[sentence-transformers]'"
            ) from error
        try:
            model = SentenceTransformer(
                name, device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
            )
        except (OSError, ValueError) as error:
            raise ModelError(
                f"the embedder {name!r} cannot be loaded; it must be the path of a sentence-transformers model"
                f" with safetensors weights, or the name of one in the local cache ({error})"
            ) from error
        self._model = model
        self.name = str(Path(name).resolve()) if Path(name).is_dir() else name
        self.dimensions = int(model.encode(["width"]).shape[1])
        self.fingerprint = f"{SENTENCE_TRANSFORMERS}{_hash(model)}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Returns float32, shape (texts, dimensions), rows of length 1."""
        vectors = self._model.encode(
            list(texts), batch_size=BATCH_TEXTS, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)


def load_embedder(name: str | None = None) -> Embedder:
    """Returns the bundled embedder for None or its name, else a sentence-transformers model.

    Raises ModelError when the model is not on this machine; nothing is fetched.
    """
    return OnnxEmbedder() if name in (None, BUNDLED) else SentenceTransformerEmbedder(name)


def open_embedder(given: Embedder | str | None) -> Embedder:
    """Returns an embedder that is given as such, by its name, or by None for the bundled one."""
    return load_embedder(given) if given is None or isinstance(given, str) else given


def matching_embedder(given: Embedder | str | None, name: str, fingerprint: str, directory: Path) -> Embedder:
    """Returns the embedder to use with an index that one of this name and fingerprint made.

    Raises EmbedderMismatchError when the given one is another, or when a custom one must be given.
    """
    if given is None and not fingerprint.startswith((f"{BUNDLED}-", SENTENCE_TRANSFORMERS)):
        raise EmbedderMismatchError(
            f"the index in {directory} was built with the custom embedder {name!r} ({fingerprint}): pass it as"
            " embedder= in Python, or build another index with epiqa index PATH… --index DIR"
        )
    model = open_embedder(name if given is None else given)
    if model.fingerprint != fingerprint:
        raise EmbedderMismatchError(
            f"the index in {directory} was built with {name} ({fingerprint}), this embedder is {model.name}"
            f" ({model.fingerprint}): use that one, or build another index with epiqa index PATH… --index DIR"
        )
    return model


def _hash(model: Any) -> str:
    """Returns 16 hexadecimal digits over a model's modules, vocabulary and weights."""
    import torch

    vocabulary = sorted(model.tokenizer.get_vocab().items())
    digest = hashlib.sha256(f"{model}{vocabulary}".encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
