"""The vectors of some rows: the same values whatever holds them, and no copy where few rows are left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from sage_select.kernels import Matrix
from sage_select.kernels.arrays import runs
from sage_select.kernels.vectors import some_vectors

N, D = 5000, 3
VALUES = np.random.default_rng(1).standard_normal((N, D)).astype(np.float32)
ROWS = {
    "all": np.arange(N),
    "none": np.arange(0),
    "one": np.array([7]),
    "without the last": np.arange(N - 1),
    "without the first": np.arange(1, N),
    "without some": np.delete(np.arange(N), [0, 17, 18, 4000, N - 1]),
    "every other": np.arange(0, N, 2),
}
FORMS: dict[str, Any] = {
    "float32": VALUES,
    "float64": VALUES.astype(np.float64),
    "float16": VALUES.astype(np.float16),
    "by columns": np.asfortranarray(VALUES),
    "other byte order": VALUES.astype(">f4"),
    "a part": np.repeat(VALUES, 2, axis=1)[:, ::2],
    "fixed lists": pa.FixedSizeListArray.from_arrays(pa.array(VALUES.reshape(-1)), D),
    "lists": pa.array(VALUES.tolist(), pa.list_(pa.float32())),
    "chunks": pa.chunked_array([pa.array(VALUES[:10].tolist()), pa.array(VALUES[10:].tolist())]),
}


def values(matrix: Matrix) -> NDArray[np.float32]:
    return matrix.take(np.arange(matrix.n))


@pytest.mark.parametrize("which", ROWS)
@pytest.mark.parametrize("form", FORMS)
def test_they_are_those_of_these_rows(form: str, which: str) -> None:
    rows, given = ROWS[which], FORMS[form]
    found = some_vectors(given, rows)
    assert len(found) == len(rows)
    if len(rows):
        whole = values(Matrix.from_array(given, metric="dot"))
        np.testing.assert_array_equal(values(Matrix.from_array(found, metric="dot")), whole[rows])


def test_few_runs_are_slices_and_many_are_copied() -> None:
    assert runs(ROWS["without some"]) == [(1, 17), (19, 4000), (4001, N - 1)]
    assert runs(ROWS["every other"]) is None
    assert runs(ROWS["none"]) == []
    parts = some_vectors(VALUES, ROWS["without some"])
    address = parts.chunk(0).values.buffers()[1].address
    assert address == VALUES.ctypes.data + 4 * D
    assert np.shares_memory(some_vectors(VALUES, ROWS["without the first"]), VALUES)


def test_memory_that_somebody_writes_to_is_never_borrowed() -> None:
    for rows in (ROWS["without some"], ROWS["without the first"]):
        mine = VALUES / np.linalg.norm(VALUES, axis=1, keepdims=True)
        matrix = Matrix.from_array(some_vectors(mine, rows))
        before = values(matrix)
        mine[:] = 0
        np.testing.assert_array_equal(values(matrix), before)
