from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from small_cases import many_rows, tied

from sage_select import kernels
from sage_select.errors import DataError, UsageError
from sage_select.kernels import Matrix, Request


def farthest_first(data: NDArray[Any], k: int, preselected: list[int], start: int = 0) -> tuple[list[int], list[float]]:
    """Farthest-first by definition, in float64."""
    wide = data.astype(np.float64)
    taken, picks, gains = list(preselected), [], []
    for _ in range(k):
        if taken:
            key = np.min([np.square(wide - wide[row]).sum(axis=1) for row in taken], axis=0)
            key[taken] = -1
            pick, gain = int(key.argmax()), float(key.max())
        else:
            pick, gain = start, np.nan
        picks.append(pick)
        gains.append(gain)
        taken.append(pick)
    return picks, gains


@settings(deadline=None)
@given(case=tied())
def test_k_center_is_farthest_first(case: tuple[NDArray[np.float32], int, list[int]]) -> None:
    data, k, preselected = case
    start = len(data) - 1 if len(data) and not preselected else None
    for first in {None, start}:
        found = kernels.k_center(Matrix.from_array(data, metric="sqeuclidean"), Request(k, preselected), start=first)
        picks, gains = farthest_first(data, k, preselected, first or 0)
        assert found.indices.tolist() == picks
        np.testing.assert_array_equal(found.gains, np.array(gains, np.float32))


def test_weights_multiply_squared_distances() -> None:
    rows = Matrix.from_array(np.array([[0.0], [4.0], [9.0], [10.0]]), metric="sqeuclidean")
    found = kernels.k_center(rows, 4, weights=np.array([1, 1, 2, 1]))
    assert found.indices.tolist() == [0, 2, 1, 3]
    np.testing.assert_array_equal(found.gains, np.array([np.nan, 162, 16, 1], np.float32))


def test_weights_are_checked() -> None:
    matrix = Matrix.from_array(np.eye(3))
    with pytest.raises(UsageError, match="number of weights must be 3, not 2"):
        kernels.k_center(matrix, 1, weights=[1, 2])
    with pytest.raises(DataError, match="weights, row 1: the value is not above zero"):
        kernels.k_center(matrix, 1, weights=[1, 0, 1])
    with pytest.raises(DataError, match="weights, row 2: the value is NaN or infinite"):
        kernels.k_center(matrix, 1, weights=[1, 1, np.nan])


def test_picks_do_not_depend_on_regions() -> None:
    """From 4,000 picks of 100,000 rows on there are regions; the first picks are those of fewer, without."""
    random = np.random.default_rng(7)
    centres = random.normal(size=(50, 12))
    rows = (centres[random.integers(0, 50, 100_000)] + 0.3 * random.normal(size=(100_000, 12))).astype(np.float32)
    matrix = Matrix.from_array(rows)
    many, few = kernels.k_center(matrix, 4000), kernels.k_center(matrix, 3999)
    assert many.indices[:-1].tolist() == few.indices.tolist()
    assert many.evaluations < few.evaluations


def test_k_center_over_several_blocks() -> None:
    rows = many_rows(9001)
    found = kernels.k_center(Matrix.from_array(rows, metric="sqeuclidean"), Request(40, [8999]))
    assert (found.indices.tolist(), found.gains.tolist()) == farthest_first(rows, 40, [8999])
