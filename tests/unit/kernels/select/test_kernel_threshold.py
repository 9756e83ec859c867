from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_cases import many_rows, tied

from sage_select import kernels
from sage_select.errors import DataError, UsageError
from sage_select.kernels import Matrix, Request


def filtered(
    near: Callable[[int, list[int]], NDArray[Any]], order: list[int], k: int, limit: float, preselected: list[int]
) -> tuple[list[int], list[float], int, int]:
    """The filter by definition; what is nearer is larger."""
    picks: list[int] = []
    gains: list[float] = []
    examined = too_near = 0
    for row in order:
        if len(picks) == k:
            break
        examined += 1
        if row in preselected:
            continue
        before = [*preselected, *picks]
        nearest = near(row, before).max() if before else np.nan
        if nearest >= limit:
            too_near += 1
            continue
        picks.append(row)
        gains.append(nearest)
    return picks, gains, examined, too_near


@settings(deadline=None)
@given(case=tied(), metric=st.sampled_from(["dot", "sqeuclidean"]), threshold=st.integers(-3, 12), data=st.data())
def test_the_filter_picks_what_is_unlike_all_before(
    case: tuple[NDArray[np.float32], int, list[int]],
    metric: Literal["dot", "sqeuclidean"],
    threshold: int,
    data: st.DataObject,
) -> None:
    rows, k, preselected = case
    order = data.draw(st.permutations(range(len(rows))))[: data.draw(st.integers(0, len(rows)))]
    wide = rows.astype(np.float64)
    sign = 1 if metric == "dot" else -1

    def near(row: int, others: list[int]) -> NDArray[Any]:
        return wide[others] @ wide[row] if metric == "dot" else -np.square(wide[others] - wide[row]).sum(axis=1)

    matrix = Matrix.from_array(rows, metric=metric)
    found = kernels.threshold_filter(matrix, order, Request(k, preselected), threshold=threshold)
    picks, gains, examined, too_near = filtered(near, order, k, sign * threshold, preselected)
    assert found.indices.dtype == np.int64
    assert found.gains.dtype == np.float32
    assert found.indices.tolist() == picks
    np.testing.assert_array_equal(found.gains, sign * np.array(gains, np.float32))
    assert (found.examined, found.too_near) == (examined, too_near)


def test_excluded_rows_are_passed_over_and_shut_nobody_out() -> None:
    matrix = Matrix.from_array(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    found = kernels.threshold_filter(matrix, [0, 1, 2], Request(2, excluded=[0]), threshold=0.5)
    assert found.indices.tolist() == [1, 2]
    assert (found.examined, found.too_near) == (3, 0)


def test_a_similarity_at_the_threshold_is_too_near() -> None:
    dot = Matrix.from_array(np.array([[2.0, 0.0], [3.0, 1.0]]), metric="dot")
    square = Matrix.from_array(np.array([[2.0, 0.0], [3.0, 1.0]]), metric="sqeuclidean")
    for matrix, limit, step in ((dot, 6.0, 1e-9), (square, 2.0, -1e-9)):
        assert kernels.threshold_filter(matrix, [0, 1], 2, threshold=limit).too_near == 1
        assert kernels.threshold_filter(matrix, [0, 1], 2, threshold=limit + step).too_near == 0


def test_bad_orders_and_thresholds_are_refused() -> None:
    matrix = Matrix.from_array(np.eye(4))
    for threshold in (np.nan, np.inf):
        with pytest.raises(UsageError, match="the threshold must be finite"):
            kernels.threshold_filter(matrix, [0], 1, threshold=threshold)
    with pytest.raises(UsageError, match="threshold must be a number"):
        kernels.threshold_filter(matrix, [0], 1, threshold=None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="row number 4 does not exist: there are 4 rows"):
        kernels.threshold_filter(matrix, [0, 4], 1, threshold=0.5)
    with pytest.raises(UsageError, match="row number -1 is negative"):
        kernels.threshold_filter(matrix, [-1], 1, threshold=0.5)
    with pytest.raises(UsageError, match="row 2: the row is named twice"):
        kernels.threshold_filter(matrix, [2, 0, 2], 1, threshold=0.5)
    with pytest.raises(UsageError, match="5 rows are requested, but there are 4 to pick from"):
        kernels.threshold_filter(matrix, [0], 5, threshold=0.5)
    with pytest.raises(DataError, match="order must be whole numbers"):
        kernels.threshold_filter(matrix, [0.5], 1, threshold=0.5)
    with pytest.raises(UsageError, match="row 1: the row is named twice"):
        kernels.threshold_filter(matrix, [0], Request(1, [1], [1]), threshold=0.5)


def test_the_filter_over_several_blocks() -> None:
    rows = many_rows(9001)
    order = np.random.default_rng(0).permutation(9001).tolist()
    found = kernels.threshold_filter(
        Matrix.from_array(rows, metric="dot"), order, Request(9001 - 1, [8999]), threshold=9
    )
    picks, gains, examined, too_near = filtered(lambda row, others: rows[others] @ rows[row], order, 9000, 9, [8999])
    assert len(picks) > 20
    assert found.indices.tolist() == picks
    assert found.gains.tolist() == gains
    assert (found.examined, found.too_near) == (examined, too_near)
