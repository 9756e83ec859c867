from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_cases import many_rows, tied

from sage_select import kernels
from sage_select.kernels import Matrix, Request


@settings(deadline=None)
@given(case=tied(), eps=st.sampled_from([0.01, 0.1, 2.0]), data=st.data())
def test_dpp_gains_are_rises_of_the_log_determinant(
    case: tuple[NDArray[np.float32], int, list[int]], eps: float, data: st.DataObject
) -> None:
    rows, k, preselected = case
    quality = np.array(data.draw(st.lists(st.integers(1, 3), min_size=len(rows), max_size=len(rows))), np.float64)
    wide = rows.astype(np.float64)
    kernel = quality[:, None] * (wide @ wide.T + eps * np.eye(len(rows))) * quality

    def value(chosen: list[int]) -> float:
        return float(np.linalg.slogdet(kernel[np.ix_(chosen, chosen)])[1])

    found = kernels.ridge_dpp(Matrix.from_array(rows, metric="dot"), Request(k, preselected), quality=quality, eps=eps)
    chosen = list(preselected)
    for pick, gain in zip(found.indices.tolist(), found.gains.tolist(), strict=True):
        rises = {row: value([*chosen, row]) - value(chosen) for row in range(len(rows)) if row not in chosen}
        assert gain == pytest.approx(rises[pick], abs=0.02)
        assert rises[pick] > max(rises.values()) - 0.02
        chosen.append(pick)
    assert all(a >= b for a, b in itertools.pairwise(found.gains.tolist()))


def test_dpp_over_several_blocks() -> None:
    rows = many_rows(9001)
    wide = rows.astype(np.float64)
    chosen = [8999]
    found = kernels.ridge_dpp(Matrix.from_array(rows, metric="dot"), Request(20, chosen), eps=0.5)
    for pick, gain in zip(found.indices.tolist(), found.gains.tolist(), strict=True):
        # By the determinant lemma a row raises it by what the rows chosen do not explain of it.
        inside = wide[chosen] @ wide[chosen].T + 0.5 * np.eye(len(chosen))
        beside = wide @ wide[chosen].T
        explained = np.einsum("nc,cn->n", beside, np.linalg.solve(inside, beside.T))
        rises = np.log(np.square(wide).sum(axis=1) + 0.5 - explained)
        rises[chosen] = -np.inf
        assert gain == pytest.approx(rises[pick], abs=0.02)
        assert rises[pick] > rises.max() - 0.02
        chosen.append(pick)
