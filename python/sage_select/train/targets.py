"""Which parts of a model an adapter can be put on, found in the model itself rather than in a list of names."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig
from peft.tuners.lora import LoraModel
from peft.utils.transformers_weight_conversion import convert_peft_config_for_transformers, get_model_conversion_mapping
from transformers.pytorch_utils import Conv1D

from sage_select.errors import UsageError, nearest
from sage_select.train.config import ALL_LINEAR, EXPERTS

__all__ = ["Targets", "find_targets"]


@dataclass(frozen=True)
class Targets:
    """What gets an adapter.

    Parameters
    ----------
    modules
        Linear layers: last parts of their names where those mean no other layer, else full names. Sorted.
    parameters
        Full names of stacked weights of experts, sorted.
    notices
        What is left out although the settings name everything, and why.
    """

    modules: tuple[str, ...]
    parameters: tuple[str, ...]
    notices: tuple[str, ...]


def find_targets(model: Any, named: Sequence[str]) -> Targets:
    """Return the layers that the setting `lora_target` names.

    Parameters
    ----------
    model
        A causal language model of transformers, without an adapter.
    named
        The setting: `all-linear`, `experts`, or last parts of the names of linear layers.

    Raises
    ------
    UsageError
        A name is no layer that can be adapted; the message names those that are.
    """
    linear = dict(_linear_layers(model))
    barred = _barred(model, linear)
    free = {name for name in linear if name not in barred}
    leaves = {_leaf(name) for name in free}
    experts = tuple(sorted(_stacked_weights(model)))
    known = {ALL_LINEAR, *leaves, *([EXPERTS] if experts else [])}
    for target in named:
        if target not in known:
            raise _no_target(target, known, {_leaf(name): why for name, why in barred.items()})
    wanted = free if ALL_LINEAR in named else {name for name in free if _leaf(name) in named}
    parameters = experts if EXPERTS in named else ()
    if not wanted and not parameters:
        raise UsageError(
            "the model has no linear layer that an adapter can be put on",
            got=type(model).__name__,
            hint="name its experts as targets: experts" if experts else "choose another model",
        )
    notices = []
    if ALL_LINEAR in named:
        reasons: dict[str, set[str]] = {}
        for name, why in barred.items():
            reasons.setdefault(why, set()).add(_leaf(name))
        notices += [f"no adapter on {', '.join(sorted(names))}: {why}" for why, names in sorted(reasons.items())]
        if experts and not parameters:
            notices.append(_left_out(model, experts))
    return Targets(tuple(sorted(_shortened(model, wanted))), parameters, tuple(notices))


def _linear_layers(model: Any) -> Iterator[tuple[str, torch.nn.Module]]:
    """Yield the linear layers of the part of the model that reads text, but for its output layer."""
    head = model.get_output_embeddings()
    within = ""
    if model.config.get_text_config() is not model.config:
        decoder = model.get_decoder()
        within = next((name for name, part in model.named_modules() if part is decoder), "")
    for name, part in model.named_modules():
        if isinstance(part, torch.nn.Linear | Conv1D) and part is not head and name.startswith(within):
            yield name, part


def _barred(model: Any, linear: dict[str, torch.nn.Module]) -> dict[str, str]:
    """Return the linear layers that cannot be adapted -> why."""
    barred: dict[str, str] = {}
    fused = {
        f"{parent}.{child}".lstrip(".") for parent, part in model.named_modules() for child in _read_past_adapters(part)
    }
    probe = LoraConfig(target_modules=sorted(linear), task_type="CAUSAL_LM")
    # The library takes some names of older releases for the experts that they have become.
    convert_peft_config_for_transformers(probe, model=model, conversions=get_model_conversion_mapping(model))
    converted = set(linear) - set(probe.target_modules or ())
    for name, part in linear.items():
        if name in fused or _refused_by_library(model, probe, _leaf(name)):
            barred[name] = "kernels of state-space layers read their weights past an adapter"
        elif _gives_more(part):
            barred[name] = "they give more than a product, as routers to experts do"
        elif name in converted:
            barred[name] = "PEFT takes these names for those of the experts"
    return barred


def _read_past_adapters(part: torch.nn.Module) -> set[str]:
    """Return the linear layers of a state-space layer whose weights its code hands to a kernel directly."""
    if not any(name == "A_log" for name, _ in part.named_parameters(recurse=False)):
        return set()
    try:
        source = inspect.getsource(type(part))
    except (OSError, TypeError):
        return set()
    return set(re.findall(r"self\.(\w+)\.weight\b(?!\.(?:dtype|device|shape))", source))


def _refused_by_library(model: Any, probe: LoraConfig, leaf: str) -> bool:
    check: Any = LoraModel._check_target_module_compatiblity
    try:
        check(None, copy.copy(probe), model, leaf)
    except ValueError:
        return True
    return False


def _gives_more(part: torch.nn.Module) -> bool:
    """Say whether a linear layer of a model's own class gives anything but one tensor, which an adapter adds to."""
    kind = type(part)
    if not kind.__module__.startswith("transformers.models.") or "forward" not in vars(kind):
        return False
    weight: Any = part.weight
    with torch.no_grad():
        return not isinstance(part(weight.new_zeros((1, weight.shape[1]))), torch.Tensor)


def _stacked_weights(model: Any) -> Iterator[str]:
    """Yield the names of weights that hold one matrix for each expert, which no linear layer holds."""
    settings = model.config.get_text_config().to_dict()
    counts = {value for name, value in settings.items() if "expert" in name and type(value) is int}
    for parent, part in model.named_modules():
        if isinstance(part, torch.nn.Linear | Conv1D | torch.nn.modules.conv._ConvNd | torch.nn.Embedding):
            continue
        for name, weight in part.named_parameters(recurse=False):
            if weight.ndim == 3 and len(weight) in counts:
                yield f"{parent}.{name}"


def _left_out(model: Any, experts: Sequence[str]) -> str:
    held = sum(model.get_parameter(name).numel() for name in experts)
    share = held / sum(weight.numel() for weight in model.parameters())
    return (
        f"no adapter on the experts, which hold {share:.0%} of the weights; name the targets {ALL_LINEAR},{EXPERTS} "
        "to adapt them too (a larger adapter, without dropout)"
    )


def _shortened(model: Any, names: set[str]) -> set[str]:
    """Return the last parts of layer names where no other part of the model is called by one of them."""
    leaves = {_leaf(name) for name in names}
    others = {_leaf(name) for name, _ in model.named_modules() if name not in names}
    return names if leaves & others else leaves


def _no_target(target: str, known: set[str], barred: dict[str, str]) -> UsageError:
    if target in barred:
        return UsageError(f"{target} cannot be adapted: {barred[target]}", expected=", ".join(sorted(known)))
    return UsageError(
        "the model has no such linear layers",
        got=target,
        expected=f"all-linear, or some of {', '.join(sorted(known - {ALL_LINEAR}))}",
        hint=nearest(target, known),
    )


def _leaf(name: str) -> str:
    return name.rsplit(".", 1)[-1]
