"""The optimizers that a run may use, and what each needs of the machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sage_select.errors import UsageError
from sage_select.train.named import Table

__all__ = ["OPTIMIZERS", "Optimizer", "faster_in_b", "refuse_here"]


@dataclass(frozen=True)
class Optimizer:
    """One optimizer.

    Attributes
    ----------
    name, summary
        What settings call it, and what it is.
    library_name
        What transformers calls it (`optim`).
    bitsandbytes
        Whether it is one of that package.
    paged
        Whether its state moves between the memories of a GPU and of the machine.
    """

    name: str
    summary: str
    library_name: str
    bitsandbytes: bool = False
    paged: bool = False


OPTIMIZERS: Final = Table(
    "optimizer",
    (
        Optimizer("adamw", "AdamW, 8 bytes of state a trained weight", "adamw_torch_fused"),
        Optimizer("adamw_8bit", "AdamW with its state in 8 bits: 2 bytes a weight", "adamw_8bit", True),
        Optimizer(
            "paged_adamw",
            "AdamW, its state in the machine's memory where a GPU's is short",
            "paged_adamw_32bit",
            True,
            True,
        ),
        Optimizer("paged_adamw_8bit", "Both of these", "paged_adamw_8bit", True, True),
        Optimizer("lion", "Lion: 4 bytes of state a weight; wants a third to a tenth of the rate", "lion_32bit", True),
        Optimizer("adafactor", "Adafactor at the given rate: a row and a column of state for each matrix", "adafactor"),
        Optimizer("sgd", "Plain gradient descent without momentum: no state; wants a far higher rate", "sgd"),
    ),
)


def refuse_here(optimizer: Optimizer, *, has_gpu: bool) -> None:
    """Raise where an optimizer cannot be used on this machine.

    Raises
    ------
    UsageError
        Its state is paged, and there is no GPU: the library would fall back to an unpaged one without a word.
    ResourceError
        bitsandbytes is missing.
    """
    if optimizer.paged and not has_gpu:
        raise UsageError(
            f"the optimizer {optimizer.name} moves its state between a GPU and the machine, and there is no GPU here",
            hint=f"use --optimizer {optimizer.name.removeprefix('paged_')}",
        )
    if optimizer.bitsandbytes:
        from sage_select.render.extras import require

        require("bitsandbytes", "train")


def faster_in_b(optimizer: Any, named: Callable[[], Any], ratio: float) -> None:
    """Give the B matrices of an adapter `ratio` times the rate of all else (LoRA+, arXiv 2402.12354).

    Each group of parameters is split in two, so that all else of it (weight decay above all) stays. The magnitudes of
    DoRA and the adapters of embeddings, whose input is a single row, keep the base rate. At a ratio of 1 nothing
    changes.

    Parameters
    ----------
    optimizer
        One that has not taken a step.
    named
        Gives the names and parameters of the model, as `named_parameters` does.
    """
    of_b = {id(parameter) for name, parameter in named() if ".lora_B." in f".{name}."}
    for group in list(optimizer.param_groups):
        fast = [parameter for parameter in group["params"] if id(parameter) in of_b]
        if fast:
            group["params"] = [parameter for parameter in group["params"] if id(parameter) not in of_b]
            optimizer.add_param_group({**group, "params": fast, "lr": group["lr"] * ratio})
