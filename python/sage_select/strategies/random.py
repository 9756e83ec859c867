"""Random: the rows with the smallest keyed hashes."""

from __future__ import annotations

from sage_select import kernels
from sage_select.columns import Reason
from sage_select.pipeline.cost import Cost, Size
from sage_select.seeds import stage_key
from sage_select.strategies.picks import Picks
from sage_select.strategies.pool import HASHED_BYTES, Pool, take_admissible
from sage_select.strategies.request import SelectionRequest
from sage_select.strategies.strategy import Strategy, strategy

__all__ = ["Random"]


@strategy("random", place=60, nested=True, another_order="nothing")
class Random(Strategy):
    """The rows with the smallest keyed hashes.

    Independent of the order of rows, of shards and of threads. Cost: one hash a row.
    """

    def pick(self, request: SelectionRequest, pool: Pool) -> Picks:
        """Pick the rows with the smallest hash of (seed, row id)."""
        hashes = pool.hashes(stage_key(pool.seed, "random"))
        rows = kernels.bottom_k_hashes(hashes, request.count if request.is_plain else pool.n)
        return Picks.without_gains(take_admissible(request, pool, rows), Reason.RANDOM)

    def cost(self, size: Size) -> Cost:
        """Return the cost of a hash a row."""
        return Cost(HASHED_BYTES * size.n, size.seconds(rows=size.n))
