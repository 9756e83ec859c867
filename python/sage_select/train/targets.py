"""Which parts of a model an adapter can be put on, found in the model itself rather than in a list of names."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

import torch
from peft import LoraConfig
from peft.tuners.lora import LoraModel
from peft.utils.transformers_weight_conversion import convert_peft_config_for_transformers, get_model_conversion_mapping
from transformers.pytorch_utils import Conv1D

from sage_select.errors import UsageError, nearest
from sage_select.train.settings.adapter import ALL_LINEAR, EXPERTS, PATTERN

__all__ = ["Targets", "find_targets"]


#: Parts of a path by which a layer is known as one that chooses experts, if it has an output for each.
_ROUTERS: Final = frozenset({"gate", "router"})
#: Letters that no path has, and expressions have.
_OF_EXPRESSIONS: Final = re.compile(r"[\\*+?|()\[\]{}^$]")


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
        What is left out although it is named, and why.
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
        The setting: `all-linear`, `experts`, `re:` with a regular expression that matches whole paths, or parts in a
        row of the paths of layers. A router is meant only by a path that ends in it, or by an expression.

    Raises
    ------
    UsageError
        A name is none of these, or all that it names cannot be adapted; the message names what can.
    """
    linear = dict(_linear_layers(model))
    stacked = frozenset(_stacked_weights(model))
    routers = _routers(model, linear)
    barred = _barred(model, linear)
    found = {target: _named_by(target, frozenset(linear), stacked, routers) for target in named}
    unknown = [target for target, names in found.items() if target != ALL_LINEAR and not names]
    if unknown:
        raise _unknown(unknown, {*linear} - {*barred} - routers, stacked)
    for target, names in found.items():
        if target != ALL_LINEAR and not names - barred.keys():
            there = _there({*linear} - {*barred} - routers, stacked)
            raise UsageError(f"{target} cannot be adapted: {barred[min(names)]}", expected=there)
        if ALL_LINEAR in named and target not in (ALL_LINEAR, EXPERTS) and names <= found[ALL_LINEAR]:
            raise UsageError(f"{ALL_LINEAR} already names {target}", hint="drop one of the two adapter targets")
    chosen = frozenset().union(*found.values()) - barred.keys()
    if not chosen:
        raise UsageError(
            "the model has no linear layer that an adapter can be put on",
            got=type(model).__name__,
            hint="name its experts as targets: experts" if stacked else "choose another model",
        )
    reasons = {name: barred[name] for names in found.values() for name in names if name in barred}
    if ALL_LINEAR in named:
        reasons |= {name: barred.get(name, "routers, which choose the experts, stay as they are") for name in routers}
    notices = [*_left_out(name for name in reasons.items() if name[0] not in chosen)]
    if ALL_LINEAR in named and stacked and not stacked & chosen:
        notices.append(_experts_left_out(model, stacked))
    modules, parameters = chosen - stacked, chosen & stacked
    return Targets(tuple(sorted(_shortened(model, modules))), tuple(sorted(parameters)), tuple(notices))


def _named_by(target: str, linear: Set[str], stacked: Set[str], routers: Set[str]) -> frozenset[str]:
    """Return the paths that a target names, be it that they cannot be adapted."""
    if target == ALL_LINEAR:
        return frozenset(linear - routers)
    everything = linear | stacked
    if target == EXPERTS:
        return frozenset(stacked | {name for name in linear - routers if EXPERTS in name.split(".")})
    if target.startswith(PATTERN):
        expression = re.compile(target.removeprefix(PATTERN))
        return frozenset(name for name in everything if expression.fullmatch(name.removesuffix(".weight")))
    within = {name for name in everything if f".{target}." in f".{name}."}
    return frozenset(name for name in within if name not in routers or f".{name}".endswith(f".{target}"))


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


def _expert_counts(model: Any) -> set[int]:
    settings = model.config.get_text_config().to_dict()
    return {value for name, value in settings.items() if "expert" in name and type(value) is int}


def _routers(model: Any, linear: Mapping[str, torch.nn.Module]) -> frozenset[str]:
    """Return the linear layers that choose experts."""
    counts = _expert_counts(model)
    return frozenset(
        name
        for name, part in linear.items()
        if not _ROUTERS.isdisjoint(name.split(".")) and getattr(part, "out_features", None) in counts
    )


def _stacked_weights(model: Any) -> Iterator[str]:
    """Yield the names of weights that hold one matrix for each expert, which no linear layer holds."""
    counts = _expert_counts(model)
    for parent, part in model.named_modules():
        if isinstance(part, torch.nn.Linear | Conv1D | torch.nn.modules.conv._ConvNd | torch.nn.Embedding):
            continue
        for name, weight in part.named_parameters(recurse=False):
            if weight.ndim == 3 and len(weight) in counts:
                yield f"{parent}.{name}"


def _left_out(reasons: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a line for each reason, with the layers that are left out for it."""
    layers: dict[str, set[str]] = {}
    for name, why in reasons:
        layers.setdefault(why, set()).add(_leaf(name))
    yield from (f"no adapter on {', '.join(sorted(names))}: {why}" for why, names in sorted(layers.items()))


def _experts_left_out(model: Any, experts: Iterable[str]) -> str:
    held = sum(model.get_parameter(name).numel() for name in experts)
    share = held / sum(weight.numel() for weight in model.parameters())
    return (
        f"no adapter on the experts, which hold {share:.0%} of the weights; name the targets {ALL_LINEAR},{EXPERTS} "
        "to adapt them too (a larger adapter, without dropout)"
    )


def _shortened(model: Any, names: Set[str]) -> Set[str]:
    """Return the last parts of layer names where no other part of the model is called by one of them."""
    leaves = {_leaf(name) for name in names}
    others = {_leaf(name) for name, _ in model.named_modules() if name not in names}
    return names if leaves & others else leaves


def _unknown(targets: Sequence[str], linear: Set[str], stacked: Set[str]) -> UsageError:
    """Return the error for targets that name nothing."""
    first, example = targets[0], min(linear | stacked, default="")
    got = ", ".join(targets)
    if first.startswith(PATTERN):
        return UsageError("an adapter target matches no layer", got=got, expected=f"whole paths, such as {example}")
    if _OF_EXPRESSIONS.search(first):
        hint: str | None = f"a regular expression begins with {PATTERN}, and matches whole paths, such as {example}"
    else:
        leaves = {_leaf(name) for name in linear | stacked}
        parts = {part for name in linear | stacked for part in name.split(".")}
        hint = nearest(first, {ALL_LINEAR, *leaves, *parts, *linear, *stacked}) or f"paths are such as {example}"
    there = _there(linear, stacked)
    return UsageError("the model has no such layers for an adapter", got=got, expected=there, hint=hint)


def _there(linear: Set[str], stacked: Set[str]) -> str:
    leaves = {_leaf(name) for name in linear | stacked} | ({EXPERTS} if stacked else set())
    return f"{ALL_LINEAR}, or some of {', '.join(sorted(leaves))}"


def _leaf(name: str) -> str:
    """Return the last part of a path, but for that of a weight inside a layer of another kind."""
    return name.removesuffix(".weight").rsplit(".", 1)[-1]
