"""Herding: rows whose mean is that of all rows."""

from __future__ import annotations

from sage_select import kernels
from sage_select.pipeline.cost import Cost, Size
from sage_select.strategies.objectives.objective import SUMS, Found, Objective, objective
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest

__all__ = ["Herding"]


@objective("herding", place=60, metrics=("cosine", "dot"), nested=True, another_order=SUMS)
class Herding(Objective):
    """Rows whose mean is that of all.

    Welling 2009.
    """

    def pick(self, request: SelectionRequest, pool: Pool) -> Found:
        """Pick by the herding weights: the mean of all rows, and by how much the picks so far fall short of it."""
        greedy = kernels.herding(pool.need_matrix(), request.for_kernels, threads=pool.threads, progress=pool.progress)
        return greedy, {}

    def cost(self, size: Size) -> Cost:
        """Return the cost of about three products of each row for each pick."""
        products = 3.0 * (size.k + size.preselected) * size.n
        return Cost((2.0 * size.d + 200) * size.n, size.seconds(multiply_adds=products * size.d))

    def describe(self) -> str:
        """Return nothing: there is no option."""
        return ""
