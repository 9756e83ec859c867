from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_cases import many_rows, tied

from sage_select import kernels
from sage_select.kernels import Matrix, Request


@settings(deadline=None)
@given(case=tied(), key=st.integers(0, 2**64 - 1))
def test_gains_are_squared_distances_to_the_rows_before(
    case: tuple[NDArray[np.float32], int, list[int]], key: int
) -> None:
    data, k, preselected = case
    found = kernels.d2(Matrix.from_array(data, metric="sqeuclidean"), Request(k, preselected), key=key)
    assert_drawn_by_distance(data, found, preselected)
    assert len(found.indices) == k


def assert_drawn_by_distance(data: NDArray[np.float32], found: kernels.Greedy, preselected: list[int]) -> None:
    wide = data.astype(np.float64)
    nearest = np.full(len(data), np.inf)
    for row in preselected:
        nearest = np.minimum(nearest, np.square(wide - wide[row]).sum(axis=1))
    taken = list(preselected)
    for row, gain in zip(found.indices.tolist(), found.gains, strict=True):
        assert row not in taken
        np.testing.assert_array_equal(gain, np.float32(nearest[row] if taken else np.nan))
        # A copy of a row before is picked only when all others are copies too.
        assert gain != 0 or nearest.max() == 0
        taken.append(row)
        nearest = np.minimum(nearest, np.square(wide - wide[row]).sum(axis=1))


def test_fewer_picks_are_the_first_of_more() -> None:
    matrix = Matrix.from_array(np.random.default_rng(1).normal(size=(500, 6)))
    many = kernels.d2(matrix, 300, key=9).indices
    for k in (0, 1, 64, 65, 200):
        assert kernels.d2(matrix, k, key=9).indices.tolist() == many[:k].tolist()


def test_far_rows_are_drawn_more_often_than_near_ones() -> None:
    # Squared distances 1, 4 and 9 from the preselected row: 14 in all.
    matrix = Matrix.from_array(np.array([[0.0], [1.0], [2.0], [3.0]]), metric="sqeuclidean")
    picks = [int(kernels.d2(matrix, Request(1, [0]), key=key, threads=1).indices[0]) for key in range(1400)]
    # 100, 400 and 900, give or take 4 standard deviations.
    assert np.all(np.abs(np.bincount(picks, minlength=4) - [0, 100, 400, 900]) <= [0, 39, 68, 72])


def test_draws_over_several_blocks() -> None:
    rows = many_rows(9001)
    rows[4096:] *= 3
    found = kernels.d2(Matrix.from_array(rows, metric="sqeuclidean"), Request(200, [8999]), key=7)
    assert_drawn_by_distance(rows, found, [8999])
    # Rows from the second block on, a little more than half, weigh nine times as much.
    assert 160 < (found.indices >= 4096).sum() < 200
