from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_cases import greedy, many_rows, tied

from sage_select import kernels
from sage_select.errors import DataError, UsageError
from sage_select.kernels import Matrix, Request


def herded(
    data: NDArray[Any], k: int, preselected: list[int], mean: NDArray[Any] | None = None
) -> tuple[list[int], list[float]]:
    """Herding by definition, in float64."""
    rows = data.astype(np.float64)
    mean = rows.mean(axis=0) if mean is None else mean
    return greedy(k, preselected, lambda taken: rows @ ((len(taken) + 1) * mean - rows[taken].sum(axis=0)))


@settings(deadline=None)
@given(case=tied())
def test_herding_is_its_formula(case: tuple[NDArray[np.float32], int, list[int]]) -> None:
    rows, k, preselected = case
    # 32 rows have an exact mean.
    data = np.concatenate([rows, np.zeros((32 - len(rows), rows.shape[1]), np.float32)])
    found = kernels.herding(Matrix.from_array(data, metric="dot"), Request(k, preselected))
    picks, gains = herded(data, k, preselected)
    assert found.method == "exact"
    assert found.indices.dtype == np.int64
    assert found.gains.dtype == np.float32
    assert found.indices.tolist() == picks
    assert found.gains.tolist() == gains


@settings(deadline=None)
@given(case=tied(), eighths=st.lists(st.integers(-24, 24), min_size=40, max_size=40))
def test_another_mean_may_be_followed(case: tuple[NDArray[np.float32], int, list[int]], eighths: list[int]) -> None:
    rows, k, preselected = case
    mean = np.array(eighths[: rows.shape[1]]) / 8
    found = kernels.herding(Matrix.from_array(rows, metric="dot"), Request(k, preselected), mean=mean)
    assert (found.indices.tolist(), found.gains.tolist()) == herded(rows, k, preselected, mean)


@pytest.mark.real_data
def test_rows_that_are_left_follow_the_mean_of_the_stream(shared_data: Path) -> None:
    stream = np.load(shared_data / "clinc150" / "train.minilm.npy")[:2000].astype(np.float64)
    stream /= np.linalg.norm(stream, axis=1, keepdims=True)
    mean, left = stream.mean(axis=0), stream[:700]
    matrix = Matrix.from_array(left)
    found = kernels.herding(matrix, 100, mean=mean).indices

    def off(chosen: Any) -> float:
        return float(np.linalg.norm(left[chosen].mean(axis=0) - mean))

    assert off(found) < off(kernels.herding(matrix, 100).indices)
    assert off(found) < off(np.arange(700))


def test_excluded_rows_are_part_of_the_mean() -> None:
    data = np.array([[4.0, 0.0], [0.0, 1.0], [1.0, 0.0], [3.0, 3.0]])
    matrix = Matrix.from_array(data, metric="dot")
    # The mean is (2, 1).
    assert kernels.herding(matrix, Request(1, excluded=[3])).gains.tolist() == [8.0]
    assert kernels.herding(matrix, Request(1, excluded=[3, 0])).indices.tolist() == [2]


@pytest.mark.real_data
def test_the_mean_of_real_picks_is_that_of_the_rows(shared_data: Path) -> None:
    rows = np.load(shared_data / "clinc150" / "train.minilm.npy")[::5].astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = kernels.herding(Matrix.from_array(rows), 200)

    def off(chosen: Any) -> float:
        return float(np.linalg.norm(rows[chosen].mean(axis=0) - rows.mean(axis=0)))

    random = np.random.default_rng(0).choice(len(rows), 200, replace=False)
    assert off(found.indices) < 0.3 * off(random)
    picks, gains = herded(rows, 40, [])
    assert found.indices[:40].tolist() == picks
    np.testing.assert_allclose(found.gains[:40], gains, rtol=1e-4)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="cosine or dot, not sqeuclidean"):
        kernels.herding(Matrix.from_array(np.eye(3), metric="sqeuclidean"), 1)
    large = Matrix.from_array(np.array([[6e18], [6e18], [-6e18], [-6e18], [-6e18]]), metric="dot")
    with pytest.raises(DataError, match="row 3: the values are too large"):
        kernels.herding(large, Request(1, [2, 3, 4]))
    with pytest.raises(UsageError, match="width of the mean must be 3, not 2"):
        kernels.herding(Matrix.from_array(np.eye(3)), 1, mean=[1, 2])
    with pytest.raises(UsageError, match="the mean is not finite"):
        kernels.herding(Matrix.from_array(np.eye(3)), 1, mean=[1, 2, np.nan])


def test_herding_over_several_blocks() -> None:
    rows = many_rows(8192)  # a power of two: their mean is exact
    found = kernels.herding(Matrix.from_array(rows, metric="dot"), Request(20, [5, 8000]))
    assert (found.indices.tolist(), found.gains.tolist()) == herded(rows, 20, [5, 8000])
