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


def representatives(
    near: NDArray[Any], order: list[int], threshold: float, protected_prefix: int, admitted: NDArray[np.bool_]
) -> list[tuple[int, float]]:
    """The leader algorithm by definition: the representative of each row in the order, and how similar the two are."""
    earlier: list[int] = []
    found: list[tuple[int, float]] = []
    for place, row in enumerate(order):
        near_ones = [
            other
            for other in earlier
            if place >= protected_prefix and admitted[row, other] and near[row, other] >= threshold
        ]
        if near_ones:
            # The most similar, the lowest of equal ones.
            representative = min(near_ones, key=lambda other: (-near[row, other], other))
            found.append((representative, near[row, representative]))
        else:
            earlier.append(row)
            found.append((row, np.nan))
    return found


@settings(deadline=None)
@given(case=tied(), threshold=st.floats(0, 1), count=st.integers(0, 3), data=st.data())
def test_rows_have_the_representatives_of_the_definition(
    case: tuple[NDArray[np.float32], int, list[int]], threshold: float, count: int, data: st.DataObject
) -> None:
    rows = np.concatenate([np.ones((len(case[0]), 1), np.float32), case[0]], axis=1)
    n, d = rows.shape
    order = data.draw(st.permutations(range(n)))[: data.draw(st.integers(0, n))]
    protected_prefix = data.draw(st.integers(0, len(order)))
    matrix = Matrix.from_array(rows)
    unit = matrix.take(np.arange(n)).astype(np.float64)
    near = unit @ unit.T
    # The kernel's similarities are float32: no threshold between the two roundings.
    threshold = float(np.float32(threshold)) + 1e-4
    threshold += 2e-4 if np.abs(near - threshold).min(initial=1) < 2e-5 else 0.0
    near = near.round(5)
    centroids = np.eye(d, dtype=np.float32)[:count]
    admitted = np.ones((n, n), np.bool_)
    if count:
        # The nearest of unit axes is that of the largest value; the first of equal ones.
        nearest = np.argmax(unit[:, :count], axis=1)
        admitted = nearest[:, None] == nearest[None, :]
    found = kernels.near_duplicates(
        matrix, order, threshold=threshold, protected_prefix=protected_prefix, centroids=centroids if count else None
    )
    assert_found(found, order, near, representatives(near, order, threshold, protected_prefix, admitted))


def assert_found(
    found: kernels.NearDuplicates, order: list[int], near: NDArray[Any], expected: list[tuple[int, float]]
) -> None:
    assert found.representatives.dtype == np.int64
    assert found.similarities.dtype == np.float32
    for entry, row in enumerate(order):
        # Two that are equally similar but for rounding may both be the most similar.
        representative, other = expected[entry][0], int(found.representatives[entry])
        stays = row in (representative, other)
        assert representative == other or (not stays and abs(near[row, representative] - near[row, other]) < 3e-5)
    np.testing.assert_allclose(found.similarities, [similarity for _, similarity in expected], atol=2e-5)


def test_a_similarity_at_the_threshold_is_near() -> None:
    # Of these rows similarities are exact: 1 and 0.5.
    matrix = Matrix.from_array(np.array([[1.0, 0, 0, 0], [1, 0, 0, 0], [0.5, 0.5, 0.5, 0.5]]))
    for threshold, expected in ((1.0, [0, 0, 2]), (0.5, [0, 0, 0]), (float(np.nextafter(0.5, 1)), [0, 0, 2])):
        assert kernels.near_duplicates(matrix, [0, 1, 2], threshold=threshold).representatives.tolist() == expected


def test_the_answer_does_not_depend_on_threads() -> None:
    random = np.random.default_rng(3)
    rows = random.normal(size=(3000, 48)) + 2 * random.normal(size=(300, 48))[random.integers(0, 300, 3000)]
    matrix = Matrix.from_array(rows.astype(np.float32))
    one, two, many = (
        kernels.near_duplicates(matrix, np.arange(3000)[::-1], threshold=0.8, threads=threads) for threads in (1, 2, 7)
    )
    assert 300 < (one.representatives == np.arange(3000)[::-1]).sum() < 2900
    for other in (two, many):
        np.testing.assert_array_equal(one.representatives, other.representatives)
        np.testing.assert_array_equal(one.similarities, other.similarities)
        assert one.evaluations == other.evaluations


def test_the_recall_tells_which_share_the_cells_admit() -> None:
    rows = np.random.default_rng(0).normal(size=(500, 6)).astype(np.float32)
    order = np.arange(500)
    matrix = Matrix.from_array(rows)
    every = kernels.near_duplicates(matrix, order, threshold=0.95, centroids=rows[:5], probe=5)
    one = kernels.near_duplicates(matrix, order, threshold=0.95, centroids=rows[:5], probe=1)
    np.testing.assert_array_equal(
        every.representatives, kernels.near_duplicates(matrix, order, threshold=0.95).representatives
    )
    assert every.recall == 1
    assert 0.3 < one.recall < 1
    assert (one.representatives == order).sum() > (every.representatives == order).sum()


def test_wrong_arguments_are_refused() -> None:
    matrix = Matrix.from_array(np.eye(3))
    for threshold in (np.nan, np.inf, "near"):
        with pytest.raises(UsageError, match="threshold"):
            kernels.near_duplicates(matrix, [0], threshold=threshold)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="row number 3 does not exist: there are 3 rows"):
        kernels.near_duplicates(matrix, [0, 3], threshold=0.5)
    with pytest.raises(UsageError, match="the row is named twice"):
        kernels.near_duplicates(matrix, [1, 1], threshold=0.5)
    with pytest.raises(UsageError, match="2 rows are protected, and the order holds 1"):
        kernels.near_duplicates(matrix, [1], threshold=0.5, protected_prefix=2)
    with pytest.raises(UsageError, match="cosine"):
        kernels.near_duplicates(Matrix.from_array(np.eye(3), metric="dot"), [1], threshold=0.5)
    with pytest.raises(UsageError, match="probe"):
        kernels.near_duplicates(matrix, [1], threshold=0.5, centroids=np.eye(3), probe=0)
    with pytest.raises(DataError, match="centroids"):
        kernels.near_duplicates(matrix, [1], threshold=0.5, centroids=np.eye(2))
    with pytest.raises(DataError, match="whole numbers"):
        kernels.near_duplicates(matrix, [0.5], threshold=0.5)


def test_representatives_over_several_blocks() -> None:
    rows = many_rows(2600)
    rows[~rows.any(axis=1)] = 1
    matrix = Matrix.from_array(rows)
    unit = matrix.take(np.arange(2600)).astype(np.float64)
    near = (unit @ unit.T).round(5)
    order = np.random.default_rng(0).permutation(2600).tolist()
    expected = representatives(near, order, 0.90001, 3, np.ones((2600, 2600), np.bool_))
    assert 600 < sum(row == representative for row, (representative, _) in zip(order, expected, strict=True)) < 2000
    assert_found(kernels.near_duplicates(matrix, order, threshold=0.90001, protected_prefix=3), order, near, expected)
