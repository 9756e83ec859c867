"""Runs that go on: from a checkpoint whatever is trained, from an adapter, and further than they were to go."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sage_select.errors import DataError, OutputError, UsageError
from sage_select.train import TrainConfig, TrainResult, train

pytestmark = pytest.mark.train

Chats = Callable[..., pa.Table]

SMALL: dict[str, Any] = {
    "batch_size": 2,
    "gradient_accumulation": 1,
    "max_steps": 4,
    "learning_rate": 1e-2,
    "gradient_checkpointing": False,
    "warmup": 0,
    "save_steps": 2,
}
ADAPTER: dict[str, Any] = {"lora_r": 4, "lora_alpha": 8, "lora_dropout": 0.1}


class Runner:
    def __init__(self, model: Path, folder: Path, rows: pa.Table) -> None:
        self.model, self.folder, self.rows = model, folder, rows

    def __call__(self, name: str = "run", *, bare: bool = False, **settings: Any) -> TrainResult:
        given = {} if bare or settings.get("adapter") == "full" else ADAPTER
        config = {"model": str(self.model), "output_dir": self.folder / name, **SMALL, **given, **settings}
        return train(self.rows, TrainConfig(**config))

    def cut(self, name: str, target: str, after: int = 2) -> None:
        """Make a run of another as if it had been killed after a step."""
        shutil.copytree(self.folder / name, self.folder / target)
        for folder in (self.folder / target / "checkpoints").iterdir():
            if int(folder.name.rpartition("-")[2]) > after:
                shutil.rmtree(folder)
        for weights in ("lora_weights", "tuned_model"):
            shutil.rmtree(self.folder / target / weights, ignore_errors=True)
        record = self.folder / target / "run.json"
        record.write_text(json.dumps({**json.loads(record.read_text()), "finished": False}))

    def content(self, name: str) -> dict[str, bytes]:
        result = self.folder / name
        folder = next(one for one in (result / "lora_weights", result / "tuned_model") if one.is_dir())
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path, chats: Chats) -> Runner:
    return Runner(tiny_model, tmp_path, chats(6))


@pytest.mark.parametrize(
    "settings",
    [
        {"init_lora_weights": "pissa"},
        {"init_lora_weights": "pissa_niter_4"},
        {"init_lora_weights": "eva"},
        {"init_lora_weights": "loftq", "load_in_4bit": True},
        {"loraplus_ratio": 16, "optimizer": "adamw_8bit", "neftune_alpha": 5},
        {"adapter": "full"},
    ],
)
def test_a_run_that_was_cut_off_ends_as_one_that_was_not(run: Runner, settings: dict[str, Any]) -> None:
    whole = run("whole", **settings)
    run.cut("whole", "run")
    resumed = run(resume=True, **settings)
    assert resumed.resumed_from == 2
    assert resumed.adapter_digest == whole.adapter_digest
    assert run.content("run") == run.content("whole")
    if settings.get("adapter") == "full":
        run.cut("whole", "last", after=4)
        assert run("last", resume=True, **settings).adapter_digest == whole.adapter_digest


def test_a_run_goes_on_from_the_weights_of_an_adapter(run: Runner) -> None:
    import torch
    from safetensors.torch import load_file

    first = run("first", adapter="dora", use_rslora=True, lora_target="q_proj,v_proj")
    still = run("still", bare=True, from_adapter=first.output_dir, learning_rate=1e-6)
    before, after = (load_file(one.lora_weights / "adapter_model.safetensors") for one in (first, still))
    assert before.keys() == after.keys()
    assert all(torch.allclose(before[name], after[name], rtol=0, atol=1e-5) for name in before)
    settings = [json.loads((one.lora_weights / "adapter_config.json").read_text()) for one in (first, still)]
    assert settings[0] == settings[1]
    assert still.adapter == "dora"
    on = run("on", bare=True, from_adapter=first.lora_weights)
    assert on.loss_first < first.loss_first
    run.cut("on", "run")
    assert run(bare=True, from_adapter=first.lora_weights, resume=True).adapter_digest == on.adapter_digest


def test_an_adapter_that_began_with_the_base_weights_goes_on_as_a_plain_one(run: Runner) -> None:
    first = run("first", init_lora_weights="pissa")
    on = run("on", bare=True, from_adapter=first.output_dir)
    assert json.loads((on.lora_weights / "adapter_config.json").read_text())["r"] == 8
    assert on.loss_first < first.loss_first


def test_the_adapter_is_part_of_the_run_and_its_settings_win(run: Runner) -> None:
    first, other = run("first"), run("other", seed=1)
    run("on", bare=True, from_adapter=first.output_dir)
    with pytest.raises(OutputError, match="from_adapter: "):
        run("on", bare=True, from_adapter=other.output_dir)
    for settings, said in (
        ({"lora_r": 8}, r"expected: lora_r 4(.|\n)*got: lora_r 8"),
        ({"lora_alpha": 4}, "lora_alpha 4"),
        ({"adapter": "dora"}, "got: adapter dora"),
        ({"use_rslora": True}, "use_rslora True"),
        ({"lora_target": "q_proj"}, "lora_target q_proj"),
        ({"init_lora_weights": "eva"}, "nothing begins them"),
    ):
        with pytest.raises(UsageError, match=said):
            run("new", bare=True, from_adapter=first.output_dir, **settings)
    # What agrees is no contradiction, and dropout is a way of training.
    run("new", bare=True, from_adapter=first.output_dir, lora_r=4, lora_dropout=0.5)


def test_an_adapter_of_another_model_or_damaged_is_refused(run: Runner) -> None:
    first = run("first")
    path = first.lora_weights / "adapter_config.json"
    whole = path.read_text()
    for change, error, said in (
        ({"peft_type": "IA3"}, UsageError, "no LoRA"),
        ({"r": 5}, DataError, "cannot be loaded"),
        ({"r": "four"}, DataError, "cannot be read"),
        ({"target_modules": ["nothing"]}, DataError, "cannot be loaded"),
        ({"target_modules": ["q_proj", "k_proj", "v_proj", "o_proj"]}, DataError, "cannot be loaded"),
        ({"init_lora_weights": "pissa"}, UsageError, "altered"),
    ):
        path.write_text(json.dumps({**json.loads(whole), **change}))
        with pytest.raises(error, match=said):
            run("new", bare=True, from_adapter=first.output_dir)
    path.write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        run("new", bare=True, from_adapter=first.output_dir)
    with pytest.raises(UsageError, match="holds no adapter"):
        run("new", bare=True, from_adapter=run.folder)
    with pytest.raises(UsageError, match="not an adapter"):
        run("new", bare=True, from_adapter=run("full", adapter="full").output_dir)
    path.write_text(whole)
    with pytest.raises(UsageError, match="take the place of an input"):
        run("first", bare=True, from_adapter=first.output_dir, force=True)


@pytest.mark.parametrize("finished", [True, False])
def test_more_steps_on_a_constant_rate_are_those_of_a_longer_run(run: Runner, finished: bool) -> None:
    settings = {"lr_schedule": "constant", "warmup": 2}
    longer = run("longer", max_steps=7, **settings)
    run("short", **settings)
    if finished:
        shutil.copytree(run.folder / "short", run.folder / "run")
    else:
        run.cut("short", "run")
    with pytest.raises(OutputError, match="max_steps: 4 before, 7 now"):
        run(max_steps=7, **settings)
    prolonged = run(max_steps=7, resume=True, **settings)
    assert prolonged.resumed_from == (4 if finished else 2)
    assert (prolonged.steps, prolonged.adapter_digest) == (7, longer.adapter_digest)
    assert run.content("run") == run.content("longer")
    assert run(max_steps=7, **settings).cached
    with pytest.raises(UsageError, match="longer, not shorter"):
        run(max_steps=6, resume=True, **settings)


def test_more_steps_are_refused_where_the_first_would_have_been_others(run: Runner) -> None:
    run(max_steps=None, epochs=1)
    for change, said in (
        ({}, "a cosine rate over 6 steps would have been another"),
        ({"lr_schedule": "constant"}, "lr_schedule: cosine before, constant now"),
    ):
        with pytest.raises((UsageError, OutputError), match=said):
            run(max_steps=None, epochs=2, resume=True, **change)
    run("warm", lr_schedule="constant", warmup=0.5)
    with pytest.raises(UsageError, match=r"warmup would have taken 4 steps, not 2(.|\n)*--from-adapter"):
        run("warm", lr_schedule="constant", warmup=0.5, max_steps=8, resume=True)


def test_a_prolonged_run_that_is_cut_off_at_once_goes_on(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"lr_schedule": "constant"}
    run(**settings)

    def failing(*_: Any, **__: Any) -> None:
        raise RuntimeError("cut off")

    with monkeypatch.context() as patch:
        patch.setattr("sage_select.train.run_folder.RunFolder.start", failing)
        with pytest.raises(RuntimeError, match="cut off"):
            run(max_steps=6, resume=True, **settings)
    assert run(**settings).cached
    assert run(max_steps=6, resume=True, **settings).steps == 6


def test_a_preset_gives_defaults_and_what_is_given_wins() -> None:
    config = TrainConfig(model="m", preset="sage", lora_r=8)
    assert (config.learning_rate, config.loraplus_ratio, config.lora_r, config.lora_alpha) == (2e-5, 16.0, 8, 128)
    assert TrainConfig(model="m").learning_rate == 2e-4
    assert TrainConfig(model="m", adapter="full").learning_rate == 2e-5
    assert TrainConfig(model="m", adapter="full", learning_rate=1e-3).learning_rate == 1e-3
    with pytest.raises(UsageError, match=r"unknown preset 'saeg'(.|\n)*'sage'"):
        TrainConfig(model="m", preset="saeg")
