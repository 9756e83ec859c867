from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from numpy.typing import NDArray
from small_cases import tied

from sage_select import kernels
from sage_select.kernels import Matrix


def farthest_first(data: NDArray[Any], k: int, given: list[int], start: int = 0) -> tuple[list[int], list[float]]:
    """Farthest-first by definition, in float64."""
    distance = np.square(data[:, None].astype(np.float64) - data[None]).sum(axis=2)
    taken, picks, gains = list(given), [], []
    for _ in range(k):
        if taken:
            key = distance[:, taken].min(axis=1)
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
    data, k, given_rows = case
    start = len(data) - 1 if len(data) and not given_rows else None
    for first in {None, start}:
        found = kernels.k_center(Matrix.from_array(data, metric="sqeuclidean"), k, given=given_rows, start=first)
        picks, gains = farthest_first(data, k, given_rows, first or 0)
        assert found.indices.tolist() == picks
        np.testing.assert_array_equal(found.gains, np.array(gains, np.float32))
