"""Some rows of a column: those of its chunks, which are never joined."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from sage_select.kernels.arrays import some_rows

N = 3000
COLUMN = pa.chunked_array([[f"text {row}" for row in range(first, first + N // 3)] for first in range(0, N, N // 3)])


@pytest.mark.parametrize(
    "rows",
    [np.arange(N), np.arange(0), np.array([7]), np.arange(0, N, 2), np.arange(1001, N, 3), np.delete(np.arange(N), 9)],
    ids=len,
)
def test_they_are_those_of_the_numbers(rows: NDArray[np.int64]) -> None:
    found = some_rows(COLUMN, rows)
    assert found.to_pylist() == [f"text {row}" for row in rows]
    assert max(map(len, found.chunks), default=0) <= N // 3
