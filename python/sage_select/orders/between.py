"""Where rows stand that come to others whose order is made."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["between"]

#: A row stands within this share of the rows of its phase, and these rows, from the one that it was made of.
_SHARE: Final = 0.05
_LEAST: Final = 8


def between(
    positions: NDArray[np.int64],
    phases: NDArray[np.int32] | None,
    parents: NDArray[np.int64],
    hashes: NDArray[np.uint64],
) -> NDArray[np.int64]:
    """Return the positions of all rows where others come to them, which were made of them.

    Those that were there stand to one another as before. Each other is drawn to a place around the row that it was made
    of, at most a twentieth of the rows of its phase (or 8) away, and never leaves the phase: so that an order by
    difficulty stays one, and the two are seldom trained one after the other.

    Parameters
    ----------
    positions
        int64 (n,): the position of each row, 0 to n - 1.
    phases
        int32 (n,): the phase of each, never falling with the position; None where there are none.
    parents
        int64 (k,): the row that each of the others was made of.
    hashes
        uint64 (k,): what they are drawn by, and ties are broken by.

    Returns
    -------
    positions
        int64 (n + k,): of the rows, then of the others; 0 to n + k - 1, each once.

    Examples
    --------
    >>> between(np.array([1, 0]), None, np.array([0]), np.array([0], np.uint64)).tolist()
    [2, 1, 0]
    """
    n, k = len(positions), len(parents)
    order = np.argsort(positions, kind="stable")
    if phases is None:
        first, last = np.zeros(n, np.int64), np.full(n, n - 1, np.int64)
    else:
        ordered = phases[order]
        first = np.searchsorted(ordered, ordered, "left")
        last = np.searchsorted(ordered, ordered, "right") - 1
    place = positions[parents]
    first, last = first[place], last[place]
    reach = np.maximum(np.ceil(_SHARE * (last - first + 1)), _LEAST)
    low, high = np.maximum(first - 0.5, place - reach), np.minimum(last + 0.5, place + reach)
    drawn = low + (high - low) * (hashes / 2.0**64)
    keys = np.concatenate([positions.astype(np.float64), drawn])
    # Where a draw falls on a row, it stands behind; what is drawn to one place goes by its hash.
    ties = np.concatenate([np.zeros(n, np.uint64), hashes])
    of_phase = np.zeros(n + k) if phases is None else np.concatenate([phases, phases[parents]])
    made = np.empty(n + k, np.int64)
    made[np.lexsort((ties, np.arange(n + k) >= n, keys, of_phase))] = np.arange(n + k)
    return made
