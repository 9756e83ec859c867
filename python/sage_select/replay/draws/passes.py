"""Passes: no row again before all others were drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sage_select import kernels
from sage_select.replay.draws.rule import Drawn, DrawRule, draw_rule
from sage_select.replay.rows import ReplayRows

__all__ = ["Passes"]


@draw_rule("passes", place=20)
class Passes(DrawRule):
    """Pass after pass over the buffer, each in its own order: none again before all others were drawn.

    The order of a pass is that of the hashes of pass and id, and how far it has come is one of these: rows that enter
    meanwhile are drawn in this pass where their hashes are larger, else in the next.
    """

    def draw(self, rows: ReplayRows, count: int, key: int, state: Mapping[str, Any], pass_key: int) -> Drawn:
        """Return the next rows of the pass, and where they are not enough the first of the next one."""
        del key
        number, after = int(state.get("pass", 0)), int(state.get("after", -1))
        found = np.empty(0, np.int64)
        while True:
            hashes = rows.keyed((pass_key + number) % 2**64)
            order = kernels.bottom_k_hashes(hashes, rows.n)
            new = order[~np.isin(order, found)]
            if after >= 0:
                new = new[hashes[new] > np.uint64(after)]
            taken = new[: count - len(found)]
            found = np.concatenate([found, taken])
            if len(found) == count:
                after = int(hashes[taken[-1]]) if len(taken) else after
                return Drawn(found, {"pass": number, "after": str(after)})
            number, after = number + 1, -1
