"""D2 sampling: rows drawn by their squared distance to those before."""

from __future__ import annotations

from sage_select import kernels
from sage_select.pipeline.cost import Cost, Size
from sage_select.seeds import stage_key
from sage_select.strategies.objectives.objective import Found, Objective, objective
from sage_select.strategies.pool import HASHED_BYTES, Pool
from sage_select.strategies.request import SelectionRequest

__all__ = ["D2"]


@objective("d2", place=70, metrics=("cosine", "sqeuclidean"), nested=True)
class D2(Objective):
    """Rows drawn by their squared distance to those before.

    As k-means++ is seeded: sum of squared distances within 8 (ln k + 2) of the best k, expected (Arthur and
    Vassilvitskii 2007).
    """

    def pick(self, request: SelectionRequest, pool: Pool) -> Found:
        """Draw rows by the keyed hashes of their ids, so that the same are drawn in any order of the rows."""
        greedy = kernels.d2(
            pool.need_matrix(),
            request.for_kernels,
            key=stage_key(pool.seed, "d2"),
            order=pool.draw_order("d2"),
            threads=pool.threads,
            progress=pool.progress,
        )
        return greedy, {}

    def cost(self, size: Size) -> Cost:
        """Return the cost of the draw, and of about as many comparisons as there are pairs of picks."""
        picks = float(size.k + size.preselected)
        pairs = size.n + min(picks * picks, 2 * size.n * picks)
        memory = max(HASHED_BYTES, 2.0 * size.d + 17) * size.n
        return Cost(memory, size.seconds(rows=size.n, multiply_adds=pairs * size.d))

    def describe(self) -> str:
        """Return nothing: there is no option."""
        return ""
