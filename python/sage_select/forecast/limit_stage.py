"""The costs of what a selection must keep: lengths for a budget in tokens."""

from __future__ import annotations

from typing import Final

from sage_select.forecast.costs import Costs
from sage_select.forecast.stage import Stage
from sage_select.forecast.workload import Workload

__all__ = ["limits"]

#: The length of a row.
_LENGTH: Final = 8
_NANO: Final = 1e-9


def limits(work: Workload, costs: Costs) -> Stage | None:
    """Return what lengths cost, where some are counted; ids and groups take too little to be told."""
    lengths, words = float(_LENGTH * work.rows), work.table.words * work.rows
    if work.select.tokenizer is not None:
        # The library of the tokenizer stays; how fast it is depends on it.
        return Stage("limits", costs.torch_bytes + lengths, words, costs.torch_bytes + lengths, 0.0, None)
    if work.select.budget.tokens is None:
        return None
    return Stage("limits", lengths, words, lengths, 0.0, words * costs.words_ns * _NANO)
