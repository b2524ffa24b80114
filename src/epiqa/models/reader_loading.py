"""Opens readers: the bundled cascade, an ONNX graph in a folder, or a transformers model in a folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import onnxruntime
from tokenizers import Tokenizer

from epiqa.errors import ModelError
from epiqa.models import onnx_runtime
from epiqa.models.cascade import ReaderCascade
from epiqa.models.lazy import Lazy
from epiqa.models.reader import Logits, WindowReader
from epiqa.types import Passage, Reader, Span

SMALL, LARGE = "reader", "reader-large"


def load_reader(path: str | None = None) -> Reader:
    """Returns the bundled reader for None, else the question-answering model in a local folder.

    The bundled one is opened once in a process, in threads: who reads first waits for it, or for its error. A
    folder with `model.onnx` and `tokenizer.json` is run by ONNX Runtime, any other by transformers.
    Raises ModelError when the folder holds neither.
    """
    if path is None:
        return _bundled(os.getpid())
    folder = Path(path)
    if (folder / onnx_runtime.GRAPH).is_file():
        tokenizer = onnx_runtime.read_tokenizer(folder / "tokenizer.json")
        session = onnx_runtime.session(folder / onnx_runtime.GRAPH)
        return _onnx_reader(tokenizer, session, onnx_runtime.fingerprint(folder / onnx_runtime.GRAPH))
    if (folder / "config.json").is_file():
        return _transformers_reader(folder)
    raise ModelError(f"the reader {path!r} is not a folder with model.onnx and tokenizer.json, or with config.json")


class OpeningReader:
    """A bundled reader that is being opened in a thread; who reads first waits for it."""

    def __init__(self, name: str) -> None:
        self.fingerprint = _short(onnx_runtime.bundled_fingerprint(name))
        self._reader = Lazy(lambda: _bundled_reader(name))
        self._reader.begin()

    def read(self, question: str, passages: Sequence[Passage]) -> list[Span]:
        """Returns what the reader does; raises ModelError when it cannot be opened."""
        return self._reader.get().read(question, passages)


@cache
def _bundled(process: int) -> Reader:
    """Returns the bundled reader of a process: a forked one has none of the threads of its parent's.

    The parent's is kept: dropping it would block on its threads.
    """
    second = OpeningReader(LARGE)  # first, since it takes longest
    return ReaderCascade(OpeningReader(SMALL), second)


def _bundled_reader(name: str) -> WindowReader:
    session = onnx_runtime.bundled_session(name, is_shared=name == LARGE)  # which mostly reads a single passage
    return _onnx_reader(onnx_runtime.bundled_tokenizer(name), session, onnx_runtime.bundled_fingerprint(name))


def _short(fingerprint: str) -> str:
    return f"onnx@{fingerprint[:16]}"


def _onnx_reader(tokenizer: Tokenizer, session: onnxruntime.InferenceSession, fingerprint: str) -> WindowReader:
    outputs = {node.name for node in session.get_outputs()}
    if not {"start_logits", "end_logits"} <= outputs:
        raise ModelError(f"the reader's graph gives {', '.join(sorted(outputs))}, not start_logits and end_logits")

    def run(inputs: onnx_runtime.Inputs) -> tuple[Logits, Logits]:
        start, end = session.run(["start_logits", "end_logits"], inputs)
        return start, end

    names = onnx_runtime.input_names(session)
    return WindowReader(
        tokenizer, run, names, fingerprint=_short(fingerprint), pad_id=onnx_runtime.pad_id(tokenizer)
    )


def _transformers_reader(folder: Path) -> WindowReader:
    try:
        import torch
        from transformers import AutoModelForQuestionAnswering
    except ImportError as error:
        raise ModelError(
            f"the reader {str(folder)!r} needs transformers: pip install 'epiqa[sentence-transformers]'"
        ) from error
    tokenizer = onnx_runtime.read_tokenizer(folder / "tokenizer.json")
    try:
        model, loading = AutoModelForQuestionAnswering.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the reader {str(folder)!r} is not a question-answering model with safetensors weights ({error})"
        ) from error

    if loading["missing_keys"]:
        raise ModelError(
            f"the reader {str(folder)!r} is not a question-answering model: it has no weights for"
            f" {', '.join(sorted(loading['missing_keys']))}"
        )
    model.eval()

    def run(inputs: onnx_runtime.Inputs) -> tuple[Logits, Logits]:
        with torch.inference_mode():
            output = model(**{name: torch.from_numpy(array) for name, array in inputs.items()})
        return output.start_logits.numpy(), output.end_logits.numpy()

    names = ["input_ids", "attention_mask"]
    if getattr(model.config, "type_vocab_size", 0) > 1:
        names.append("token_type_ids")
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    fingerprint = f"transformers@{digest.hexdigest()[:16]}"
    return WindowReader(tokenizer, run, names, fingerprint=fingerprint, pad_id=model.config.pad_token_id or 0)
