from __future__ import annotations

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

Rule = Literal["round_robin", "max", "mean"]


def matched(near: NDArray[Any], k: int, rule: Rule, preselected: list[int]) -> tuple[list[int], list[float], list[int]]:
    """Matching by definition; what is nearer is larger, queries are columns."""
    near = near.copy()
    near[preselected] = -np.inf
    rows, gains, takers = [], [], []
    for turn in range(k):
        columns = {"round_robin": near[:, turn % near.shape[1]], "max": near.max(axis=1), "mean": near.mean(axis=1)}
        row = int(columns[rule].argmax())
        rows.append(row)
        gains.append(float(columns[rule][row]))
        takers.append({"round_robin": turn % near.shape[1], "max": int(near[row].argmax()), "mean": -1}[rule])
        near[row] = -np.inf
    return rows, gains, takers


@settings(deadline=None)
@given(
    case=tied(),
    metric=st.sampled_from(["dot", "sqeuclidean"]),
    rule=st.sampled_from(["round_robin", "max", "mean"]),
    # A power of two: their mean is exact.
    count=st.sampled_from([1, 2, 4, 8]),
    seed=st.integers(0, 999),
)
def test_rows_are_matched_by_the_rule(
    case: tuple[NDArray[np.float32], int, list[int]],
    metric: Literal["dot", "sqeuclidean"],
    rule: Rule,
    count: int,
    seed: int,
) -> None:
    rows, k, preselected = case
    queries = np.random.default_rng(seed).integers(-2, 3, (count, rows.shape[1])).astype(np.float64)
    wide = rows.astype(np.float64)
    sign = 1 if metric == "dot" else -1
    near = wide @ queries.T if metric == "dot" else -np.square(wide[:, None] - queries[None]).sum(axis=2)
    found = kernels.target_match(Matrix.from_array(rows, metric=metric), queries, Request(k, preselected), rule=rule)
    picks, gains, takers = matched(near, k, rule, preselected)
    assert found.indices.dtype == found.queries.dtype == np.int64
    assert found.gains.dtype == np.float32
    assert found.indices.tolist() == picks
    assert found.queries.tolist() == takers
    np.testing.assert_array_equal(found.gains, sign * np.array(gains, np.float32))


def test_queries_are_scaled_as_the_rows_are() -> None:
    rows = np.random.default_rng(1).normal(size=(500, 20))
    queries = np.random.default_rng(2).normal(size=(7, 20))
    matrix = Matrix.from_array(rows)
    for rule in ("round_robin", "max", "mean"):
        short = kernels.target_match(matrix, queries, 30, rule=rule)
        scaled = kernels.target_match(matrix, queries * 2.0 ** np.arange(7)[:, None], 30, rule=rule)
        assert short.indices.tolist() == scaled.indices.tolist()
        assert short.gains.tobytes() == scaled.gains.tobytes()


def test_bad_queries_are_refused() -> None:
    matrix = Matrix.from_array(np.eye(3))
    for rule in ("round_robin", "max", "mean"):
        with pytest.raises(UsageError, match="there must be at least one query"):
            kernels.target_match(matrix, np.ones((0, 3)), 1, rule=rule)
        with pytest.raises(UsageError, match="dimensions of a query must be 3, not 2"):
            kernels.target_match(matrix, np.ones((1, 2)), 1, rule=rule)
    with pytest.raises(DataError, match="queries, row 1: the row is all zeros"):
        kernels.target_match(matrix, np.array([[1.0, 0, 0], [0, 0, 0]]), 1)
    with pytest.raises(DataError, match="queries, row 1: the value is NaN or infinite"):
        kernels.target_match(matrix, np.array([[1.0, 0, 0], [np.nan, 0, 0]]), 1)
    with pytest.raises(DataError, match="shape"):
        kernels.target_match(matrix, np.ones(3), 1)
    with pytest.raises(UsageError, match="did you mean"):
        kernels.target_match(matrix, np.ones((1, 3)), 1, rule="meen")  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", ["round_robin", "max", "mean"])
def test_rows_are_matched_over_several_blocks(rule: Rule) -> None:
    rows, queries = many_rows(9001), many_rows(256).astype(np.float64)  # a power of two: their mean is exact
    found = kernels.target_match(Matrix.from_array(rows, metric="dot"), queries, Request(40, [8999]), rule=rule)
    picks, gains, takers = matched(rows.astype(np.float64) @ queries.T, 40, rule, [8999])
    assert (found.indices.tolist(), found.gains.tolist(), found.queries.tolist()) == (picks, gains, takers)
