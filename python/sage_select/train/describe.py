"""What the folder of a run, an adapter or a model is, from what lies in it: nothing of it is loaded but headers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sage_select.errors import DataError, UsageError
from sage_select.paths import user_path
from sage_select.render.adapter_files import ADAPTER_FILES, read_adapter, tensor_shapes
from sage_select.train.checkpoints import list_checkpoints, newest_complete
from sage_select.train.evaluations import read_evaluations, summary_of
from sage_select.train.fingerprint import ROWS
from sage_select.train.kinds import KINDS
from sage_select.train.ledger import losses_at_both_ends, read_steps
from sage_select.train.methods import METHODS
from sage_select.train.replaced import (
    EVALUATIONS_NAME,
    LEDGER_NAME,
    RECORD_NAME,
    ROUNDS_NAME,
    WEIGHT_FOLDERS,
)
from sage_select.train.rounds_file import read_rounds

__all__ = ["describe"]


def describe(path: str | Path) -> dict[str, Any]:
    """Return what a folder holds: values that go into JSON, None where something is not known.

    Parameters
    ----------
    path
        The output folder of a run, the folder of an adapter, or that of a model.

    Raises
    ------
    UsageError
        If it is none of these.
    DataError
        If its files are damaged.
    """
    folder = user_path(path)
    if (folder / RECORD_NAME).is_file():
        return _run(folder)
    if (folder / ADAPTER_FILES[0]).is_file():
        around = folder.parent
        inside = folder.name in WEIGHT_FOLDERS and (around / RECORD_NAME).is_file()
        return {"what": "adapter", "folder": str(folder), **_weights(folder), "run": str(around) if inside else None}
    if (folder / "config.json").is_file():
        return {"what": "model", "folder": str(folder), **_weights(folder)}
    raise UsageError(
        "the folder holds no run, no adapter and no model" if folder.is_dir() else "there is no such folder",
        where=str(path),
        expected=f"one with {RECORD_NAME}, {ADAPTER_FILES[0]} or config.json",
    )


def _run(folder: Path) -> dict[str, Any]:
    record = folder / RECORD_NAME
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        identity, result = dict(content["identity"]), content.get("result") or {}
        about, finished = dict(content.get("about") or {}), bool(content["finished"])
        kind = KINDS[str(identity["adapter"])]
        rows = result.get("rows", about.get("rows")) or {}
        parameters = result.get("parameters", about.get("parameters"))
        selection = {
            "file": about.get("selection"),
            "rows": rows.get("rows_in"),
            "trained": rows.get("rows_trained"),
            "tokens": rows.get("tokens"),
            "order": identity.get(ROWS),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        said = f"{type(error).__name__}: {error}"
        raise DataError("this is no record of a run of sage-train", where=str(record), got=said) from None
    checkpoints = list_checkpoints(folder / "checkpoints")
    whole, _ = newest_complete(folder / "checkpoints")
    trained = folder / kind.folder
    shown = trained if (trained / kind.settings_file).is_file() else whole.folder if whole is not None else None
    weights = {} if shown is None else _weights(shown)
    return {
        "what": "run",
        "folder": str(folder),
        "finished": finished,
        "model": about.get("model"),
        **({"base": weights.pop("base")} if weights.get("base") not in (None, about.get("model")) else {}),
        "method": identity.get("method"),
        "adapter": kind.name,
        "begins": _first(identity, about),
        **{name: value for name, value in weights.items() if name not in ("adapter", "base", "parameters")},
        "parameters": parameters or weights.get("parameters"),
        "precision": identity.get("precision"),
        "held_in": next(
            (text for name, text in (("load_in_4bit", "4 bits"), ("load_in_8bit", "8 bits")) if identity.get(name)),
            None,
        ),
        "optimizer": identity.get("optimizer"),
        "learning_rate": identity.get("learning_rate"),
        "selection": selection,
        "replay": _replay(result.get("replay") or about.get("replay")),
        **_progress(folder, result, str(identity.get("method"))),
        "curriculum": _curriculum(folder, identity),
        "checkpoints": [one.step for one in reversed(checkpoints)],
        "goes_on_from": None if whole is None else whole.step,
    }


def _replay(facts: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what a run replays, and whether its rows were offered to the buffer; None where it has none."""
    if not facts:
        return None
    shown = ("buffer", "commit", "ratio", "basis", "new_times", "times", "rows", "new_tokens", "tokens")
    update = facts.get("update") or {}
    return {**{name: facts.get(name) for name in shown}, "update": update.get("commit") if update.get("done") else None}


def _first(identity: Mapping[str, Any], about: Mapping[str, Any]) -> str | None:
    """Return how the adapter began."""
    if identity.get("from_adapter") is not None:
        return f"from the adapter in {about.get('from_adapter')}"
    return None if identity.get("adapter") == "full" else str(identity.get("init_lora_weights"))


def _curriculum(folder: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the curriculum, where it is decided while training, and how many rounds were decided."""
    if identity.get("curriculum") in (None, "none"):
        return None
    rounds = folder / "logs" / ROUNDS_NAME
    decided = sum(1 for _ in read_rounds(rounds)) if rounds.is_file() else 0
    return {"name": identity["curriculum"], "rounds_a_pass": identity.get("rounds"), "decided": decided}


def _progress(folder: Path, result: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Return the steps, the losses and the evaluations, of a run that has not ended as far as they are recorded."""
    # A method of a package that is not here goes by its name.
    loss_of = result.get("loss_of") or (METHODS[method].loss_of() if method in set(METHODS) else method)
    if result:
        return {
            "steps": result.get("steps"),
            "loss": {"first": result.get("loss_first"), "last": result.get("loss_last"), "of": loss_of},
            "held_out": result.get("held_out"),
        }
    evaluated = folder / "logs" / EVALUATIONS_NAME
    held_out = summary_of(list(read_evaluations(evaluated))) if evaluated.is_file() else None
    ledger = folder / "logs" / LEDGER_NAME
    steps = list(read_steps(ledger)) if ledger.is_file() else []
    if not steps:
        return {"steps": 0, "loss": None, "held_out": held_out}
    first, last = losses_at_both_ends(steps)
    return {"steps": steps[-1].step, "loss": {"first": first, "last": last, "of": loss_of}, "held_out": held_out}


def _weights(folder: Path) -> dict[str, Any]:
    """Return what a folder of an adapter or a model says of itself."""
    files = sorted(folder.glob("*.safetensors"))
    size = sum(file.stat().st_size for file in files)
    shapes = {name: shape for file in files for name, shape in tensor_shapes(file).items()}
    count = sum(math.prod(shape) for shape in shapes.values())
    if not (folder / ADAPTER_FILES[0]).is_file():
        return {"parameters": {"trained": None, "total": count}, "bytes": size}
    content = read_adapter(folder)
    layers = {name.partition(".lora_")[0] for name in shapes if ".lora_" in name}
    ranks = {shape[0] for name, shape in shapes.items() if ".lora_A." in name and shape}
    uniform = len(ranks) <= 1
    return {
        "base": content.get("base_model_name_or_path"),
        "adapter": "dora" if content.get("use_dora") else "lora",
        "rank": content["r"] if uniform else {"from": min(ranks), "to": max(ranks)},
        "alpha": content["lora_alpha"],
        "scale": "alpha / sqrt(r)" if content.get("use_rslora") else "alpha / r",
        "dropout": content.get("lora_dropout"),
        "targets": {"layers": len(layers), "named": _named(content)},
        "parameters": {"trained": count, "total": None},
        "bytes": size,
    }


def _named(content: Mapping[str, Any]) -> str:
    targets = content.get("target_modules")
    names = [targets] if isinstance(targets, str) else sorted(targets or ())
    return " ".join([*names, *sorted(content.get("target_parameters") or ())])
