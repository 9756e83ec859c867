from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_cases import many_rows, tied

from sage_select import kernels
from sage_select.errors import UsageError
from sage_select.kernels import Matrix


@settings(deadline=None)
@given(
    case=tied().filter(lambda case: len(case[0]) > 1),
    metric=st.sampled_from(["dot", "sqeuclidean"]),
    by_distance=st.booleans(),
    include_self=st.booleans(),
    data=st.data(),
)
def test_the_nearest_member_by_its_definition(
    case: tuple[NDArray[np.float32], int, list[int]],
    metric: Literal["dot", "sqeuclidean"],
    by_distance: bool,
    include_self: bool,
    data: st.DataObject,
) -> None:
    values = case[0].astype(np.float64)
    numbers = st.integers(0, len(values) - 1)
    rows = data.draw(st.lists(numbers, max_size=9))
    members = data.draw(st.lists(numbers, unique=True, min_size=2))
    distances = np.square(values[:, None] - values[None]).sum(axis=2)
    far = distances if by_distance or metric == "sqeuclidean" else -values @ values.T
    matrix = Matrix.from_array(case[0], metric=metric)
    found = kernels.nearest_members(matrix, rows, members, include_self=include_self, by_distance=by_distance)
    expected = [
        min((far[row, other], at) for at, other in enumerate(members) if include_self or other != row) for row in rows
    ]
    assert found.members.dtype == np.int64
    assert found.values.dtype == np.float32
    assert found.members.tolist() == [members[at] for _, at in expected]
    assert np.abs(found.values).tolist() == [abs(value) for value, _ in expected]


def test_what_does_not_fit_is_refused() -> None:
    matrix = Matrix.from_array(np.eye(3))
    for rows, members, message in (
        ([3], [0], "row number 3 does not exist: there are 3 rows"),
        ([0], [-1], "row number -1 is negative"),
        ([0], [1, 1], "named twice"),
        ([0], [], "there must be a member to compare each row with"),
    ):
        with pytest.raises(UsageError, match=message):
            kernels.nearest_members(matrix, rows, members)
    with pytest.raises(UsageError, match="there must be a member"):
        kernels.nearest_members(matrix, [0, 1], [1], include_self=False)
    assert kernels.nearest_members(matrix, [], []).members.shape == (0,)


def test_progress_counts_members_and_what_it_raises_stops_the_work() -> None:
    matrix = Matrix.from_array(np.random.default_rng(0).normal(size=(9000, 8)))
    heard: list[tuple[int, int]] = []
    kernels.nearest_members(matrix, range(500), range(9000), progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (9000, 9000)

    def give_up(_done: int, _total: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        kernels.nearest_members(matrix, range(500), range(9000), progress=give_up)


@pytest.mark.parametrize("include_self", [True, False])
def test_the_nearest_of_several_blocks_of_members(include_self: bool) -> None:
    rows = many_rows(9001)
    near = rows[:300].astype(np.float64) @ rows.T
    if not include_self:
        near[np.arange(300), np.arange(300)] = -np.inf
    # From the last row to the first: the earliest of equal members is not the lowest row.
    members = np.arange(9001)[::-1]
    found = kernels.nearest_members(
        Matrix.from_array(rows, metric="dot"), range(300), members, include_self=include_self
    )
    assert found.members.tolist() == members[near[:, members].argmax(axis=1)].tolist()
    assert found.values.tolist() == near.max(axis=1).tolist()
