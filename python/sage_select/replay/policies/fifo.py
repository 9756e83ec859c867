"""FIFO: the rows that came last."""

from __future__ import annotations

import numpy as np

from sage_select.replay.policies.policy import Candidates, Membership, Policy, policy

__all__ = ["Fifo"]


@policy("fifo", place=30, leaves="older")
class Fifo(Policy):
    """The rows that came last.

    A row that is offered again while it is there does not become younger.
    """

    def keep(self, candidates: Candidates) -> Membership:
        """Return the last rows."""
        order = np.argsort(candidates.rows.arrivals, kind="stable")
        return Membership(np.sort(order[max(0, len(order) - candidates.capacity) :]))
