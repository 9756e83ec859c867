"""Which settings make another run, and which do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sage_select.train import TrainConfig
from sage_select.train.fingerprint import differences, fingerprint, identity

PARTS: dict[str, Any] = {"precision": "fp32", "model": "digest", "rows": "r", "tokens": "t", "schedule": "s"}

#: A value that differs from the default, for every setting.
CHANGED: dict[str, Any] = {
    "model": "other",
    "output_dir": Path("elsewhere"),
    "max_length": 99,
    "epochs": 1.0,
    "max_steps": 5,
    "learning_rate": 1e-3,
    "batch_size": 2,
    "gradient_accumulation": 2,
    "packing": True,
    "packing_lookback": 2,
    "schedule_file": Path("s.arrow"),
    "warmup": 0.1,
    "schedule": "linear",
    "weight_decay": 0.1,
    "max_grad_norm": 0.5,
    "lora_r": 8,
    "lora_alpha": 8,
    "lora_dropout": 0.0,
    "lora_target": ("q_proj",),
    "precision": "fp32",
    "load_in_4bit": True,
    "load_in_8bit": True,
    "gradient_checkpointing": False,
    "seed": 1,
    "save_steps": 7,
    "keep_checkpoints": 5,
    "logging_steps": 3,
    "chat_template": Path("t.jinja"),
    "thinking_history": "last",
    "on_lost_words": "error",
    "on_bad_row": "drop",
    "on_long_row": "drop",
    "max_bad": 0.5,
    "text_column": "a",
    "prompt_column": "a",
    "completion_column": "a",
    "template": "{a}",
    "verify": False,
    "resume": True,
    "force": True,
}

#: Settings that act through the tokens or the model's digest, or change no weight.
ELSEWHERE = {
    "model",
    "output_dir",
    "max_length",
    "precision",
    "save_steps",
    "schedule_file",
    "keep_checkpoints",
    "logging_steps",
    "chat_template",
    "thinking_history",
    "on_lost_words",
    "on_bad_row",
    "on_long_row",
    "max_bad",
    "text_column",
    "prompt_column",
    "completion_column",
    "template",
    "verify",
    "resume",
    "force",
}


def test_no_setting_is_forgotten_here() -> None:
    assert set(CHANGED) == set(TrainConfig.model_fields)


@pytest.mark.parametrize("name", sorted(TrainConfig.model_fields))
def test_a_setting_changes_the_run_unless_it_acts_elsewhere(name: str) -> None:
    common = {"model": "m", "packing": name == "packing_lookback"}
    before = identity(TrainConfig(**common), **PARTS)
    now = identity(TrainConfig(**{**common, name: CHANGED[name]}), **PARTS)
    if name in ELSEWHERE:
        assert before == now
    else:
        assert fingerprint(before) != fingerprint(now)
        assert differences(before, now)[0].startswith(name)


@pytest.mark.parametrize("part", sorted(PARTS))
def test_each_part_counts(part: str) -> None:
    config = TrainConfig(model="m")
    assert len(differences(identity(config, **PARTS), identity(config, **{**PARTS, part: "other"}))) == 1


def test_the_order_of_targets_does_not_count() -> None:
    one = identity(TrainConfig(model="m", lora_target=("q_proj", "v_proj")), **PARTS)
    other = identity(TrainConfig(model="m", lora_target=("v_proj", "q_proj")), **PARTS)
    assert fingerprint(one) == fingerprint(other)
