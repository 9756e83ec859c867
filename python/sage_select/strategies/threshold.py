"""Threshold: by score, without what is too near to a row picked before."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import model_validator

from sage_select import kernels
from sage_select.columns import Reason
from sage_select.declare.option import Option
from sage_select.errors import UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.strategies.picks import Picks
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest
from sage_select.strategies.strategy import Metric, Strategy, strategy

__all__ = ["Threshold"]

#: From this cosine similarity on a row is too near to another.
_NEAR: Final = 0.9


@strategy(
    "threshold",
    place=40,
    needs_always=frozenset({"scores", "vectors"}),
    nested=True,
    another_order="which of equal scores",
    evidence_of_picks=frozenset({"too_near", "examined"}),
)
class Threshold(Strategy):
    """The hardest rows first, without those too near to one before.

    The rule of DEITA (Liu et al. 2024, arXiv 2312.15685), which takes similarities from 0.9 on for too near.
    """

    threshold: Annotated[
        float | None,
        Option(
            "from this similarity on (up to this squared distance under sqeuclidean) a row is too near",
            default="0.9 under cosine",
        ),
    ] = None
    metric: Metric = "cosine"

    @model_validator(mode="after")
    def _threshold_of_the_metric(self) -> Threshold:
        if self.threshold is None and self.metric != "cosine":
            raise ValueError(f"{self.label} needs a threshold under metric {self.metric!r}")
        return self

    @property
    def preferred(self) -> str:
        """Which rows are preferred by score."""
        return "the hardest rows"

    @property
    def near(self) -> float:
        """From which similarity on, or up to which squared distance, a row is too near to another."""
        return _NEAR if self.threshold is None else self.threshold

    def pick(self, request: SelectionRequest, pool: Pool) -> Picks:
        """Go from the hardest row to the easiest and pick each that is far enough from all picked before.

        Raises
        ------
        UsageError
            If too few rows are far enough apart.
        """
        order = kernels.top_k(pool.need_difficulty(), pool.n, threads=pool.threads)
        found = kernels.threshold_filter(
            pool.need_matrix(),
            order,
            request.for_kernels,
            threshold=self.near,
            threads=pool.threads,
            progress=pool.progress,
        )
        if request.is_exact and len(found.indices) < request.count and not request.clamp:
            raise UsageError(
                f"too few rows are farther from each other than the threshold {self.near:g}",
                expected=f"{request.count:,} rows",
                got=f"{len(found.indices):,}: {found.too_near:,} are too near to one of them",
                hint="move --threshold, lower the budget, or pass --clamp (clamp=True) to take those there are",
            )
        return Picks(
            found.indices,
            found.gains,
            ((Reason.SCORE, len(found.indices)),),
            {"too_near": found.too_near, "examined": found.examined},
        )

    def cost(self, size: Size) -> Cost:
        """Return the cost of a sort by score, and of comparisons where as many rows are too near as are picked."""
        pairs = float(min(size.n, 2 * size.k)) * size.k
        seconds = size.seconds(rows=size.n, multiply_adds=pairs * size.d)
        return Cost(2.0 * size.d * size.k + 33.0 * size.n, seconds)

    def describe(self) -> str:
        """Return the rule with its threshold."""
        return f"the hardest rows first, without those too near to one before ({self.metric}, {self.near:g})"
