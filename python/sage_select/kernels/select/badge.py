"""BADGE: rows drawn by the squared distances of the gradients that a classifier's last layer would have."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, as_int, map_errors, resolve_threads
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.greedy import Greedy
from sage_select.kernels.select.request import Request, native_request

__all__ = ["badge"]


def badge(
    errors: Matrix,
    hidden: Matrix,
    request: Request | int,
    *,
    key: int,
    order: ArrayLike | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Greedy:
    """Draw rows as BADGE does (Ash et al. 2020, arXiv 1906.03671).

    The gradient of a row is the outer product of its error over the classes and its hidden vector. The first row has
    the longest, each other is drawn with probability in proportion to the squared distance of its gradient from the
    nearest of those selected before.

    Parameters
    ----------
    errors
        Shape (n, classes): the probabilities of each row less 1 for the likeliest class.
    hidden
        Shape (n, d): the vector of each row that the last layer sees. Products are compared, whatever the metric.
    request
        How many rows to pick, or a `Request`; distances count from preselected rows too.
    key, order
        As of `d2`. Of equally long gradients the first in the order comes first.

    Returns
    -------
    Greedy
        `gains` are squared distances to the nearest row selected before, of a first pick with nothing preselected its
        squared length.

    Raises
    ------
    UsageError
        The matrices have different numbers of rows; a request that does not fit; `key` or a row in the order is out of
        range, or a row is named twice.
    DataError
        A gradient leaves the range of float32 (the first such row is named), or the order does not name every row.

    Notes
    -----
    No gradient is made: ``|g_x - g_y|^2 = |r_x|^2 |h_x|^2 + |r_y|^2 |h_y|^2 - 2 <r_x, r_y> <h_x, h_y>``, in canonical
    float32 products. Distances below about 1e-6 of the squared lengths are rounding; equal rows have 0, and come last,
    in row order. Rows are proposed by weights known earlier and picked with probability distance / weight, as `d2`
    does: about ``((k + preselected)**2 + n) (classes + d)`` multiply-adds, at worst a few times ``n k (classes + d)``,
    and 13 bytes a row beside the matrices.
    """
    places = None if order is None else arrays.as_arrow(arrays.integers(order, "order", np.uint32))
    with map_errors("gradients"):
        rows, gains, evaluations = _native.badge(
            (errors.native, hidden.native),
            native_request(request),
            as_int(key, "key", maximum=2**64 - 1),
            places,
            resolve_threads(threads),
            progress,
        )
    return Greedy(rows, gains, evaluations, "exact")
