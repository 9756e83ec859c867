"""Evaluation during training: the loss it says, what it changes (nothing), what it decides, and going on from it."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training_runs import Chats, Runner
from transformers import AutoModelForCausalLM

from sage_select.cli.train_commands.info import _shown
from sage_select.errors import DataError, UsageError
from sage_select.render.quiet import quiet_libraries
from sage_select.train import TrainConfig
from sage_select.train.data import tokenise
from sage_select.train.describe import describe
from sage_select.train.evaluations import EvaluationRecord, Evaluations, read_evaluations
from sage_select.train.selection import load_selection

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("interruptible")]


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path, chats: Chats) -> Runner:
    return Runner(tiny_model, tmp_path, chats(7))


@pytest.fixture
def others(chats: Chats) -> pa.Table:
    """Return rows of their own, of several lengths."""
    return chats(31).slice(20).rename_columns(["messages", "sage_row_id"])


def plain_loss(model: Path, adapter: Path, rows: pa.Table) -> float:
    """Return the mean loss of the trained tokens, row by row, by the model's own logits."""
    from peft import PeftModel

    from sage_select.train.base_model import open_renderer

    config = TrainConfig(model=str(model))
    with quiet_libraries():
        base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        tuned = PeftModel.from_pretrained(base, adapter).eval()
    table = tokenise(load_selection(rows, config), open_renderer(config)).table
    total, count = 0.0, 0
    for ids, labels in zip(table["input_ids"].to_pylist(), table["labels"].to_pylist(), strict=True):
        with torch.no_grad():
            logits = tuned(torch.tensor([ids])).logits[0, :-1]
        target = torch.tensor(labels[1:])
        total += torch.nn.functional.cross_entropy(logits, target, reduction="sum", ignore_index=-100).item()
        count += int((target != -100).sum())
    return total / count


def test_the_loss_is_that_of_all_trained_tokens_and_evaluating_changes_nothing(run: Runner, others: pa.Table) -> None:
    plain = run("plain")
    evaluated = run("evaluated", eval_data=others, eval_steps=4)
    assert evaluated.adapter_digest == plain.adapter_digest
    assert run.steps("evaluated") == run.steps("plain")
    found = run.evaluations("evaluated")
    assert [one["step"] for one in found] == [4, 6]
    line = rf"loss \d+\.\d{{3}}, eval {found[0]['loss']:.3f}, rate 0\.00\d+, [\d,]+ tokens/s, \d+\.\d GB"
    assert re.fullmatch(line, run.notes[-2])
    assert math.isclose(found[-1]["loss"], plain_loss(run.model, evaluated.lora_weights, others), rel_tol=1e-5)
    assert evaluated.held_out is not None
    assert evaluated.held_out["last"] == {"step": 6, "loss": found[-1]["loss"]}
    assert evaluated.held_out["rows"] == 11
    assert not evaluated.held_out["stopped_early"]
    # Whatever the batches.
    alone = run("alone", eval_data=others, eval_steps=6, batch_size=1, gradient_accumulation=4)
    assert alone.held_out is not None
    assert math.isclose(alone.held_out["last"]["loss"], plain_loss(run.model, alone.lora_weights, others), rel_tol=1e-5)
    events = EventAccumulator(str(run.folder / "evaluated" / "logs"))
    events.Reload()
    shown = {one.step: one.value for one in events.Scalars("eval/loss")}
    assert shown == pytest.approx({one["step"]: one["loss"] for one in found}, rel=1e-6)


def test_a_run_interrupted_three_times_evaluates_and_ends_the_same(run: Runner, others: pa.Table) -> None:
    settings: dict[str, Any] = {"eval_data": others, "eval_steps": 2, "final_weights": "best", "keep_checkpoints": 1}
    whole = run("whole", **settings)
    for at in (1, 3, 4):
        with pytest.raises(KeyboardInterrupt):
            run(stop_after=at, resume=at > 1, **settings)
    lines = run.evaluations()
    best = min(lines, key=lambda one: one["loss"])
    told = describe(run.folder / "run")
    assert told["finished"] is False
    assert told["held_out"] == {
        **{name: lines[0][name] for name in ("rows", "tokens")},
        **{
            name: {"step": one["step"], "loss": one["loss"]}
            for name, one in (("first", lines[0]), ("best", best), ("last", lines[-1]))
        },
        "loss_of": "negative log-likelihood",
    }
    resumed = run(resume=True, **settings)
    assert resumed.resumed_from == 4
    for name in ("logs/consumed.jsonl", "logs/evaluations.jsonl", "lora_weights/adapter_model.safetensors"):
        assert (run.folder / "run" / name).read_bytes() == (run.folder / "whole" / name).read_bytes(), name
    assert resumed.held_out == whole.held_out
    assert describe(run.folder / "run")["held_out"] == whole.held_out
    with (run.folder / "run" / "logs" / "evaluations.jsonl").open("w") as file:
        file.write("[]\n{}\n")
    assert describe(run.folder / "run")["held_out"] == whole.held_out, "the result of a finished run is its own"


def test_the_best_weights_are_kept_and_left_and_a_run_that_gets_no_better_stops(
    run: Runner, others: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sage_select.train import held_out

    losses = {1: 5.0, 2: 4.0, 3: 4.0, 4: 4.5, 5: 9.0, 6: 9.0}
    monkeypatch.setattr(
        held_out.HeldOutLoss, "__call__", lambda self, *_: EvaluationRecord(step := _[-1], losses[step], 11, 99)
    )
    settings: dict[str, Any] = {"eval_data": others, "eval_steps": 1, "keep_checkpoints": 1, "save_steps": 99}
    plain = run("plain", max_steps=2, lr_schedule="constant", warmup=0)
    stopped = run("stopped", early_stopping=2, lr_schedule="constant", warmup=0, **settings)
    assert stopped.held_out is not None
    assert (stopped.steps, stopped.held_out["weights_of"], stopped.held_out["stopped_early"]) == (4, 2, True)
    assert stopped.schedule["steps"] == 4
    assert stopped.adapter_digest == plain.adapter_digest
    assert sorted(one.name for one in (stopped.output_dir / "checkpoints").iterdir()) == [
        "checkpoint-2",
        "checkpoint-4",
    ]
    shown = _shown("held_out", describe(stopped.output_dir)["held_out"])
    assert shown == (
        "negative log-likelihood 5.000 at first (step 1), 4.000 at best (step 2), 4.500 at last (step 4), on 11 rows; "
        "stopped early, after step 4; the weights are of step 2"
    )
    again = run("stopped", early_stopping=2, lr_schedule="constant", warmup=0, **settings)
    assert again.cached
    # Killed before its weights were written, it takes no step more.
    shutil.rmtree(stopped.output_dir / "lora_weights")
    resumed = run("stopped", early_stopping=2, lr_schedule="constant", warmup=0, resume=True, **settings)
    assert (resumed.steps, resumed.adapter_digest) == (4, plain.adapter_digest)
    assert resumed.held_out == stopped.held_out
    shutil.rmtree(stopped.output_dir / "lora_weights")
    shutil.rmtree(stopped.output_dir / "checkpoints" / "checkpoint-2")
    with pytest.raises(DataError, match="checkpoint of the best weights"):
        run("stopped", early_stopping=2, lr_schedule="constant", warmup=0, resume=True, **settings)


def test_a_split_trains_the_rest_and_says_what_it_leaves_out(run: Runner, chats: Chats) -> None:
    run.rows = chats(40)
    result = run("split", eval_split="10%", eval_steps=3, max_steps=3)
    assert any("held out for evaluation, and not trained: 4 of 40 rows" in text for text in run.notices)
    assert any("that of 4 held-out rows alone" in text for text in run.notices)
    assert result.rows["rows_in"] == 36
    assert result.held_out is not None
    assert result.held_out["rows"] == 4
    with pytest.raises(UsageError, match="held out as well"):
        run("both", eval_split="10%", eval_data=chats(3))
    with pytest.raises(UsageError, match="there are no held-out rows"):
        run("none", eval_steps=3)


def test_a_record_is_cut_to_the_checkpoint_and_refused_where_it_does_not_reach_it(tmp_path: Path) -> None:
    path = tmp_path / "evaluations.jsonl"
    made = [EvaluationRecord(step, 1.0 / step, 3, 9) for step in (2, 4, 5)]
    record = Evaluations(path, steps=5, every=2, after=0)
    record.open()
    assert [record.add(one) for one in made] == [True, True, True]
    record.close()
    with path.open("a") as file:
        file.write('{"step": 6, "lo')
    assert list(read_evaluations(path)) == made
    # A run of more steps was not evaluated after its fifth.
    longer = Evaluations(path, steps=9, every=2, after=5)
    assert list(longer) == made[:2]
    assert len(path.read_text().splitlines()) == 4, "nothing is cut off before a step has been taken"
    longer.open()
    longer.close()
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [2, 4]
    with pytest.raises(DataError, match="does not reach the checkpoint"):
        Evaluations(path, steps=9, every=2, after=6)
    path.write_text('{"step": 2, "loss": NaN, "rows": 1, "tokens": 1}\n')
    with pytest.raises(DataError, match="not a record of evaluations"):
        Evaluations(path, steps=9, every=2, after=2)


def test_of_equal_losses_the_first_is_the_best(tmp_path: Path) -> None:
    record = Evaluations(tmp_path / "e", steps=9, every=1, after=0)
    record.open()
    assert record.best is None
    assert not record.stale(1)
    assert [record.add(EvaluationRecord(step, loss, 1, 1)) for step, loss in enumerate((3.0, 2.0, 2.0, 2.5), 1)] == [
        True,
        True,
        False,
        False,
    ]
    record.close()
    assert record.best is not None
    assert record.best.step == 2
    assert record.stale(2)
    assert not record.stale(3)
