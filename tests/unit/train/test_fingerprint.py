"""Which settings make another run, and which do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sage_select.train import TrainConfig
from sage_select.train.fingerprint import REPLAY, differences, fingerprint, identity
from sage_select.train.methods import METHODS
from sage_select.train.settings.replay import ReplaySettings

PARTS: dict[str, Any] = {"precision": "fp32", "model": "digest", "rows": "r", "tokens": "t"}
PARTS |= {"adapter": "a", "schedule": "s", "evaluated": "e", "tokenizer": "k", "template": "c"}

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
    "curriculum": "self_paced",
    "rounds": 7,
    "warmup": 0.1,
    "lr_schedule": "linear",
    "min_lr_share": 0.2,
    "decay": 0.3,
    "weight_decay": 0.1,
    "max_grad_norm": 0.5,
    "lora_r": 8,
    "lora_alpha": 8,
    "lora_dropout": 0.0,
    "lora_target": ("q_proj",),
    "adapter": "dora",
    "use_rslora": True,
    "init_lora_weights": "pissa",
    "loraplus_ratio": 16.0,
    "optimizer": "sgd",
    "neftune_alpha": 5.0,
    "from_adapter": Path("run"),
    "preset": "sage",
    "precision": "fp32",
    "load_in_4bit": True,
    "load_in_8bit": True,
    "attn_implementation": "eager",
    "torch_compile": True,
    "gradient_checkpointing": False,
    "seed": 1,
    "save_steps": 7,
    "keep_checkpoints": 5,
    "logging_steps": 3,
    "dataloader_workers": 1,
    "chat_template": Path("t.jinja"),
    "chat_template_kwargs": {"a": 1},
    "thinking_history": "last",
    "on_lost_words": "error",
    "on_bad_row": "drop",
    "on_long_row": "drop",
    "max_bad": 0.5,
    "max_dropped": 0.5,
    "max_truncated": 0.5,
    "text_column": "a",
    "prompt_column": "a",
    "completion_column": "a",
    "template": "{a}",
    "verify": False,
    "resume": True,
    "force": True,
    "allow_change": ("seed",),
    "report_to": ("wandb",),
    "eval_split": 0.1,
    "eval_steps": 7,
    "early_stopping": 3,
    "final_weights": "best",
    "method": "distillation",
    "teacher": "other",
    "teacher_adapter": "run",
    "teacher_precision": "bf16",
    "teacher_load_in_4bit": True,
    "teacher_load_in_8bit": True,
    "teacher_logits": "other.arrow",
    "distillation_alpha": 0.3,
    "distillation_temperature": 1.0,
    "divergence": "reverse_kl",
    "js_beta": 0.3,
    "hidden_cosine": 0.5,
    "untaught": "plain",
    "replay": Path("buffer"),
    "replay_ratio": "1/3",
    "replay_basis": "of_total",
    "replay_shortfall": "report",
    "replay_task": "maths",
    "replay_update": False,
    "replay_logits": 8,
    "dark_alpha": 0.3,
    "dark_beta": 1.0,
}

_TAUGHT: dict[str, Any] = {"method": "distillation", "teacher": "t"}

#: Settings that count beside others alone.
BESIDE: dict[str, dict[str, Any]] = {
    "packing_lookback": {"packing": True},
    "min_lr_share": {"lr_schedule": "cosine_with_min_lr"},
    "decay": {"lr_schedule": "warmup_stable_decay"},
    "rounds": {"curriculum": "self_paced"},
    "allow_change": {"resume": True},
    **{name: {"replay": Path("b")} for name in ReplaySettings.model_fields if name != "replay"},
    "teacher_logits": {"method": "distillation", "teacher_logits": "l.arrow"},
    **{name: _TAUGHT for name in METHODS["distillation"].model_fields if name != "teacher_logits"},
    "js_beta": {**_TAUGHT, "divergence": "js"},
    "untaught": {"method": "distillation", "teacher_logits": "l.arrow"},
    **{name: {"method": "dark_replay", "replay": Path("b")} for name in METHODS["dark_replay"].model_fields},
}

#: Settings that act through the tokens or the model's digest, or change no weight.
ELSEWHERE = {
    "from_adapter",
    "teacher",
    "teacher_adapter",
    "teacher_logits",
    "model",
    "output_dir",
    "max_length",
    "precision",
    "save_steps",
    "schedule_file",
    "keep_checkpoints",
    "logging_steps",
    "dataloader_workers",
    "chat_template",
    "chat_template_kwargs",
    "thinking_history",
    "on_lost_words",
    "on_bad_row",
    "on_long_row",
    "max_bad",
    "max_dropped",
    "max_truncated",
    "text_column",
    "prompt_column",
    "completion_column",
    "template",
    "verify",
    "resume",
    "force",
    "allow_change",
    "report_to",
    # What they come to is: the rows that are drawn, and where the schedule has them.
    *ReplaySettings.model_fields,
}

#: What has to be said beside a value.
GIVEN_WITH: dict[str, dict[str, Any]] = {"method": {"teacher": "t"}}

#: Settings that act through another.
THROUGH = {"preset": "learning_rate"}


def test_no_setting_is_forgotten_here() -> None:
    assert set(CHANGED) == set(TrainConfig.options())


@pytest.mark.parametrize("name", sorted(TrainConfig.options()))
def test_a_setting_changes_the_run_unless_it_acts_elsewhere(name: str) -> None:
    others = {"model": "m", **BESIDE.get(name, {})}
    before = identity(TrainConfig(**others), **PARTS)
    now = identity(TrainConfig(**{**others, **GIVEN_WITH.get(name, {}), name: CHANGED[name]}), **PARTS)
    if name in ELSEWHERE:
        assert before == now
    else:
        assert fingerprint(before) != fingerprint(now)
        assert any(one.startswith(THROUGH.get(name, name)) for one in differences(before, now))


@pytest.mark.parametrize("part", sorted(PARTS))
def test_each_part_counts(part: str) -> None:
    config = TrainConfig(model="m")
    assert len(differences(identity(config, **PARTS), identity(config, **{**PARTS, part: "other"}))) == 1


def test_what_is_replayed_counts_where_a_buffer_is_named() -> None:
    config = TrainConfig(model="m", replay=Path("b"))
    none, one, other = (
        identity(config, **PARTS, replay=named) for named in (None, {REPLAY: "commit 1"}, {REPLAY: "commit 2"})
    )
    assert REPLAY not in none
    assert differences(one, other) == ["replay buffer: commit 1 before, commit 2 now"]


def test_the_order_of_targets_does_not_count() -> None:
    one = identity(TrainConfig(model="m", lora_target=("q_proj", "v_proj")), **PARTS)
    other = identity(TrainConfig(model="m", lora_target=("v_proj", "q_proj")), **PARTS)
    assert fingerprint(one) == fingerprint(other)
