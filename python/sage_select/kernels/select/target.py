"""Target matching: the rows nearest to a set of queries."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from sage_select import _native
from sage_select.errors import UsageError, nearest
from sage_select.kernels.call import Progress, map_errors, resolve_threads
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.request import Request, native_request

__all__ = ["Matched", "target_match"]

Rule = Literal["round_robin", "max", "mean"]

_RULES: Final[tuple[str, ...]] = get_args(Rule)


class Matched(NamedTuple):
    """The rows that match, and the query row that each matches."""

    #: int64, shape (k,): row numbers.
    indices: NDArray[np.int64]
    #: float32, shape (k,): the similarity (squared distance under ``sqeuclidean``) by which each was picked.
    gains: NDArray[np.float32]
    #: int64, shape (k,): the query row of each; -1 under ``mean``.
    queries: NDArray[np.int64]
    #: How many pairs of a row and a query were compared, at any precision: the same on every machine. Under ``mean``
    #: the mean is the one query.
    evaluations: int


def target_match(
    matrix: Matrix,
    queries: NDArray[Any],
    request: Request | int,
    *,
    rule: Rule = "round_robin",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Matched:
    """Pick the rows nearest to a set of queries, as RDS+ does (Ivison et al. 2025).

    Parameters
    ----------
    matrix
        Under any metric.
    queries
        Shape (q, d), q at least 1, float16, float32 or float64; scaled to length 1 under ``cosine``, as the rows are.
    request
        How many rows to pick, or a `Request`.
    rule
        ``round_robin``: each query row in turn takes the nearest candidate. ``max``: the rows nearest to
        their nearest query. ``mean``: the rows of largest mean similarity (least mean squared distance).

    Returns
    -------
    Matched
        By turns under ``round_robin``, otherwise the nearest first.

    Raises
    ------
    UsageError
        Unknown rule; no queries, or of another width; a request that does not fit.
    DataError
        A query holds NaN or infinity, is too large for float32, or all zeros under ``cosine`` (the first such one is
        named); another shape or type.
    ResourceError
        The memory cannot be had.

    Notes
    -----
    Ties go to the lowest row, and among queries to the lowest. Similarities are canonical float32. The mean similarity
    of a row is its similarity to the mean of the queries (float64 sums in their order, rounded to float32); its mean
    squared distance is that to the mean of the queries, and their own mean squared distance from it.

    n q d multiply-adds in int16, and n d under ``mean``. Under ``round_robin`` query rows that lose so many rows to
    others that their list ends get a list twice as long. 4 n bytes, and 8 for each entry of a list: at first about 2 k
    / q for each query.

    Examples
    --------
    >>> import numpy as np
    >>> rows = Matrix.from_array(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]]))
    >>> found = target_match(rows, np.array([[1.0, 0.0], [0.0, 1.0]]), 3)
    >>> found.indices.tolist(), found.queries.tolist()
    ([0, 2, 1], [0, 1, 0])
    """
    if rule not in _RULES:
        hint = nearest(str(rule), _RULES)
        raise UsageError("unknown rule", expected=", ".join(_RULES), got=repr(rule), hint=hint)
    targets = Matrix.from_array(queries, metric=matrix.metric, name="queries", threads=threads)
    with map_errors():
        return Matched(
            *_native.target_match(
                matrix.native,
                targets.native,
                native_request(request),
                rule,
                resolve_threads(threads),
                progress,
            )
        )
