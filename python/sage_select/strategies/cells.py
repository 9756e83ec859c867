"""Cells: the regions of the embedding space, by k-means."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.seeds import stage_key
from sage_select.strategies.base import Pool

__all__ = ["cells"]

_ITERATIONS = 10
_SAMPLE_PER_CELL = 64


def cells(pool: Pool, count: int) -> tuple[NDArray[np.int32], str]:
    """Divide the rows into `count` cells.

    FAISS trains the centroids on at most 64 rows a cell, drawn by keyed hash and on one thread; our own f32
    kernel assigns every row to its nearest centroid, ties to the lowest. FAISS's arithmetic is not ours to
    fix, so the digest of its centroids is returned for the manifest.

    Returns
    -------
    labels, digest
        int32 (n,) in [0, count), and 32 hex characters.
    """
    import faiss  # 100 ms to import, and only this rule needs it

    matrix = pool.need_matrix()
    hashes = pool.hashes(stage_key(pool.seed, "cells"))
    sample = np.sort(kernels.bottom_k_hashes(hashes, min(pool.n, count * _SAMPLE_PER_CELL)))
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        trained = faiss.Kmeans(
            matrix.d,
            count,
            niter=_ITERATIONS,
            seed=stage_key(pool.seed, "cells") % 2**31,
            min_points_per_centroid=1,
            max_points_per_centroid=_SAMPLE_PER_CELL,
        )
        trained.train(matrix.take(sample))
    finally:
        faiss.omp_set_num_threads(threads)
    centroids = np.ascontiguousarray(trained.centroids, dtype=np.float32).reshape(count, matrix.d)
    digest = hashlib.blake2b(centroids.tobytes(), digest_size=16).hexdigest()
    return kernels.assign_cells(matrix, centroids, threads=pool.threads), digest
