"""Prioritised: rows of higher scores are likelier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from sage_select import kernels
from sage_select.declare.option import Option
from sage_select.errors import UsageError
from sage_select.replay.draws.rule import Drawn, DrawRule, draw_rule
from sage_select.replay.rows import ReplayRows

__all__ = ["Prioritised"]


@draw_rule("prioritised", place=40)
class Prioritised(DrawRule):
    """Rows in proportion to a power of their latest score, none twice in a draw.

    Prioritised replay (arXiv 1511.05952).

    A row without a score has the highest there is, so that it is seen. Where no score is above 0 all rows are as
    likely.
    """

    priority_power: Annotated[float, Option("power of the score: 0 for a uniform draw", ge=0, le=16)] = 1.0

    def draw(self, rows: ReplayRows, count: int, key: int, state: Mapping[str, Any], pass_key: int) -> Drawn:
        """Return rows by priority."""
        del pass_key
        scores = rows.scores
        below = np.flatnonzero(scores < 0)
        if len(below):
            raise UsageError(
                "a score below 0 is no priority",
                got=f"{scores[below[0]]:g} for {rows.ids[int(below[0])].as_py()!r}",
                hint="give losses, or draw uniformly",
            )
        known = ~np.isnan(scores)
        highest = float(scores[known].max()) if known.any() else 1.0
        relative = np.where(known, scores, highest) / (highest or 1.0)
        order = np.lexsort((rows.words,))  # draws follow ids, not the order in which rows came
        tree = kernels.PriorityTree(_power(relative[order], self.priority_power))
        return Drawn(order[tree.draw(key, count)], state)


def _power(values: Any, power: float) -> Any:
    """Return a power of numbers from 0 to 1, rounded so that machines whose libraries differ in the last bit agree."""
    return values if power == 1 else np.round(values**power * 2.0**40) / 2.0**40
