"""SAGE's agent trainer: its names and defaults, over ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sage_select import select
from sage_select.agent import AgentSFTConfig, AgentSFTTrainer
from sage_select.errors import OutputError, UsageError

SMALL: dict[str, Any] = {"lora_r": 2, "num_epochs": 1, "gradient_accumulation": 4, "load_in_8bit": False}


def chats(count: int) -> list[dict[str, Any]]:
    return [
        {
            "messages": [
                {"role": "user", "content": f"say {number}"},
                {"role": "assistant", "content": f"it is {number} " * (1 + number % 3)},
            ],
            "loss": float(number),
            "task_type": ["planning", "timing"][number % 2],
        }
        for number in range(count)
    ]


def test_the_defaults_are_those_of_the_origin() -> None:
    config = AgentSFTConfig()
    assert (config.lora_r, config.lora_alpha, config.learning_rate, config.lora_plus_lr_ratio) == (64, 128, 2e-5, 16.0)
    assert (config.continual_buffer_size, config.continual_replay_ratio, config.effective_batch_size) == (
        2048,
        0.25,
        16,
    )
    assert config.lora_dir == Path.home() / ".sage" / "agent_training" / "lora_weights"


@pytest.mark.train
def test_it_selects_trains_and_measures(tiny_model: Path, tmp_path: Path) -> None:
    config = AgentSFTConfig(
        base_model=str(tiny_model),
        train_data=chats(24),
        dev_data=chats(40)[30:],
        output_dir=tmp_path / "run",
        use_coreset_selection=True,
        coreset_target_size=8,
        use_dora=True,
        use_lora_plus=True,
        max_eval_samples=4,
        eval_steps=1,
        **SMALL,
    )
    trainer = AgentSFTTrainer(config)
    with pytest.raises(UsageError, match="call train"):
        trainer.save_model()
    result = trainer.train()
    assert result.rows["rows_trained"] == 8
    assert {row["loss"] for row in pa.table(trainer.train_dataset).to_pylist()} == set(map(float, range(16, 24)))
    assert result.adapter == "dora"
    assert trainer.evaluation is not None
    assert trainer.evaluation["rows"] == 4
    assert result.held_out is not None
    assert result.steps == 2
    assert result.held_out["weights_of"] in (1, 2)
    for folder in (config.checkpoint_dir, config.log_dir, config.lora_dir):
        assert folder.is_dir()
    told = " ".join(trainer.notices)
    assert "not float16" in told
    assert "the optimizer is adamw_8bit" in told
    assert "the context of the model, not 4,096" in told
    assert trainer.save_model(tmp_path / "copy") == tmp_path / "copy"
    assert (tmp_path / "copy" / "adapter_model.safetensors").read_bytes() == (
        config.lora_dir / "adapter_model.safetensors"
    ).read_bytes()
    with pytest.raises(OutputError):
        trainer.save_model(tmp_path / "copy")


@pytest.mark.train
def test_online_continual_learning_replays_rows_of_the_run_before(tiny_model: Path, tmp_path: Path) -> None:
    results = []
    for day in range(2):
        config = AgentSFTConfig(
            base_model=str(tiny_model),
            train_data=[{**row, "day": day, "messages": row["messages"][1:]} for row in chats(8 + day)[4 * day :]],
            output_dir=tmp_path / f"day{day}",
            use_online_continual=True,
            continual_buffer_size=6,
            **SMALL,
        )
        assert config.replay_dir == tmp_path / "replay"
        results.append(AgentSFTTrainer(config).train())
    first, second = (result.replay for result in results)
    assert first is not None
    assert second is not None
    assert (first["times"], first["update"]["entered"], second["holds"]) == (0, 6, 6)
    assert (second["times"], second["new_times"], second["ratio"]) == (1, 5, "1/4")
    config.continual_buffer_size = 7
    with pytest.raises(UsageError, match="another capacity"):
        AgentSFTTrainer(config).train()


def test_a_selection_is_trained_as_it_was_planned(tmp_path: Path) -> None:
    select(chats(9), strategy="random", budget="100%", dedup="none").write(tmp_path / "out.arrow")
    trainer = AgentSFTTrainer(AgentSFTConfig(train_data=tmp_path / "out.arrow"))
    trainer.prepare_datasets()
    assert trainer.train_dataset == tmp_path / "out.arrow"


def test_tasks_have_their_shares() -> None:
    config = AgentSFTConfig(train_data=chats(40), task_weights={"planning": 0.75, "timing": 0.25})
    trainer = AgentSFTTrainer(config)
    trainer.prepare_datasets()
    tasks = [row["task_type"] for row in pa.table(trainer.train_dataset).to_pylist()]
    assert tasks.count("planning") == 20  # all there are
    assert tasks.count("timing") == 6  # exact to a row: a quarter of 26 is 6.5


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"padding_side": "left"}, "padding_side has no meaning here"),
        ({"output_format": "alpaca"}, "the model's own chat template"),
        ({"eval_strategy": "epoch"}, "by steps"),
        ({"greater_is_better": True}, "lowest loss"),
        ({"report_to": "wandb"}, "TensorBoard"),
        ({"use_coreset_selection": True}, "coreset_target_size"),
    ],
)
def test_what_would_do_nothing_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        AgentSFTConfig(**settings)


def test_selected_rows_are_not_in_an_order_of_their_own() -> None:
    trainer = AgentSFTTrainer(AgentSFTConfig(train_data=chats(4), shuffle_train=False, max_train_samples=2))
    with pytest.raises(UsageError, match="no order of their own"):
        trainer.prepare_datasets()
    whole = AgentSFTTrainer(AgentSFTConfig(train_data=chats(4), shuffle_train=False))
    whole.prepare_datasets()
    assert whole.train_dataset == chats(4)


def test_a_source_of_sage_is_no_file() -> None:
    trainer = AgentSFTTrainer(AgentSFTConfig(train_data="agent_sft:train"))
    with pytest.raises(UsageError, match="agent_sft:train"):
        trainer.prepare_datasets()
