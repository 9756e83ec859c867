"""How near rows are to a set of rows, such as those of a selection."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, resolve_threads, translated
from sage_select.kernels.matrix import Matrix

__all__ = ["Closest", "closest"]


class Closest(NamedTuple):
    """The nearest member of each row."""

    #: int64, one a row: row numbers of the members.
    members: NDArray[np.int64]
    #: float32, one a row: similarities, or squared distances.
    values: NDArray[np.float32]
    #: How many pairs of a row and a member were compared, at any precision: the same on every machine.
    evaluations: int


def closest(
    matrix: Matrix,
    rows: ArrayLike,
    members: ArrayLike,
    *,
    itself: bool = True,
    by_distance: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Closest:
    """Return the nearest of `members` for each of `rows`, the earliest of equal ones.

    Parameters
    ----------
    matrix
        Under any metric.
    rows
        Row numbers, in any order, any number of times.
    members
        Row numbers, each once, in any order; at least one.
    itself
        Whether a row that is a member is nearest to itself. Without it a row is compared with all others.
    by_distance
        Take squared distances under every metric, not only under ``sqeuclidean``.

    Raises
    ------
    UsageError
        A number names no row, or a member is named twice; or a row has no member to be compared with.
    ResourceError
        The memory cannot be had.

    Notes
    -----
    Canonical float32 values. len(rows) * len(members) * d multiply-adds in int16. (4 d + 72) len(rows) bytes, and about
    8 d for each of at most 32,768 members.

    Examples
    --------
    >>> rows = Matrix.from_array(np.array([[0.0], [1.0], [4.0], [9.0]]), metric="sqeuclidean")
    >>> found = closest(rows, [0, 1, 2], [1, 3])
    >>> found.members.tolist(), found.values.tolist()
    ([1, 1, 1], [1.0, 0.0, 9.0])
    """
    sets = _numbers(rows, "rows"), _numbers(members, "members")
    with translated():
        return Closest(*_native.closest(matrix.native, sets, itself, by_distance, resolve_threads(threads), progress))


def _numbers(rows: ArrayLike, name: str) -> pa.Array:
    return arrays.as_arrow(arrays.integers(rows, name, np.int64))
