"""Cells: the regions of the embedding space, by k-means."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.seeds import stage_key
from sage_select.strategies.base import Pool

__all__ = ["cells", "train_centroids"]

#: Most rows that centroids are trained on: k-means is what takes long, and many cells do with fewer rows each.
_LARGEST_SAMPLE: Final = 1 << 16


def cells(pool: Pool, count: int) -> NDArray[np.int32]:
    """Divide the rows into `count` cells: every row belongs to its nearest centroid, ties to the lowest.

    Returns
    -------
    labels
        int32 (n,) in [0, count).
    """
    centroids = train_centroids(pool, count, stage="cells", iterations=10, per_cell=64)
    return kernels.assign_cells(pool.need_matrix(), centroids, threads=pool.threads)


def train_centroids(pool: Pool, count: int, *, stage: str, iterations: int, per_cell: int) -> NDArray[np.float32]:
    """Train `count` centroids by k-means.

    Parameters
    ----------
    stage
        Names the key by which the sample is drawn.
    iterations
        Of Lloyd's algorithm.
    per_cell
        The sample, drawn by keyed hash, holds at most so many rows a cell, and at most 65,536.

    Returns
    -------
    centroids
        float32 (count, d).
    """
    size = min(pool.n, max(count, min(count * per_cell, _LARGEST_SAMPLE)))
    sample = kernels.bottom_k_hashes(pool.hashes(stage_key(pool.seed, stage)), size)
    return kernels.k_means(pool.need_matrix(), count, sample, iterations=iterations, threads=pool.threads)
