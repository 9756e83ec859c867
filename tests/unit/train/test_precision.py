"""Fewer bits: the base model is held in them, the adapter never is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sage_select.evaluate import evaluate
from sage_select.train import TrainConfig, TrainResult, train

pytestmark = pytest.mark.train

Chats = Callable[..., pa.Table]


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path, chats: Chats) -> Callable[..., TrainResult]:
    def go(name: str = "run", **settings: Any) -> TrainResult:
        small = {"batch_size": 2, "gradient_accumulation": 1, "lora_r": 4, "max_steps": 6, "learning_rate": 1e-2}
        given = {"model": str(tiny_model), "output_dir": tmp_path / name, **small, **settings}
        return train(chats(6), TrainConfig(**given))

    return go


def adapter(result: TrainResult) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(result.lora_weights / "adapter_model.safetensors"))


@pytest.mark.parametrize(
    "settings",
    [
        {"load_in_4bit": True},
        {"load_in_8bit": True},
        {"precision": "bf16"},
        {"load_in_4bit": True, "precision": "bf16"},
    ],
)
def test_the_adapter_is_float32_and_learns(
    run: Callable[..., TrainResult], tiny_model: Path, chats: Chats, settings: dict[str, Any]
) -> None:
    import torch

    result = run(**settings)
    assert {value.dtype for value in adapter(result).values()} == {torch.float32}
    assert result.loss_last < result.loss_first
    config = TrainConfig(model=str(tiny_model), **settings)
    tuned = evaluate(tiny_model, result.lora_weights, chats(6), config=config)
    assert tuned.loss < evaluate(tiny_model, None, chats(6), config=config).loss


@pytest.mark.parametrize("settings", [{"load_in_4bit": True}, {"load_in_8bit": True}])
def test_the_base_model_is_held_in_fewer_bits(tiny_model: Path, settings: dict[str, Any]) -> None:
    from sage_select.train.base_model import load_base_model, open_renderer

    config = TrainConfig(model=str(tiny_model), **settings)
    model = load_base_model(config, "fp32", open_renderer(config).tokenizer)
    dtypes = {str(layer.weight.dtype) for name, layer in model.named_modules() if name.endswith("_proj")}
    assert dtypes <= {"torch.uint8", "torch.int8"}
    assert dtypes


def test_a_quantised_run_resumes_to_the_same_bits(run: Callable[..., TrainResult], tmp_path: Path) -> None:
    import json
    import shutil

    whole = run("whole", load_in_4bit=True, save_steps=3)
    shutil.copytree(tmp_path / "whole", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "checkpoint-6")
    record = tmp_path / "run" / "run.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "finished": False}))
    resumed = run(load_in_4bit=True, save_steps=3, resume=True)
    assert resumed.resumed_from == 3
    assert resumed.adapter_digest == whole.adapter_digest


def test_recomputing_activations_changes_no_weight(run: Callable[..., TrainResult]) -> None:
    stored = run("stored", gradient_checkpointing=False)
    recomputed = run("recomputed", gradient_checkpointing=True)
    assert stored.adapter_digest == recomputed.adapter_digest
