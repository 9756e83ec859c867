"""Balanced: the same number of rows of each group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.replay.policies.policy import Candidates, Membership, Policy, policy
from sage_select.replay.rows import ReplayRows
from sage_select.seeds import stage_key

__all__ = ["Balanced", "marks_of", "quotas_of"]

_ALL: Final = 2**64 - 1


def marks_of(names: list[str], seed: int) -> list[str]:
    """Return by what states know groups: keyed hashes, since a deleted row may have been the only one of its group."""
    hashes = kernels.keyed_hashes(stage_key(seed, "replay group marks"), pa.array(names, pa.string()), threads=1)
    return [f"{one:016x}" for one in hashes.tolist()]


def quotas_of(sizes: NDArray[np.int64], names: list[str], total: int, key: int) -> NDArray[np.int64]:
    """Return how many rows each group has of so many in all: as even as can be, what a small one leaves to the others.

    The rows that cannot be shared evenly go to the groups of the smallest hashes, so that no group that shrinks grows
    again while other rows come.
    """
    order = kernels.keyed_hashes(key, pa.array(names, pa.string()))
    return kernels.water_fill(sizes, total, order)


@policy("balanced", place=40, needs_always=frozenset({"groups"}), mergeable=True, leaves="quota")
class Balanced(Policy):
    """As many rows of each group as of any other, a uniform sample of each.

    Quotas are filled like water: what a group of few rows leaves is shared by the others, where the capacity divided
    by the number of groups would leave it empty. Within a group those of the smallest hashes of seed and id stay, so
    that neither the order of rows nor how they are cut into updates matters.
    """

    def keep(self, candidates: Candidates) -> Membership:
        """Return the rows of the smallest hashes of each group."""
        rows, seed = candidates.rows, candidates.seed
        of, names = rows.group_codes
        marks = marks_of(names, seed)
        keys = rows.keyed(stage_key(seed, "replay balanced"))
        thresholds = {mark: int(value) for mark, value in candidates.state.get("thresholds", {}).items()}
        limit = np.array([thresholds.get(mark, _ALL) for mark in marks], np.uint64)
        fits = np.flatnonzero(keys <= limit[of]) if thresholds else np.arange(rows.n)
        sizes = np.bincount(of[fits], minlength=len(names))
        quotas = quotas_of(sizes, names, candidates.capacity, stage_key(seed, "replay groups"))
        if (quotas >= sizes).all():
            return Membership(fits, candidates.state)
        order = fits[np.lexsort((keys[fits], of[fits]))]
        order = _by_id_where_tied(order, of, keys, rows)
        place = np.arange(len(order)) - np.searchsorted(of[order], of[order])
        kept = order[place < quotas[of[order]]]
        for group in np.flatnonzero(quotas < sizes):
            own = kept[of[kept] == group]
            thresholds[marks[group]] = int(keys[own].max()) if len(own) else 0
        return Membership(np.sort(kept), {"thresholds": {mark: str(one) for mark, one in sorted(thresholds.items())}})

    def merged_state(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the smaller threshold of each group."""
        both = [state.get("thresholds", {}) for state in (one, other)]
        marks = sorted({*both[0], *both[1]})
        merged = {mark: str(min(int(state.get(mark, _ALL)) for state in both)) for mark in marks}
        return {"thresholds": merged} if merged else {}


def _by_id_where_tied(
    order: NDArray[np.int64], of: NDArray[np.int64], keys: NDArray[np.uint64], rows: ReplayRows
) -> NDArray[np.int64]:
    """Return an order by group and key in which ids decide between equal keys."""
    same = (of[order][1:] == of[order][:-1]) & (keys[order][1:] == keys[order][:-1])
    if not same.any():
        return order
    ids = rows.ids.to_pylist()
    return np.array(sorted(order.tolist(), key=lambda row: (of[row], keys[row], ids[row])), np.int64)
