"""Rows that come from one row are found by the ids of a build, or by what these are made of."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from sage_select.contamination import Origins
from sage_select.render import detect_shape


def origins(ids: list[str], parents: list[str | None]) -> Origins:
    return Origins(pa.array(ids, pa.string()), pa.array(parents, pa.string()))


@pytest.mark.parametrize(
    ("mine", "theirs", "found"),
    [
        (("child", "parent"), ("parent", None), 0),
        (("parent", None), ("child", "parent"), 0),
        (("one", "parent"), ("other", "parent"), 0),
        (("one", None), ("other", None), -1),
        (("one", None), ("one", None), -1),
        (("one", "a"), ("other", "b"), -1),
        # Row 7 of one file has nothing to do with row 7 of another.
        (("8", "7"), ("7", None), -1),
    ],
)
def test_kin_are_parents_children_and_those_of_one_parent(
    mine: tuple[str, str | None], theirs: tuple[str, str | None], found: int
) -> None:
    others = origins([theirs[0], "stranger"], [theirs[1], None])
    assert origins([mine[0]], [mine[1]]).related_to(others).tolist() == [found]


def test_a_row_that_never_was_in_a_build_has_the_id_that_it_would_have() -> None:
    table = pa.table({"question": ["a"], "answer": ["b"]})
    shape = detect_shape(table.schema)
    named = Origins.of(table, shape, None, named=True)
    made: dict[str, Any] = {
        "question": ["c"],
        "answer": ["b"],
        "sage_row_id": ["x"],
        "sage_parent_id": named.ids.to_pylist(),
    }
    child = pa.table(made)
    assert Origins.has_parents(child)
    assert not Origins.has_parents(table)
    assert Origins.of(child, shape, None, named=False).related_to(named).tolist() == [0]
    assert Origins.of(table, shape, None, named=False).ids.null_count == 1
