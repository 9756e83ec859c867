from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sage_select.errors import DataError, ResourceError, SageError, UsageError
from sage_select.render.extras import require
from sage_select.render.model_files import (
    is_local,
    load_causal_lm,
    load_tokenizer,
    model_revision,
    require_vocabulary,
)

pytestmark = pytest.mark.train

Copy = Callable[..., Path]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never ask a network."""
    monkeypatch.setattr(pytest.importorskip("huggingface_hub.constants"), "HF_HUB_OFFLINE", True)


@pytest.fixture
def copied(shared_model: Path, tmp_path: Path) -> Copy:
    """Return a maker of partial copies of a real model."""

    def copy(*names: str) -> Path:
        folder = tmp_path / "model"
        folder.mkdir()
        for name in names:
            shutil.copy(shared_model / name, folder)
        return folder

    return copy


def refused(kind: type[Exception], folder: Path | str) -> str:
    with pytest.raises(kind) as error:
        load_causal_lm(str(folder), "float32")
    assert str(folder) in str(error.value)
    return str(error.value)


def test_a_real_model_loads_whole_and_quietly(shared_model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import torch

    model = load_causal_lm(str(shared_model), "float32")
    assert sum(weight.numel() for weight in model.parameters()) == 260_032
    assert not model.training
    assert next(model.parameters()).dtype == torch.float32
    assert load_tokenizer(str(shared_model)).is_fast
    require_vocabulary(model, load_tokenizer(str(shared_model)), "x")
    assert "Loading" not in capfd.readouterr().err


def test_what_is_no_model_is_a_usage_error(copied: Copy, tmp_path: Path) -> None:
    folder = copied()
    assert "the folder holds no model" in refused(UsageError, folder)
    with pytest.raises(UsageError, match="holds no tokenizer"):
        load_tokenizer(str(folder))
    (folder / "adapter_config.json").write_text("{}")
    assert "an adapter, not a model" in refused(UsageError, folder)
    (folder / "adapter_config.json").unlink()
    (folder / "config.json").write_text("{}")
    assert "*.safetensors" in refused(UsageError, folder)
    (folder / "pytorch_model.bin").write_bytes(b"")
    assert "pickled weights, which are never loaded" in refused(UsageError, folder)
    (folder / "model.safetensors").write_bytes(b"")
    assert "not a causal language model" in refused(UsageError, folder)
    assert "is a file" in refused(UsageError, folder / "config.json")
    assert f"did you mean {str(folder)!r}?" in refused(UsageError, tmp_path / "modle")


def test_an_encoder_is_no_causal_model(copied: Copy, shared_model: Path) -> None:
    folder = copied("model.safetensors", "tokenizer.json")
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertForMaskedLM"]}))
    assert "BertForMaskedLM" in refused(UsageError, folder)


def test_code_of_a_model_is_never_run(copied: Copy) -> None:
    folder = copied("model.safetensors", "tokenizer.json")
    config = {"model_type": "unheard_of", "auto_map": {"AutoConfig": "x.X", "AutoModelForCausalLM": "x.Y"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "x.py").write_text("raise SystemExit('was run')")
    assert "never run" in refused(UsageError, folder)


def test_damaged_files_are_data_errors(copied: Copy) -> None:
    folder = copied("config.json", "tokenizer.json", "model.safetensors")
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    assert "the model cannot be read" in refused(DataError, folder)
    weights.write_bytes(whole)
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(DataError, match="the tokenizer cannot be read"):
        load_tokenizer(str(folder))


@pytest.mark.parametrize("value", ["\0", "many", [], {}])
def test_settings_that_are_first_used_with_words_are_looked_at_too(
    tiny_model: Path, tmp_path: Path, value: Any
) -> None:
    shutil.copytree(tiny_model, tmp_path / "model")
    settings = tmp_path / "model" / "tokenizer_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"model_max_length": value}))
    with pytest.raises(DataError, match="tokenizer"):
        load_tokenizer(str(tmp_path / "model"))


def test_weights_that_are_missing_are_never_made_up(copied: Copy) -> None:
    from safetensors.torch import load_file, save_file

    folder = copied("config.json", "tokenizer.json", "model.safetensors")
    weights = load_file(folder / "model.safetensors")
    name = "model.layers.2.input_layernorm.weight"
    save_file(weights | {name: weights[name][:-1].contiguous()}, folder / "model.safetensors", {"format": "pt"})
    assert name in refused(DataError, folder)
    del weights[name]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert name in refused(DataError, folder)


def test_a_repository_that_cannot_be_reached_is_a_usage_error() -> None:
    assert "no model repository of this name" in refused(UsageError, "nobody/nothing")
    with pytest.raises(UsageError, match="nobody/nothing"):
        load_tokenizer("nobody/nothing")


@pytest.mark.parametrize("name", ["/none/here", "./none", "../none/x", "a/b/c", "has space", "~/none"])
def test_a_path_is_never_taken_for_a_repository(name: str) -> None:
    with pytest.raises(UsageError, match="no such model folder"):
        is_local(name)


def test_a_relative_path_below_a_folder_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    with pytest.raises(UsageError, match="no such model folder"):
        is_local("models/none")
    assert not is_local("organisation/none")


def test_the_revision_of_a_folder_follows_its_weights(copied: Copy, shared_model: Path) -> None:
    folder = copied("config.json", "model.safetensors")
    assert model_revision(str(folder)) == model_revision(str(shared_model))
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    assert model_revision(str(folder)) != model_revision(str(shared_model))


def test_a_tokenizer_of_another_model_is_refused() -> None:
    weights = SimpleNamespace(weight=SimpleNamespace(shape=(3, 2)))
    model = SimpleNamespace(get_input_embeddings=lambda: weights)
    require_vocabulary(model, "abc", "here")
    with pytest.raises(UsageError, match="here: the tokenizer has 4 tokens and the model only 3 embeddings"):
        require_vocabulary(model, "abcd", "here")


def test_a_missing_extra_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ResourceError) as absent:
        require("not_a_package_of_ours", "train")
    assert "pip install 'sage-select[train]'" in str(absent.value)
    assert "is not installed" in str(absent.value)
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(ResourceError, match="transformers"):
        load_tokenizer("x")
    assert absent.value.exit_code == 5


def test_other_packages_errors_are_named(monkeypatch: pytest.MonkeyPatch, shared_model: Path) -> None:
    import transformers

    def fail(error: Exception) -> Any:
        def raising(*_: Any, **__: Any) -> Any:
            raise error

        return raising

    for error, kind in ((MemoryError(), ResourceError), (ImportError("needs protobuf"), ResourceError)):
        monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", fail(error))
        with pytest.raises(kind, match="tokenizer"):
            load_tokenizer(str(shared_model))


def sharded(folder: Path, weights_file: str) -> None:
    """Make an index of shards in place of the one file of weights."""
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as weights:
        names = list(weights.keys())
    content = {"metadata": {}, "weight_map": dict.fromkeys(names, weights_file)}
    (folder / "model.safetensors.index.json").write_text(json.dumps(content))
    (folder / "model.safetensors").rename(folder / "shard.safetensors")


def test_a_model_in_shards_is_known_by_what_its_index_names(copied: Copy, tmp_path: Path) -> None:
    folder = copied("config.json", "tokenizer.json", "model.safetensors")
    sharded(folder, "shard.safetensors")
    assert sum(weight.numel() for weight in load_causal_lm(str(folder), "float32").parameters()) == 260_032
    revision = model_revision(str(folder))
    (folder / "unused.safetensors").write_bytes(b"is not read")
    assert model_revision(str(folder)) == revision
    with (folder / "shard.safetensors").open("r+b") as shard:
        shard.seek(-4, 2)
        shard.write(b"\0\0\0\1")
    assert model_revision(str(folder)) != revision
    # A hub's cache is made of links.
    (folder / "shard.safetensors").rename(tmp_path / "blob")
    (folder / "shard.safetensors").symlink_to(tmp_path / "blob")
    assert model_revision(str(folder)) != revision
    load_causal_lm(str(folder), "float32")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("weights.bin", "pickles are never loaded"),
        ("../shard.safetensors", "outside"),
        ("/tmp/shard.safetensors", "outside"),
        ("a/../../shard.safetensors", "outside"),
        ("..\\shard.safetensors", "outside"),
        ("C:\\shard.safetensors", "outside"),
        ("absent.safetensors", "not there"),
    ],
)
def test_an_index_names_safetensors_inside_the_folder_only(copied: Copy, name: str, says: str) -> None:
    folder = copied("config.json", "tokenizer.json", "model.safetensors")
    sharded(folder, name)
    (folder / "weights.bin").write_bytes(b"a pickle")
    assert says in refused(UsageError, folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": 5}}', "[" * 100_000])
def test_an_index_that_is_none_is_refused(copied: Copy, content: str) -> None:
    folder = copied("config.json", "tokenizer.json", "model.safetensors")
    sharded(folder, "shard.safetensors")
    (folder / "model.safetensors.index.json").write_text(content)
    assert "index" in refused(UsageError, folder)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", "extra.json"])
def test_a_file_of_a_model_that_is_a_pipe_or_a_device_is_refused(copied: Copy, name: str) -> None:
    folder = copied("config.json", "tokenizer.json", "model.safetensors")
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    assert "no regular file" in refused(UsageError, folder)
    with pytest.raises(UsageError, match="no regular file"):
        load_tokenizer(str(folder))
    (folder / name).unlink()
    (folder / name).symlink_to("/dev/zero")
    assert "no regular file" in refused(UsageError, folder)


def test_an_adapter_beside_the_model_is_not_loaded_unseen(copied: Copy) -> None:
    folder = copied("config.json", "tokenizer.json", "model.safetensors")
    (folder / "adapter_config.json").write_text("{}")
    assert "adapter beside the model" in refused(UsageError, folder)


@pytest.mark.parametrize(
    "config",
    [
        [],
        "llama",
        {"model_type": 5},
        {"architectures": 5},
        {"architectures": [5]},
        {"transformers_weights": "w.safetensors"},
        {"hidden_size": "large"},
        {"hidden_size": -1},
        {"vocab_size": None},
        {"rope_parameters": 7},
        {"num_attention_heads": 0},
    ],
    ids=str,
)
def test_an_odd_configuration_is_told(copied: Copy, shared_model: Path, config: Any) -> None:
    folder = copied("tokenizer.json", "model.safetensors")
    if isinstance(config, dict):
        config = {**json.loads((shared_model / "config.json").read_text()), **config}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(SageError) as error:
        load_causal_lm(str(folder), "float32")
    assert error.value.exit_code in {2, 3}


@pytest.mark.parametrize("form", ["text", "conversation"])
def test_a_panic_of_a_tokenizer_is_an_error_like_others_and_nothing_else_is_said(
    form: str, copied: Copy, shared_model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from sage_select.render import Conversation, Text
    from sage_select.render.tokens import Renderer

    folder = copied("config.json")
    content = json.loads((shared_model / "tokenizer.json").read_text())
    pattern = {"type": "Split", "pattern": {"Regex": "(a+)+$|(.*.*.*.*.*)*x"}, "behavior": "Isolated", "invert": False}
    (folder / "tokenizer.json").write_text(json.dumps({**content, "pre_tokenizer": pattern}))
    tokenizer = load_tokenizer(str(folder))
    turns = [{"role": "user", "content": "Once upon a time"}, {"role": "assistant", "content": "there was a dog"}]
    row = Conversation(turns) if form == "conversation" else Text("Once upon a time there was a dog")
    renderer = Renderer(tokenizer, max_length=64)
    capfd.readouterr()
    for _ in range(2):
        with pytest.raises(DataError, match=r"gave up on the text that begins '.*Once upon"):
            renderer.encode(row)
    assert capfd.readouterr() == ("", "")
