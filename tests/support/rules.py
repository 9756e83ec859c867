"""Every rule of selection there is: new ones are tested by what is parametrised over them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sage_select.strategies import STRATEGIES
from sage_select.strategies.objectives import OBJECTIVES

__all__ = ["RULES", "VECTOR_RULES", "options", "paired", "probabilities", "used", "wanted"]

#: Nothing is as near as this.
_NEAR = {"cosine": 1.5, "dot": 3e38, "sqeuclidean": -1.0}

#: Every strategy with every objective that it heeds; `auto` with its own, as with others it stands for another rule.
RULES = [
    (strategy, objective)
    for strategy, rule in STRATEGIES.items()
    for objective in (OBJECTIVES if "objective" in rule.model_fields else [None])
    if strategy != "auto" or objective == "facility"
]

#: Every strategy that compares vectors by a metric, with every objective and metric that it heeds.
VECTOR_RULES = [
    (strategy, objective, metric)
    for strategy, objective in RULES
    if "vectors" in STRATEGIES[strategy].needs_always and "metric" in STRATEGIES[strategy].model_fields
    for metric in (OBJECTIVES[objective].metrics if objective else _NEAR)
]


def paired(cases: Sequence[Any], rules: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return a case beside a rule, each of both at least once: for what one check does, whatever the rule."""
    pairs = []
    for place in range(max(len(cases), len(rules))):
        # A case more in each round, so that cases and, say, metrics, which alternate too, meet in turn.
        case, rule = cases[(place + place // len(cases)) % len(cases)], rules[place % len(rules)]
        pairs.append((*(case if isinstance(case, tuple) else (case,)), *rule))
    return pairs


def wanted(strategy: str, queries: Any, metric: str | None = None, *, of: Any = None) -> dict[str, Any]:
    """Return what a strategy must be told beside its objective.

    That is queries, a threshold that passes nothing over, or predictions `of` so many rows, or of rows with vectors.
    """
    if "predictions" in STRATEGIES[strategy].needs_always:
        return {"probabilities": probabilities(of)}
    return {"target": {"queries": queries}, "threshold": {"threshold": _NEAR[metric or "cosine"]}}.get(strategy, {})


def probabilities(of: Any) -> np.ndarray:
    """Return probabilities of 3 classes, float32 (n, 3): of so many rows, some of which tie, or by their vectors."""
    if isinstance(of, int):
        of = np.stack([np.arange(of) % 7, np.arange(of) % 5, np.arange(of) % 3], axis=1)
    odds = np.exp(np.asarray(of, np.float64)[:, :3])
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


def options(strategy: str, queries: str, folder: Path, rows: int) -> list[str]:
    """Return what `wanted` says as options, predictions of so many rows in a file of the folder."""
    found = []
    for name, value in wanted(strategy, queries, of=rows).items():
        if name == "probabilities":
            np.save(folder / "predictions.npy", value)
            name, value = "predictions", "predictions.npy"
        found += [f"--{name}", str(value)]
    return found


def used(strategy: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings without vectors that neither the strategy nor the dedup uses, beside rows."""
    vectors = (
        "vectors" in STRATEGIES[strategy].needs_always
        or settings.get("dedup") == "near"
        or settings.get("data") is None
    )
    return settings if vectors else {name: value for name, value in settings.items() if name != "embeddings"}
