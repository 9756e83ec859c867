"""Regions of the pool: which rows lie near each other, and the words by which they are known."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.kernels import Matrix
from sage_select.report.selection.projection import Projection
from sage_select.report.selection.vectors import PoolVectors

__all__ = ["Regions", "found_regions", "regions_of_strategy", "typical_words"]

_REGIONS: Final = 12
#: Rows of a region on average, at least.
_ROWS_EACH: Final = 8
_BLOCK_NUMBERS: Final = 1 << 22
#: Rows of each region whose words are counted, and characters of a word.
_COUNTED: Final = 2_000
_LONGEST: Final = 24
_WORD: Final = re.compile(r"[^\W\d_][\w'\u2019-]{2,}")
#: A word that so many of all other rows have tells no region from them.
_COMMON: Final = 0.1
#: Squares along each side of a region, to find where it is densest.
_GRID: Final = 8
#: Words that every row is taken to have as well, so that rare ones do not come first.
_PRIOR: Final = 2.0


@dataclass(frozen=True)
class Regions:
    """A division of the pool.

    Attributes
    ----------
    of
        int64 (n,): the region of each row of the pool, from 0, the largest first; -1 of rows in none.
    sizes
        Rows of each.
    middles
        (regions, 2): where each is densest on the map, or None where there is none.
    """

    of: NDArray[np.int64] = field(repr=False)
    sizes: NDArray[np.int64]
    middles: NDArray[np.float64] | None


def found_regions(
    vectors: PoolVectors,
    projection: Projection,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Regions:
    """Return at most 12 regions by k-means on the sample of the projection, all rows assigned to the nearest."""
    count = max(1, min(_REGIONS, vectors.n // _ROWS_EACH))
    sample = Matrix.from_array(
        np.ascontiguousarray(projection.vectors), metric="sqeuclidean", name="vectors", threads=threads
    )
    # The first rows are the first centroids: rows in the order of the input would begin beside each other.
    start = np.linspace(0, sample.n - 1, count).astype(np.int64)
    others = np.delete(np.arange(sample.n), start)
    centroids = kernels.k_means(sample, count, np.concatenate([start, others]), threads=threads)
    of = np.empty(vectors.n, np.int64)
    block = max(1, _BLOCK_NUMBERS // vectors.d)
    for first in range(0, vectors.n, block):
        rows = np.arange(first, min(first + block, vectors.n))
        part = Matrix.from_array(vectors.of(rows), metric="sqeuclidean", name="vectors", threads=threads)
        of[rows] = kernels.assign_cells(part, centroids, threads=threads)
        if progress is not None:
            progress(int(rows[-1]) + 1, vectors.n)
    return _largest_first(of, projection.points)


def _largest_first(of: NDArray[np.int64], points: NDArray[np.float32] | None) -> Regions:
    sizes = np.bincount(of)
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] > 0]
    numbers = np.full(len(sizes), -1)
    numbers[order] = np.arange(len(order))
    renumbered = numbers[of]
    middles = None
    if points is not None:
        middles = np.array([_densest(points[renumbered == region]) for region in range(len(order))])
    return Regions(renumbered, sizes[order], middles)


def _densest(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the middle of the points in the fullest square of a grid: the middle of all may lie between heaps."""
    low, wide = points.min(0), np.maximum(np.ptp(points, axis=0), 1e-9)
    cells = np.minimum((points - low) / wide * _GRID, _GRID - 1).astype(np.int64)
    flat = cells[:, 0] * _GRID + cells[:, 1]
    middle: NDArray[np.float64] = points[flat == np.bincount(flat).argmax()].astype(np.float64).mean(0)
    return middle


def regions_of_strategy(cells: NDArray[np.int64]) -> Regions:
    """Return the cells that a strategy divided the pool into, -1 of rows in none."""
    inside = cells >= 0
    found = _largest_first(cells[inside], None)
    of = np.full(len(cells), -1, np.int64)
    of[inside] = found.of
    return Regions(of, found.sizes, None)


def typical_words(
    regions: Regions,
    words_of: Callable[[NDArray[np.int64]], Sequence[str | None]],
    hashes: NDArray[np.uint64],
    most: int = 5,
) -> list[list[str]]:
    """Return the words by which the rows of each region are told from all others, the most typical first.

    Parameters
    ----------
    regions
        The regions.
    words_of
        Returns the words of rows of the pool.
    hashes
        One a row, by which the rows are drawn whose words are counted: at most 2,000 of a region.
    most
        Words of a region.

    Notes
    -----
    A word counts once a row. Words are ranked by the logarithm of the ratio of odds over its standard error, with a
    prior in the proportions of all rows (Monroe, Colaresi and Quinn 2008, "Fightin' Words").
    """
    counts: list[Counter[str]] = []
    sizes: list[int] = []
    for region in range(len(regions.sizes)):
        rows = np.flatnonzero(regions.of == region)
        if len(rows) > _COUNTED:
            rows = np.sort(rows[np.argsort(hashes[rows], kind="stable")[:_COUNTED]])
        counted: Counter[str] = Counter()
        for text in words_of(rows):
            counted.update({word.casefold() for word in _WORD.findall(text or "") if len(word) <= _LONGEST})
        counts.append(counted)
        sizes.append(len(rows))
    everything: Counter[str] = Counter()
    for one in counts:
        everything.update(one)
    total = sum(sizes)
    return [_typical(one, size, everything, total, most) for one, size in zip(counts, sizes, strict=True)]


def _typical(counted: Counter[str], size: int, everything: Counter[str], total: int, most: int) -> list[str]:
    ranked = []
    rest = total - size
    for word, count in counted.items():
        other = everything[word] - count
        if other > _COMMON * rest:
            continue
        share = everything[word] / total
        prior = _PRIOR * share
        inside = (count + prior) / max(1e-9, size + _PRIOR - count - prior)
        outside = (other + prior) / max(1e-9, rest + _PRIOR - other - prior)
        ratio = math.log(max(inside, 1e-12) / max(outside, 1e-12))
        ranked.append((-ratio / math.sqrt(1 / (count + prior) + 1 / (other + prior)), word))
    return [word for strength, word in sorted(ranked)[:most] if strength < 0]
