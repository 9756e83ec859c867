"""Maximal marginal relevance: relevant rows unlike those picked before."""

from __future__ import annotations

from numpy.typing import ArrayLike

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, resolve_threads, translated
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.greedy import Greedy, float32, number, wishes
from sage_select.kernels.select.limits import Limits

__all__ = ["mmr"]


def mmr(
    matrix: Matrix,
    relevance: ArrayLike,
    k: int,
    *,
    weight: float = 0.5,
    given: ArrayLike | None = None,
    excluded: ArrayLike | None = None,
    limits: Limits | None = None,
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
    k
        From 0 to n less the rows given and excluded.
    weight
        The lambda of Carbonell and Goldstein (1998), from 0 to 1: how much relevance counts against likeness.
    given
        Rows that are selected already: picks are unlike them too, and they are not returned.
    excluded
        Rows that are not picked.
    limits
        What the selection may hold, the rows given included: then `k` is the most rows to pick.

    Returns
    -------
    Greedy
        `gains` are the values of the formula when each row was picked. With nothing given the first pick is the row
        of highest relevance, and its second term is 0.

    Raises
    ------
    UsageError
        ``sqeuclidean``, which is no similarity; `k`, `weight`, or a row given or excluded is out of range, or named
        twice; another number of relevances than rows.
    DataError
        A relevance is NaN or infinite (the first such row is named), or they are not numbers.

    Notes
    -----
    Ties go to the lowest row. At most (k + given) n d multiply-adds in int16, a tenth to a half of it as a rule; memory
    as `k_center`.

    Examples
    --------
    >>> import numpy as np
    >>> rows = Matrix.from_array(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]))
    >>> mmr(rows, [1.0, 0.9, 0.5], 2).indices.tolist()
    [0, 2]
    """
    values = arrays.as_arrow(float32(relevance, "relevance"))
    with translated("relevance"):
        rows, gains, evaluations = _native.mmr(
            matrix.native,
            values,
            wishes(k, given, excluded, limits),
            number(weight, "weight"),
            resolve_threads(threads),
            progress,
        )
    return Greedy(rows, gains, evaluations, "exact")
