"""A run that was stopped goes on as if it had not been: same rows, same bits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from model_classes import make_model
from tiny_model import TEMPLATE
from training_runs import Chats, Runner

from sage_select.errors import DataError, OutputError, UsageError

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("interruptible")]


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path, chats: Chats) -> Runner:
    return Runner(tiny_model, tmp_path, chats(7))


@pytest.mark.parametrize(("at", "packing"), [(1, False), (2, False), (3, True), (5, False)])
def test_ctrl_c_keeps_a_checkpoint_from_which_the_run_ends_the_same(
    run: Runner, mixed: Callable[[int], pa.Table], at: int, packing: bool
) -> None:
    run.rows = mixed(7)
    whole = run("whole", packing=packing)
    assert (whole.schedule["sequences"] < 21) == packing
    with pytest.raises(KeyboardInterrupt):
        run(stop_after=at, packing=packing)
    assert (run.folder / "run" / "checkpoints" / f"checkpoint-{at}" / "sage.json").exists()
    assert not (run.folder / "run" / "lora_weights").exists()
    assert any("--resume" in text for text in run.notices)
    with pytest.raises(OutputError, match=r"not finished(.|\n)*--resume"):
        run(packing=packing)
    schedule = run.folder / "run" / "schedule.arrow"
    planned = schedule.read_bytes()
    schedule.unlink()
    resumed = run(resume=True, packing=packing)
    assert resumed.resumed_from == at
    assert resumed.adapter_digest == whole.adapter_digest
    assert run.steps() == run.steps("whole")
    assert schedule.read_bytes() == planned == (run.folder / "whole" / "schedule.arrow").read_bytes()
    assert (resumed.loss_first, resumed.loss_last) == (whole.loss_first, whole.loss_last)


def test_a_torn_newest_checkpoint_falls_back_to_the_one_before(run: Runner) -> None:
    whole = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run(stop_after=5)
    newest = run.folder / "run" / "checkpoints" / "checkpoint-5"
    (newest / "optimizer.pt").write_bytes((newest / "optimizer.pt").read_bytes()[:100])
    resumed = run(resume=True)
    assert resumed.resumed_from == 4
    assert any("checkpoint 5 is not complete" in text for text in resumed.notices)
    assert resumed.adapter_digest == whole.adapter_digest
    assert run.steps() == run.steps("whole")


def test_without_a_whole_checkpoint_the_run_starts_over_and_says_so(run: Runner) -> None:
    whole = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run(stop_after=1)
    (run.folder / "run" / "checkpoints" / "checkpoint-1" / "sage.json").unlink()
    resumed = run(resume=True)
    assert resumed.resumed_from == 0
    assert any("starts from its first step" in text for text in resumed.notices)
    assert resumed.adapter_digest == whole.adapter_digest


def test_a_run_cut_off_after_its_last_step_is_only_finished(run: Runner) -> None:
    whole = run("whole")
    shutil.copytree(run.folder / "whole", run.folder / "run")
    shutil.rmtree(run.folder / "run" / "lora_weights")
    record = run.folder / "run" / "run.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "finished": False}))
    resumed = run(resume=True)
    assert resumed.resumed_from == resumed.steps == 6
    assert resumed.adapter_digest == whole.adapter_digest
    assert run.steps() == run.steps("whole")


def test_a_run_that_changed_nothing_is_no_result_when_it_is_resumed_either(run: Runner) -> None:
    # The rate rises from 0, and there is no second step.
    settings = {"max_steps": 1, "warmup": 1, "save_steps": 1}
    for about in ({}, {"resume": True}, {"resume": True}):
        with pytest.raises(DataError, match="nothing was learned: after 1 steps no weight has changed"):
            run(**settings, **about)
        assert (run.folder / "run" / "checkpoints" / "checkpoint-1").is_dir()
        assert not (run.folder / "run" / "lora_weights").exists()


def test_other_settings_or_rows_cannot_resume(run: Runner, chats: Chats) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(stop_after=3)
    with pytest.raises(OutputError, match=r"learning_rate: 0.01 before, 0.02 now"):
        run(resume=True, learning_rate=2e-2)
    run.rows = chats(7, sage_position=[1, 0, 2, 3, 4, 5, 6])
    with pytest.raises(OutputError, match="rows and their order"):
        run(resume=True)
    run.rows = chats(7, sage_weight=[1.0] * 6 + [0.5])
    with pytest.raises(OutputError, match="schedule of the steps"):
        run(resume=True)


def test_a_run_on_a_schedule_of_the_user_s_goes_on(run: Runner) -> None:
    schedule = run.folder / "schedule.jsonl"
    lines = [{"row_id": f"row-{number % 7}", "step": 1 + number // 5, "weight": number % 3} for number in range(19)]
    schedule.write_text("".join(json.dumps(line) + "\n" for line in lines))
    settings = {"schedule_file": schedule, "epochs": 3.0}
    whole = run("whole", **settings)
    assert [len(step["rows"]) for step in run.steps("whole")] == [5, 5, 5, 4]
    assert whole.schedule["kendall_tau"] == 1.0
    with pytest.raises(KeyboardInterrupt):
        run(stop_after=3, **settings)
    resumed = run(resume=True, **settings)
    assert (resumed.resumed_from, resumed.adapter_digest) == (3, whole.adapter_digest)
    assert run.steps() == run.steps("whole")
    again = run("again", schedule_file=run.folder / "whole" / "schedule.arrow")
    assert again.adapter_digest == whole.adapter_digest
    assert again.fingerprint == whole.fingerprint


def test_a_checkpoint_of_another_run_is_refused(run: Runner) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(stop_after=3)
    with pytest.raises(KeyboardInterrupt):
        run("other", stop_after=4, seed=5)
    stranger = "checkpoint-4"
    shutil.copytree(run.folder / "other" / "checkpoints" / stranger, run.folder / "run" / "checkpoints" / stranger)
    with pytest.raises(OutputError, match="newest checkpoint is of another run"):
        run(resume=True)


def test_a_checkpoint_that_is_due_by_the_clock_changes_no_bit(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    from sage_select.train import loop

    whole = run("whole", save_steps=99)
    # As if ten minutes passed in every step: the run is over in six, and saves after each.
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)
    timed = run("timed", save_steps=None)
    assert len(list((timed.output_dir / "checkpoints").iterdir())) == 6
    given = run("given", save_steps=3)
    assert len(list((given.output_dir / "checkpoints").iterdir())) == 2
    assert timed.adapter_digest == given.adapter_digest == whole.adapter_digest
    with pytest.raises(KeyboardInterrupt):
        run(stop_after=3, save_steps=None)
    shutil.rmtree(run.folder / "run" / "checkpoints" / "checkpoint-3")
    resumed = run(resume=True, save_steps=None)
    assert (resumed.resumed_from, resumed.adapter_digest) == (2, whole.adapter_digest)


@pytest.fixture
def mixture(tiny_model: Path, tmp_path: Path) -> Path:
    """Return the folder of a random mixture of experts that reads what the tiny model reads."""
    folder = tmp_path / "mixture"
    shutil.copytree(tiny_model, folder, ignore=shutil.ignore_patterns("model*", "config.json"))
    settings = json.loads((tiny_model / "config.json").read_text())
    same = {name: settings[name] for name in ("vocab_size", "max_position_embeddings", "eos_token_id", "pad_token_id")}
    make_model("mixtral", **same).save_pretrained(folder)
    return folder


def test_a_mixture_of_experts_whose_experts_are_trained_goes_on(run: Runner, mixture: Path) -> None:
    settings = {"model": str(mixture), "lora_target": "all-linear,experts"}
    whole = run("whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        run(stop_after=3, **settings)
    resumed = run(resume=True, **settings)
    assert resumed.resumed_from == 3
    assert resumed.adapter_digest == whole.adapter_digest
    assert run.steps() == run.steps("whole")


def test_a_run_with_a_template_of_its_own_goes_on_with_that_alone(run: Runner) -> None:
    template = run.folder / "own.jinja"
    template.write_text(TEMPLATE.replace("im_start|>' + message.role", "im_start|>says ' + message.role"))
    plain, whole = run("plain"), run("whole", chat_template=template)
    assert whole.adapter_digest != plain.adapter_digest
    with pytest.raises(KeyboardInterrupt):
        run(stop_after=3, chat_template=template)
    for other in ({}, {"chat_template": run.folder / "other.jinja"}):
        (run.folder / "other.jinja").write_text(TEMPLATE)
        with pytest.raises(OutputError, match="template"):
            run(resume=True, **other)
    resumed = run(resume=True, chat_template=template)
    assert resumed.resumed_from == 3
    assert resumed.adapter_digest == whole.adapter_digest
    assert run.steps() == run.steps("whole")


def test_checkpoints_know_each_part_of_their_run(run: Runner) -> None:
    result = run("run", max_steps=2)
    seal = json.loads((result.output_dir / "checkpoints" / "checkpoint-2" / "sage.json").read_text())
    digests = [
        seal["identity"][part]
        for part in ("rows and their order", "tokens and labels", "schedule of the steps", "tokenizer", "chat template")
    ]
    assert all(isinstance(one, str) and len(one) == 32 for one in digests)
    assert len(set(digests)) == 5
    assert seal["identity"]["learning_rate"] == 1e-2


def test_what_is_allowed_to_change_changes_from_the_checkpoint_on(run: Runner) -> None:
    settings: dict[str, Any] = {"lr_schedule": "constant", "warmup": 0}
    with pytest.raises(KeyboardInterrupt):
        run(stop_after=3, **settings)
    with pytest.raises(OutputError, match=r"weight_decay: 0.0 before, 0.5 now(.|\n)*--allow-change weight_decay"):
        run(resume=True, learning_rate=3e-2, weight_decay=0.5, allow_change="learning-rate", **settings)
    changed = run(resume=True, learning_rate=3e-2, allow_change="--learning-rate", **settings)
    assert "changed after step 3: learning_rate: 0.01 before, 0.03 now" in run.notices
    whole = run("whole", **settings)
    assert run.steps()[:4] == run.steps("whole")[:4], "the loss of step 4 is before its own change"
    assert run.steps()[5] != run.steps("whole")[5]
    assert changed.adapter_digest != whole.adapter_digest
    content = json.loads((changed.output_dir / "run.json").read_text())
    assert content["about"]["changes"] == [{"after_step": 3, "name": "learning_rate", "before": 0.01, "now": 0.03}]
    assert content["identity"]["learning_rate"] == 0.03
    # What is finished now is the changed run.
    assert run(learning_rate=3e-2, **settings).cached
    # The rate is the new one, not that of the checkpoint.
    rates = json.loads((changed.output_dir / "checkpoints" / "checkpoint-6" / "trainer_state.json").read_text())
    assert rates["log_history"] == [] or rates["log_history"][-1]["learning_rate"] == 0.03
    with pytest.raises(OutputError, match="would do nothing"):
        run(resume=True, learning_rate=4e-2, allow_change="all", **settings)


def test_a_changed_run_that_is_interrupted_again_goes_on_from_any_of_its_checkpoints(run: Runner) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(stop_after=3)
    changed: dict[str, Any] = {"learning_rate": 2e-2, "weight_decay": 0.5}
    shutil.copytree(run.folder / "run", run.folder / "straight")
    straight = run("straight", resume=True, allow_change="all", **changed)
    with pytest.raises(KeyboardInterrupt):
        run(resume=True, stop_after=4, allow_change="learning_rate,weight_decay", **changed)
    (run.folder / "run" / "checkpoints" / "checkpoint-4" / "sage.json").unlink()
    resumed = run(resume=True, **changed)
    assert (resumed.resumed_from, resumed.adapter_digest) == (3, straight.adapter_digest)
    content = json.loads((resumed.output_dir / "run.json").read_text())
    assert [one["name"] for one in content["about"]["changes"]] == ["learning_rate", "weight_decay"]


def test_what_cannot_change_is_refused_with_the_reason(run: Runner, chats: Chats) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(stop_after=3)
    with pytest.raises(OutputError, match=r"lora_r: 4 before, 8 now \(the adapter is there already"):
        run(resume=True, lora_r=8, allow_change="all")
    with pytest.raises(OutputError, match="optimizer is that of another"):
        run(resume=True, optimizer="sgd", allow_change="optimizer")
    with pytest.raises(UsageError, match=r"no part 'learnin_rate'(.|\n)*learning_rate"):
        run(resume=True, allow_change="learnin_rate")
    with pytest.raises(UsageError, match="allow_change is for resume"):
        run(allow_change="seed")
    with pytest.raises(OutputError, match="step 1 would have consumed other rows"):
        run(resume=True, batch_size=4, allow_change="batch_size")
    run.rows = chats(7, sage_position=[1, 0, 2, 3, 4, 5, 6])
    with pytest.raises(OutputError, match="step 1 would have consumed other rows"):
        run(resume=True, allow_change="rows")


def test_a_run_may_take_the_same_steps_in_other_batches_and_more_of_them(run: Runner) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(stop_after=3)
    longer = run(
        resume=True,
        batch_size=4,
        gradient_accumulation=1,
        epochs=4,
        allow_change="batch_size,gradient_accumulation,epochs",
    )
    assert longer.steps == 8
    assert [step["rows"] for step in run.steps()][:2] == [step["rows"] for step in run.steps()][2:4]


def test_interrupted_three_times_in_a_row_ends_as_if_it_had_not_been(run: Runner) -> None:
    whole = run("whole")
    for at in (1, 2, 5):
        with pytest.raises(KeyboardInterrupt):
            run(stop_after=at, resume=at > 1)
    resumed = run(resume=True)
    assert (resumed.resumed_from, resumed.adapter_digest) == (5, whole.adapter_digest)
    for name in ("logs/consumed.jsonl", "schedule.arrow", "lora_weights/adapter_model.safetensors"):
        assert (run.folder / "run" / name).read_bytes() == (run.folder / "whole" / name).read_bytes(), name
