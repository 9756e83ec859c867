"""A run that was stopped goes on as if it had not been: same rows, same bits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from model_classes import make_model
from tiny_model import TEMPLATE
from training_runs import Chats, Runner

from sage_select.errors import OutputError

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
