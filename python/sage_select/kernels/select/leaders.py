"""The leader rule: rows in order, of which each is kept or repeats one kept before."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, resolve_threads, translated, whole
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.greedy import number

__all__ = ["Led", "leaders"]


class Led(NamedTuple):
    """What each row of the order is, in its order."""

    #: int64: the row itself where it is kept, else the row kept before that is nearest to it.
    leaders: NDArray[np.int64]
    #: float32: the cosine similarity to that row; NaN where the row is kept.
    similarities: NDArray[np.float32]
    #: Of the pairs of near rows that a sample of rows forms, the share that the cells show; 1 without cells.
    recall: float
    #: How many pairs of rows were compared, at any precision: the same on every machine.
    evaluations: int


def leaders(
    matrix: Matrix,
    order: ArrayLike,
    *,
    threshold: float,
    always: int = 0,
    centroids: ArrayLike | None = None,
    probe: int = 1,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Led:
    """Walk through rows in order and keep each that is less like all kept before than `threshold`.

    The leader rule (Hartigan 1975), which SemDeDup (Abbas et al. 2023) applies within k-means cells.

    Parameters
    ----------
    matrix
        Under ``cosine``.
    order
        Whole numbers, shape (m,): the rows to look at, each at most once; the first of near rows is kept.
    threshold
        The cosine similarity from which on a row repeats one kept before.
    always
        How many rows, the first of the order, are kept even where they repeat one another.
    centroids
        float32 (c, d): a row is compared only with rows whose nearest centroid is among the `probe` nearest to itself.
        By default with all.
    probe
        How many cells a row looks at; all of them where there are fewer.

    Returns
    -------
    Led
        Of several kept rows the nearest leads a row, the lowest of equally near ones.

    Raises
    ------
    UsageError
        Another metric, a threshold that is not finite, a row in the order that is out of range or named twice, more
        rows that are always kept than the order holds.
    DataError
        The order does not hold whole numbers, or the centroids do not fit the rows or are not finite.
    ResourceError
        The memory cannot be had.

    Notes
    -----
    Similarities are canonical float32, compared with `threshold` as float64. Most pairs are told apart in int16 by a
    few coordinates, since the squared distance in these is at most 2 - 2 threshold where all are that near. Of rows
    that are mostly kept the cost grows with their square: 100,000 take about 1 s on two cores at 384 dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> rows = Matrix.from_array(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]))
    >>> leaders(rows, [0, 1, 2], threshold=0.9).leaders.tolist()
    [0, 0, 2]
    """
    numbers = arrays.as_arrow(arrays.integers(order, "order", np.int64))
    cells = None if centroids is None else arrays.points(centroids, "centroids", matrix.d)
    probe = whole(probe, "probe", least=1, most=2**31 - 1)
    with translated():
        return Led(
            *_native.leaders(
                matrix.native,
                (numbers, whole(always, "always")),
                number(threshold, "threshold"),
                None if cells is None else (cells, probe),
                resolve_threads(threads),
                progress,
            )
        )
