"""First weights of an adapter that PEFT does not choose when it makes it: by the rows, or by what rounding loses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from typing import Any, Final

import torch
from peft import initialize_lora_eva_weights
from peft.tuners.lora import LoraLayer

from sage_select.errors import UsageError
from sage_select.render.model_files import load_causal_lm
from sage_select.render.tokens import IGNORED
from sage_select.train.config import TrainConfig
from sage_select.train.data import TrainingRows
from sage_select.train.own_loss import text_only

__all__ = ["begin_with_eva", "begin_with_loftq"]

#: Trained tokens that a batch has, in ranks: PEFT asks for twice the rank in components, and twice that in tokens.
_TOKENS_IN_RANKS: Final = 4


@torch.no_grad()
def begin_with_eva(model: Any, config: TrainConfig, rows: TrainingRows) -> list[str]:
    """Set A to the main directions of what each layer reads on the trained tokens, and share the ranks out by them.

    Rows are read in their order, in batches, until the directions stay: at least twice one batch, and again and again
    where there are few.

    Raises
    ------
    UsageError
        There are too few trained tokens for the rank, or PEFT finds no directions.
    """
    batches = list(_batches(rows, config, model))
    if not batches:
        raise UsageError(
            f"eva needs at least {_TOKENS_IN_RANKS * config.lora_r} trained tokens for a rank of {config.lora_r}",
            hint="lower --lora-r, or begin with another --init-lora-weights",
        )

    def read(reader: Any, inputs: dict[str, torch.Tensor]) -> None:
        tokens = inputs["input_ids"]
        known = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        reader(**known, use_cache=False, **text_only(model.get_base_model(), tokens))

    try:
        with redirect_stdout(StringIO()):  # PEFT prints, and standard output belongs to results
            initialize_lora_eva_weights(model, batches, forward_fn=read, show_progress_bar=False)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        said = str(error).strip().partition("\n")[0]
        raise UsageError(
            "eva finds no first weights for this model",
            got=f"{type(error).__name__}: {said}",
            hint="name other --lora-target, or begin with another --init-lora-weights",
        ) from None
    left = sum(isinstance(part, LoraLayer) for part in model.modules())
    ranks = [part.r["default"] for part in model.modules() if isinstance(part, LoraLayer)]
    return [f"eva gives {left} layers ranks from {min(ranks)} to {max(ranks)}"]


def _batches(rows: TrainingRows, config: TrainConfig, model: Any) -> Iterator[dict[str, torch.Tensor]]:
    """Yield rows padded to batches with enough trained tokens each; what is left at the end joins the last."""
    enough = _TOKENS_IN_RANKS * config.lora_r
    pending: list[tuple[list[int], list[int]]] = []
    ready: list[tuple[list[int], list[int]]] | None = None
    tokens = 0
    for ids, labels in zip(rows.table["input_ids"].to_pylist(), rows.table["labels"].to_pylist(), strict=True):
        pending.append((ids, labels))
        tokens += sum(label != IGNORED for label in labels)
        if tokens >= enough and len(pending) >= config.batch_size:
            if ready is not None:
                yield _padded(ready, model.device)
            ready, pending, tokens = pending, [], 0
    if ready is not None:
        yield _padded([*ready, *pending], model.device)
    elif tokens >= enough:
        yield _padded(pending, model.device)


def _padded(rows: list[tuple[list[int], list[int]]], device: torch.device) -> dict[str, torch.Tensor]:
    width = max(len(ids) for ids, _ in rows)
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    labels = torch.full_like(ids, IGNORED)
    mask = torch.zeros_like(ids)
    for place, (tokens, targets) in enumerate(rows):
        ids[place, : len(tokens)] = torch.tensor(tokens)
        labels[place, : len(targets)] = torch.tensor(targets)
        mask[place, : len(tokens)] = 1
    return {"input_ids": ids.to(device), "labels": labels.to(device), "attention_mask": mask.to(device)}


@torch.no_grad()
def begin_with_loftq(model: Any, config: TrainConfig) -> list[str]:
    """Set A and B to the best product of their rank for what each weight loses in 4 bits.

    One step of LoftQ's algorithm with the rounded weights as they are, so that the base model stays the one that
    everybody loads: min |W - Q(W) - scale B A|, by the singular values of W - Q(W). The model is loaded a second time
    in float32, into the memory of the machine.
    """
    import bitsandbytes

    whole = load_causal_lm(config.model, "float32")
    lost = kept = 0.0
    for name, part in model.get_base_model().named_modules():
        if not isinstance(part, LoraLayer):
            continue
        held = part.get_base_layer().weight
        rounded = bitsandbytes.functional.dequantize_4bit(held.data, held.quant_state).float()
        residual = whole.get_submodule(name).weight.to(rounded.device).float() - rounded
        left, values, right = torch.linalg.svd(residual, full_matrices=False)
        rank = part.r["default"]
        roots = (values[:rank] / part.scaling["default"]).sqrt()
        part.lora_B["default"].weight.data = (left[:, :rank] * roots).contiguous()
        part.lora_A["default"].weight.data = (roots[:, None] * right[:rank]).contiguous()
        lost += residual.square().sum().item()
        kept += values[rank:].square().sum().item()
    share = 1 - (kept / lost) ** 0.5 if lost else 0.0
    return [
        f"loftq makes up for {share:.0%} of what 4 bits lose; the adapter is one for the base model in 4 bits alone"
    ]
