"""By group: as many rows of each group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sage_select.replay.draws.rule import Drawn, DrawRule, draw_rule
from sage_select.replay.policies.balanced import quotas_of
from sage_select.replay.rows import ReplayRows

__all__ = ["ByGroup"]


@draw_rule("by_group", place=30)
class ByGroup(DrawRule):
    """As many rows of each group as of any other, what a small one leaves shared by the others."""

    def draw(self, rows: ReplayRows, count: int, key: int, state: Mapping[str, Any], pass_key: int) -> Drawn:
        """Return the rows of the smallest hashes of each group, in the order of these."""
        del pass_key
        of, names = rows.group_codes
        quotas = quotas_of(np.bincount(of, minlength=len(names)), names, count, key)
        hashes = rows.keyed(key)
        order = np.lexsort((hashes, of))
        place = np.arange(len(order)) - np.searchsorted(of[order], of[order])
        kept = order[place < quotas[of[order]]]
        return Drawn(kept[np.argsort(hashes[kept], kind="stable")], state)
