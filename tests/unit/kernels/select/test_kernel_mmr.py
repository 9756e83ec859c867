from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_cases import many_rows, tied

from sage_select import kernels
from sage_select.kernels import Matrix, Request


def marginal_relevance(
    rows: NDArray[Any], relevance: NDArray[Any], weight: float, k: int, preselected: list[int]
) -> tuple[list[int], list[float]]:
    """Maximal marginal relevance by definition, in float64."""
    taken, picks, gains = list(preselected), [], []
    for _ in range(k):
        likeness = (rows @ rows[taken].T).max(axis=1) if taken else np.zeros(len(rows))
        key = weight * relevance - (1 - weight) * likeness
        order = key.copy() if taken else relevance.astype(np.float64)
        order[taken] = -np.inf
        pick = int(order.argmax())
        picks.append(pick)
        gains.append(float(key[pick]))
        taken.append(pick)
    return picks, gains


@settings(deadline=None)
@given(case=tied(), weight=st.sampled_from([0.0, 0.25, 0.5, 1.0]), data=st.data())
def test_mmr_is_its_formula(
    case: tuple[NDArray[np.float32], int, list[int]], weight: float, data: st.DataObject
) -> None:
    rows, k, preselected = case
    relevance = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=len(rows), max_size=len(rows))), np.float64)
    found = kernels.mmr(Matrix.from_array(rows, metric="dot"), relevance, Request(k, preselected), weight=weight)
    picks, gains = marginal_relevance(rows.astype(np.float64), relevance, weight, k, preselected)
    assert found.method == "exact"
    assert found.indices.dtype == np.int64
    assert found.gains.dtype == np.float32
    assert found.indices.tolist() == picks
    assert found.gains.tolist() == gains


def test_mmr_over_several_blocks() -> None:
    rows, relevance = many_rows(9001), np.arange(9001.0) % 7
    found = kernels.mmr(Matrix.from_array(rows, metric="dot"), relevance, Request(40, [8999]))
    picks, gains = marginal_relevance(rows.astype(np.float64), relevance, 0.5, 40, [8999])
    assert (found.indices.tolist(), found.gains.tolist()) == (picks, gains)
