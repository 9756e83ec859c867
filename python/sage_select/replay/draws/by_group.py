"""By group: as many rows of each group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from sage_select import kernels
from sage_select.replay.draws.rule import Drawn, DrawRule, draw_rule
from sage_select.replay.rows import ReplayRows

__all__ = ["ByGroup"]


@draw_rule("by_group", place=30)
class ByGroup(DrawRule):
    """As many rows of each group as of any other, what a small one leaves shared by the others.

    A row of each group, then another of each that has one, and so on: whatever part of a draw is taken from its
    beginning is balanced as well.
    """

    def draw(self, rows: ReplayRows, count: int, key: int, state: Mapping[str, Any], pass_key: int) -> Drawn:
        """Return the rows of the smallest hashes of each group, the groups in the order of theirs."""
        del pass_key
        of, names = rows.group_codes
        hashes = kernels.keyed_hashes(key, pa.array(names, pa.string()), threads=1)
        order = np.lexsort((rows.keyed(key), of))
        place = np.arange(rows.n) - np.searchsorted(of[order], of[order])
        return Drawn(order[np.lexsort((hashes[of[order]], place))][:count], state)
