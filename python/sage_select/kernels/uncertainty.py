"""How uncertain a classifier is of each row."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sage_select import _native
from sage_select.kernels.call import map_errors, resolve_threads
from sage_select.kernels.matrix import Matrix

__all__ = ["UncertaintyMeasure", "uncertainty"]

UncertaintyMeasure = Literal["entropy", "margin", "least_confidence"]


def uncertainty(
    probabilities: Matrix, measure: UncertaintyMeasure, *, threads: int | None = None
) -> NDArray[np.float32]:
    """Return how uncertain a classifier is of each row, float32 (n,).

    Parameters
    ----------
    probabilities
        Shape (n, classes), each row summing to 1; taken as they are.
    measure
        ``entropy``: ``-sum p ln p``, in nats; higher is more uncertain. ``margin``: the largest probability less the
        second largest; lower is more uncertain. ``least_confidence``: 1 less the largest; higher is more uncertain.

    Raises
    ------
    UsageError
        There is no such measure.
    DataError
        There are fewer than two classes, or a value is below 0 (the first such row is named).

    Notes
    -----
    One pass, float64 sums and portable logarithms: the same bits on every machine and at any thread count.

    Examples
    --------
    >>> from sage_select.kernels import Matrix, uncertainty
    >>> rows = Matrix.from_array(np.array([[0.5, 0.5, 0.0], [0.75, 0.125, 0.125]]), metric="dot")
    >>> uncertainty(rows, "margin").tolist()
    [0.0, 0.625]
    """
    with map_errors(probabilities.name):
        return _native.uncertainty(probabilities.native, measure, resolve_threads(threads))
