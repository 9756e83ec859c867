"""Maximal marginal relevance: hard rows unlike those picked before."""

from __future__ import annotations

from typing import Annotated

from sage_select import kernels
from sage_select.declare.option import Option
from sage_select.pipeline.cost import Cost, Size
from sage_select.strategies.objectives.objective import Found, Objective, objective
from sage_select.strategies.percentile_rank import percentile_rank
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest

__all__ = ["Mmr"]


@objective("mmr", place=40, metrics=("cosine", "dot"), needs_always=frozenset({"scores"}), nested=True)
class Mmr(Objective):
    """Hard rows unlike those picked before.

    By mmr_lambda relevance_i - (1 - mmr_lambda) max over picks s of sim(i, s) (Carbonell and Goldstein 1998). The
    relevance of a row is the share of rows that are easier: from 0 to 1 like a similarity, whatever the scale of the
    scores.
    """

    mmr_lambda: Annotated[
        float, Option("what difficulty counts for: 1 the hardest rows alone, 0 the least alike alone", ge=0, le=1)
    ] = 0.5

    def pick(self, request: SelectionRequest, pool: Pool) -> Found:
        """Pick greedily."""
        greedy = kernels.mmr(
            pool.need_matrix(),
            percentile_rank(pool.need_difficulty()),
            request.for_kernels,
            weight=self.mmr_lambda,
            threads=pool.threads,
            progress=pool.progress,
        )
        return greedy, {}

    def cost(self, size: Size) -> Cost:
        """Return the cost of the percentile ranks, and of all rows beside each pick, most of which are spared."""
        pairs = float(size.k + size.preselected) * size.n
        swept = (2.0 * size.d + 32) * size.n + 12.0 * size.d * size.k
        return Cost(max(24.0 * size.n, swept) + 4.0 * size.n, size.seconds(multiply_adds=pairs * size.d))

    def describe(self) -> str:
        """Return the weight of difficulty."""
        return f"lambda {self.mmr_lambda:g}"
