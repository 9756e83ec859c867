from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sage_select.encode import embed_texts, transformer
from sage_select.errors import DataError, ResourceError, UsageError

pytestmark = pytest.mark.train

TEXTS = [
    "book a table",
    "a table for two people in the city",
    "",
    "integral of x",
    " \n",
    "book a table",
    "weather " * 30,
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny sentence-transformers model with random weights."""
    modules = pytest.importorskip("sentence_transformers.models")
    sentence_transformers = pytest.importorskip("sentence_transformers")
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend.train_from_iterator(
        TEXTS, trainers.WordPieceTrainer(vocab_size=120, special_tokens=special, show_progress=False)
    )
    backend.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=24,
    )
    plain = tmp_path_factory.mktemp("plain")
    BertModel(config).save_pretrained(plain)
    tokenizer.save_pretrained(plain)
    folder = tmp_path_factory.mktemp("embedder")
    words = modules.Transformer(str(plain), max_seq_length=20)
    pooling = modules.Pooling(words.get_embedding_dimension(), pooling_mode="mean")
    sentence_transformers.SentenceTransformer(modules=[words, pooling], device="cpu").save(str(folder))
    return folder


def test_each_text_gets_its_normalised_vector(model: Path) -> None:
    from sentence_transformers import SentenceTransformer

    seen: list[tuple[int, int]] = []
    got = embed_texts(
        pa.chunked_array([TEXTS[:3], TEXTS[3:]]),
        str(model),
        device="cpu",
        batch_size=2,
        progress=lambda *done: seen.append(done),
    )
    assert got.array.dtype == np.float32
    assert got.array.shape == (7, 16)
    encoder = SentenceTransformer(str(model), device="cpu")
    for row, text in enumerate(TEXTS):
        if text.strip():
            alone = encoder.encode([text], normalize_embeddings=True, show_progress_bar=False)[0]
            np.testing.assert_allclose(got.array[row], alone, atol=1e-5)
        else:
            np.testing.assert_array_equal(got.array[row], np.eye(16)[0])
    np.testing.assert_allclose(np.linalg.norm(got.array, axis=1), 1, rtol=1e-5)
    assert (got.empty_rows, got.cut_rows, got.notices) == (2, 1, [])
    assert seen == [(7, 7)]
    assert got.name == str(model)
    assert got.revision is not None


def test_windows_and_batches_do_not_matter(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = embed_texts(pa.array(TEXTS), str(model), device="cpu").array
    monkeypatch.setattr(transformer, "_BLOCK_TEXTS", 2)
    parts = embed_texts(pa.array(TEXTS), str(model), device="cpu", batch_size=1).array
    np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_a_plain_model_is_averaged_with_a_notice(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    shutil.copytree(model, folder)
    for part in ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"):
        (folder / part).unlink(missing_ok=True)
    got = embed_texts(pa.array(["book a table"]), str(folder), device="cpu")
    assert "token vectors are averaged" in got.notices[0]
    np.testing.assert_allclose(
        got.array[0], embed_texts(pa.array(["book a table"]), str(model), device="cpu").array[0], atol=1e-5
    )


def test_no_texts(model: Path) -> None:
    assert embed_texts(pa.array([], pa.string()), str(model), device="cpu").array.shape == (0, 16)


def test_what_is_no_model_is_refused(model: Path, tmp_path: Path) -> None:
    texts = pa.array(["a"])
    with pytest.raises(UsageError, match="holds no model"):
        embed_texts(texts, str(tmp_path))
    with pytest.raises(UsageError, match="no such model folder"):
        embed_texts(texts, str(tmp_path / "none"))
    pickled = tmp_path / "pickled"
    shutil.copytree(model, pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(UsageError, match="pickles are never loaded"):
        embed_texts(texts, str(pickled))
    torn = tmp_path / "torn"
    shutil.copytree(model, torn)
    (torn / "model.safetensors").write_bytes((model / "model.safetensors").read_bytes()[:500])
    with pytest.raises(DataError, match="the model cannot be read"):
        embed_texts(texts, str(torn))


def spoil(folder: Path, how: str) -> None:
    if how == "decoy":
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        (folder / "decoy.safetensors").write_bytes(b"")
    elif how == "index":
        (folder / "model.safetensors").rename(folder / "weights.bin")
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "weights.bin"}}))
    elif how == "module":
        (folder / "1_Pooling" / "pytorch_model.bin").write_bytes(b"")
    elif how == "outside":
        modules = json.loads((folder / "modules.json").read_text())
        modules[1]["path"] = "../pooling"
        (folder / "modules.json").write_text(json.dumps(modules))
    elif how == "adapter":
        (folder / "adapter_config.json").write_text("{}")
    elif how == "pipe":
        os.mkfifo(folder / "1_Pooling" / "model.safetensors")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("decoy", "pickles are never loaded"),
        ("index", "pickles are never loaded"),
        ("module", "pickles are never loaded"),
        ("outside", "outside"),
        ("adapter", "adapter beside the model"),
        ("pipe", "no regular file"),
    ],
)
def test_nothing_but_safetensors_inside_the_folder_is_read(model: Path, tmp_path: Path, how: str, says: str) -> None:
    shutil.copytree(model, tmp_path / "spoilt")
    spoil(tmp_path / "spoilt", how)
    with pytest.raises(UsageError, match=says):
        embed_texts(pa.array(["a"]), str(tmp_path / "spoilt"))


def test_every_file_of_an_encoder_is_a_part_of_its_identity(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "other")
    before = embed_texts(pa.array(["a"]), str(tmp_path / "other"), device="cpu").revision
    assert before == embed_texts(pa.array(["a"]), str(model), device="cpu").revision
    settings = tmp_path / "other" / "1_Pooling" / "config.json"
    settings.write_text(settings.read_text() + " ")
    assert embed_texts(pa.array(["a"]), str(tmp_path / "other"), device="cpu").revision != before


def test_a_missing_extra_says_how_to_get_it(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    with pytest.raises(ResourceError, match=r"sage-select\[embed\]"):
        embed_texts(pa.array(["a"]), str(model))


def test_memory_that_does_not_suffice_halves_the_batch() -> None:
    import torch

    class Short:
        def encode(self, texts: list[str], *, batch_size: int, **_: Any) -> Any:
            if batch_size > 2:
                raise torch.OutOfMemoryError
            return np.ones((len(texts), 3), np.float32)

    vectors, size = transformer._encoded(Short(), ["a", "b"], 32)
    assert vectors.shape == (2, 3)
    assert size == 2
    Short.encode = lambda *_, **__: (_ for _ in ()).throw(torch.OutOfMemoryError())  # type: ignore[method-assign]
    with pytest.raises(ResourceError, match="one text does not fit"):
        transformer._encoded(Short(), ["a"], 4)
