"""The ridge determinant: rows that span much."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.declare.option import Option
from sage_select.pipeline.cost import Cost, Size
from sage_select.strategies.objectives.objective import Found, Objective, objective
from sage_select.strategies.percentile_rank import percentile_rank
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest

__all__ = ["Dpp"]


@objective("dpp", place=50, metrics=("cosine", "dot"), nested=True)
class Dpp(Objective):
    """Rows that span much.

    Greedily for log det of diag(q) (X X' + dpp_eps I) diag(q) (Chen et al. 2018). `q` goes from 1/2 for the easiest row
    to 1 for the hardest, and is 1 without scores. Then all rows of length 1 are as good a first pick: the one with the
    smallest keyed hash of its id is taken, or, without ids, the lowest.
    """

    dpp_eps: Annotated[
        float,
        Option(
            "the ridge, in squared lengths of a row: the larger, the sooner rows like those before come again",
            ge=1e-6,
            le=1e30,
        ),
    ] = 0.1

    def pick(self, request: SelectionRequest, pool: Pool) -> Found:
        """Pick greedily, from the best first row on."""
        matrix = pool.need_matrix()
        start = pool.start(request, "dpp") if pool.difficulty is None and matrix.metric == "cosine" else None
        if start is not None:
            return self._from(np.array([start]), request, pool)
        quality = None if pool.difficulty is None else (1 + percentile_rank(pool.difficulty)) / 2
        greedy = kernels.ridge_dpp(
            matrix,
            request.for_kernels,
            quality=quality,
            eps=self.dpp_eps,
            threads=pool.threads,
            progress=pool.progress,
        )
        return greedy, {}

    def _from(self, start: NDArray[np.int64], request: SelectionRequest, pool: Pool) -> Found:
        """Return the picks that begin with this row."""
        first = kernels.ridge_dpp(pool.need_matrix().only(start), 1, eps=self.dpp_eps, threads=pool.threads)
        others, facts = self.pick(request.after(start), pool)
        greedy = others._replace(
            indices=np.concatenate([start, others.indices]), gains=np.concatenate([first.gains, others.gains])
        )
        return greedy, facts

    def cost(self, size: Size) -> Cost:
        """Return the cost of all rows beside each pick, and of the inverse that grows with the picks."""
        n, d, picks = size.n, size.d, size.k + size.preselected
        inverse = 8.0 * d * picks if picks <= d / 2 else 12.0 * d * d
        # The inverse is float64, whose multiply-adds take about five times as long.
        pairs = float(picks) * n + 10.0 * min(picks, d) * picks
        return Cost(inverse + 4.0 * d * picks + 40.0 * n, size.seconds(multiply_adds=pairs * d))

    def describe(self) -> str:
        """Return the ridge."""
        return f"ridge {self.dpp_eps:g}"
