"""The threshold filter: rows in order, without those too near to one picked before."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, as_float, map_errors, resolve_threads
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.request import Request, native_request

__all__ = ["Filtered", "threshold_filter"]


class Filtered(NamedTuple):
    """The rows picked, and how much of the order was examined."""

    #: int64, at most k: row numbers, in the order of `order`.
    indices: NDArray[np.int64]
    #: float32: the similarity to the nearest row preselected or picked before (the squared distance under
    #: ``sqeuclidean``), NaN where there is none.
    gains: NDArray[np.float32]
    #: How many entries of the order were examined, up to the last one picked: all of them where fewer than k were
    #: picked.
    examined: int
    #: How many of those rows were too near to one preselected or picked before.
    too_near: int
    #: How many pairs of rows were compared, at any precision: the same on every machine.
    evaluations: int


def threshold_filter(
    matrix: Matrix,
    order: ArrayLike,
    request: Request | int,
    *,
    threshold: float,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Filtered:
    """Go through rows in order and pick each that is unlike all picked before, as many as are requested.

    The filter of DEITA (Liu et al. 2024), where the order is that of a score, and of semantic deduplication (Abbas et
    al. 2023).

    Parameters
    ----------
    matrix
        Under any metric.
    order
        Whole numbers, shape (m,): the rows to examine, each at most once, the best first.
    request
        The maximum number of rows to pick, or a `Request`; rows near to preselected ones are not picked. Preselected
        and excluded rows in the order are passed over.
    threshold
        A row is picked where its similarity to each row preselected or picked before is below this; under
        ``sqeuclidean``, where its squared distance is above it.

    Returns
    -------
    Filtered
        Fewer rows than requested where the order ends before.

    Raises
    ------
    UsageError
        A threshold that is not finite; a request that does not fit; a row in the order is out of range or named twice.
    DataError
        The order does not hold whole numbers.
    ResourceError
        The memory cannot be had.

    Notes
    -----
    Similarities are canonical float32, compared with `threshold` as float64. At most
    ``examined (len(preselected) + len(indices)) d`` multiply-adds in int16: a row that is too near is compared only
    with those up to the first 32 that show it. About 2 d bytes for each row preselected or picked.

    Examples
    --------
    >>> import numpy as np
    >>> rows = Matrix.from_array(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]))
    >>> found = threshold_filter(rows, [1, 0, 2], 2, threshold=0.9)
    >>> found.indices.tolist(), found.too_near
    ([1, 2], 1)
    """
    numbers = arrays.row_numbers(order, "order")
    with map_errors():
        return Filtered(
            *_native.threshold_filter(
                matrix.native,
                numbers,
                native_request(request),
                as_float(threshold, "threshold"),
                resolve_threads(threads),
                progress,
            )
        )
