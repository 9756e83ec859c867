"""Every rule of selection there is: new ones are tested by what is parametrised over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sage_select.strategies import STRATEGIES
from sage_select.strategies.objectives import OBJECTIVES

__all__ = ["RULES", "VECTOR_RULES", "paired", "used", "wanted"]

#: Nothing is as near as this.
_NEAR = {"cosine": 1.5, "dot": 3e38, "sqeuclidean": -1.0}

#: Every strategy with every objective that it heeds; `auto` with its own, as with others it stands for another rule.
RULES = [
    (strategy, objective)
    for strategy, rule in STRATEGIES.items()
    for objective in (OBJECTIVES if "objective" in rule.model_fields else [None])
    if strategy != "auto" or objective == "facility"
]

#: Every strategy that needs vectors, with every objective and metric that it heeds.
VECTOR_RULES = [
    (strategy, objective, metric)
    for strategy, objective in RULES
    if "vectors" in STRATEGIES[strategy].needs_always
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


def wanted(strategy: str, queries: Any, metric: str | None = None) -> dict[str, Any]:
    """Return what a strategy must be told beside its objective: queries, or a threshold that passes nothing over."""
    return {"target": {"queries": queries}, "threshold": {"threshold": _NEAR[metric or "cosine"]}}.get(strategy, {})


def used(strategy: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings without vectors that neither the strategy nor the dedup uses, beside rows."""
    vectors = (
        "vectors" in STRATEGIES[strategy].needs_always
        or settings.get("dedup") == "near"
        or settings.get("data") is None
    )
    return settings if vectors else {name: value for name, value in settings.items() if name != "embeddings"}
