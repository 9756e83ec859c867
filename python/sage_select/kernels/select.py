"""Greedy selection of rows that represent all rows, or that lie far from each other."""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, resolve_threads, translated, whole
from sage_select.kernels.matrix import Matrix

__all__ = ["Greedy", "facility_location", "k_center"]


class Greedy(NamedTuple):
    """Rows in pick order, with the evidence for each."""

    #: int64, shape (k,): row numbers.
    indices: NDArray[np.int64]
    #: float32, shape (k,): what each was worth when it was picked.
    gains: NDArray[np.float32]
    #: How it was found.
    method: Literal["dense", "graph", "exact"]


def facility_location(
    matrix: Matrix,
    k: int,
    *,
    given: ArrayLike | None = None,
    k_nn: int = 64,
    dense_limit: int = 20_000,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Greedy:
    """Pick rows that represent all rows: greedy for ``f(S) = sum_i max_{s in S} max(0, sim(i, s))``.

    Parameters
    ----------
    matrix
        Under ``cosine`` or ``dot``.
    k
        From 0 to n less the rows given.
    given
        Rows that are selected already: their coverage counts, and they are not returned.
    k_nn
        Neighbours of a row in the graph, itself included.
    dense_limit
        Most rows for which all pairs are held (4 n**2 bytes, and n**2 d / 2 multiply-adds).

    Returns
    -------
    Greedy
        `method` is ``dense`` (exact greedy, within 1 - 1/e of the best set: Nemhauser, Wolsey and Fisher 1978) or
        ``graph``: each row is served only by its neighbours, found exactly (n**2 d multiply-adds), and its
        coverage starts at 0.9 times the similarity of its last neighbour, so that gains understate those of `f`.

    Raises
    ------
    UsageError
        ``sqeuclidean``, which is no similarity; `k`, `k_nn`, or a row given is out of range, or given twice.
    ResourceError
        The memory cannot be had.

    Notes
    -----
    Ties go to the lowest row; when no row gains anything the lowest unpicked row follows.
    """
    with translated():
        rows, gains, method = _native.facility_location(
            matrix.native,
            whole(k, "k"),
            _row_numbers(given),
            whole(k_nn, "k_nn", least=1, most=2**31 - 1),
            whole(dense_limit, "dense_limit"),
            resolve_threads(threads),
            progress,
        )
    return Greedy(rows, gains, cast("Literal['dense', 'graph']", method))


def k_center(
    matrix: Matrix,
    k: int,
    *,
    given: ArrayLike | None = None,
    start: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Greedy:
    """Pick rows far from each other: each is the farthest from all before it (Gonzalez 1985).

    Parameters
    ----------
    matrix
        Under ``cosine`` (distances between rows of length 1) or ``sqeuclidean``.
    k
        From 0 to n less the rows given.
    given
        Rows that are selected already: picks are far from them too, and they are not returned.
    start
        The first pick, by default row 0; only where no rows are given.

    Returns
    -------
    Greedy
        `gains` are squared distances to the nearest row selected before, NaN for a first pick with nothing given.

    Raises
    ------
    UsageError
        ``dot``, which is no distance; `k`, `start`, or a row given is out of range, or given twice.

    Notes
    -----
    Ties go to the lowest row, and so do rows that repeat a selected one, at the end. (k + given) n d multiply-adds.
    """
    with translated():
        rows, gains = _native.k_center(
            matrix.native,
            whole(k, "k"),
            _row_numbers(given),
            None if start is None else whole(start, "start"),
            resolve_threads(threads),
            progress,
        )
    return Greedy(rows, gains, "exact")


def _row_numbers(given: ArrayLike | None) -> pa.Array:
    return arrays.as_arrow(arrays.integers([] if given is None else given, "given", np.int64))
