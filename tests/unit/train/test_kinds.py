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


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"init_lora_weights": "pissa", "lora_r": 17}, r"17 wide(.|\n)*a width of 16(.|\n)*--lora-r 16 or less"),
        ({"init_lora_weights": "eva", "lora_r": 9}, r"36 wide(.|\n)*a width of 32(.|\n)*--lora-r 8 or less"),
        ({"init_lora_weights": "orthogonal", "lora_r": 5}, r"even rank(.|\n)*--lora-r 6"),
        ({"init_lora_weights": "pissa_niter_0"}, "did you mean 'pissa_niter_N'"),
        ({"init_lora_weights": "pissa_niter_N"}, "number of iterations"),
        ({"adapter": "full", "lora_r": 8}, "--adapter full does not go with --lora-r"),
        ({"adapter": "full", "lora_r": 64, "from_adapter": "x"}, "--adapter full does not go with --from-adapter"),
        ({"optimizer": "adamw_8bits"}, "did you mean 'adamw_8bit'"),
    ],
)
def test_other_nonsense_is_refused_with_the_way_out(runs: Runs, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        runs(**{**ADAPTER, **({"lora_alpha": 128, "lora_dropout": 0.05} if "adapter" in settings else {}), **settings})


def test_eva_needs_as_many_trained_tokens_as_it_has_directions(runs: Runs) -> None:
    runs.rows = runs.rows.slice(0, 1)
    with pytest.raises(UsageError, match=r"at least 32 trained tokens for a rank of 8"):
        runs(init_lora_weights="eva", lora_r=8)


def test_first_weights_are_those_that_were_asked_for(runs: Runs) -> None:
    import torch

    def first(start: str, **settings: Any) -> tuple[Any, Any, Any]:
        """Return A and B of a layer as they began, and the weight beside them."""
        runs(start, init_lora_weights=start, max_steps=1, **settings)
        name = "base_model.model.model.layers.0.mlp.up_proj."
        parts = ("lora_A.default.weight", "lora_B.default.weight", "base_layer.weight")
        a, b, w = (runs.before[name + part] for part in parts)
        return a, b, w

    _, b, whole = first("default")
    assert not b.any()
    u, s, v = torch.linalg.svd(whole)
    top = u[:, :4] * s[:4] @ v[:4]
    a, b, rest = first("pissa")
    assert (2 * b @ a - top).abs().max() < 1e-4  # alpha / r is 2
    assert (rest + top - whole).abs().max() < 1e-4
    a, b, rest = first("pissa_niter_16")
    assert (2 * b @ a).norm() > 0.95 * top.norm()
    assert (rest + 2 * b @ a - whole).abs().max() < 1e-4
    a, b, rest = first("olora")
    assert (b.T @ b - torch.eye(4)).abs().max() < 1e-5
    assert (rest + 2 * b @ a - whole).abs().max() < 1e-5
    a, b, _ = first("orthogonal")
    assert a.any()
    assert (b @ a).abs().max() < 1e-5
    a, b, _ = first("eva", lora_target="up_proj")
    assert not b.any()
    assert (a @ a.T - torch.eye(len(a))).abs().max() < 1e-4
    a, b, _ = first("loftq", load_in_4bit=True)
    lost = whole - rounded(runs.trained)
    assert (lost - 2 * b @ a).norm() < 0.99 * lost.norm()
    u, s, v = torch.linalg.svd(lost)
    assert (2 * b @ a - u[:, :4] * s[:4] @ v[:4]).abs().max() < 1e-4


def rounded(model: Any) -> Any:
    import bitsandbytes

    held = model.get_submodule("base_model.model.model.layers.0.mlp.up_proj").base_layer.weight
    return bitsandbytes.functional.dequantize_4bit(held.data, held.quant_state).float()
