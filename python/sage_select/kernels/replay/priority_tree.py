"""Draws by priority, without replacement."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import as_int, map_errors

__all__ = ["PriorityTree"]


class PriorityTree:
    """Rows with priorities, of which any number can be drawn or changed: a sum tree over whole numbers.

    Parameters
    ----------
    priorities
        float64, shape (n,), finite and not below zero.

    Raises
    ------
    DataError
        A priority is NaN, infinite or below zero: the first such row is named.

    Notes
    -----
    Prioritised replay (Schaul et al., ICLR 2016) without replacement. A priority is held as a whole number ``weight``:
    rounded down to a multiple of one power of two, such that n of the largest fit into 63 bits; one above zero is at
    least 1. With m the power of two just above the largest priority, and b the bits of n - 1,
    ``weight = floor(p / m * 2**(63 - b))``. Sums of them are exact, where sums of float32 have 2**24 values and those
    of floats drift; and the tree depends on the priorities alone, not on how they came to be. Made in O(n), 18 bytes a
    row. Threads may share one.

    Examples
    --------
    >>> tree = PriorityTree([1.0, 0.0, 3.0])
    >>> sorted(tree.draw(7, 2).tolist())
    [0, 2]
    >>> tree.set([0, 2], [0.0, 0.0])
    >>> sorted(tree.draw(7, 3).tolist())
    [0, 1, 2]
    """

    def __init__(self, priorities: ArrayLike) -> None:
        values = _priorities(priorities)
        with map_errors("priorities"):
            self._native = _native.PriorityTree(values)
        self._rows = len(values)

    def set(self, rows: ArrayLike, priorities: ArrayLike) -> None:
        """Give rows other priorities: all, or none where one is refused; of a row that is named twice the last counts.

        Parameters
        ----------
        rows
            int64, shape (m,).
        priorities
            float64, shape (m,), finite and not below zero.

        Raises
        ------
        UsageError
            A row does not exist, or there is another number of priorities than rows.
        DataError
            A priority is NaN, infinite or below zero: named by its place among those given.

        Notes
        -----
        O(log n) each; O(n) once where the largest priority has another power of two than before.
        """
        with map_errors("priorities"):
            self._native.set(arrays.row_numbers(rows, "rows"), _priorities(priorities))

    def draw(self, key: int, n: int) -> NDArray[np.int64]:
        """Draw `n` rows, each with probability ``weight / sum`` of those not yet drawn.

        Once the weights that are left are all zero, rows are drawn with equal probability: no row of priority zero is
        drawn before all others are. The tree is afterwards what it was.

        Parameters
        ----------
        key
            Unsigned 64-bit. Draw ``i`` depends on ``keyed_hashes(key, n)[i]`` and on those before it alone, so that
            fewer draws are the first of more.
        n
            From 0 to the number of rows.

        Returns
        -------
        numpy.ndarray
            int64, shape (n,), in the order of the draws.

        Raises
        ------
        UsageError
            `key` or `n` is out of range.

        Notes
        -----
        O(log n) each, and O(n) once where the weights left become zero. The place of a draw is
        ``floor(hash * sum / 2**64)``, no place being more likely than another by more than 1 in ``2**64 / sum``.
        """
        with map_errors():
            return self._native.draw(as_int(key, "key", maximum=2**64 - 1), as_int(n, "n"))

    def priorities(self) -> NDArray[np.float64]:
        """Return the priorities as they are now: float64, shape (n,)."""
        return self._native.priorities()

    def weights(self) -> NDArray[np.uint64]:
        """Return the whole numbers by which rows are drawn: uint64, shape (n,)."""
        return self._native.weights()

    def __len__(self) -> int:
        return self._rows


def _priorities(values: ArrayLike) -> pa.Array:
    return arrays.as_arrow(arrays.floats(values, "priorities").astype(np.float64, copy=False))
