"""Every rule of selection there is: new ones are tested by what is parametrised over them."""

from __future__ import annotations

from sage_select.ops import OBJECTIVES, STRATEGIES

__all__ = ["RULES", "VECTOR_RULES"]

#: Every strategy with every objective that it heeds.
RULES = [
    (strategy, objective)
    for strategy, rule in STRATEGIES.items()
    for objective in (OBJECTIVES if "objective" in rule.options else [None])
]

#: Every strategy that needs vectors, with every objective and metric that it heeds.
VECTOR_RULES = [
    (strategy, objective, metric)
    for strategy, objective in RULES
    if STRATEGIES[strategy].needs_embedding
    for metric in (OBJECTIVES[objective].metrics if objective else [None])
]
