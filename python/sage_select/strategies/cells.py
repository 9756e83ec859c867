"""Cells: the regions of the embedding space, by k-means."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.seeds import stage_key
from sage_select.strategies.base import Pool

__all__ = ["Centroids", "cells", "train_centroids"]

#: Most rows that centroids are trained on: k-means is what takes long, and many cells do with fewer rows each.
_LARGEST_SAMPLE: Final = 1 << 16


class Centroids(NamedTuple):
    """Points that divide the space into cells."""

    #: float32 (count, d).
    points: NDArray[np.float32]
    #: 32 hex characters: FAISS's arithmetic is not ours to fix, so the manifest holds what it gave.
    digest: str


def cells(pool: Pool, count: int) -> tuple[NDArray[np.int32], str]:
    """Divide the rows into `count` cells; every row belongs to its nearest centroid, ties to the lowest.

    Returns
    -------
    labels, digest
        int32 (n,) in [0, count), and the digest of the centroids.
    """
    centroids = train_centroids(pool, count, stage="cells", iterations=10, per_cell=64)
    return kernels.assign_cells(pool.need_matrix(), centroids.points, threads=pool.threads), centroids.digest


def train_centroids(pool: Pool, count: int, *, stage: str, iterations: int, per_cell: int) -> Centroids:
    """Train `count` centroids by k-means, with FAISS on one thread.

    Parameters
    ----------
    stage
        Names the key by which the sample is drawn.
    iterations
        Of Lloyd's algorithm.
    per_cell
        The sample, drawn by keyed hash, holds at most so many rows a cell, and at most 65,536.
    """
    import faiss  # 100 ms to import, and only this rule needs it

    matrix = pool.need_matrix()
    key = stage_key(pool.seed, stage)
    sample = np.sort(kernels.bottom_k_hashes(pool.hashes(key), min(pool.n, count * per_cell, _LARGEST_SAMPLE)))
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        trained = faiss.Kmeans(
            matrix.d,
            count,
            niter=iterations,
            seed=key % 2**31,
            min_points_per_centroid=1,
            max_points_per_centroid=per_cell,
        )
        trained.train(matrix.take(sample))
    finally:
        faiss.omp_set_num_threads(threads)
    points = np.ascontiguousarray(trained.centroids, dtype=np.float32).reshape(count, matrix.d)
    return Centroids(points, hashlib.blake2b(points.tobytes(), digest_size=16).hexdigest())
