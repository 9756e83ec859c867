"""Every kind of adapter, beginning and quantisation: what moves and what does not, or why it is refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sage_select.errors import UsageError
from sage_select.render.quiet import quiet_libraries
from sage_select.train import TrainConfig, TrainResult, train
from sage_select.train.kinds import BITS, INITIALISATIONS, KINDS, initialisation, why_not

pytestmark = pytest.mark.train

Chats = Callable[..., pa.Table]
STARTS = [name.replace("_N", "_4") for name in INITIALISATIONS]
EVERY = [(kind, start, bits) for kind, start, bits in product(KINDS, STARTS, ("", *BITS))]

#: What is allowed, written out: all else is refused.
ALLOWED = {
    *product(["lora"], ["default", "gaussian", "eva"], ["", "load_in_4bit", "load_in_8bit"]),
    *product(["lora"], ["orthogonal", "pissa", "pissa_niter_4", "olora"], [""]),
    ("lora", "loftq", "load_in_4bit"),
    *product(["dora"], ["default", "gaussian", "eva"], ["", "load_in_4bit"]),
    ("dora", "orthogonal", ""),
    ("full", "default", ""),
}
SMALL: dict[str, Any] = {
    "batch_size": 2,
    "gradient_accumulation": 1,
    "max_steps": 3,
    "learning_rate": 1e-2,
    "gradient_checkpointing": False,
    "warmup": 0,
}
ADAPTER: dict[str, Any] = {"lora_r": 4, "lora_alpha": 8, "lora_dropout": 0.0}


class Runs:
    """Trains, and keeps the model as it was before and after."""

    def __init__(self, model: Path, folder: Path, rows: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
        from sage_select.train import adapter

        self.model, self.folder, self.rows = model, folder, rows
        self.before: dict[str, Any] = {}
        self.trained: Any = None
        make = adapter.make_trainee

        def noting(*arguments: Any) -> Any:
            trainee = make(*arguments)
            self.trained = trainee.model
            self.before = {name: value.detach().clone() for name, value in trainee.model.named_parameters()}
            return trainee

        monkeypatch.setattr(adapter, "make_trainee", noting)

    def __call__(self, name: str = "run", **settings: Any) -> TrainResult:
        of_adapter = {} if settings.get("adapter") == "full" else ADAPTER
        given = {"model": str(self.model), "output_dir": self.folder / name, **SMALL, **of_adapter, **settings}
        return train(self.rows, TrainConfig(**given))

    def moved(self) -> set[str]:
        now = dict(self.trained.named_parameters())
        return {name for name, value in self.before.items() if not value.equal(now[name])}


@pytest.fixture
def runs(tiny_model: Path, tmp_path: Path, chats: Chats, monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(tiny_model, tmp_path, chats(6), monkeypatch)


def logits(model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model.eval()(torch.arange(3, 67).reshape(2, 32), use_cache=False).logits.float()


def reloaded(result: TrainResult, model: Path, **settings: Any) -> Any:
    """Return what a user gets: the base from its files, with the adapter from its folder; or the model."""
    from peft import PeftModel

    from sage_select.train.base_model import load_base_model, open_renderer

    config = TrainConfig(model=str(result.weights if result.adapter == "full" else model), **settings)
    with quiet_libraries():
        base = load_base_model(config, "fp32", open_renderer(config).tokenizer)
        return base if result.adapter == "full" else PeftModel.from_pretrained(base, result.lora_weights)


@pytest.mark.parametrize(("kind", "start", "bits"), sorted(ALLOWED))
def test_what_is_trained_moves_alone_and_is_what_is_written(runs: Runs, kind: str, start: str, bits: str) -> None:
    held = {bits: True} if bits else {}
    result = runs(adapter=kind, init_lora_weights=start, **held)
    marks = ("lora_A", "lora_B", *(["lora_magnitude_vector"] if kind == "dora" else []))
    meant = {name for name in runs.before if kind == "full" or any(mark in name for mark in marks)}
    assert runs.moved() == meant
    # Seven layers in each of the two blocks, whatever the ranks.
    assert kind == "full" or len(meant) == 14 * len(marks)
    assert result.parameters["trained"] == sum(runs.before[name].numel() for name in meant)
    again = reloaded(result, runs.model, **held)
    assert (logits(again) - logits(runs.trained)).abs().max() < 1e-5


@pytest.mark.parametrize(("kind", "start", "bits"), [one for one in EVERY if one not in ALLOWED])
def test_what_does_not_go_together_is_refused_with_the_reason(kind: str, start: str, bits: str) -> None:
    given = {"adapter": kind, "init_lora_weights": start, **({bits: True} if bits else {})}
    with pytest.raises(UsageError, match=r"(does not go with|needs) --.*: \w+(.|\n)*hint: \w+"):
        TrainConfig(model="m", **given)


def test_the_table_of_what_is_allowed_is_that_of_the_declarations() -> None:
    declared = {
        (kind, start, bits)
        for kind, start, bits in EVERY
        if not [*why_not(KINDS[kind], initialisation(start), [*([bits] if bits else []), *_changed(start)])]
    }
    assert declared == ALLOWED


def _changed(start: str) -> list[str]:
    return [] if start == "default" else ["init_lora_weights"]
