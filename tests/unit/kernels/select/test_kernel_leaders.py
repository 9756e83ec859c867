from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_cases import many_rows, tied

from sage_select import kernels
from sage_select.errors import DataError, UsageError
from sage_select.kernels import Matrix


def led(
    near: NDArray[Any], order: list[int], threshold: float, always: int, seen: NDArray[np.bool_]
) -> list[tuple[int, float]]:
    """The leader rule by definition: of each row in the order its leader, and how similar the two are."""
    kept: list[int] = []
    found: list[tuple[int, float]] = []
    for place, row in enumerate(order):
        met = [other for other in kept if place >= always and seen[row, other] and near[row, other] >= threshold]
        if met:
            # The most similar, the lowest of equal ones.
            leader = min(met, key=lambda other: (-near[row, other], other))
            found.append((leader, near[row, leader]))
        else:
            kept.append(row)
            found.append((row, np.nan))
    return found


@settings(deadline=None)
@given(case=tied(), threshold=st.floats(0, 1), count=st.integers(0, 3), data=st.data())
def test_rows_have_the_leaders_of_the_rule(
    case: tuple[NDArray[np.float32], int, list[int]], threshold: float, count: int, data: st.DataObject
) -> None:
    rows = np.concatenate([np.ones((len(case[0]), 1), np.float32), case[0]], axis=1)
    n, d = rows.shape
    order = data.draw(st.permutations(range(n)))[: data.draw(st.integers(0, n))]
    always = data.draw(st.integers(0, len(order)))
    matrix = Matrix.from_array(rows)
    unit = matrix.take(np.arange(n)).astype(np.float64)
    near = unit @ unit.T
    # The kernel's similarities are float32: no threshold between the two roundings.
    threshold = float(np.float32(threshold)) + 1e-4
    threshold += 2e-4 if np.abs(near - threshold).min(initial=1) < 2e-5 else 0.0
    near = near.round(5)
    centroids = np.eye(d, dtype=np.float32)[:count]
    seen = np.ones((n, n), np.bool_)
    if count:
        # The nearest of unit axes is that of the largest value; the first of equal ones.
        nearest = np.argmax(unit[:, :count], axis=1)
        seen = nearest[:, None] == nearest[None, :]
    found = kernels.leaders(matrix, order, threshold=threshold, always=always, centroids=centroids if count else None)
    assert_led(found, order, near, led(near, order, threshold, always, seen))


def assert_led(found: kernels.Led, order: list[int], near: NDArray[Any], expected: list[tuple[int, float]]) -> None:
    assert found.leaders.dtype == np.int64
    assert found.similarities.dtype == np.float32
    for entry, row in enumerate(order):
        # Two that are equally similar but for rounding may both be the most similar.
        leader, other = expected[entry][0], int(found.leaders[entry])
        stays = row in (leader, other)
        assert leader == other or (not stays and abs(near[row, leader] - near[row, other]) < 3e-5)
    np.testing.assert_allclose(found.similarities, [similarity for _, similarity in expected], atol=2e-5)


def test_the_answer_does_not_depend_on_threads() -> None:
    random = np.random.default_rng(3)
    rows = random.normal(size=(3000, 48)) + 2 * random.normal(size=(300, 48))[random.integers(0, 300, 3000)]
    matrix = Matrix.from_array(rows.astype(np.float32))
    one, two, many = (
        kernels.leaders(matrix, np.arange(3000)[::-1], threshold=0.8, threads=threads) for threads in (1, 2, 7)
    )
    assert 300 < (one.leaders == np.arange(3000)[::-1]).sum() < 2900
    for other in (two, many):
        np.testing.assert_array_equal(one.leaders, other.leaders)
        np.testing.assert_array_equal(one.similarities, other.similarities)
        assert one.evaluations == other.evaluations


def test_cells_tell_what_they_hide() -> None:
    rows = np.random.default_rng(0).normal(size=(500, 6)).astype(np.float32)
    order = np.arange(500)
    matrix = Matrix.from_array(rows)
    every = kernels.leaders(matrix, order, threshold=0.95, centroids=rows[:5], probe=5)
    one = kernels.leaders(matrix, order, threshold=0.95, centroids=rows[:5], probe=1)
    np.testing.assert_array_equal(every.leaders, kernels.leaders(matrix, order, threshold=0.95).leaders)
    assert every.recall == 1
    assert 0.3 < one.recall < 1
    assert (one.leaders == order).sum() > (every.leaders == order).sum()


def test_wrong_arguments_are_refused() -> None:
    matrix = Matrix.from_array(np.eye(3))
    for threshold in (np.nan, np.inf, "near"):
        with pytest.raises(UsageError, match="threshold"):
            kernels.leaders(matrix, [0], threshold=threshold)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="row number 3 does not exist: there are 3 rows"):
        kernels.leaders(matrix, [0, 3], threshold=0.5)
    with pytest.raises(UsageError, match="the row is named twice"):
        kernels.leaders(matrix, [1, 1], threshold=0.5)
    with pytest.raises(UsageError, match="2 rows are always kept, and the order holds 1"):
        kernels.leaders(matrix, [1], threshold=0.5, always=2)
    with pytest.raises(UsageError, match="cosine"):
        kernels.leaders(Matrix.from_array(np.eye(3), metric="dot"), [1], threshold=0.5)
    with pytest.raises(UsageError, match="probe"):
        kernels.leaders(matrix, [1], threshold=0.5, centroids=np.eye(3), probe=0)
    with pytest.raises(DataError, match="centroids"):
        kernels.leaders(matrix, [1], threshold=0.5, centroids=np.eye(2))
    with pytest.raises(DataError, match="whole numbers"):
        kernels.leaders(matrix, [0.5], threshold=0.5)


def test_leaders_over_several_blocks() -> None:
    rows = many_rows(2600)
    rows[~rows.any(axis=1)] = 1
    matrix = Matrix.from_array(rows)
    unit = matrix.take(np.arange(2600)).astype(np.float64)
    near = (unit @ unit.T).round(5)
    order = np.random.default_rng(0).permutation(2600).tolist()
    expected = led(near, order, 0.90001, 3, np.ones((2600, 2600), np.bool_))
    assert 600 < sum(row == leader for row, (leader, _) in zip(order, expected, strict=True)) < 2000
    assert_led(kernels.leaders(matrix, order, threshold=0.90001, always=3), order, near, expected)
