"""Recency: rows that came later are likelier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from sage_select import kernels
from sage_select.declare.option import Option
from sage_select.replay.draws.rule import Drawn, DrawRule, draw_rule
from sage_select.replay.rows import ReplayRows

__all__ = ["Recency"]


@draw_rule("recency", place=50)
class Recency(DrawRule):
    """Rows that came later are likelier, none twice in a draw.

    The row that came last has weight 1, one that came before `recency_half_life` others has half of it.
    """

    recency_half_life: Annotated[float, Option("rows of the buffer after which a row is half as likely", gt=0)] = 512.0

    def draw(self, rows: ReplayRows, count: int, key: int, state: Mapping[str, Any], pass_key: int) -> Drawn:
        """Return rows by age."""
        del pass_key
        order = np.lexsort((rows.words, -rows.arrivals))
        # Halves and their 1/64 parts, so that no library's rounding decides.
        steps = np.round(np.arange(rows.n) / self.recency_half_life * 64).astype(np.int64)
        weights = np.ldexp(np.round(2.0 ** (-(steps % 64) / 64) * 2.0**40) / 2.0**40, -np.minimum(steps // 64, 900))
        return Drawn(order[kernels.PriorityTree(weights).draw(key, count)], state)
