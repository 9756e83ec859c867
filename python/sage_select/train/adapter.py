"""The adapter: LoRA settings for PEFT, the health of its weights, writing and reading it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import set_seed
from transformers.pytorch_utils import Conv1D

from sage_select.errors import UsageError
from sage_select.render.adapted import load_adapter, sort_layers
from sage_select.render.adapter_files import ADAPTER_FILES, adapter_folder
from sage_select.train.config import TrainConfig
from sage_select.train.data import TrainingRows
from sage_select.train.kinds import INITIALISATIONS, KINDS, Initialisation, initialisation
from sage_select.train.own_loss import check_trainable
from sage_select.train.targets import find_targets

__all__ = [
    "Trainee",
    "add_adapter",
    "cast_adapter_to_float32",
    "count_parameters",
    "is_finite",
    "make_trainee",
    "save_adapter",
    "save_trained",
    "shape_of_trained",
]


@dataclass(frozen=True)
class Trainee:
    """A model that is ready to be trained.

    Attributes
    ----------
    model
        A PEFT model, or the model itself where all of it is trained.
    notices
        What the user should know of it.
    initial
        The first weights of an adapter that took a part of the base weights over, by name; None of any other.
    """

    model: Any
    notices: tuple[str, ...]
    initial: Mapping[str, torch.Tensor] | None = None


def make_trainee(model: Any, config: TrainConfig, rows: TrainingRows) -> Trainee:
    """Return what is trained of `model`, tried with a row; `model` is changed.

    Parameters
    ----------
    model
        A causal language model of transformers.
    rows
        What will be trained.

    Raises
    ------
    UsageError
        Settings name layers that cannot be adapted, or that cannot begin as they say, or the model cannot be trained.
    DataError
        The adapter to go on from is damaged, or of another model.
    """
    initial = None
    # The first weights of an adapter are random.
    set_seed(config.seed)
    if KINDS[config.adapter].lora is None:
        trained, notices = _whole(model), list[str]()
    elif config.from_adapter is not None:
        trained = load_adapter(model, adapter_folder(config.from_adapter), dropout=config.lora_dropout)
        notices = []
    else:
        first = initialisation(config.init_lora_weights)
        trained, notices = _new_adapter(model, config, first)
        notices += first.begin(trained, config, rows)
        sort_layers(trained.peft_config["default"])
        if first.alters_base:
            weights = get_peft_model_state_dict(trained, save_embedding_layers=False)
            initial = {name: weight.detach().float().cpu().clone() for name, weight in weights.items()}
    check_trainable(trained, rows.table["input_ids"][0].as_py())
    return Trainee(trained, tuple(notices), initial)


def add_adapter(model: Any, config: TrainConfig, row: Sequence[int]) -> tuple[PeftModel, list[str]]:
    """Return `model` with a new adapter, tried with a row, and what the user should know of it; `model` is changed.

    Parameters
    ----------
    model
        A causal language model of transformers.
    row
        Token ids of a row that will be trained.

    Raises
    ------
    UsageError
        Settings name layers that cannot be adapted, or the model cannot be trained.
    """
    set_seed(config.seed)
    adapted, notices = _new_adapter(model, config, initialisation(config.init_lora_weights))
    check_trainable(adapted, row)
    return adapted, notices


def _whole(model: Any) -> Any:
    """Return a model all of whose weights are trained."""
    model.requires_grad_(True)
    # What an adapted model is asked for as well.
    model.get_base_model = lambda: model
    return model


def _new_adapter(model: Any, config: TrainConfig, first: Initialisation) -> tuple[PeftModel, list[str]]:
    targets = find_targets(model, config.lora_target)
    notices = list(targets.notices)
    dropout = config.lora_dropout
    kind = KINDS[config.adapter]
    if targets.parameters:
        if kind.lora or not first.stacked:
            said = f"--adapter {kind.name}" if kind.lora else f"--init-lora-weights {first.name}"
            raise UsageError(
                f"{said} is not for the stacked weights of experts",
                got=", ".join(targets.parameters[:3]),
                hint="leave experts out of --lora-target, or use --adapter lora with the default first weights",
            )
        if dropout:
            dropout = 0.0
            notices.append("the adapter has no dropout: the stacked weights of experts cannot have it")
    adapter = LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=dropout,
        target_modules=list(targets.modules),
        target_parameters=list(targets.parameters) or None,
        task_type="CAUSAL_LM",
        use_rslora=config.use_rslora,
        **(kind.lora or {}),
        **first.lora,
    )
    if not first.turned and any(isinstance(part, Conv1D) for part in model.modules()):
        raise UsageError(
            f"--init-lora-weights {first.name} is not for a {type(model).__name__}, which holds its weights turned",
            hint="begin with pissa, or with the default",
        )
    if first.widths:
        _refuse_narrow(model, adapter, first)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*eva_config.*")  # its defaults are meant
        try:
            adapted: PeftModel = get_peft_model(model, adapter)
        except (ValueError, TypeError, RuntimeError, NotImplementedError, AttributeError) as error:
            said = str(error).strip().partition("\n")[0]
            raise UsageError(
                f"--adapter {kind.name} that begins with {first.name} cannot be put on a {type(model).__name__}",
                got=said,
                hint="use --adapter lora with the default first weights, or name other --lora-target",
            ) from None
    sort_layers(adapter)
    return adapted, notices


def _refuse_narrow(model: Any, adapter: LoraConfig, first: Initialisation) -> None:
    """Raise UsageError where a layer is narrower than the decomposition of its weights needs."""
    named = frozenset(adapter.target_modules)
    widths = {}
    for name, part in model.named_modules():
        if not named.isdisjoint((name, name.rpartition(".")[2])) and getattr(part, "weight", None) is not None:
            weight: Any = part.weight
            read, given = getattr(part, "in_features", len(weight)), getattr(part, "out_features", weight.shape[-1])
            # EVA decomposes what a layer reads, all others its weight.
            widths[name] = read if first.name == "eva" else min(read, given)
    narrowest = min(widths, key=widths.__getitem__)
    needed = first.widths * adapter.r
    if widths[narrowest] < needed:
        raise UsageError(
            f"--init-lora-weights {first.name} needs layers that are {needed} wide at rank {adapter.r}",
            where=narrowest,
            got=f"a width of {widths[narrowest]}",
            hint=f"--lora-r {max(1, widths[narrowest] // first.widths)} or less, or other --lora-target",
        )


def shape_of_trained(model: Any, config: TrainConfig) -> Any:
    """Return `model`, which may be one without memory, with what is trained of it, however that begins."""
    if KINDS[config.adapter].lora is None:
        return _whole(model)
    return _new_adapter(model, config, INITIALISATIONS["default"])[0]


def cast_adapter_to_float32(model: torch.nn.Module) -> None:
    """Hold all trained weights in float32.

    TRL casts the adapter of a quantised model to bfloat16, in which small updates are lost and a resumed run
    differs from an uninterrupted one.
    """
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def is_finite(model: torch.nn.Module) -> bool:
    """Say whether all trained weights are finite numbers."""
    sums = [parameter.detach().abs().sum() for parameter in model.parameters() if parameter.requires_grad]
    return bool(torch.isfinite(torch.stack(sums)).all())


def save_trained(trainee: Trainee, folder: Path) -> None:
    """Write what was trained into `folder`: an adapter, or a model."""
    if isinstance(trainee.model, PeftModel):
        save_adapter(trainee.model, folder, trainee.initial)
    else:
        trainee.model.save_pretrained(str(folder))


def save_adapter(model: PeftModel, folder: Path, initial: Mapping[str, torch.Tensor] | None = None) -> None:
    """Write the adapter into `folder`, the same bytes for the same weights.

    Parameters
    ----------
    initial
        The first weights of one that took a part of the base weights over. It is written as one of twice the rank, for
        the base weights as they are in the model's files: what it has become, less what it was at first.
    """
    conversion = {}
    with TemporaryDirectory() as temporary:
        if initial is not None:
            first = Path(temporary) / "initial"
            first.mkdir()
            save_file(dict(initial), first / ADAPTER_FILES[1], metadata={"format": "pt"})
            conversion = {"path_initial_model_for_weight_conversion": str(first)}
        # "auto" would ask a model hub whether the vocabulary has grown; ours never does.
        model.save_pretrained(str(folder), save_embedding_layers=False, **conversion)
    # A form to fill in, which says nothing of this adapter.
    (folder / "README.md").unlink(missing_ok=True)
    settings = folder / "adapter_config.json"
    # The weights are there, however they began: the adapter loads on any base, one in few bits too.
    content = {**json.loads(settings.read_text(encoding="utf-8")), "init_lora_weights": True, "eva_config": None}
    settings.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def count_parameters(model: Any) -> dict[str, int]:
    """Return how many weights there are, `trained` and in `total`, whatever they are held in."""
    counts = {"trained": 0, "total": 0}
    for parameter in model.parameters():
        state = getattr(parameter, "quant_state", None)
        numbers = parameter.numel() if state is None else state.shape.numel()
        counts["total"] += numbers
        counts["trained"] += numbers if parameter.requires_grad else 0
    return counts
