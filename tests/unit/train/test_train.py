"""Whole runs on a tiny model: order, counts, repetition, and what happens to a folder that is taken."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sage_select.errors import DataError, OutputError, ResourceError, UsageError
from sage_select.render.quiet import quiet_libraries
from sage_select.train import TrainConfig, TrainResult, train

pytestmark = pytest.mark.train

Chats = Callable[..., pa.Table]

SMALL: dict[str, Any] = {
    "batch_size": 2,
    "gradient_accumulation": 2,
    "epochs": 2,
    "lora_r": 4,
    "lora_alpha": 8,
    "lora_dropout": 0.0,
    "learning_rate": 1e-2,
    "gradient_checkpointing": False,
    "save_steps": 2,
    "logging_steps": 1,
}


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path) -> Callable[..., TrainResult]:
    def go(rows: Any, name: str = "run", **settings: Any) -> TrainResult:
        return train(
            rows, TrainConfig(**{**SMALL, "model": str(tiny_model), "output_dir": tmp_path / name, **settings})
        )

    return go


def consumed(result: TrainResult) -> list[list[str]]:
    lines = (result.output_dir / "logs" / "consumed.jsonl").read_text().splitlines()
    return [json.loads(line)["rows"] for line in lines]


def weights(result: TrainResult) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(result.lora_weights / "adapter_model.safetensors"))


def test_rows_are_consumed_in_the_planned_order_in_every_pass(run: Callable[..., TrainResult], chats: Chats) -> None:
    positions = [7, 3, 9, 1, 0, 8, 2, 6, 5, 4, 10]
    result = run(chats(11, sage_position=positions))
    order = [f"row-{positions.index(place)}" for place in range(11)]
    one_pass = [order[0:4], order[4:8], order[8:11]]
    assert consumed(result) == one_pass * 2
    assert result.steps == 6


def test_a_step_is_the_same_however_its_rows_lie(
    run: Callable[..., TrainResult], mixed: Callable[[int], pa.Table]
) -> None:
    import torch

    rows = mixed(11)
    in_order = run(rows, "in order", batch_size=1, gradient_accumulation=6)
    by_length = run(rows, "by length", batch_size=3)
    packed = run(rows, "packed", batch_size=3, packing=True)
    assert in_order.schedule["padding_share"] == 0
    for one in (by_length, packed):
        assert consumed(one) == consumed(in_order)
        assert one.schedule["padding_share"] < one.schedule["padding_share_in_order"]
        assert one.schedule["kendall_tau"] == 1.0
        for name, weight in weights(one).items():
            torch.testing.assert_close(weight, weights(in_order)[name], rtol=1e-4, atol=1e-5)
        assert logged_losses(one) == pytest.approx(logged_losses(in_order), rel=1e-5)
    assert packed.schedule["sequences"] < by_length.schedule["sequences"] == 22


def test_what_was_consumed_is_what_the_schedule_says(run: Callable[..., TrainResult], chats: Chats) -> None:
    extra = {"sage_origin": ["selected"] * 4 + ["augmented"] * 2, "sage_parent_id": [None] * 4 + ["row-0", "row-1"]}
    phases = pa.array([0, 0, 1, 1, 0, 1], pa.int32())
    result = run(chats(6, sage_phase=phases, sage_weight=[0.5] * 6, **extra), packing=True, seed=3)
    table = pa.ipc.open_file(str(result.output_dir / "schedule.arrow")).read_all()
    planned = [
        [row["row_id"] for row in table.to_pylist() if row["step"] == step] for step in range(1, result.steps + 1)
    ]
    assert consumed(result) == planned == [["row-0", "row-1", "row-2", "row-3"], ["row-4", "row-5"]] * 2
    assert table.slice(4, 2).to_pylist() == [
        {
            "step": 2,
            "slot": slot,
            "row_id": f"row-{4 + slot}",
            "example": 0,
            "origin": "augmented",
            "parent_id": f"row-{slot}",
            "task": None,
            "phase": slot,
            "weight": 0.5,
            "seed": 3,
            "bin": 1 - slot,
        }
        for slot in (0, 1)
    ]
    record = json.loads((result.output_dir / "run.json").read_text())
    assert record["identity"]["schedule of the steps"] == result.schedule["digest"]
    assert record["result"]["schedule"] == result.schedule


def test_logged_epochs_are_passes_over_the_rows(run: Callable[..., TrainResult], chats: Chats) -> None:
    result = run(chats(6))
    state = result.output_dir / "checkpoints" / f"checkpoint-{result.steps}" / "trainer_state.json"
    assert [entry["epoch"] for entry in json.loads(state.read_text())["log_history"]] == [4 / 6, 1.0, 10 / 6, 2.0]


def test_a_trainer_that_would_shuffle_refuses_to_start(
    run: Callable[..., TrainResult], chats: Chats, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sage_select.train import loop

    ordered = loop.training_arguments

    def shuffling(*arguments: Any, **options: Any) -> Any:
        settings = ordered(*arguments, **options)
        settings.train_sampling_strategy = "random"
        return settings

    monkeypatch.setattr(loop, "training_arguments", shuffling)
    with pytest.raises(TypeError, match="RandomSampler, not in order"):
        run(chats(8))


def test_a_run_leaves_everything_in_its_folder(run: Callable[..., TrainResult], chats: Chats, tiny_model: Path) -> None:
    from peft import PeftModel
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from transformers import AutoModelForCausalLM, AutoTokenizer

    result = run(chats(8))
    with quiet_libraries():
        base = AutoModelForCausalLM.from_pretrained(tiny_model)
        adapter = PeftModel.from_pretrained(base, result.lora_weights).peft_config["default"]
    assert (adapter.r, adapter.lora_alpha) == (4, 8)
    layers = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert {name.split(".")[-1] for name in adapter.target_modules} == layers
    assert AutoTokenizer.from_pretrained(result.lora_weights).chat_template is not None
    changed = [name for name, value in weights(result).items() if "lora_B" in name and value.abs().sum() > 0]
    assert len(changed) == 2 * 7
    logged = EventAccumulator(str(result.output_dir / "logs")).Reload().Scalars("train/loss")
    assert [point.step for point in logged] == [1, 2, 3, 4]
    assert result.loss_last < result.loss_first
    assert [path.name for path in sorted((result.output_dir / "checkpoints").iterdir())] == [
        "checkpoint-2",
        "checkpoint-4",
    ]
    assert dict(result.rows) == {
        "rows_in": 8,
        "rows_trained": 8,
        "dropped": [],
        "truncated_rows": 0,
        "tokens_cut": 0,
        "tokens": result.rows["tokens"],
        "trained_tokens": result.rows["trained_tokens"],
        "examples": 8,
        "max_length": 128,
        "cut_parts": {},
        "lost_words": {},
        "on_long_row": "keep_turns",
        "long_rows_dropped": 0,
        "long_examples_dropped": 0,
        "trained_tokens_cut": 0,
        "final_turns_lost": 0,
    }


def test_a_checkpoint_is_written_at_the_last_step(run: Callable[..., TrainResult], chats: Chats) -> None:
    result = run(chats(8), max_steps=3, save_steps=100)
    assert [path.name for path in (result.output_dir / "checkpoints").iterdir()] == ["checkpoint-3"]


def test_the_same_run_gives_the_same_bytes(run: Callable[..., TrainResult], chats: Chats) -> None:
    rows = chats(8)
    one, two, other = run(rows, "one"), run(rows, "two"), run(rows, "other", seed=1)
    for name in ("adapter_model.safetensors", "adapter_config.json", "tokenizer.json"):
        assert (one.lora_weights / name).read_bytes() == (two.lora_weights / name).read_bytes()
    assert one.adapter_digest == two.adapter_digest != other.adapter_digest
    assert one.fingerprint == two.fingerprint != other.fingerprint


def test_a_finished_run_is_not_repeated(run: Callable[..., TrainResult], chats: Chats) -> None:
    first = run(chats(8))
    before = {path: path.stat().st_mtime_ns for path in first.output_dir.rglob("*") if path.is_file()}
    again = run(chats(8), save_steps=3)
    assert again == dataclasses.replace(first, cached=True)
    assert before == {path: path.stat().st_mtime_ns for path in first.output_dir.rglob("*") if path.is_file()}
    assert run(chats(8), resume=True).cached


def test_another_run_in_the_folder_is_refused_and_replaced_only_by_force(
    run: Callable[..., TrainResult], chats: Chats
) -> None:
    first = run(chats(8))
    digest = first.adapter_digest
    with pytest.raises(OutputError, match=r"lora_r: 4 before, 2 now") as raised:
        run(chats(8), lora_r=2)
    for way in ("--force", "--output-dir"):
        assert way in str(raised.value)
    with pytest.raises(OutputError, match="rows and their order"):
        run(chats(8, sage_position=[1, 0, 2, 3, 4, 5, 6, 7]))
    assert run(chats(8)).adapter_digest == digest
    replaced = run(chats(8), lora_r=2, force=True)
    assert not replaced.cached
    assert weights(replaced)["base_model.model.model.layers.0.mlp.up_proj.lora_A.weight"].shape == (2, 32)


def test_a_damaged_adapter_is_not_taken_for_a_finished_run(run: Callable[..., TrainResult], chats: Chats) -> None:
    first = run(chats(8))
    content = (first.lora_weights / "adapter_model.safetensors").read_bytes()
    (first.lora_weights / "adapter_model.safetensors").write_bytes(content[:-1])
    with pytest.raises(OutputError, match="not finished"):
        run(chats(8))
    mended = run(chats(8), resume=True)
    assert (mended.lora_weights / "adapter_model.safetensors").read_bytes() == content
    assert mended.resumed_from == mended.steps == 4


def test_resuming_nothing_is_a_usage_error(run: Callable[..., TrainResult], chats: Chats) -> None:
    with pytest.raises(UsageError, match="no run to resume"):
        run(chats(8), resume=True)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_checkpoint(
    run: Callable[..., TrainResult], chats: Chats, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"diverged(.|\n)*rows row-\d+ nan(.|\n)*lower --learning-rate"):
        run(chats(8), learning_rate=1e30, max_grad_norm=0, epochs=4, save_steps=1, lr_schedule="constant")
    from safetensors.torch import load_file

    checkpoints = list((tmp_path / "run" / "checkpoints").iterdir())
    for checkpoint in checkpoints:
        kept = load_file(checkpoint / "adapter_model.safetensors")
        assert all(bool(value.isfinite().all()) for value in kept.values())
    assert not (tmp_path / "run" / "lora_weights").exists()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["finished"] is False


def test_a_run_that_ended_before_its_first_checkpoint_is_in_nobody_s_way(
    run: Callable[..., TrainResult], chats: Chats
) -> None:
    with pytest.raises(DataError, match="diverged"):
        run(chats(8), learning_rate=1e30, max_grad_norm=0, lr_schedule="constant", save_steps=100)
    result = run(chats(8))
    assert not result.cached
    assert any("before its first checkpoint" in text for text in result.notices)


def test_what_is_refused_leaves_the_run_that_is_there(run: Callable[..., TrainResult], chats: Chats) -> None:
    first = run(chats(8))
    with pytest.raises(UsageError, match="no such layers"):
        run(chats(8), lora_target=("x",), force=True)
    assert run(chats(8)).adapter_digest == first.adapter_digest


def out_of_memory(*_: Any, **__: Any) -> None:
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory")


def interrupted(*_: Any, **__: Any) -> None:
    signal.raise_signal(signal.SIGINT)


def interrupted_twice(*_: Any, **__: Any) -> None:
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)


def disk_full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def killed(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


#: What may happen to a run that is to replace another: where, what, and the error.
BEFORE_THE_FIRST_STEP: dict[str, tuple[str, Callable[..., None], type[BaseException]]] = {
    "too little memory for the model": ("sage_select.train.base_model.load_base_model", out_of_memory, ResourceError),
    "too little memory for the adapter": ("sage_select.train.adapter.check_trainable", out_of_memory, ResourceError),
    "too little memory for the step": (
        "sage_select.train.trainer.OrderedTrainer.compute_loss",
        out_of_memory,
        ResourceError,
    ),
    "too little memory for the optimizer": ("torch.optim.AdamW.step", out_of_memory, ResourceError),
    "ctrl-c while the model is loaded": (
        "sage_select.train.base_model.load_base_model",
        interrupted,
        KeyboardInterrupt,
    ),
    "ctrl-c twice in the step": (
        "sage_select.train.trainer.OrderedTrainer.compute_loss",
        interrupted_twice,
        KeyboardInterrupt,
    ),
    "no room for the record": ("sage_select.train.run_folder.RunFolder._write", disk_full, ResourceError),
    "no room for the schedule": ("sage_select.train.schedule_file.write_schedule", disk_full, ResourceError),
    "no room for the rows": ("sage_select.train.ledger.Ledger.open", disk_full, ResourceError),
    "no room for the first row": ("sage_select.train.ledger.Ledger.end_step", disk_full, ResourceError),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("what", BEFORE_THE_FIRST_STEP)
def test_what_ends_before_its_first_step_leaves_the_run_it_was_to_replace(
    what: str, run: Callable[..., TrainResult], chats: Chats, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, happens, error = BEFORE_THE_FIRST_STEP[what]
    first = run(chats(8))
    (first.output_dir / "logs" / "notes.txt").write_text("mine")
    before = contents(first.output_dir)
    with monkeypatch.context() as patch:
        patch.setattr(place, happens)
        with pytest.raises(error):
            run(chats(8), seed=1, force=True)
    assert contents(first.output_dir) == before
    assert run(chats(8)) == dataclasses.replace(first, cached=True)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_in_the_first_step_leaves_the_run_that_was_to_be_replaced(
    run: Callable[..., TrainResult],
    chats: Chats,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tiny_model: Path,
) -> None:
    from sage_select.train.trainer import OrderedTrainer

    first = run(chats(8))
    before = contents(first.output_dir)
    losses = OrderedTrainer.compute_loss

    def interrupting(*arguments: Any, **options: Any) -> Any:
        interrupted()
        monkeypatch.setattr(OrderedTrainer, "compute_loss", losses)
        return losses(*arguments, **options)

    told: list[str] = []
    monkeypatch.setattr(OrderedTrainer, "compute_loss", interrupting)
    config = TrainConfig(**{**SMALL, "model": str(tiny_model), "output_dir": tmp_path / "run", "force": True})
    with pytest.raises(KeyboardInterrupt):
        train(chats(8), config, notice=told.append)
    assert "stopped before the first step was taken; the output folder is as it was" in told
    assert contents(first.output_dir) == before


@pytest.mark.parametrize(
    "place", ["sage_select.train.trainer.OrderedTrainer.compute_loss", "sage_select.train.adapter.check_trainable"]
)
def test_a_run_killed_before_its_first_step_leaves_the_old_one_where_it_is(
    place: str, run: Callable[..., TrainResult], chats: Chats, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(chats(8))
    before = contents(first.output_dir)
    child = os.fork()
    if child == 0:
        try:
            import torch

            torch.set_num_threads(1)  # threads do not outlive a fork
            monkeypatch.setattr(place, killed)
            run(chats(8), seed=1, force=True)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert contents(first.output_dir) == {**before, ".sage-train.lock": b""}
    assert run(chats(8)) == dataclasses.replace(first, cached=True)


def test_a_run_that_ends_before_its_first_step_is_in_nobody_s_way(
    run: Callable[..., TrainResult], chats: Chats, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sage_select.train.trainer.OrderedTrainer.compute_loss", out_of_memory)
        with pytest.raises(ResourceError):
            run(chats(8))
    assert contents(tmp_path / "run").keys() <= {".sage-train.lock"}
    assert not run(chats(8)).cached


def test_a_run_that_replaces_another_leaves_nothing_of_it(run: Callable[..., TrainResult], chats: Chats) -> None:
    first = run(chats(8), save_steps=1, keep_checkpoints=9)
    (first.lora_weights / "notes.txt").write_text("mine")
    run(chats(8), seed=1, max_steps=2, force=True)
    run(chats(8), "other", seed=1, max_steps=2)
    replaced, fresh = (contents(first.output_dir.parent / name) for name in ("run", "other"))
    assert replaced.pop("lora_weights/notes.txt") == b"mine"

    def names(files: dict[str, bytes]) -> list[str]:
        return sorted(name.partition(".tfevents")[0] for name in files)

    assert names(replaced) == names(fresh)
    for name in ("lora_weights/adapter_model.safetensors", "logs/consumed.jsonl"):
        assert replaced[name] == fresh[name]


def test_the_output_layer_cannot_be_adapted(run: Callable[..., TrainResult], chats: Chats) -> None:
    with pytest.raises(UsageError, match="no such layers"):
        run(chats(8), lora_target=("lm_head",))


def test_an_empty_selection_is_refused(run: Callable[..., TrainResult], chats: Chats, tmp_path: Path) -> None:
    from sage_select import io
    from sage_select.render import detect_shape

    table = chats(3).slice(0, 0)
    io.write(table, tmp_path / "empty.arrow", {"shape": detect_shape(table.schema).to_dict()})
    with pytest.raises(DataError, match="holds no rows"):
        run(tmp_path / "empty.arrow")


def test_an_unknown_target_names_those_there_are(run: Callable[..., TrainResult], chats: Chats) -> None:
    with pytest.raises(UsageError, match=r"q_prj(.|\n)*did you mean 'q_proj'"):
        run(chats(8), lora_target=("q_prj",))


def test_only_the_named_layers_get_an_adapter(run: Callable[..., TrainResult], chats: Chats) -> None:
    names = weights(run(chats(4), lora_target=("q_proj", "v_proj"), max_steps=1))
    assert {name.split(".")[-3] for name in names} == {"q_proj", "v_proj"}


def logged_losses(result: TrainResult) -> list[float]:
    state = result.output_dir / "checkpoints" / f"checkpoint-{result.steps}" / "trainer_state.json"
    return [entry["loss"] for entry in json.loads(state.read_text())["log_history"] if "loss" in entry]


@pytest.mark.parametrize("given", [[1.0, 1.0, 1.0, 1.0, 1.0], [0.0, 2.0, 0.5, 1.0, 0.0]])
def test_the_loss_of_a_step_is_the_weighted_sum_over_its_trained_tokens(
    run: Callable[..., TrainResult], chats: Chats, given: list[float]
) -> None:
    result = run(chats(5, sage_weight=given), epochs=1)
    lines = (result.output_dir / "logs" / "consumed.jsonl").read_text().splitlines()
    expected = []
    for step in map(json.loads, lines):
        weight = [given[int(row.removeprefix("row-"))] for row in step["rows"]]
        total = sum(w * loss * n for w, loss, n in zip(weight, step["losses"], step["tokens"], strict=True))
        expected.append(total / sum(step["tokens"]))
    assert logged_losses(result) == pytest.approx(expected, rel=1e-5)


def test_rows_of_weight_zero_teach_nothing(run: Callable[..., TrainResult], chats: Chats) -> None:
    settings = {"max_steps": 1, "warmup": 0}
    with pytest.raises(DataError, match="after 1 steps no weight has changed"):
        run(chats(2, sage_weight=[0.0, 0.0]), "silent", **settings)
    heard = weights(run(chats(2, sage_weight=[0.0, 1.0]), "heard", **settings))
    assert all(value.any() for name, value in heard.items() if "lora_B" in name)


def test_weights_of_one_are_the_library_s_own_loss(
    run: Callable[..., TrainResult], chats: Chats, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from trl import SFTTrainer

    from sage_select.train.trainer import OrderedTrainer

    ours = run(chats(6), "ours")
    compute = OrderedTrainer.compute_loss

    def theirs(
        self: Any,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> torch.Tensor:
        # Ours first, for the ledger; it draws no random number, for dropout is off.
        plain = {name: value for name, value in inputs.items() if name not in ("place", "slot", "owner", "weight")}
        compute(self, model, dict(inputs), num_items_in_batch=num_items_in_batch)
        loss: torch.Tensor = SFTTrainer.compute_loss(self, model, plain, num_items_in_batch=num_items_in_batch)
        return loss

    monkeypatch.setattr(OrderedTrainer, "compute_loss", theirs)
    other = run(chats(6), "theirs")
    assert ours.adapter_digest == other.adapter_digest


def test_rows_without_an_answer_are_counted_and_skipped(run: Callable[..., TrainResult]) -> None:
    table = pa.table(
        {"prompt": ["a", "b", "c"], "completion": ["x", None, "z"], "sage_row_id": ["first", "second", "third"]}
    )
    result = run(table, max_steps=1)
    assert consumed(result) == [["first", "third"]]
    assert result.rows["dropped"] == [{"row": 1, "row_id": "second", "reason": "nothing to train"}]


def test_a_selection_object_is_trained_in_its_order(run: Callable[..., TrainResult], chats: Chats) -> None:
    class Selection:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return chats(3).take([2, 0, 1]).__arrow_c_stream__(requested_schema)

    assert consumed(run(Selection(), max_steps=1)) == [["row-2", "row-0", "row-1"]]
