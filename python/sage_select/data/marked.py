"""Rows that a stage names, by their numbers or by a truth value for each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["marked"]


def marked(rows: Any, n: int, stage: str) -> NDArray[np.bool_]:
    """Return which of `n` rows a stage names, bool (n,).

    Raises
    ------
    ValueError
        If a row is not there or stands twice, or the truth values are not one a row.
    TypeError
        If they are neither whole numbers nor truth values.
    """
    named = np.asarray(rows)
    said = f"{stage} drops rows by their numbers among the {n:,} that are in, from 0, each once"
    if named.dtype == np.bool_:
        if named.shape != (n,):
            raise ValueError(f"{said}, or by {n:,} truth values: got truth values of shape {named.shape}")
        return named
    if named.ndim != 1 or (named.dtype.kind not in "iu" and len(named)):
        raise TypeError(f"{said}: got {named.dtype} of shape {named.shape}")
    found = np.zeros(n, np.bool_)
    if not len(named):
        return found
    if named.min() < 0 or named.max() >= n:
        raise ValueError(f"{said}: got row {named.min() if named.min() < 0 else named.max():,}")
    found[named] = True
    if np.count_nonzero(found) != len(named):
        values, counts = np.unique(named, return_counts=True)
        raise ValueError(f"{said}: got row {values[counts > 1][0]:,} more than once")
    return found
