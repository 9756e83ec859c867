"""Passes: no row again before all others were drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.replay.draws.rule import Drawn, DrawRule, draw_rule
from sage_select.replay.rows import ReplayRows

__all__ = ["Passes"]


@draw_rule("passes", place=20)
class Passes(DrawRule):
    """Pass after pass over the buffer, each in its own order: none again before all others were drawn.

    The order of a pass is that of the hashes of pass and id, and how far it has come is one of these: rows that enter
    meanwhile are drawn in this pass where their hashes are larger, else in the next. A draw that ends one pass and
    begins the next holds no row twice: what it has of the old one comes first in the draw after it.

    Where draws are named by their step a pass is as many draws as see every row, the last of them filled up with the
    first rows of the pass.
    """

    def state_of(self, step: int) -> Mapping[str, Any]:
        """Return a state that is a step."""
        return {"step": step}

    def draw(self, rows: ReplayRows, count: int, key: int, state: Mapping[str, Any], pass_key: int) -> Drawn:
        """Return the next rows of the pass, and where they are not enough the first of the next one."""
        del key
        if "step" in state:
            return Drawn(_of_step(rows, count, int(state["step"]), pass_key), state)
        number, after = int(state.get("pass", 0)), int(state.get("after", -1))
        waiting = [int(one) for one in state.get("waiting", ())]
        found = np.empty(0, np.int64)
        while True:
            hashes = rows.keyed((pass_key + number) % 2**64)
            order = kernels.bottom_k_hashes(hashes, rows.n)
            left = order[(np.arange(rows.n) >= _beyond(hashes[order], after)) | np.isin(hashes[order], _words(waiting))]
            taken = left[~np.isin(left, found)][: count - len(found)]
            if len(found) + len(taken) == count:
                after = max([after, *hashes[taken[-1:]].tolist()])
                passed = hashes[left[: _beyond(hashes[left], after)]]
                waiting = np.setdiff1d(passed, hashes[taken]).tolist()
                return Drawn(np.concatenate([found, taken]), _state(number, after, waiting))
            found = np.concatenate([found, taken])
            number, after, waiting = number + 1, -1, []


def _beyond(rising: NDArray[np.uint64], after: int) -> int:
    """Return how many of some hashes, each larger than the one before it, are no larger than another."""
    return int(np.searchsorted(rising, np.uint64(after), side="right")) if after >= 0 else 0


def _words(values: list[int]) -> NDArray[np.uint64]:
    return np.array(values, np.uint64)


def _state(number: int, after: int, waiting: list[int]) -> dict[str, Any]:
    found: dict[str, Any] = {"pass": number, "after": str(after)}
    return {**found, "waiting": [str(one) for one in waiting]} if waiting else found


def _of_step(rows: ReplayRows, count: int, step: int, pass_key: int) -> NDArray[np.int64]:
    """Return the rows of a step: a function of the buffer, the step and the number of rows alone."""
    draws = -(-rows.n // count) if count else 1
    number, place = divmod(step, draws)
    order = kernels.bottom_k_hashes(rows.keyed((pass_key + number) % 2**64), rows.n)
    return np.roll(order, -place * count)[:count]
