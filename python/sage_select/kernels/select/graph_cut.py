"""Graph cut: rows that are like many rows and unlike each other."""

from __future__ import annotations

from numpy.typing import ArrayLike

from sage_select import _native
from sage_select.kernels.call import Progress, as_float, map_errors, resolve_threads
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.greedy import Greedy
from sage_select.kernels.select.request import Request, native_request
from sage_select.kernels.select.similarities import evidence, native_similarities

__all__ = ["graph_cut"]


def graph_cut(
    matrix: Matrix,
    request: Request | int,
    *,
    weight: float = 0.05,
    k_nn: int = 64,
    dense_limit: int = 20_000,
    centroids: ArrayLike | None = None,
    probe: int = 8,
    neighbours: ArrayLike | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Greedy:
    """Pick rows like many and unlike each other: greedy for ``weight sum_{i, s} sim(i, s) - sum_{s, t} sim(s, t)``.

    The first sum is over all rows i and selected rows s, the second over pairs of selected rows, each with itself and
    both ways; ``sim`` is clipped at 0.

    Parameters
    ----------
    matrix
        Under ``cosine`` or ``dot``.
    request
        How many rows to pick, or a `Request`; picks are unlike preselected rows too, and excluded rows are to be
        represented like others.
    weight
        The lambda of graph cut, from 0 to a million: the larger, the more the picks crowd where rows are dense.
    k_nn, dense_limit, centroids, probe, neighbours
        As for `facility_location`.

    Returns
    -------
    Greedy
        `gains` never rise, and may be negative. `method` is ``dense`` or ``graph``: only the similarities along the
        edges of the neighbour graph count, all others as 0.

    Raises
    ------
    UsageError
        `weight` is out of range; otherwise as for `facility_location`.
    DataError
        The centroids or neighbours are refused, as for `facility_location`.
    ResourceError
        The memory cannot be had.

    Notes
    -----
    Ties go to the lowest row.

    Examples
    --------
    >>> import numpy as np
    >>> rows = Matrix.from_array(np.array([[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [0.0, 1.0]]))
    >>> graph_cut(rows, 2).indices.tolist()
    [2, 3]
    """
    with map_errors():
        found = _native.graph_cut(
            matrix.native,
            as_float(weight, "lambda"),
            native_request(request),
            native_similarities(matrix, k_nn, dense_limit, centroids, probe, neighbours),
            resolve_threads(threads),
            progress,
        )
    return evidence(found)
