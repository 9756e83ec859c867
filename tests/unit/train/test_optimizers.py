"""What moves the weights: the rates of LoRA+, the optimizers, and noise on the embeddings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sage_select.errors import UsageError
from sage_select.train import TrainConfig, TrainResult, train
from sage_select.train.optimizers import OPTIMIZERS, faster_in_b, refuse_here

pytestmark = pytest.mark.train

Chats = Callable[..., pa.Table]

SMALL: dict[str, Any] = {
    "batch_size": 2,
    "gradient_accumulation": 1,
    "max_steps": 4,
    "lora_r": 4,
    "lora_alpha": 8,
    "lora_dropout": 0.0,
    "learning_rate": 1e-2,
    "gradient_checkpointing": False,
    "warmup": 0,
}


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path, chats: Chats) -> Callable[..., TrainResult]:
    def go(name: str = "run", **settings: Any) -> TrainResult:
        given = {"model": str(tiny_model), "output_dir": tmp_path / name, **SMALL, **settings}
        return train(chats(6), TrainConfig(**given))

    return go


def parameters() -> dict[str, Any]:
    """Return one parameter of each sort, at 1, each with the gradient 1."""
    import torch

    names = (
        "layers.0.q_proj.lora_A.default.weight",
        "layers.0.q_proj.lora_B.default.weight",
        "layers.0.q_proj.lora_magnitude_vector.default.weight",
        "embed_tokens.lora_embedding_A.default",
        "embed_tokens.lora_embedding_B.default",
        "norm.weight",
    )
    made = {name: torch.nn.Parameter(torch.ones(2)) for name in names}
    for parameter in made.values():
        parameter.grad = torch.ones(2)
    return made


def test_b_alone_is_faster_and_decays_like_all_else() -> None:
    import torch

    named = parameters()
    decayed = [named[name] for name in named if name != "norm.weight"]
    optimizer = torch.optim.SGD(
        [{"params": decayed, "weight_decay": 0.5}, {"params": [named["norm.weight"]], "weight_decay": 0.0}], lr=0.01
    )
    faster_in_b(optimizer, named.items, 16.0)
    optimizer.step()
    for name, parameter in named.items():
        rate = 0.16 if "lora_B" in name else 0.01
        decay = 0.0 if name == "norm.weight" else 0.5
        assert parameter.tolist() == pytest.approx([1 - rate * (1 + decay)] * 2), name


@pytest.mark.parametrize("adapter", ["lora", "dora"])
def test_a_ratio_of_one_is_no_ratio_and_sixteen_is_faster(run: Callable[..., TrainResult], adapter: str) -> None:
    settings = {"adapter": adapter, "weight_decay": 0.1}
    plain, one, fast = (
        run("plain", **settings),
        run("one", loraplus_ratio=1, **settings),
        run("x", loraplus_ratio=16, **settings),
    )
    assert plain.adapter_digest != fast.adapter_digest
    for name in ("adapter_model.safetensors",):
        assert (plain.lora_weights / name).read_bytes() == (one.lora_weights / name).read_bytes()


def first_steps(result: TrainResult) -> dict[str, float]:
    """Return how far each sort of parameter of a run of one step was moved, at most."""
    from safetensors.torch import load_file

    moved: dict[str, float] = {}
    for name, value in load_file(result.lora_weights / "adapter_model.safetensors").items():
        if "lora_B" in name:
            moved["B"] = max(moved.get("B", 0.0), value.abs().max().item())
    return moved


def test_the_first_step_of_b_is_as_long_as_its_rate(run: Callable[..., TrainResult]) -> None:
    # Adam's first step is the rate itself, and B begins at zero.
    settings = {"max_steps": 1, "learning_rate": 1e-3}
    assert first_steps(run("plain", **settings))["B"] == pytest.approx(1e-3, rel=1e-2)
    assert first_steps(run("fast", loraplus_ratio=16, **settings))["B"] == pytest.approx(16e-3, rel=1e-2)


#: What each optimizer holds of a parameter: its own, not another's under its name.
STATES = {
    "adamw": {"step", "exp_avg", "exp_avg_sq"},
    "adamw_8bit": {"step", "state1", "state2"},
    "lion": {"step", "state1"},
    "adafactor": {"step", "exp_avg_sq_row", "exp_avg_sq_col", "RMS"},
    "sgd": set(),
}


def optimizer_state(result: TrainResult) -> set[str]:
    import torch

    path = result.output_dir / "checkpoints" / f"checkpoint-{result.steps}" / "optimizer.pt"
    state = torch.load(path, weights_only=True)["state"]
    # bitsandbytes files its own a level deeper.
    flat = [{**one, **one.pop("__bnb_optimizer_quant_state__", {})} for one in map(dict, state.values())]
    return {key for one in flat for key, value in one.items() if value is not None} - {"__bnb_optimizer_quant_state__"}


@pytest.mark.parametrize("name", [name for name, one in OPTIMIZERS.items() if not one.paged])
def test_each_optimizer_learns_in_its_own_way(run: Callable[..., TrainResult], name: str) -> None:
    # The seventh step reads the rows of the first.
    rate = {"sgd": 1.0, "lion": 3e-3}.get(name, 1e-2)
    result = run(optimizer=name, learning_rate=rate, max_steps=7, loraplus_ratio=2)
    assert result.loss_last < result.loss_first
    state = optimizer_state(result)
    assert state == STATES[name]


@pytest.mark.parametrize("name", [name for name, one in OPTIMIZERS.items() if one.paged])
def test_paged_state_needs_a_gpu(name: str) -> None:
    with pytest.raises(UsageError, match=f"hint: use --optimizer {name.removeprefix('paged_')}"):
        refuse_here(OPTIMIZERS[name], has_gpu=False)
    refuse_here(OPTIMIZERS[name], has_gpu=True)


def test_every_name_of_an_optimizer_is_one_of_the_library() -> None:
    from transformers.training_args import OptimizerNames

    assert {one.library_name for one in OPTIMIZERS.values()} <= {one.value for one in OptimizerNames}


def test_noise_on_the_embeddings_changes_the_losses_and_stays_out_of_the_model(
    run: Callable[..., TrainResult], tiny_model: Path
) -> None:
    plain, again = run("plain"), run("again", neftune_alpha=5)
    assert again.loss_first != plain.loss_first
    assert again.adapter_digest == run("third", neftune_alpha=5).adapter_digest != plain.adapter_digest
