"""Rows whose score is out of line with the scores around them, as those of wrong labels are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sage_select.pipeline.cost import Cost, Size
from sage_select.seeds import stage_key
from sage_select.strategies.by_score import MOST_CELLS
from sage_select.strategies.cells import Training, cells, cells_cost
from sage_select.strategies.pool import HASHED_BYTES, Pool

__all__ = ["OutOfLine", "out_of_line", "out_of_line_cost"]

#: Rows a cell: fewer tell little of what is usual among them, more are too unlike each other.
_ROWS_A_CELL: Final = 16
#: Few iterations: where the borders lie matters little.
_TRAINING: Final = Training("in line", iterations=3, per_cell=16)
#: The surplus from which scores tell anything: losses of rightly labelled sets and scores of words had at most .013,
#: those of 5 % wrong labels .024 (docs/quality.md). And so many standard deviations of that of meaningless scores.
_LEAST: Final = 0.018
_DEVIATIONS: Final = 4.0
#: The share of the rows to leave out, as a multiple of the surplus, and at most. Of wrong labels about a third lie
#: half of all ranks above their cell, and many rows that lie above it are sound, so that it takes far more than the
#: surplus to be rid of them; leaving out up to two fifths costs nothing, as what is left represents the rest.
_SHARE_A_SURPLUS: Final = 10.0
_MOST: Final = 0.4


@dataclass(frozen=True)
class OutOfLine:
    """What scores tell of the rows.

    Attributes
    ----------
    surplus
        By how much the share of rows whose rank lies more than half of all ranks above the median of their cell
        exceeds the share of those that lie so far below it.
    rows
        int64 (m,): the rows to leave out, those farthest above their cell first; none where the surplus is none.
    regions
        int32 (n,): the cell of each row.
    """

    surplus: float
    rows: NDArray[np.int64]
    regions: NDArray[np.int32]


def out_of_line(pool: Pool) -> OutOfLine:
    """Return the rows whose difficulty is out of line with that of the rows around them.

    Rows are ranked by difficulty, equal ones by the keyed hash of their id, and compared with the median rank of their
    cell, of about 16 rows each (at most 4,096 cells). A wrong label makes a row hard where its neighbours are easy, and
    hardly any row easy where they are hard: so of scores that know of labels more rows lie far above their cell than
    far below it. Those of scores that know nothing, such as random numbers, or follow from where a row lies, are as
    many on either side, and then no row is left out. By ranks alone, so that any rising function of the scores gives
    the same rows.

    Cost: that of the cells, and two sorts of the rows.
    """
    n = pool.n
    ranks = np.empty(n, np.int64)
    ranks[np.lexsort((pool.hashes(stage_key(pool.seed, "equal scores")), pool.need_difficulty()))] = np.arange(n)
    regions = cells(pool, _cells(n), _TRAINING)
    above = 2 * ranks - _doubled_medians(ranks, regions)[regions]
    far_above, far_below = np.count_nonzero(above > n), np.count_nonzero(above < -n)
    surplus = float(far_above - far_below) / n
    if surplus < max(_LEAST, _DEVIATIONS * math.sqrt(far_above + far_below) / n):
        return OutOfLine(surplus, np.empty(0, np.int64), regions)
    share = min(_MOST, _SHARE_A_SURPLUS * surplus)
    return OutOfLine(surplus, np.lexsort((-ranks, -above))[: int(share * n)], regions)


def out_of_line_cost(size: Size) -> Cost:
    """Return what `out_of_line` takes: the cells, then ranks, medians and an order of the rows."""
    held = (8 * _MOST + 4.0) * size.n
    ranked = Cost((HASHED_BYTES + 40.0) * size.n, size.seconds(rows=4 * size.n), held)
    return cells_cost(size, _cells(size.n), _TRAINING).then(ranked)


def _cells(n: int) -> int:
    return min(max(n // _ROWS_A_CELL, 1), MOST_CELLS)


def _doubled_medians(ranks: NDArray[np.int64], regions: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return twice the median rank of each cell; of an empty one anything."""
    order = np.lexsort((ranks, regions))
    sizes = np.bincount(regions)
    first = np.cumsum(sizes) - sizes
    ordered = ranks[order]
    low, high = first + np.maximum(sizes - 1, 0) // 2, first + sizes // 2
    last = len(ranks) - 1
    medians: NDArray[np.int64] = ordered[np.minimum(low, last)] + ordered[np.minimum(high, last)]
    return medians
