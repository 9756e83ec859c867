"""Centring and whitening of vectors: less of what all of them have in common.

The mean of sentence vectors is long, and few directions hold most of their spread, so that all cosines are high (Mu and
Viswanath 2018, arXiv 1702.01417). Centring takes the mean away. Whitening takes it away and gives all directions the
same spread (Su et al. 2021, arXiv 2103.15316): cosines are then those of y = L^-1 (x - mean), where S + f I = L L' with
the covariance S and the floor f, a thousandth of the mean variance, for directions in which there is next to no spread.
Any other W with W'W = (S + f I)^-1, such as that of PCA or ZCA, is L^-1 turned, and gives the same cosines.

All sums are of whole numbers, to which values are rounded, so small that float64 holds every one of them exactly: the
result depends neither on the number of threads nor on the order of the rows, and not on how a library multiplies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sage_select.errors import UsageError

__all__ = ["Centring"]

#: The share of the mean variance that is added to all variances.
_FLOOR: Final = 1e-3
#: The widest vectors that are whitened: more take minutes, and gigabytes.
_MOST_DIMENSIONS: Final = 8192
#: Rows at a time.
_BLOCK: Final = 8192
#: Bits to which values are rounded: for the mean, and for the covariance of up to 8 million rows.
_MEAN_BITS: Final = 30
_BITS: Final = 20
#: What is left of a vector, as a share of its length, where it is the mean but for rounding.
_NOTHING: Final = 2.0**-20

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Centring:
    """The mean of vectors, and where they are whitened the matrix that does it.

    Parameters
    ----------
    mean
        float64 (d,).
    matrix
        float64 (d, d), lower triangular: L^-1. None where vectors are only centred, or have no spread.
    """

    mean: Floats
    matrix: Floats | None = None

    @classmethod
    def of(cls, vectors: NDArray[np.float32], *, whiten: bool) -> Centring:
        """Return the centring of vectors (n, d), which are finite.

        Raises
        ------
        UsageError
            Vectors of more than 8192 numbers are to be whitened.

        Notes
        -----
        Whitening takes n d^2 multiplications and a third of d^3 additions on one core, and 32 d^2 bytes.
        """
        n, d = vectors.shape
        if whiten and d > _MOST_DIMENSIONS:
            raise UsageError(
                f"vectors of {d:,} numbers are too wide to be whitened",
                expected=f"at most {_MOST_DIMENSIONS:,}",
                hint="centre them, or take narrower ones",
            )
        mean = _mean(vectors)
        if not whiten or not n:
            return cls(mean)
        covariance = _covariance(vectors, mean)
        spread = float(np.trace(covariance)) / d
        if spread == 0:
            return cls(mean)
        covariance[np.diag_indices(d)] += _FLOOR * spread
        return cls(mean, _inverse_of_root(covariance))

    def __call__(self, vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return vectors (n, d) centred, and whitened; and of which nothing is left, as they are the mean: now zero."""
        made = np.zeros(vectors.shape, np.float32)
        nothing = np.zeros(len(vectors), np.bool_)
        for start in range(0, len(vectors), _BLOCK):
            part = slice(start, start + _BLOCK)
            centred = vectors[part].astype(np.float64) - self.mean
            length = np.sqrt((np.square(vectors[part], dtype=np.float64)).sum(1))
            nothing[part] = np.sqrt(np.square(centred).sum(1)) <= _NOTHING * length
            centred[nothing[part]] = 0
            made[part] = centred if self.matrix is None else _times(centred, self.matrix)
        return made, nothing


def _mean(vectors: NDArray[np.float32]) -> Floats:
    """Return the mean of each column, to 30 bits of the largest value."""
    n, d = vectors.shape
    if not vectors.size:
        return np.zeros(d)
    _, exponent = np.frexp(np.float64(np.abs(vectors).max()))
    sums = np.zeros(d, np.int64)
    for start in range(0, n, _BLOCK):
        scaled = np.ldexp(vectors[start : start + _BLOCK].astype(np.float64), _MEAN_BITS - int(exponent))
        sums += np.rint(scaled).astype(np.int64).sum(0)
    means: Floats = np.ldexp(sums.astype(np.float64) / n, int(exponent) - _MEAN_BITS)
    return means


def _covariance(vectors: NDArray[np.float32], mean: Floats) -> Floats:
    """Return the covariance (d, d), of values rounded to 20 bits of the largest."""
    n, d = vectors.shape
    blocks = range(0, n, _BLOCK)
    most = max(float(np.abs(vectors[start : start + _BLOCK] - mean).max()) for start in blocks)
    _, exponent = np.frexp(most)
    # A block's sums are below 2^53, and those of all blocks below 2^63.
    bits = min(_BITS, (62 - int(n).bit_length()) // 2)
    sums = np.zeros((d, d), np.int64)
    for start in blocks:
        whole = np.rint(np.ldexp(vectors[start : start + _BLOCK] - mean, bits - int(exponent)))
        sums += (whole.T @ whole).astype(np.int64)
    found: Floats = np.ldexp(sums.astype(np.float64) / n, 2 * (int(exponent) - bits))
    return found


def _inverse_of_root(matrix: Floats) -> Floats:
    """Return L^-1 of a positive matrix L L', number by number: in an order that no library chooses."""
    d, left = len(matrix), matrix.copy()
    root = np.zeros_like(matrix)
    for j in range(d):
        root[j:, j] = left[j:, j] / np.sqrt(left[j, j])
        left[j + 1 :, j + 1 :] -= np.multiply.outer(root[j + 1 :, j], root[j + 1 :, j])
    inverse = np.eye(d)
    for j in range(d):
        inverse[j, : j + 1] /= root[j, j]
        inverse[j + 1 :, : j + 1] -= np.multiply.outer(root[j + 1 :, j], inverse[j, : j + 1])
    return inverse


def _times(values: Floats, matrix: Floats) -> Floats:
    """Return `values @ matrix.T`, of values rounded to some 40 bits of the largest of a row: sums are exact."""
    bits = (52 - values.shape[1].bit_length()) // 2
    high, low, scale = _split(values, bits)
    high_m, low_m, scale_m = _split(matrix, bits)
    found = high @ high_m.T + np.ldexp(high @ low_m.T + low @ high_m.T, -bits)
    made: Floats = np.ldexp(found, scale[:, None] + scale_m[None, :] - 2 * bits)
    return made


def _split(values: Floats, bits: int) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Return each row as whole numbers of so many bits, and what is left of it as such again; and its exponent."""
    _, exponent = np.frexp(np.abs(values).max(1))
    scaled = np.ldexp(values, bits - exponent[:, None])
    high = np.rint(scaled)
    return high, np.rint(np.ldexp(scaled - high, bits)), exponent
