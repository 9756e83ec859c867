"""First weights of an adapter that PEFT does not choose when it makes it: by the rows, or by what rounding loses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from itertools import islice
from typing import Any, Final

import torch
from peft import initialize_lora_eva_weights
from peft.tuners.lora import LoraLayer
from transformers.pytorch_utils import Conv1D

from sage_select.errors import UsageError
from sage_select.render.model_files import load_causal_lm
from sage_select.render.tokens import IGNORED
from sage_select.train.config import TrainConfig
from sage_select.train.data import TrainingRows
from sage_select.train.own_loss import text_only

__all__ = ["begin_with_eva", "begin_with_loftq"]

#: Trained tokens that a batch has, in ranks: PEFT asks for twice the rank in components, and twice that in tokens.
_TOKENS_IN_RANKS: Final = 4
#: Batches that are read, again and again until the directions stay; those of PEFT's authors stay within a few dozen.
_MOST_BATCHES: Final = 256


@torch.no_grad()
def begin_with_eva(model: Any, config: TrainConfig, rows: TrainingRows) -> list[str]:
    """Set A to the main directions of what each layer reads on the trained tokens, and share the ranks out by them.

    Rows are read in their order, in at most 256 batches, until the directions stay: each batch at least once more where
    there are few.

    Raises
    ------
    UsageError
        There are too few trained tokens for the rank, or PEFT finds no directions.
    """
    batches = list(islice(_batches(rows, config), _MOST_BATCHES))
    if not batches:
        raise UsageError(
            f"eva needs at least {_TOKENS_IN_RANKS * config.lora_r} trained tokens for a rank of {config.lora_r}",
            hint="lower --lora-r, or begin with another --init-lora-weights",
        )

    def read(reader: Any, inputs: dict[str, torch.Tensor]) -> None:
        known = {name: inputs[name].to(model.device) for name in ("input_ids", "attention_mask")}
        reader(**known, use_cache=False, **text_only(model.get_base_model(), known["input_ids"]))

    try:
        with redirect_stdout(StringIO()):  # PEFT prints, and standard output belongs to results
            initialize_lora_eva_weights(
                model,
                batches,
                forward_fn=read,
                prepare_model_inputs_fn=_is_trained,
                prepare_layer_inputs_fn=_read_at,
                show_progress_bar=False,
            )
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


def _is_trained(inputs: dict[str, torch.Tensor], _: Any) -> torch.Tensor:
    """Return which tokens of a batch are trained."""
    return inputs["labels"] != IGNORED


def _read_at(read: Any, trained: torch.Tensor, _: str) -> torch.Tensor:
    """Return what a layer reads at the trained tokens, a row each: PEFT's own way knows rows of rows alone.

    Some layers read all tokens of a batch in one row; those of an expert read the tokens that were sent to it.
    """
    states: torch.Tensor = read[0] if isinstance(read, tuple | list) else read
    flat = states.reshape(-1, states.shape[-1])
    return flat[trained.reshape(-1)] if len(flat) == trained.numel() else flat


def _batches(rows: TrainingRows, config: TrainConfig) -> Iterator[dict[str, torch.Tensor]]:
    """Yield rows padded to batches with enough trained tokens each; what is left at the end joins the last."""
    enough = _TOKENS_IN_RANKS * config.lora_r
    pending: list[tuple[list[int], list[int]]] = []
    ready: list[tuple[list[int], list[int]]] | None = None
    tokens = 0
    for ids, labels in _examples(rows):
        pending.append((ids, labels))
        tokens += sum(label != IGNORED for label in labels)
        if tokens >= enough and len(pending) >= config.batch_size:
            if ready is not None:
                yield _padded(ready)
            ready, pending, tokens = pending, [], 0
    if ready is not None:
        yield _padded([*ready, *pending])
    elif tokens >= enough:
        yield _padded(pending)


def _examples(rows: TrainingRows) -> Iterator[tuple[list[int], list[int]]]:
    for batch in rows.table.select(["input_ids", "labels"]).to_batches(max_chunksize=1024):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _padded(rows: list[tuple[list[int], list[int]]]) -> dict[str, torch.Tensor]:
    width = max(len(ids) for ids, _ in rows)
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    labels = torch.full_like(ids, IGNORED)
    mask = torch.zeros_like(ids)
    for place, (tokens, targets) in enumerate(rows):
        ids[place, : len(tokens)] = torch.tensor(tokens)
        labels[place, : len(targets)] = torch.tensor(targets)
        mask[place, : len(tokens)] = 1
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


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
        if getattr(held, "quant_state", None) is None:
            continue  # a layer that is held whole loses nothing
        rounded = bitsandbytes.functional.dequantize_4bit(held.data, held.quant_state).float()
        layer = whole.get_submodule(name)
        # Layers of GPT-2's kind hold their weights the other way round.
        weight = layer.weight.T if isinstance(layer, Conv1D) else layer.weight
        residual = weight.to(rounded.device).float() - rounded
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
