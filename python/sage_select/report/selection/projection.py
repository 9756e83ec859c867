"""Vectors in two dimensions: the two directions in which they differ most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.report.selection.vectors import PoolVectors

__all__ = ["Projection", "projected"]

#: Numbers of the vectors that the directions are found from, at most: 128 MiB.
_SAMPLE_NUMBERS: Final = 1 << 25
_MOST_SAMPLE: Final = 20_000
#: Directions that are followed to find two, and how often they are turned at most.
_FOLLOWED: Final = 16
_TURNS: Final = 200
_BLOCK_NUMBERS: Final = 1 << 22


@dataclass(frozen=True)
class Projection:
    """Rows in two dimensions.

    Attributes
    ----------
    points
        float32 (n, 2), one for each row of the pool.
    explained
        Which share of how rows differ each of the two directions tells.
    sample
        int64, the rows that the directions were found from.
    vectors
        float32 (len(sample), d), theirs.
    """

    points: NDArray[np.float32] = field(repr=False)
    explained: tuple[float, float]
    sample: NDArray[np.int64] = field(repr=False)
    vectors: NDArray[np.float32] = field(repr=False)


def projected(
    vectors: PoolVectors, hashes: NDArray[np.uint64], progress: Callable[[int, int], None] | None = None
) -> Projection:
    """Return all rows in the plane of the first two principal components.

    Parameters
    ----------
    vectors
        (n, d).
    hashes
        One a row, by which the sample is drawn that the components are found from.
    progress
        Called with (rows, rows) as they are projected.

    Notes
    -----
    Principal component analysis (Pearson 1901; Hotelling 1933) of at most 20,000 rows, in float64, by subspace
    iteration (Halko, Martinsson and Tropp 2011). Each component points to where its largest number is positive. Points
    have five digits, so that how sums are ordered shows in none of them.
    All rows are projected, some 4 million numbers at a time.
    """
    n, d = vectors.n, vectors.d
    count = max(2, min(n, _MOST_SAMPLE, _SAMPLE_NUMBERS // d))
    sample = np.sort(kernels.bottom_k_hashes(hashes, min(n, count)))
    rows = vectors.of(sample)
    middle = rows.astype(np.float64).mean(0)
    centred = rows - middle
    directions, shares = _components(centred)
    points = np.empty((n, 2), np.float32)
    block = max(1, _BLOCK_NUMBERS // d)
    for start in range(0, n, block):
        part = np.arange(start, min(start + block, n))
        points[part] = (vectors.of(part) - middle) @ directions
        if progress is not None:
            progress(int(part[-1]) + 1, n)
    scale = float(np.abs(points).max(initial=0.0)) or 1.0
    points = np.round(points / scale, 5).astype(np.float32)
    return Projection(points, shares, sample, rows)


def _components(centred: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Return the first two directions, (d, 2), and which share of the variance is along each."""
    rows, d = centred.shape
    total = float(np.square(centred).sum())
    if total == 0.0:
        return np.zeros((d, 2)), (0.0, 0.0)
    # The smaller of the two products has the same components.
    wide = d > rows
    values, first = _largest(centred @ centred.T if wide else centred.T @ centred)
    directions = centred.T @ first if wide else first
    directions = directions / np.maximum(np.sqrt(np.square(directions).sum(0)), 1e-300)
    if directions.shape[1] < 2:
        directions = np.hstack([directions, np.zeros((d, 1))])
    signs = np.sign(directions[np.abs(directions).argmax(0), np.arange(2)])
    largest = np.maximum(values, 0.0) / total
    return directions * np.where(signs == 0, 1.0, signs), (
        float(largest[0]),
        float(largest[1]) if len(largest) > 1 else 0.0,
    )


def _largest(product: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the two largest eigenvalues of a symmetric matrix and their vectors, (n, 2); one where n is 1."""
    n = len(product)
    if n <= 2 * _FOLLOWED:
        values, found = np.linalg.eigh(product)
        return values[::-1][:2], found[:, ::-1][:, :2]
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((n, _FOLLOWED)))[0]
    before = np.zeros(2)
    for _ in range(_TURNS):
        turned = product @ basis
        values, rotation = np.linalg.eigh(basis.T @ turned)
        largest = values[::-1][:2]
        if np.all(np.abs(largest - before) <= 1e-12 * largest[0]):
            break
        before = largest
        basis = np.linalg.qr(turned @ rotation)[0]
    values, rotation = np.linalg.eigh(basis.T @ product @ basis)
    return values[::-1][:2], (basis @ rotation)[:, ::-1][:, :2]
