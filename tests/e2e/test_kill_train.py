"""Training runs killed with SIGKILL before each file operation: the old or the new one is there, and one can go on."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kills import killed_at_each_operation

from sage_select.train.ledger import Ledger, read_steps
from sage_select.train.run_folder import RunFolder

OLD, NEW = {"run": "old"}, {"run": "new"}
THEIRS = ["logs/plot.png", "lora_weights/notes.txt", "checkpoints/best.txt"]


def copies(folder: Path, under: Path) -> Iterator[Path]:
    """Yield copies of a folder, each under a number of its own."""
    for number in itertools.count():
        place = under / f"{number:04}"
        shutil.copytree(folder, place)
        yield place


#: Whether every operation is cut off that can be.
THOROUGH = "SAGE_KILLS" in os.environ


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def write_run(folder: RunFolder, which: str) -> None:
    """Write what a run writes, each file with the name of the run."""
    logs = ("logs/events.out.tfevents.1", "logs/evaluations.jsonl")
    for name in ("checkpoints/checkpoint-2/a", "checkpoints/checkpoint-4/a", *logs):
        path = folder.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(which)
    for name in ("schedule.arrow", "replayed.arrow", "ledger.arrow"):
        folder.put_file(name, lambda place: place.write_text(which))
    ledger = Ledger(folder.ledger, [which], after=0)
    ledger.open()
    for _ in range(4):
        ledger.add([0], [1.0], [1])
        ledger.end_step()
    ledger.close()
    with folder.new_weights() as temporary:
        for name in ("adapter_config.json", "adapter_model.safetensors", "tokenizer.json"):
            (temporary / name).write_text(which)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a folder with a run, and files of the user's beside it."""
    folder = RunFolder(tmp_path / "old")
    with folder.locked():
        folder.start(OLD, "old", anew=True)
        write_run(folder, "old")
    for name in THEIRS:
        (folder.path / name).write_text("theirs")
    return folder.path


def take_the_place(path: Path) -> None:
    """Do what the first step of a run does that replaces another."""
    folder = RunFolder(path)
    with folder.locked():
        folder.start(NEW, "new", anew=True)
        folder.put_file("schedule.arrow", lambda place: place.write_text("new"))
        ledger = Ledger(folder.ledger, ["new"], after=0)
        ledger.open()
        ledger.add([0], [1.0], [1])
        ledger.end_step()
        folder.replaced.discard()


def fail_to_take_the_place(path: Path) -> None:
    """Begin to replace another run, and give up."""
    folder = RunFolder(path)
    with folder.locked():
        folder.start(NEW, "new", anew=True)
        (folder.logs / "plot2.png").write_text("theirs")  # written by somebody meanwhile
        folder.replaced.restore()


def next_run(path: Path) -> None:
    """Do what whoever comes next does first."""
    with RunFolder(path).locked():
        pass


def which_run(path: Path) -> str:
    """Return which run is there, all of it and nothing of the other."""
    found = RunFolder(path).found()
    assert found is not None
    which = str(found.identity["run"])
    there = files(path)
    assert all(there.pop(name) == "theirs" for name in THEIRS)
    there.pop("logs/plot2.png", None)
    there.pop(".sage-train.lock", None)
    there.pop("run.json")
    assert all(which in text for text in there.values()), there
    assert not [name for name in path.iterdir() if name.name.startswith(".") and name.name != ".sage-train.lock"]
    steps = [step.step for step in read_steps(path / "logs" / "consumed.jsonl")]
    assert (steps, len(there)) == (([1, 2, 3, 4], 12) if which == "old" else ([1], 3))
    return which


def test_a_run_killed_while_it_takes_the_place_of_another_leaves_one_of_the_two(old: Path, tmp_path: Path) -> None:
    found = []
    for path in killed_at_each_operation(take_the_place, copies(old, tmp_path / "killed")):
        next_run(path)
        found.append(which_run(path))
    assert found == sorted(found, reverse=True)
    assert set(found) == {"old", "new"}
    assert len(found) > 30


def test_a_run_killed_while_it_gives_up_leaves_the_old_one(old: Path, tmp_path: Path) -> None:
    for path in killed_at_each_operation(fail_to_take_the_place, copies(old, tmp_path / "killed")):
        next_run(path)
        assert which_run(path) == "old"


@pytest.mark.parametrize("work", [take_the_place, fail_to_take_the_place])
def test_whoever_is_killed_while_mending_can_be_followed_by_another(
    work: Callable[[Path], None], old: Path, tmp_path: Path
) -> None:
    ends = []
    # Every third operation of the work and each of the mending in `make torture`, fewer as a rule: they are many.
    step, nested = (3, 1) if THOROUGH else (11, 3)
    for number, path in enumerate(killed_at_each_operation(work, copies(old, tmp_path / "first"), step=step)):
        expected = None
        for again in killed_at_each_operation(next_run, copies(path, tmp_path / f"second-{number}"), step=nested):
            next_run(again)
            expected = expected or which_run(again)
            assert which_run(again) == expected
            ends.append(expected)
    assert len(ends) > (100 if THOROUGH else 10)


def resume(path: Path) -> None:
    """Do with the record what a run does that goes on from step 2."""
    ledger = Ledger(path / "consumed.jsonl", ["a", "b"], after=2)
    ledger.open()
    for _ in range(2):
        ledger.add([1], [1.0], [1])
        ledger.end_step()
    ledger.sync()
    ledger.close()


def test_a_record_whose_writer_is_killed_reaches_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    ledger = Ledger(tmp_path / "old" / "consumed.jsonl", ["a", "b"], after=0)
    ledger.open()
    for _ in range(5):
        ledger.add([0], [1.0], [1])
        ledger.end_step()
    ledger.close()
    whole = []
    for path in killed_at_each_operation(resume, copies(tmp_path / "old", tmp_path / "killed")):
        Ledger(path / "consumed.jsonl", ["a", "b"], after=2)
        resume(path)
        whole.append([step.rows for step in read_steps(path / "consumed.jsonl")])
    assert whole == [[["a"], ["a"], ["b"], ["b"]]] * len(whole)
    assert len(whole) >= 5


#: 7 rows in steps of 4: two steps a pass, six in all; dropout is on, so the random state matters.
SETTINGS: dict[str, Any] = {
    "batch_size": 2,
    "gradient_accumulation": 2,
    "epochs": 3,
    "lora_r": 2,
    "lora_dropout": 0.1,
    "lora_target": "q_proj",
    "learning_rate": 1e-2,
    "gradient_checkpointing": False,
    "save_steps": 2,
    "keep_checkpoints": 1,
}


@pytest.fixture
def go(tiny_model: Path) -> Iterator[Callable[..., Any]]:
    """Return what trains into a folder, in one thread: others do not outlive a fork."""
    torch = pytest.importorskip("torch")

    from sage_select.train import TrainConfig, train

    rows = [{"prompt": f"find {number}", "completion": f"hotel {number * 7}"} for number in range(7)]

    def run(path: Path, **settings: Any) -> Any:
        return train(rows, TrainConfig(**{**SETTINGS, "model": str(tiny_model), "output_dir": path, **settings}))

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield run
    torch.set_num_threads(before)


@pytest.mark.train
def test_a_run_killed_while_it_is_resumed_ends_as_if_it_had_not_been(go: Callable[..., Any], tmp_path: Path) -> None:
    whole = go(tmp_path / "whole")
    record = (whole.output_dir / "logs" / "consumed.jsonl").read_text()
    # Killed as it makes the checkpoint of its last step.
    cut = next(killed_at_each_operation(go, iter([tmp_path / "cut"]), named="checkpoint-6"))
    assert [path.name for path in (cut / "checkpoints").iterdir()] == ["checkpoint-4"]
    assert (cut / "logs" / "consumed.jsonl").read_text() == record
    killed = list(
        killed_at_each_operation(
            lambda path: go(path, resume=True), copies(cut, tmp_path / "killed"), named="consumed.jsonl"
        )
    )
    assert len(killed) >= 5
    for path in killed:
        resumed = go(path, resume=True)
        assert resumed.resumed_from >= 4
        assert resumed.adapter_digest == whole.adapter_digest
        assert (path / "logs" / "consumed.jsonl").read_text() == record


#: What a run that decides its order meanwhile writes.
PACED_FILES = ("logs/rounds.jsonl", "logs/consumed.jsonl", "schedule.arrow", "lora_weights/adapter_model.safetensors")


@pytest.mark.train
def test_a_run_killed_as_it_decides_its_rounds_ends_as_if_it_had_not_been(
    go: Callable[..., Any], tmp_path: Path
) -> None:
    # Rounds of 4 and 3 rows in steps of 2, in two passes: 8 steps, rows measured before the first and the fifth.
    paced: dict[str, Any] = {"curriculum": "self_paced", "rounds": 2, "epochs": 2, "gradient_accumulation": 1}
    whole = go(tmp_path / "whole", **paced)
    expected = {name: (whole.output_dir / name).read_bytes() for name in PACED_FILES}
    killed, step = 0, 1 if THOROUGH else 3
    for named in ("rounds.jsonl", "schedule.arrow"):
        folders = (tmp_path / named[:3] / str(at) for at in itertools.count())
        for path in killed_at_each_operation(lambda path: go(path, **paced), folders, named=named, step=step):
            killed += 1
            begun = any((path / "checkpoints").glob("*"))
            if begun and killed % 2 == 0:  # and killed again as it goes on
                next(killed_at_each_operation(lambda path: go(path, resume=True, **paced), iter([path]), named=named))
            resumed = go(path, resume=begun, **paced)
            assert resumed.adapter_digest == whole.adapter_digest
            assert {name: (path / name).read_bytes() for name in PACED_FILES} == expected
    assert killed >= (15 if THOROUGH else 5)
