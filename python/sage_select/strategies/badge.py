"""BADGE: rows that a classifier is unsure of, unlike each other."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sage_select import kernels
from sage_select.columns import Reason
from sage_select.kernels import Matrix
from sage_select.pipeline.cost import Cost, Size
from sage_select.seeds import stage_key
from sage_select.strategies.picks import Picks
from sage_select.strategies.pool import HASHED_BYTES, Pool
from sage_select.strategies.request import SelectionRequest
from sage_select.strategies.strategy import Strategy, strategy

__all__ = ["Badge"]


@strategy(
    "badge",
    place=80,
    needs_always=frozenset({"predictions", "vectors"}),
    nested=True,
    another_order="nothing but what is rounded",
)
class Badge(Strategy):
    """Rows that a classifier is unsure of, unlike each other.

    BADGE (Ash et al. 2020, arXiv 1906.03671): each row stands for the gradient that the last layer would have if the
    likeliest class were right, the outer product of its error over the classes and its vector. The first row has the
    longest gradient, as in the reference code of the paper; each other is drawn with probability in proportion to the
    squared distance of its gradient from the nearest of those picked. As in the paper, rows that are labelled already
    have no part in that: a model that has learned from them is sure of them, and their gradients are near zero. Vectors
    are taken as they are, whatever their lengths.
    """

    #: Products of vectors as they are.
    metric: ClassVar[str] = "dot"

    def pick(self, request: SelectionRequest, pool: Pool) -> Picks:
        """Draw rows by the keyed hashes of their ids, so that the same are drawn in any order of the rows."""
        probabilities = pool.need_probabilities()
        errors = probabilities.take(np.arange(pool.n))
        # Of equally likely classes the first.
        errors[np.arange(pool.n), errors.argmax(axis=1)] -= 1
        errors.flags.writeable = False
        greedy = kernels.badge(
            Matrix.from_array(errors, metric="dot", name=probabilities.name, threads=pool.threads),
            pool.need_matrix(),
            request.for_kernels,
            key=stage_key(pool.seed, "badge"),
            order=pool.draw_order("badge"),
            threads=pool.threads,
            progress=pool.progress,
        )
        rows = greedy.indices
        return Picks(rows, greedy.gains, ((Reason.BADGE, len(rows)),), {"classes": probabilities.d})

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of the errors over classes, and of about as many comparisons as there are pairs of picks."""
        if not size.classes:
            return None
        picks = float(size.k + size.preselected)
        pairs = size.n + min(picks * picks, 2 * size.n * picks)
        memory = (4.0 * size.classes + max(HASHED_BYTES, 21)) * size.n
        seconds = size.seconds(rows=size.n, multiply_adds=pairs * (size.d + size.classes))
        return Cost(memory, seconds)

    def describe(self) -> str:
        """Return how rows are drawn."""
        return "drawn by the squared distances of the gradients of a classifier's last layer (BADGE)"
