from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_cases import tied

from sage_select import kernels
from sage_select.kernels import Matrix


@settings(deadline=None)
@given(case=tied(), key=st.integers(0, 2**64 - 1))
def test_gains_are_squared_distances_to_the_rows_before(
    case: tuple[NDArray[np.float32], int, list[int]], key: int
) -> None:
    data, k, given_rows = case
    found = kernels.d2(Matrix.from_array(data, metric="sqeuclidean"), k, key=key, given=given_rows)
    distance = np.square(data[:, None].astype(np.float64) - data[None]).sum(axis=2)
    taken = list(given_rows)
    for row, gain in zip(found.indices.tolist(), found.gains, strict=True):
        assert row not in taken
        nearest = distance[row, taken].min() if taken else np.nan
        np.testing.assert_array_equal(gain, np.float32(nearest))
        # A copy of a row before is picked only when all others are copies too.
        assert gain != 0 or distance[:, taken].min(axis=1).max() == 0
        taken.append(row)
    assert len(taken) == len(given_rows) + k


def test_fewer_picks_are_the_first_of_more() -> None:
    matrix = Matrix.from_array(np.random.default_rng(1).normal(size=(500, 6)))
    many = kernels.d2(matrix, 300, key=9).indices
    for k in (0, 1, 64, 65, 200):
        assert kernels.d2(matrix, k, key=9).indices.tolist() == many[:k].tolist()


def test_far_rows_are_drawn_more_often_than_near_ones() -> None:
    # Squared distances 1, 4 and 9 from the row given: 14 in all.
    matrix = Matrix.from_array(np.array([[0.0], [1.0], [2.0], [3.0]]), metric="sqeuclidean")
    picks = [int(kernels.d2(matrix, 1, key=key, given=[0], threads=1).indices[0]) for key in range(1400)]
    # 100, 400 and 900, give or take 4 standard deviations.
    assert np.all(np.abs(np.bincount(picks, minlength=4) - [0, 100, 400, 900]) <= [0, 39, 68, 72])
