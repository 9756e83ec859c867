"""A curriculum that is decided while training: what each round takes, what is left of it, and going on from it."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from training_rows import training_rows
from training_runs import SETTINGS, Interrupting, Runner
from transformers import AutoModelForCausalLM

from sage_select.errors import DataError, OutputError, UsageError
from sage_select.kernels import keyed_hashes
from sage_select.render.quiet import quiet_libraries
from sage_select.seeds import stage_key
from sage_select.train import TrainConfig, train
from sage_select.train.checkpoints import Checkpoint
from sage_select.train.curricula import easiest
from sage_select.train.data import TrainingRows, tokenise
from sage_select.train.pacing import Pacing
from sage_select.train.packing import Layout
from sage_select.train.plan import Plan, plan_of
from sage_select.train.rounds import Rounds
from sage_select.train.rounds_file import read_rounds
from sage_select.train.schedule import Schedule
from sage_select.train.selection import load_selection

#: 11 rows in rounds of 4, 4 and 3 and steps of 2: 6 steps a pass, and 10 in all, so that the last pass is cut in its
#: last round but one.
PACED: dict[str, Any] = {
    "curriculum": "self_paced",
    "rounds": 3,
    "batch_size": 2,
    "gradient_accumulation": 1,
    "epochs": 1.0,
    "max_steps": 10,
    "save_steps": 99,
}
FILES = ("logs/consumed.jsonl", "logs/rounds.jsonl", "schedule.arrow", "lora_weights/adapter_model.safetensors")


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path, mixed: Callable[[int], pa.Table]) -> Runner:
    return Runner(tiny_model, tmp_path, mixed(11))


def bytes_of(run: Runner, name: str) -> dict[str, bytes]:
    return {file: (run.folder / name / file).read_bytes() for file in FILES}


# Sizes and steps


@hypothesis_settings(deadline=None)
@given(
    n=st.integers(1, 40),
    rounds=st.integers(2, 12),
    per_step=st.integers(1, 9),
    steps=st.integers(1, 60),
)
def test_sizes_and_steps_are_those_of_a_plain_twin(n: int, rounds: int, per_step: int, steps: int) -> None:
    config = TrainConfig(
        model="m",
        curriculum="self_paced",
        rounds=rounds,
        batch_size=per_step,
        gradient_accumulation=1,
        max_steps=steps,
    )
    expected: list[tuple[int, int]] = []  # the round and the size of each step
    number = 0
    while len(expected) < steps:
        left = n
        for rounds_left in range(rounds, 0, -1):
            size = math.ceil(left / rounds_left) if left else 0
            left -= size
            expected += [(number, min(per_step, size - at)) for at in range(0, size, per_step)]
            number += size > 0
    found = Rounds.of(n, config)
    sizes = np.diff(found.starts).tolist()
    assert list(zip(found.of_steps.tolist(), sizes, strict=True)) == expected[:steps]
    firsts = [0, *(at for at in range(1, steps) if expected[at][0] != expected[at - 1][0])]
    assert [found.first_step(one) for one in range(found.count)] == firsts
    assert [found.begun(at) for at in range(steps + 1)] == [0, *(one + 1 for one, _ in expected[:steps])]


@pytest.mark.parametrize(("epochs", "steps"), [(1.0, 5), (1.5, 8), (2.0, 10)])
def test_passes_are_rounded_up_to_whole_steps(epochs: float, steps: int) -> None:
    rows = training_rows(tokens([1] * 9))
    config = TrainConfig(model="m", **{**PACED, "max_steps": None, "rounds": 4, "epochs": epochs})
    outline = Schedule.of(rows, config)
    # 9 in rounds of 3, 2, 2 and 2.
    assert outline.steps == steps
    assert outline.phases[:9].tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3]
    assert outline.passes(5) == 1.0


def tokens(lengths: list[int]) -> pa.Table:
    ids = pa.array([[3] * length for length in lengths], pa.large_list(pa.int32()))
    return pa.table({"input_ids": ids, "labels": ids})


# Choices


@given(st.lists(st.tuples(st.sampled_from([0.5, 1.0, 2.0]), st.integers(0, 3)), min_size=1, max_size=20), st.data())
def test_ties_go_to_the_lower_hash_then_to_the_first(rows: list[tuple[float, int]], data: st.DataObject) -> None:
    count = data.draw(st.integers(0, len(rows)))
    losses, ties = (np.array(values) for values in zip(*rows, strict=True))
    expected = sorted(range(len(rows)), key=lambda one: (*rows[one], one))[:count]
    assert easiest(losses.astype(float), ties.astype(np.uint64), count).tolist() == expected


def pacing_of(rows: TrainingRows, **settings: Any) -> Pacing:
    config = TrainConfig(model="m", **{**PACED, **settings})
    return Pacing(Schedule.of(rows, config), rows, config)


def decided(pacing: Pacing, losses: Callable[[list[int]], list[float]]) -> Schedule:
    while pacing.schedule.steps < pacing.rounds.steps:
        pacing.decide(np.array(losses(pacing.left.tolist())) if pacing.chooses else None)
    return pacing.schedule


def test_each_round_takes_the_easiest_of_what_its_pass_has_left() -> None:
    rows = training_rows(tokens([1, 2, 3, 4, 5, 6, 7]), weight=[1.0, 0.0, 2.0, 1.0, 1.0, 1.0, 1.0], phase=[5] * 7)
    pacing = pacing_of(rows, max_steps=None, epochs=2.0)
    schedule = decided(pacing, lambda left: [float(-one) if len(pacing.records) < 3 else float(one) for one in left])
    taken = [set(schedule.places[schedule.phases == one].tolist()) for one in range(6)]
    assert taken == [{4, 5, 6}, {2, 3}, {0, 1}, {0, 1, 2}, {3, 4}, {5, 6}]
    # Rows without weight are rows.
    assert schedule.weights[schedule.places == 1].tolist() == [0.0, 0.0]
    assert [len(step) for step in schedule] == [2, 1, 2, 2, 2, 1, 2, 2]
    assert schedule.phases.tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 5]


@given(st.permutations(range(9)), st.integers(0, 3))
def test_what_is_chosen_does_not_depend_on_the_order_of_rows(order: list[int], seed: int) -> None:
    # Losses are equal in threes, so that ties decide.
    def ids(of: list[int]) -> tuple[list[list[str]], TrainingRows]:
        rows = training_rows(tokens([1] * 9), row_id=[f"row {one}" for one in of])
        pacing = pacing_of(rows, max_steps=None, seed=seed)
        schedule = decided(pacing, lambda left: [float(of[one] // 3) for one in left])
        return [[rows.row_ids[one] for one in step] for step in schedule], rows

    assert ids(list(order))[0] == ids(list(range(9)))[0]


def test_other_seeds_shuffle_otherwise_and_take_the_same() -> None:
    rows = training_rows(tokens([1] * 12))
    taken = [
        [
            one.tolist()
            for one in np.split(decided(pacing_of(rows, max_steps=6, seed=seed), lambda left: left).places, [4, 8])
        ]
        for seed in (0, 1)
    ]
    assert taken[0] != taken[1]
    assert (
        [sorted(one) for one in taken[0]]
        == [sorted(one) for one in taken[1]]
        == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    )


def test_a_changed_record_is_found_out() -> None:
    from dataclasses import replace

    rows = training_rows(tokens([1] * 7))
    pacing = pacing_of(rows, max_steps=None)
    decided(pacing, lambda left: [float(one) for one in left])
    pacing_of(rows, max_steps=None).follow(pacing.records)
    first, second, last = pacing.records
    for changed in (
        [replace(first, losses=first.losses[::-1])],
        [replace(first, losses=[])],
        [replace(first, rows=first.rows[::-1])],
        [first, replace(second, step=9)],
        [first, second, replace(last, digest=first.digest)],
        [first, replace(second, losses=[one + 1 for one in second.losses])],
        [second],
    ):
        with pytest.raises(DataError, match="does not follow from the losses"):
            pacing_of(rows, max_steps=None).follow(changed)


def test_a_checkpoint_knows_the_rounds_it_is_of(tmp_path: Path) -> None:
    rows = training_rows(tokens([1] * 7))
    config = TrainConfig(model="m", **{**PACED, "max_steps": None})
    checkpoint = Checkpoint(3, tmp_path / "checkpoint-3")
    checkpoint.folder.mkdir()

    def plan(name: str, **settings: Any) -> Plan:
        return plan_of(
            Schedule.of(rows, config),
            lambda taken: Layout.by_length(taken.starts, rows.lengths[taken.places], per_pass=2),
            **{
                "rows": rows,
                "config": config,
                "path": tmp_path / name,
                "checkpoint": None,
                "written": True,
                **settings,
            },
            grown=lambda: grown.append(name),
        )

    grown: list[str] = []
    plans = [plan(name) for name in ("one", "other")]
    for number, one in enumerate(plans):
        one.reach(0, lambda places: np.ones(len(places)))
        one.open()
        assert not grown, "nothing is written before the first step"
        for step in range(1, 4):
            one.reach(step, lambda places, sign=1 - 2 * number: sign * places.astype(float))
        one.close()
        assert grown == [("one", "other")[number]] * 2
        grown.clear()
    assert [one.schedule.steps for one in plans] == [4, 4]
    plans[0].note(checkpoint.folder, 3)
    going_on = plan("one", checkpoint=checkpoint)
    assert going_on.schedule.places.tolist() == plans[0].schedule.places.tolist()
    # Each of the two follows from its losses, and one of them is not this run's.
    with pytest.raises(DataError, match="not that of the checkpoint"):
        plan("other", checkpoint=checkpoint)
    (checkpoint.folder / "rounds.json").unlink()
    with pytest.raises(DataError, match="not that of the checkpoint"):
        plan("one", checkpoint=checkpoint)


@pytest.mark.parametrize("faulty", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_an_error_that_names_the_row(faulty: float) -> None:
    pacing = pacing_of(training_rows(tokens([1] * 7)))
    with pytest.raises(
        DataError,
        match=rf"loss of 1 example is no number before the first step(.|\n)*rows c {faulty}(.|\n)*mend these rows",
    ):
        pacing.decide(np.array([1.0, 1.0, faulty, 1.0, 1.0, 1.0, 1.0]))
    pacing.decide(np.ones(7))
    with pytest.raises(
        DataError, match=r"training diverged: the loss of 4 examples(.|\n)*after step 2(.|\n)*--learning-rate"
    ):
        pacing.decide(np.full(4, faulty))


# Runs


def plain_losses(model: Path, adapter: Path | None, rows: pa.Table) -> dict[str, float]:
    """Return the mean loss of the trained tokens of each row, one by one, by the model's own logits."""
    from peft import PeftModel

    from sage_select.train.base_model import open_renderer

    config = TrainConfig(model=str(model))
    with quiet_libraries():
        tuned = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        if adapter is not None:
            tuned = PeftModel.from_pretrained(tuned, adapter)
    tuned.eval()
    found = tokenise(load_selection(rows, config), open_renderer(config))
    losses = {}
    for row_id, ids, labels in zip(
        found.row_ids, found.table["input_ids"].to_pylist(), found.table["labels"].to_pylist(), strict=True
    ):
        with torch.no_grad():
            logits = tuned(torch.tensor([ids])).logits[0, :-1]
        losses[row_id] = torch.nn.functional.cross_entropy(logits, torch.tensor(labels[1:]), ignore_index=-100).item()
    return losses


@pytest.mark.train
@pytest.mark.usefixtures("interruptible")
class TestRuns:
    def test_the_order_is_that_of_a_recomputation_by_plain_transformers(self, run: Runner) -> None:
        result = run("run", **PACED)
        steps = run.steps("run")
        assert [len(step["rows"]) for step in steps] == [2, 2, 2, 2, 2, 1, 2, 2, 2, 2]
        recorded = list(read_rounds(result.output_dir / "logs" / "rounds.jsonl"))
        assert [one.step for one in recorded] == [1, 3, 5, 7, 9]
        everything = [f"row-{number}" for number in range(11)]
        at, left = 0, list(everything)
        for number, one in enumerate(recorded):
            left = left or list(everything)
            assert one.rows == left
            chosen = left
            if number % 3 != 2:
                checkpoint = result.output_dir / "checkpoints" / f"checkpoint-{one.step - 1}"
                losses = plain_losses(run.model, checkpoint if number else None, run.rows)
                assert one.losses == pytest.approx([losses[row] for row in left], rel=1e-4)
                chosen = sorted(left, key=losses.__getitem__)[:4]
            else:
                assert one.losses == []
            hashes = keyed_hashes(stage_key(0, f"curriculum/{number}"), pa.array(chosen)).tolist()
            planned = [row for _, row in sorted(zip(hashes, chosen, strict=True))]
            consumed = [row for step in steps[at : at + 2] for row in step["rows"]]
            assert consumed == planned[: len(consumed)]
            assert len(consumed) == len(planned)
            left, at = [row for row in left if row not in chosen], at + 2
        schedule = pa.ipc.open_file(result.output_dir / "schedule.arrow").read_all()
        assert schedule["row_id"].to_pylist() == [row for step in steps for row in step["rows"]]
        assert schedule["phase"].to_pylist() == [0] * 4 + [1] * 4 + [2] * 3 + [3] * 4 + [4] * 4
        ledger = pa.ipc.open_file(result.output_dir / "ledger.arrow").read_all()
        assert ledger["phase"].to_pylist() == schedule["phase"].to_pylist()
        # 11 and 7 rows twice, in passes of two; what is left after the last choice of a pass is not measured.
        told = "5 rounds; what is left is measured before 4 of them, which adds 20 forward passes without gradients"
        assert any(told in one for one in run.notices)
        assert any(one == "measuring what is left: 7 of 7 rows" for one in run.notes)
        # The same steps by the schedule that was left give the same adapter: measuring changes nothing.
        plain = {name: PACED[name] for name in ("batch_size", "gradient_accumulation", "save_steps")}
        again = run("again", **plain, schedule_file=result.output_dir / "schedule.arrow")
        assert again.adapter_digest == result.adapter_digest
        assert again.schedule == result.schedule

    def test_interrupted_again_and_again_ends_the_same(self, run: Runner) -> None:
        settings: dict[str, Any] = {**PACED, "packing": True, "eval_split": 0.1, "eval_steps": 3}
        whole = run("whole", **settings)
        assert whole.held_out is not None
        # In the middle of a round, at its end, and while its successor is being measured.
        for at, measuring in ((1, False), (2, True), (5, False), (6, True), (6, True), (9, False)):
            with pytest.raises(KeyboardInterrupt):
                stopping(run, at, measuring=measuring, resume=at > 1, **settings)
            assert (run.folder / "run" / "checkpoints" / f"checkpoint-{at}" / "sage.json").exists()
        resumed = run(resume=True, **settings)
        assert (resumed.resumed_from, resumed.adapter_digest) == (9, whole.adapter_digest)
        assert bytes_of(run, "run") == bytes_of(run, "whole")
        assert resumed.schedule == whole.schedule
        assert run(**settings).cached

    def test_a_round_that_was_decided_is_not_measured_again(self, run: Runner) -> None:
        whole = run("whole", **PACED)
        # As if killed when the second round was decided and none of its steps taken.
        shutil.copytree(run.folder / "whole", run.folder / "run")
        for checkpoint in (run.folder / "run" / "checkpoints").iterdir():
            if checkpoint.name != "checkpoint-2":
                shutil.rmtree(checkpoint)
        for name, lines in (("rounds.jsonl", 2), ("consumed.jsonl", 2)):
            path = run.folder / "run" / "logs" / name
            path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))
        unfinished(run.folder / "run")
        shutil.copytree(run.folder / "run", run.folder / "other")
        run.notes.clear()
        resumed = run("run", resume=True, **PACED)
        assert resumed.adapter_digest == whole.adapter_digest
        assert bytes_of(run, "run") == bytes_of(run, "whole")
        assert not any("of 7 rows" in note for note in run.notes[:3])
        # A round of the checkpoint that was changed, or is not there.
        record = run.folder / "other" / "logs" / "rounds.jsonl"
        lines = record.read_text().splitlines(keepends=True)
        for text in ("", lines[0][:50], lines[0].replace('"losses": [', '"losses": [1')):
            record.write_text(text)
            with pytest.raises(DataError, match=r"rounds? (is|does) not|does not follow"):
                run("other", resume=True, **PACED)
        # One after it, that is damaged, is measured anew.
        record.write_text(lines[0] + "{}\n")
        assert run("other", resume=True, **PACED).adapter_digest == whole.adapter_digest
        assert bytes_of(run, "other") == bytes_of(run, "whole")

    def test_a_stop_before_the_first_step_leaves_the_folder_as_it_was(self, run: Runner) -> None:
        with pytest.raises(KeyboardInterrupt):
            stopping(run, 0, measuring=True, **PACED)
        assert any("the output folder is as it was" in one for one in run.notices)
        assert not (run.folder / "run" / "run.json").exists()

    def test_what_may_change_changes_and_a_constant_rate_goes_further(self, run: Runner) -> None:
        settings: dict[str, Any] = {**PACED, "lr_schedule": "constant", "warmup": 0}
        whole = run("whole", **settings)
        # Ends within a round.
        run("run", **{**settings, "max_steps": 3})
        longer = run("run", resume=True, **settings)
        assert (longer.resumed_from, longer.adapter_digest) == (3, whole.adapter_digest)
        assert bytes_of(run, "run") == bytes_of(run, "whole")
        unfinished(run.folder / "run")
        for changed, why in (
            ({"rounds": 4}, "rounds were decided"),
            ({"curriculum": "none"}, "steps that were taken"),
        ):
            kept = {name: value for name, value in settings.items() if name != "rounds" or "curriculum" not in changed}
            with pytest.raises(OutputError, match=why):
                run("run", resume=True, allow_change="all", **{**kept, **changed})
        for fewer, why in (
            ({"max_steps": 2}, "step 3 would have consumed other rows"),
            ({"batch_size": 3}, "steps of rounds would have been of other sizes"),
        ):
            with pytest.raises(OutputError, match=why):
                run("run", resume=True, allow_change="all", **{**settings, **fewer})
        rows = run.rows
        run.rows = rows.slice(0, 10)
        with pytest.raises(OutputError, match="rounds were decided among"):
            run("run", resume=True, allow_change="all", **settings)
        run.rows = rows
        run("short", **{**settings, "max_steps": 3})
        unfinished(run.folder / "short")
        changed = {**settings, "learning_rate": 3e-2, "batch_size": 1, "gradient_accumulation": 2}
        faster = run("short", resume=True, allow_change="all", **changed)
        assert (faster.resumed_from, faster.steps) == (3, 10)
        assert run.steps("short")[:3] == run.steps("whole")[:3]

    def test_a_loss_that_is_no_number_stops_the_run(self, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
        from sage_select.train.measuring import LossesOfExamples

        measured = LossesOfExamples.__call__

        def broken(self: Any, model: Any, places: Any) -> Any:
            return np.where(places == 3, math.nan, measured(self, model, places))

        monkeypatch.setattr(LossesOfExamples, "__call__", broken)
        with pytest.raises(
            DataError, match=r"the loss of 1 example is no number before the first step(.|\n)*row-3 nan"
        ):
            run("run", **PACED)
        assert not (run.folder / "run" / "run.json").exists()


def stopping(run: Runner, at: int, *, measuring: bool, **settings: Any) -> None:
    """Train until the user presses Ctrl-C after so many steps, or while it is measured after them."""

    class Stopping(Interrupting):
        def step(self, done: int, total: int, note: str = "") -> None:
            if note.startswith("measuring") == measuring:
                super().step(done, total, note)

    config = TrainConfig(**{**SETTINGS, **settings, "model": str(run.model), "output_dir": run.folder / "run"})
    train(
        run.rows,
        config,
        stages=lambda label: Stopping(at if label == "training" else None, run.notes),
        notice=run.notices.append,
    )


def unfinished(folder: Path) -> None:
    """Leave a run as it is before it is finished."""
    record = folder / "run.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "finished": False}))
    shutil.rmtree(folder / "lora_weights")


# Refusals


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"curriculum": "selfpaced"}, r"unknown curriculum 'selfpaced'(.|\n)*none, self_paced(.|\n)*self_paced"),
        ({"rounds": 3}, "with curriculum 'none' does not use rounds"),
        ({"curriculum": "self_paced", "rounds": 1}, "rounds: expected at least 2"),
        (
            {"curriculum": "self_paced", "schedule_file": Path("s.arrow")},
            r"--schedule-file says it before(.|\n)*leave out",
        ),
        ({"curriculum": "self_paced", "dataloader_workers": 2}, "does not go with --dataloader-workers"),
    ],
)
def test_what_does_not_go_together_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        TrainConfig(model="m", **settings)
