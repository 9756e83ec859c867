"""Rows that left, and the two ways to number those that stay."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select import io
from sage_select.engine.frame import Frame, Scores
from sage_select.engine.local.source import frame_of
from sage_select.engine.repeats import Repeats
from sage_select.kernels import Matrix
from sage_select.render import ShapeOptions


def leaving(leaders: list[int]) -> tuple[np.ndarray, np.ndarray]:
    rows = np.array(leaders, np.int64)
    return rows, np.where(rows == np.arange(len(rows)), np.nan, 0.5).astype(np.float32)


def test_a_copy_of_a_row_that_leaves_later_repeats_what_that_one_repeats() -> None:
    repeats = Repeats.none(5, pa.chunked_array([["a", "b", "c", "d", "e"]]))
    exact = repeats.and_left(
        np.array([0, 1, 1, 3, 4]), np.array([np.nan, np.nan, 1, np.nan, np.nan], np.float32), near=False
    )
    assert exact.counts() == {"exact copy": 1}
    assert exact.rows.tolist() == [0, 1, 3, 4]
    # Row 1 of those that stay leaves for row 0, row 3 for row 2.
    near = exact.and_left(np.array([0, 0, 2, 2]), np.array([np.nan, 0.97, np.nan, 0.99], np.float32), near=True)
    assert near.leaders.tolist() == [0, 0, 0, 3, 3]
    np.testing.assert_array_equal(near.similarities, np.float32([np.nan, 0.97, 0.97, np.nan, 0.99]))
    assert near.counts() == {"near copy": 3}
    assert near.groups(1) == (2, [("a", 3)])
    assert near.groups(5) == (2, [("a", 3), ("d", 2)])
    assert [near.number(row) for row in range(5)] == [0, 0, 0, 1, 1]


@given(st.data())
def test_leaders_stay_whatever_leaves(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 12))
    repeats = Repeats.none(n, None)
    for near in (False, True, True):
        count = len(repeats.rows)
        stay = data.draw(st.lists(st.integers(0, count - 1), unique=True, min_size=1))
        leaders = [row if row in stay else data.draw(st.sampled_from(stay)) for row in range(count)]
        before = repeats
        repeats = repeats.and_left(*leaving(leaders), near=near)
        assert repeats.rows.tolist() == before.rows[sorted(stay)].tolist()
        assert repeats.stayed[repeats.leaders].all()
        np.testing.assert_array_equal(np.isnan(repeats.similarities), repeats.stayed)
        assert sum(repeats.counts().values()) == n - len(repeats.rows)
        # Whoever had one leader still has one.
        assert all(len(set(repeats.leaders[before.leaders == row])) == 1 for row in before.rows)


def test_a_frame_keeps_all_of_the_rows_that_stay() -> None:
    table = pa.concat_tables([pa.table({"text": ["a", "b"]}), pa.table({"text": ["c", "d"]})])
    frame = frame_of(io.from_object(table), ShapeOptions(), None)
    vectors = Matrix.from_array(np.arange(1, 9, dtype=np.float32).reshape(4, 2))
    full = Frame(
        n=4,
        rows=frame.rows,
        shape=frame.shape,
        ids=frame.ids,
        scores=Scores(np.arange(4, dtype=np.float32)),
        matrix=vectors,
    )
    less = full.without(*leaving([0, 0, 2, 3]), near=False).without(*leaving([0, 1, 0]), near=True)
    assert less.n == 2
    assert less.rows is not None
    assert less.ids is not None
    assert less.scores is not None
    assert less.matrix is not None
    assert less.rows.table["text"].to_pylist() == ["a", "c"]
    assert less.texts.to_pylist() == ["a", "c"]
    assert frame.ids is not None
    assert less.ids.to_pylist() == frame.ids.take([0, 2]).to_pylist()
    assert less.scores.values.tolist() == [0, 2]
    np.testing.assert_array_equal(less.matrix.take(np.arange(2)), vectors.take(np.array([0, 2])))
    assert less.input_rows(np.array([1, 0])).tolist() == [2, 0]
    assert less.repeats.leaders.tolist() == [0, 0, 2, 0]
    assert less.rows.where(1).row == 2


def test_nothing_leaves_and_nothing_is_copied() -> None:
    matrix = Matrix.from_array(np.eye(3, dtype=np.float32))
    frame = Frame(n=3, matrix=matrix)
    assert frame.without(*leaving([0, 1, 2]), near=True).matrix is matrix
    with pytest.raises(RuntimeError, match="no texts"):
        _ = frame.texts
