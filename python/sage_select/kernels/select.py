"""Greedy selection: rows that represent all rows, lie far from each other, are relevant and unlike, or span much."""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.errors import UsageError
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, resolve_threads, translated, whole
from sage_select.kernels.matrix import Matrix

__all__ = ["Greedy", "facility_location", "k_center", "mmr", "ridge_dpp"]


class Greedy(NamedTuple):
    """Rows in pick order, with the evidence for each."""

    #: int64, shape (k,): row numbers.
    indices: NDArray[np.int64]
    #: float32, shape (k,): what each was worth when it was picked.
    gains: NDArray[np.float32]
    #: How many gains (`facility_location`) or pairs of rows (all others) were computed, at any precision: the same on
    #: every machine; len(indices) * n for a search that computes all.
    evaluations: int
    #: How it was found.
    method: Literal["dense", "graph", "exact"]
    #: Which share of the exact neighbours the graph has, for a sample of 64 rows; 1 where they are found exactly.
    recall: float = 1.0


def facility_location(
    matrix: Matrix,
    k: int,
    *,
    given: ArrayLike | None = None,
    k_nn: int = 64,
    dense_limit: int = 20_000,
    centroids: ArrayLike | None = None,
    probe: int = 8,
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
    centroids
        Shape (c, d), float32: neighbours are looked for in the cells around these, rather than among all rows. About
        the square root of n of them are best.
    probe
        How many cells are looked at for the rows of one, the nearest to its own; more where they hold less than `k_nn`
        rows.

    Returns
    -------
    Greedy
        `method` is ``dense`` (exact greedy, within 1 - 1/e of the best set: Nemhauser, Wolsey and Fisher 1978) or
        ``graph``: each row is served only by its neighbours, found among all rows (n**2 d multiply-adds) or those of
        near cells (n d (c + probe n / c), in int16; canonical arithmetic decides among what could be a neighbour), and
        its coverage starts at 0.9 times the similarity of its last neighbour, so that gains understate those of `f`.

    Raises
    ------
    UsageError
        ``sqeuclidean``, which is no similarity; `k`, `k_nn`, `probe` or a row given is out of range, or given twice; a
        centroid holds NaN or infinity.
    DataError
        The centroids have another shape.
    ResourceError
        The memory cannot be had.

    Notes
    -----
    Ties go to the lowest row; when no row gains anything the lowest unpicked row follows.
    """
    points = None if centroids is None else arrays.points(centroids, "centroids", matrix.d)
    with translated():
        rows, gains, evaluations, method, recall = _native.facility_location(
            matrix.native,
            whole(k, "k"),
            _row_numbers(given),
            whole(k_nn, "k_nn", least=1, most=2**31 - 1),
            whole(dense_limit, "dense_limit"),
            points,
            whole(probe, "probe", least=1, most=2**31 - 1),
            resolve_threads(threads),
            progress,
        )
    return Greedy(rows, gains, evaluations, cast("Literal['dense', 'graph']", method), recall)


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
    Ties go to the lowest row, and so do rows that repeat a selected one, at the end. Bounds in int16 spare most of
    the (k + given) n comparisons, about a quarter is left on 36,000 real embeddings; the picks are those of the
    definition in canonical float32 arithmetic. 2 d + 20 bytes a row beside the matrix.
    """
    with translated():
        rows, gains, evaluations = _native.k_center(
            matrix.native,
            whole(k, "k"),
            _row_numbers(given),
            None if start is None else whole(start, "start"),
            resolve_threads(threads),
            progress,
        )
    return Greedy(rows, gains, evaluations, "exact")


def mmr(
    matrix: Matrix,
    relevance: ArrayLike,
    k: int,
    *,
    weight: float = 0.5,
    given: ArrayLike | None = None,
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
        From 0 to n less the rows given.
    weight
        The lambda of Carbonell and Goldstein (1998), from 0 to 1: how much relevance counts against likeness.
    given
        Rows that are selected already: picks are unlike them too, and they are not returned.

    Returns
    -------
    Greedy
        `gains` are the values of the formula when each row was picked. With nothing given the first pick is the row
        of highest relevance, and its second term is 0.

    Raises
    ------
    UsageError
        ``sqeuclidean``, which is no similarity; `k`, `weight`, or a row given is out of range, or given twice; another
        number of relevances than rows.
    DataError
        A relevance is NaN or infinite (the first such row is named), or they are not numbers.

    Notes
    -----
    Ties go to the lowest row. At most (k + given) n d multiply-adds, a tenth to a half of that as a rule.

    Examples
    --------
    >>> rows = Matrix.from_array(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]))
    >>> mmr(rows, [1.0, 0.9, 0.5], 2).indices.tolist()
    [0, 2]
    """
    values = arrays.as_arrow(_float32(relevance, "relevance"))
    with translated("relevance"):
        rows, gains, evaluations = _native.mmr(
            matrix.native,
            values,
            whole(k, "k"),
            _row_numbers(given),
            _number(weight, "weight"),
            resolve_threads(threads),
            progress,
        )
    return Greedy(rows, gains, evaluations, "exact")


def ridge_dpp(
    matrix: Matrix,
    k: int,
    *,
    quality: ArrayLike | None = None,
    eps: float = 0.1,
    given: ArrayLike | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Greedy:
    """Pick rows that span much: greedy for ``log det L_S``, ``L = diag(q) (X X' + eps I) diag(q)``.

    Parameters
    ----------
    matrix
        Under ``cosine`` or ``dot``.
    k
        From 0 to n less the rows given.
    quality
        ``q``, shape (n,), above 0; taken as float32. None for 1 everywhere.
    eps
        The ridge: how much of a row counts as new whatever was picked before, in squared lengths (1 for ``cosine``).
        At 0.1 a copy of a picked row is worth 17 % of what the row was worth, at 1 it is worth 75 %. From one
        millionth of the largest squared length on.
    given
        Rows that are selected already: what they span counts, and they are not returned.

    Returns
    -------
    Greedy
        `gains` are what each pick added to ``log det L_S``; they never rise, and may be negative.

    Raises
    ------
    UsageError
        ``sqeuclidean``, which is no similarity; `k`, `eps`, or a row given is out of range, or given twice; another
        number of qualities than rows.
    DataError
        A quality is NaN, infinite or not above 0 (the first such row is named), or they are not numbers.

    Notes
    -----
    Ties go to the lowest row. At most (k + given) n d multiply-adds, and 2 d**2 in float64 for each pick; 8 d**2 bytes.

    Examples
    --------
    >>> rows = Matrix.from_array(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]))
    >>> ridge_dpp(rows, 2).indices.tolist()
    [0, 2]
    """
    values = None if quality is None else arrays.as_arrow(_float32(quality, "quality"))
    with translated("quality"):
        rows, gains, evaluations = _native.ridge_dpp(
            matrix.native,
            values,
            whole(k, "k"),
            _row_numbers(given),
            _number(eps, "eps"),
            resolve_threads(threads),
            progress,
        )
    return Greedy(rows, gains, evaluations, "exact")


def _float32(values: ArrayLike, name: str) -> NDArray[np.float32]:
    # A number beyond float32 becomes infinite, which the kernel refuses by its row.
    with np.errstate(over="ignore"):
        return arrays.floats(values, name).astype(np.float32, copy=False)


def _number(value: float, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise UsageError(f"{name} must be a number", got=repr(value))
    return float(value)


def _row_numbers(given: ArrayLike | None) -> pa.Array:
    return arrays.as_arrow(arrays.integers([] if given is None else given, "given", np.int64))
