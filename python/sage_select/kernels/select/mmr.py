"""Maximal marginal relevance: relevant rows unlike those picked before."""

from __future__ import annotations

from numpy.typing import ArrayLike

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, as_float, map_errors, resolve_threads
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.greedy import Greedy
from sage_select.kernels.select.request import Request, native_request

__all__ = ["mmr"]


def mmr(
    matrix: Matrix,
    relevance: ArrayLike,
    request: Request | int,
    *,
    weight: float = 0.5,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Greedy:
    """Pick by maximal marginal relevance: ``weight relevance_i - (1 - weight) max_{s in S} sim(i, s)``.

    Parameters
    ----------
    matrix
        Under ``cosine`` or ``dot``.
    relevance
        Shape (n,), higher for a more relevant row; taken as float32.
    request
        How many rows to pick, or a `Request`; picks are unlike preselected rows too.
    weight
        The lambda of Carbonell and Goldstein (1998), from 0 to 1: how much relevance counts against likeness.

    Returns
    -------
    Greedy
        `gains` are the values of the formula when each row was picked. With nothing preselected the first pick is the
        row of highest relevance, and its second term is 0.

    Raises
    ------
    UsageError
        ``sqeuclidean``, which is no similarity; a request that does not fit; `weight` is out of range; another number
        of relevances than rows.
    DataError
        A relevance is NaN or infinite (the first such row is named), or they are not numbers.

    Notes
    -----
    Ties go to the lowest row. At most (k + preselected) n d multiply-adds in int16, a tenth to a half of it as a rule;
    memory as `k_center`.

    Examples
    --------
    >>> import numpy as np
    >>> rows = Matrix.from_array(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]))
    >>> mmr(rows, [1.0, 0.9, 0.5], 2).indices.tolist()
    [0, 2]
    """
    values = arrays.float32(relevance, "relevance")
    with map_errors("relevance"):
        rows, gains, evaluations = _native.mmr(
            matrix.native,
            values,
            native_request(request),
            as_float(weight, "weight"),
            resolve_threads(threads),
            progress,
        )
    return Greedy(rows, gains, evaluations, "exact")
