"""Cells: the regions of the embedding space, by k-means."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.pipeline.cost import Cost, Size
from sage_select.seeds import stage_key
from sage_select.strategies.pool import HASHED_BYTES, Pool

__all__ = ["CELLS", "Training", "cells", "cells_cost", "centroids_cost", "train_centroids"]

#: Most rows that centroids are trained on: k-means is what takes long, and many cells do with fewer rows each.
_LARGEST_SAMPLE: Final = 1 << 16
#: Bytes of the bound of a pair, and passes over pairs that have one, about.
_BOUND_BYTES: Final = 4.0
_PASSES: Final = 3


class Training(NamedTuple):
    """How centroids are trained.

    `stage` names the key by which the sample is drawn; `iterations` are those of Lloyd's algorithm; the sample holds at
    most `per_cell` rows a cell, and at most 65,536. With `directions` centroids have length 1.
    """

    stage: str
    iterations: int
    per_cell: int
    directions: bool = False

    def sample(self, rows: int, count: int) -> int:
        """Return how many of the rows `count` centroids are trained on."""
        return min(rows, max(count, min(count * self.per_cell, _LARGEST_SAMPLE)))


#: For cells whose borders matter.
CELLS: Final = Training("cells", iterations=10, per_cell=64)


def cells(pool: Pool, count: int, training: Training = CELLS) -> NDArray[np.int32]:
    """Divide the rows into `count` cells: every row belongs to its nearest centroid, ties to the lowest.

    Returns
    -------
    labels
        int32 (n,) in [0, count).
    """
    return kernels.assign_cells(pool.need_matrix(), train_centroids(pool, count, training), threads=pool.threads)


def train_centroids(
    pool: Pool, count: int, training: Training, start: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Train `count` centroids by k-means on a sample drawn by keyed hash.

    Parameters
    ----------
    start
        `count` rows that the centroids start from, and that belong to the sample; without them the first that were
        drawn.

    Returns
    -------
    centroids
        float32 (count, d).
    """
    hashes = pool.hashes(stage_key(pool.seed, training.stage))
    sample = kernels.bottom_k_hashes(hashes, training.sample(pool.n, count))
    if start is not None:
        sample = np.concatenate([start, sample[~np.isin(sample, start)]])
    return kernels.k_means(
        pool.need_matrix(),
        count,
        sample,
        iterations=training.iterations,
        directions=training.directions,
        threads=pool.threads,
    )


def centroids_cost(size: Size, count: int, training: Training) -> Cost:
    """Return what `train_centroids` takes: the sample in float32, in int16 and as it is summed, and bounds of pairs.

    Pairs that have a bound are as a rule compared in the first two iterations alone.
    """
    sample = training.sample(size.n, count)
    pairs = float(sample) * count
    held = min(pairs, kernels.K_MEANS_BOUNDS_BYTES / _BOUND_BYTES)
    compared = held * min(training.iterations, _PASSES) + (pairs - held) * training.iterations
    seconds = size.seconds(rows=size.n, multiply_adds=compared * size.d)
    return Cost(HASHED_BYTES * size.n + 8.0 * sample * size.d + _BOUND_BYTES * held, seconds)


def cells_cost(size: Size, count: int, training: Training) -> Cost:
    """Return what `cells` takes, and whatever reads a label and a number of each row then.

    The nearest centroids are found by int16 copies of the rows.
    """
    assigned = Cost((2.0 * size.d + 36) * size.n, size.seconds(multiply_adds=float(size.n) * count * size.d))
    return centroids_cost(size, count, training).then(assigned)
