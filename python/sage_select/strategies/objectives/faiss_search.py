"""The nearest neighbours of rows by FAISS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sage_select.kernels import Matrix
from sage_select.kernels.call import resolve_threads

__all__ = ["faiss_neighbours"]

#: Rows that are added or searched for in one go. FAISS computes in batches, whose sizes must not depend on the threads.
_BLOCK: Final = 4096


def faiss_neighbours(
    matrix: Matrix, centroids: NDArray[np.float32], k_nn: int, probe: int, threads: int | None
) -> NDArray[np.int32]:
    """Return the neighbours that an inverted file finds: int32 (n, k_nn), the rows themselves among them, -1 for none.

    Inverted lists rather than HNSW, which takes about as long and finds a little more, but must be built on one thread
    to be the same each time; lists are filled in row order and searched on as many threads as there are.

    Parameters
    ----------
    centroids
        Of the lists, (c, d), of length 1: a row is in the list of the one of greatest dot product.
    probe
        How many lists are searched for a row.

    Notes
    -----
    4 n d bytes for FAISS's copy of the rows. The same at any number of threads: each searches blocks of its own, on one
    thread of FAISS's.
    """
    import faiss  # 100 ms to import, and only this rule needs it

    count, d = centroids.shape
    lists = faiss.IndexFlatIP(d)
    lists.add(centroids)
    index = faiss.IndexIVFFlat(lists, d, count, faiss.METRIC_INNER_PRODUCT)
    index.nprobe = min(probe, count)
    starts = range(0, matrix.n, _BLOCK)

    def block(start: int) -> NDArray[np.float32]:
        return matrix.take(np.arange(start, min(start + _BLOCK, matrix.n)))

    def add(start: int) -> None:
        index.add(block(start))

    def search(start: int) -> NDArray[np.int32]:
        return index.search(block(start), min(k_nn, matrix.n))[1].astype(np.int32)

    with ThreadPoolExecutor(resolve_threads(threads), initializer=faiss.omp_set_num_threads, initargs=(1,)) as workers:
        try:
            # One block after the other, so that lists are in row order.
            for start in starts:
                workers.submit(add, start).result()
            return np.concatenate(list(workers.map(search, starts)))
        except BaseException:
            workers.shutdown(cancel_futures=True)
            raise
