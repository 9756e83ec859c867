"""k-center: rows far from one another."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.declare.option import Option
from sage_select.errors import UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.strategies.cells import Training, cells_cost, train_centroids
from sage_select.strategies.objectives.objective import Found, Objective, objective
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest

__all__ = ["OUTLIER_CELLS", "KCenter"]

#: The cells from whose middles outliers are far.
OUTLIER_CELLS: Final = Training("outliers", iterations=6, per_cell=32)


@objective("kcenter", place=30, metrics=("cosine", "sqeuclidean"), nested=True)
class KCenter(Objective):
    """Rows far from one another.

    Greedily, at most twice the best radius (Gonzalez 1985). By itself the rule picks outliers first. The share
    `outlier_guard` of the rows that lie farthest from the middle of their cell (of about sqrt(n) cells) is not picked,
    unless too few rows remain then. The first pick is the row with the smallest keyed hash of its id; without ids it
    is the lowest.
    """

    outlier_guard: Annotated[
        float, Option("share of rows to leave out, the farthest from their region's middle", ge=0, lt=1)
    ] = 0.05
    start: Annotated[
        int | None,
        Option("the row to begin with, counted from 0", ge=0, default="the first by hash that is no outlier"),
    ] = None

    def pick(self, request: SelectionRequest, pool: Pool) -> Found:
        """Pick farthest-first among the rows that are no outliers."""
        if self.start is not None and self.start >= pool.n:
            raise UsageError("start names no row", expected=f"a row number below {pool.n:,}", got=str(self.start))
        if self.start is not None and len(request.preselected):
            raise UsageError("a start has no meaning beside pinned rows", hint="leave --start or --pin out")
        outliers = self._outliers(request, pool)
        candidates = request.excluding(outliers)
        start = self.start
        if request.count == 0:
            start = None
        elif start is None:
            start = pool.start(candidates, "kcenter")
        greedy = kernels.k_center(
            pool.need_matrix(),
            candidates.for_kernels,
            start=start,
            threads=pool.threads,
            progress=pool.progress,
        )
        return greedy, {"outliers_left_out": len(outliers)} if self.outlier_guard else {}

    def in_positions(self, position: Callable[[int, str], int]) -> KCenter:
        """Return the objective with its start, which users count in the input, as a place among the rows."""
        return self if self.start is None else self.model_copy(update={"start": position(self.start, "start")})

    def outlier_count(self, n: int, k: int, unavailable: int) -> int:
        """Return how many of `n` rows are left out, where `k` are picked and so many are no candidates."""
        return max(0, min(int(self.outlier_guard * n), n - unavailable - k))

    def not_nested_reason(self, n: int, facts: Mapping[str, Any]) -> str:
        """Return why a smaller budget would leave other rows out, where it would: few, where many are picked."""
        outliers = facts.get("outliers_left_out")
        if outliers is None or outliers == int(self.outlier_guard * n):
            return super().not_nested_reason(n, facts)
        return "with a smaller budget k-center leaves more outliers out"

    def cost(self, size: Size) -> Cost:
        """Return the cost of the cells that tell outliers, and of all rows beside each pick: most are spared."""
        if size.k == 0:
            return Cost()
        pairs = float(size.k + size.preselected) * size.n
        swept = Cost((2.0 * size.d + 32) * size.n + 12.0 * size.d * size.k, size.seconds(multiply_adds=pairs * size.d))
        if self.outlier_count(size.n, size.k, size.preselected) == 0:
            return swept
        return cells_cost(size, math.isqrt(size.n), OUTLIER_CELLS).then(swept)

    def describe(self) -> str:
        """Return how many outliers are left out, and the start where one is named."""
        said = [f"{self.outlier_guard:.1%} of outliers left out"] if self.outlier_guard else []
        return ", ".join([*said, *([f"from row {self.start}"] if self.start is not None else [])])

    def _outliers(self, request: SelectionRequest, pool: Pool) -> NDArray[np.int64]:
        count = self.outlier_count(pool.n, request.expected, len(request.preselected) + len(request.excluded))
        if count == 0 or request.count == 0:
            return np.empty(0, np.int64)
        matrix = pool.need_matrix()
        centroids = train_centroids(pool, math.isqrt(pool.n), OUTLIER_CELLS)
        cells = kernels.assign_cells(matrix, centroids, threads=pool.threads)
        distances = kernels.cell_distances(matrix, centroids, cells, threads=pool.threads)
        # A start that is named, and what is preselected, are the caller's choice.
        distances[request.preselected] = -1
        distances[request.excluded] = -1
        if self.start is not None:
            distances[self.start] = -1
        return request.removable(kernels.top_k(distances, count, threads=pool.threads))
