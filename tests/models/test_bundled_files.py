"""The bundled weights: complete, unaltered, and described."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from epiqa import models
from epiqa.errors import ModelError
from epiqa.models import onnx_runtime


def test_every_model_file_has_its_checksum_and_every_model_its_card() -> None:
    files = {
        p.relative_to(models.ROOT).as_posix()
        for p in models.ROOT.rglob("*")
        if p.suffix in {".onnx", ".data", ".json"}
    }
    assert files == set(models.checksums())
    for model in ("embedder", "reader", "reader-large"):
        card = (models.ROOT / model / "README.md").read_text("utf-8")
        of_graph = [name for name in files if name.startswith(f"{model}/model.onnx")]
        assert of_graph
        assert all(models.checksums()[name] in card for name in of_graph)


@pytest.mark.parametrize("damage", [b"", b"not a graph", None])
def test_an_altered_or_missing_file_is_refused_before_it_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes | None
) -> None:
    shutil.copytree(models.ROOT / "reader", tmp_path / "reader")
    known = models.checksums()
    monkeypatch.setattr(models, "checksums", lambda: known)
    monkeypatch.setattr(models, "ROOT", tmp_path)
    assert models.read_bundled("reader/tokenizer.json")
    if damage is None:
        (tmp_path / "reader" / "model.onnx").unlink()
    else:
        (tmp_path / "reader" / "model.onnx").write_bytes(damage)
    with pytest.raises(ModelError, match=r"reader/model.onnx.*reinstall epiqa"):
        models.read_bundled("reader/model.onnx")


def test_altered_weights_are_refused_before_their_graph_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = models.checksums()
    folder = tmp_path / "reader-large"
    folder.mkdir()
    shutil.copy(models.ROOT / "reader-large" / "model.onnx", folder)
    (folder / "model.onnx.data").write_bytes(b"not the weights")
    monkeypatch.setattr(models, "checksums", lambda: known)
    monkeypatch.setattr(models, "ROOT", tmp_path)
    with pytest.raises(ModelError, match=r"reader-large/model.onnx.data was altered .*reinstall epiqa"):
        onnx_runtime.bundled_session("reader-large")


def test_a_file_that_is_not_listed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.onnx").write_bytes(b"anything")
    known = models.checksums()
    monkeypatch.setattr(models, "checksums", lambda: known)
    monkeypatch.setattr(models, "ROOT", tmp_path)
    with pytest.raises(ModelError, match="altered"):
        models.read_bundled("other.onnx")
