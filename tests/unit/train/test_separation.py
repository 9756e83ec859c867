"""Examples in one sequence are trained as each is alone, to rounding; models that would mix them are found out."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from model_classes import CLASSES, VOCABULARY, make_model
from training_rows import training_rows

from sage_select.errors import UsageError
from sage_select.render.quiet import quiet_libraries
from sage_select.train import TrainConfig
from sage_select.train.packing import Layout
from sage_select.train.schedule import Schedule

pytestmark = pytest.mark.train

#: Sequences of up to 31 tokens: 31, 9 + 22, 5 + 12 + 14, 7 + 3.
LENGTHS = (9, 31, 5, 12, 14, 7, 22, 3)
CONFIG = TrainConfig(model="m", lora_r=4, lora_dropout=0.0, batch_size=2, gradient_accumulation=4, packing=True)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    pytest.importorskip("trl")
    with quiet_libraries():
        yield


def examples() -> Any:
    draw = random.Random(1)
    lists = pa.large_list(pa.int32())
    ids = [[draw.randrange(3, VOCABULARY) for _ in range(length)] for length in LENGTHS]
    table = {"input_ids": pa.array(ids, lists), "labels": pa.array([[-100, *row[1:]] for row in ids], lists)}
    return training_rows(pa.table(table), weight=np.linspace(0.5, 2, len(LENGTHS)).tolist())


def adapted(name: str, **settings: Any) -> Any:
    """Return a model whose adapter has an effect."""
    import torch

    from sage_select.train.adapter import add_adapter

    model, _ = add_adapter(make_model(name, **settings), CONFIG, examples().table["input_ids"][0].as_py())
    draw = torch.Generator().manual_seed(0)
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data.normal_(0, 0.2, generator=draw)
    return model.eval()


def step(model: Any, *, packed: bool) -> tuple[dict[int, float], Any]:
    """Return the loss of each example of a step, and the gradients of the step: packed, or each example alone."""
    import torch

    from sage_select.train.collate import StepCollator
    from sage_select.train.own_loss import own_losses

    rows = examples()
    schedule = Schedule.of(rows, CONFIG.changed(max_steps=1))
    lengths = rows.lengths[schedule.places]
    layout = (
        Layout.packing(schedule.starts, lengths, schedule.phases, per_pass=2, lookback=8)
        if packed
        else Layout.in_order(schedule.starts, lengths, per_pass=1)
    )
    assert layout.count == (4 if packed else 8)
    found = {}
    model.zero_grad()
    for one in StepCollator(rows.table, schedule, layout, 0)([{"step": 0}])["passes"]:
        place, _, weight = (one.pop(name) for name in ("place", "slot", "weight"))
        losses = own_losses(model, one, len(weight))
        torch.autograd.backward((losses.sums * weight).sum())
        found.update(zip(place.tolist(), (losses.sums / losses.tokens).tolist(), strict=True))
    gradients = [weight.grad.flatten() for weight in model.parameters() if weight.requires_grad]
    return found, torch.cat(gradients)


def differ(model: Any) -> tuple[float, float]:
    """Return how far a packed step is from one of each example alone: its losses, and its gradients as a share."""
    (alone, gradients), (packed, packed_gradients) = step(model, packed=False), step(model, packed=True)
    difference = (gradients - packed_gradients).abs().max() / gradients.abs().max()
    return max(abs(alone[place] - packed[place]) for place in alone), float(difference)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("llama", {}),
        ("llama", {"attn_implementation": "eager"}),
        ("qwen2", {}),
        ("qwen3", {}),
        ("phi3", {"sliding_window": 6}),
        ("gemma3_text", {"sliding_window": 6, "layer_types": ["sliding_attention", "full_attention"]}),
        ("gemma2", {"sliding_window": 6}),
        ("gpt2", {}),
    ],
)
def test_packed_examples_are_trained_as_each_alone(name: str, settings: dict[str, Any]) -> None:
    from sage_select.train.separation import check_packable

    model = adapted(name, **settings)
    check_packable(model, [5, 6, 7, 8, 9])
    losses, gradients = differ(model)
    assert losses < 1e-5
    assert gradients < 1e-5


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_is_packed_only_if_that_changes_nothing(name: str) -> None:
    import torch

    from sage_select.train.separation import keeps_apart

    model = adapted(name)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    apart = keeps_apart(model, examples().table["input_ids"][1].as_py())
    assert torch.equal(torch.get_rng_state(), before)
    try:
        losses, gradients = differ(model)
    except RuntimeError:  # some classes do without an attention mask only in sequences of one example
        assert not apart
        return
    assert apart == (losses < 2e-5 and gradients < 1e-3)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mamba", "mixes examples"),
        ("lfm2", "mixes examples"),
        ("falcon_h1", "mixes examples"),
        ("bloom", "mixes examples"),
        ("mpt", "mixes examples"),
        ("mixtral", "balances its experts"),
    ],
)
def test_what_cannot_be_packed_is_refused_with_the_way_out(name: str, says: str) -> None:
    from sage_select.train.separation import check_packable

    with pytest.raises(UsageError, match=rf"{says}(.|\n)*leave out --packing"):
        check_packable(adapted(name), [5, 6, 7, 8, 9])


def test_a_mixture_that_balances_its_experts_gets_its_rows_in_their_order() -> None:
    from sage_select.train.separation import layout_rule

    rows = examples()
    config = TrainConfig(model="m", batch_size=2, gradient_accumulation=4)
    schedule = Schedule.of(rows, config)
    orders = {
        name: layout_rule(adapted(name), rows, config)(schedule).sequences.tolist() for name in ("mixtral", "llama")
    }
    assert orders["mixtral"][:8] == list(range(8))
    assert orders["llama"][:8] == [4, 0, 6, 3, 2, 5, 1, 7]
