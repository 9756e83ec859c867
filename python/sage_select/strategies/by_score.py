"""Rows by score: the hardest, the hardest of a band, or some of every region."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.columns import Reason
from sage_select.declare.option import Option
from sage_select.errors import UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.strategies.cells import CELLS, cells, cells_cost
from sage_select.strategies.percentile_rank import percentile_rank
from sage_select.strategies.picks import Picks
from sage_select.strategies.pool import Pool, take_admissible
from sage_select.strategies.request import SelectionRequest
from sage_select.strategies.strategy import Need, Strategy
from sage_select.values.band import Band

__all__ = ["MOST_CELLS", "ByScore", "ScoreMode"]

#: Most regions that rows are taken from.
MOST_CELLS: Final = 4096
_MIDDLE: Final = 0.5

ScoreMode = Annotated[
    Literal["top", "band", "stratified"],
    Option(
        "how rows are taken by score: stratified (from every region of the data), top (the hardest) or band (the "
        "hardest between two quantiles)",
        default="stratified in hybrid, else top",
    ),
]


class ByScore(Strategy):
    """A rule that takes rows by score, all or some of them."""

    score_mode: ScoreMode
    score_quantile: Annotated[
        float,
        Option("which row of a region: 0 its easiest, 1 its hardest", ge=0, le=1, when={"score_mode": "stratified"}),
    ] = 0.25
    score_band: Annotated[
        Band,
        Option(
            "the quantiles of a band; 0:0.9 leaves the hardest tenth out",
            when={"score_mode": "band"},
            metavar="LOW:HIGH",
        ),
    ] = Band(0.0, 0.9)

    def needs(self) -> frozenset[Need]:
        """Return what every row has to have: regions are those of vectors."""
        return super().needs() | ({"vectors"} if self.score_mode == "stratified" else frozenset())

    def not_nested_reason(self, n: int, facts: Mapping[str, Any]) -> str:
        """Return why a smaller budget would not pick the first of these rows, where it would not."""
        if self.score_mode == "stratified":
            return "rows are taken from as many regions as the budget has rows"
        return super().not_nested_reason(n, facts)

    def describe_scores(self) -> str:
        """Return how rows are taken by score, and which are preferred."""
        if self.score_mode == "stratified":
            return f"stratified at quantile {self.score_quantile:g} of each cell: {self.preferred}"
        mode = f"band {self.score_band}" if self.score_mode == "band" else self.score_mode
        return f"{mode}: {self.preferred}"

    @property
    def preferred(self) -> str:
        """Which rows are preferred by score."""
        if self.score_mode == "band":
            return "the hardest rows of the band"
        if self.score_mode != "stratified":
            return "the hardest rows"
        if self.score_quantile == _MIDDLE:
            return "rows of middle difficulty in every region"
        return f"{'easier' if self.score_quantile < _MIDDLE else 'harder'} rows of every region"

    def by_score(self, request: SelectionRequest, pool: Pool) -> Picks:
        """Pick the rows of a request by score, as `score_mode` says.

        `top` picks by (difficulty descending, row ascending), `band` by the same among the rows that at least `low`
        and at most `high` of the others are easier than. `stratified` takes rows from every region: as many cells as
        rows are expected (at most 4096), rows a cell by its size, around `score_quantile` of the difficulty within the
        cell.

        Raises
        ------
        UsageError
            If a band holds too few rows, unless the budget is clamped.
        """
        difficulty = pool.need_difficulty()
        if self.score_mode == "top" or request.count == 0:
            if request.is_plain:
                return _picks(kernels.top_k(difficulty, request.count, threads=pool.threads))
            return _picks(take_admissible(request, pool, _hardest_first(pool, np.arange(pool.n))))
        if self.score_mode == "band":
            return _picks(self._of_band(request, pool))
        rows = request.candidates(pool.n)
        how_many = min(max(request.expected, 1), MOST_CELLS, pool.n)
        regions = cells(pool, how_many)
        ranked = kernels.stratified(
            difficulty[rows], regions[rows], min(request.expected, len(rows)), self.score_quantile
        )
        picks = _picks(take_admissible(request, pool, rows[ranked]), {"cells": how_many})
        return dataclasses.replace(picks, regions=regions)

    def by_score_cost(self, size: Size) -> Cost:
        """Return what `by_score` takes for `size.k` rows."""
        if self.score_mode == "stratified" and size.k:
            return cells_cost(size, min(size.k, MOST_CELLS, max(1, size.n)), CELLS)
        # All scores turned; of a band their ranks as well.
        return Cost((24.0 if self.score_mode == "band" else 20.0) * size.n, size.seconds(rows=size.n))

    def _of_band(self, request: SelectionRequest, pool: Pool) -> NDArray[np.int64]:
        ranks, band = percentile_rank(pool.need_difficulty()), self.score_band
        rows = np.flatnonzero((ranks >= band.low) & (ranks <= band.high))
        picks = take_admissible(request, pool, _hardest_first(pool, rows))
        if request.is_exact and len(picks) < request.count and not request.clamp:
            raise UsageError(
                f"the band {band} of the scores has too few rows",
                expected=f"{request.count:,} rows to pick by score",
                got=f"{len(picks):,} that the limits allow, of {len(rows):,} in the band",
                hint="widen --score-band, lower the budget, or pass --clamp (clamp=True) to take those there are",
            )
        return picks


def _picks(rows: NDArray[np.int64], facts: Mapping[str, Any] | None = None) -> Picks:
    return Picks.without_gains(rows, Reason.SCORE, facts)


def _hardest_first(pool: Pool, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return rows[kernels.top_k(pool.need_difficulty()[rows], len(rows), threads=pool.threads)]
