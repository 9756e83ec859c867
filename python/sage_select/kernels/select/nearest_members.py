"""The member of a set of rows, such as a selection, nearest to each row."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, map_errors, resolve_threads
from sage_select.kernels.matrix import Matrix

__all__ = ["MEMBERS_COPIED", "NearestMembers", "nearest_members"]

#: Members that are copied at one time, at most.
MEMBERS_COPIED: Final = _native.MEMBERS_COPIED


class NearestMembers(NamedTuple):
    """The nearest member of each row."""

    #: int64, one a row: row numbers of the members.
    members: NDArray[np.int64]
    #: float32, one a row: similarities, or squared distances.
    values: NDArray[np.float32]
    #: How many pairs of a row and a member were compared, at any precision: the same on every machine.
    evaluations: int


def nearest_members(
    matrix: Matrix,
    rows: ArrayLike,
    members: ArrayLike,
    *,
    include_self: bool = True,
    by_distance: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> NearestMembers:
    """Return the nearest of `members` for each of `rows`, the earliest of equal ones.

    Parameters
    ----------
    matrix
        Under any metric.
    rows
        Row numbers, in any order, any number of times.
    members
        Row numbers, each once, in any order; at least one.
    include_self
        Whether a row that is a member is compared with itself. Without it a row is compared with all others.
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
    >>> found = nearest_members(rows, [0, 1, 2], [1, 3])
    >>> found.members.tolist(), found.values.tolist()
    ([1, 1, 1], [1.0, 0.0, 9.0])
    """
    sets = arrays.row_numbers(rows, "rows"), arrays.row_numbers(members, "members")
    with map_errors():
        return NearestMembers(
            *_native.nearest_members(matrix.native, sets, include_self, by_distance, resolve_threads(threads), progress)
        )
