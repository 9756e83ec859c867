"""Rows that left, and the two ways to number those that stay."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stages import dataset

from sage_select.data import (
    EXACT_COPY,
    HELD_OUT_COLUMNS,
    HELD_OUT_ID,
    HELD_OUT_SAME,
    NEAR_COPY,
    Cause,
    Dataset,
    Lineage,
    Scores,
    Selected,
)
from sage_select.engine.local.row_report import row_report
from sage_select.errors import UsageError
from sage_select.kernels import Matrix

BAD = Cause("source", "nothing to train")


def leaving(leaders: list[int]) -> tuple[np.ndarray, np.ndarray]:
    rows = np.array(leaders, np.int64)
    return rows, np.where(rows == np.arange(len(rows)), np.nan, 0.5).astype(np.float32)


def test_a_copy_of_a_row_that_leaves_later_is_a_copy_of_what_that_one_is_a_copy_of() -> None:
    lineage = Lineage.of(5, pa.chunked_array([["a", "b", "c", "d", "e"]]))
    exact = lineage.drop_duplicates(
        np.array([0, 1, 1, 3, 4]), np.array([np.nan, np.nan, 1, np.nan, np.nan], np.float32), EXACT_COPY
    )
    assert exact.counts() == {EXACT_COPY: 1}
    assert exact.rows.tolist() == [0, 1, 3, 4]
    # Row 1 of those that stay leaves for row 0, row 3 for row 2.
    near = exact.drop_duplicates(np.array([0, 0, 2, 2]), np.array([np.nan, 0.97, np.nan, 0.99], np.float32), NEAR_COPY)
    assert near.representatives.tolist() == [0, 0, 0, 3, 3]
    np.testing.assert_array_equal(near.similarities, np.float32([np.nan, 0.97, 0.97, np.nan, 0.99]))
    assert near.counts() == {NEAR_COPY: 3}
    assert near.groups(1) == (2, [("a", 3)])
    assert near.groups(5) == (2, [("a", 3), ("d", 2)])
    assert [near.position(row) for row in range(5)] == [0, 0, 0, 1, 1]


def test_rows_that_repeat_held_out_rows_name_them_through_all_that_follows() -> None:
    told = pa.table(
        {"file": ["a", "a", "b"], "row": [0, 1, 0], "line": [1, 2, None], "first_words": ["x", "y", "z"]},
        schema=pa.schema(HELD_OUT_COLUMNS),
    )
    lineage = Lineage.of(5, None).drop_held_out(
        np.array([4, 1]), np.array([2, 1]), np.array([0.9, 1], np.float32), told, HELD_OUT_SAME
    )
    lineage = lineage.drop_held_out(np.array([0]), np.array([1]), np.float32([np.nan]), told, HELD_OUT_ID)
    lineage = lineage.drop_duplicates(np.array([0, 0]), np.float32([np.nan, 1]), EXACT_COPY)
    lineage = lineage.among(6, {2: BAD}, str)
    assert lineage.held_out is not None
    of, rows = lineage.held_out
    assert [None if place < 0 else rows["first_words"][place].as_py() for place in of] == [
        "y",
        "y",
        None,
        None,
        None,
        "z",
    ]
    assert rows.num_rows == 3
    np.testing.assert_array_equal(lineage.similarities, np.float32([np.nan, 1, np.nan, np.nan, 1, 0.9]))
    assert [lineage.cause(row) for row in range(6)] == [
        HELD_OUT_ID,
        HELD_OUT_SAME,
        BAD,
        None,
        EXACT_COPY,
        HELD_OUT_SAME,
    ]


@given(st.data())
def test_representatives_stay_whatever_leaves(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 12))
    lineage = Lineage.of(n, None)
    for near in (False, True, True):
        count = len(lineage.rows)
        if data.draw(st.booleans()) and count > 1:
            lone = np.flatnonzero(np.bincount(lineage.representatives, minlength=n)[lineage.rows] == 1)
            out = lone[: min(data.draw(st.integers(0, 2)), count - 1)]
            lineage = lineage.drop(lineage.rows[out], BAD)
            assert len(lineage.rows) == count - len(out)
            count -= len(out)
        stay = data.draw(st.lists(st.integers(0, count - 1), unique=True, min_size=1))
        leaders = [row if row in stay else data.draw(st.sampled_from(stay)) for row in range(count)]
        before = lineage
        lineage = lineage.drop_duplicates(*leaving(leaders), NEAR_COPY if near else EXACT_COPY)
        assert lineage.rows.tolist() == before.rows[sorted(stay)].tolist()
        assert lineage.stays[lineage.representatives[lineage.is_duplicate]].all()
        np.testing.assert_array_equal(np.isnan(lineage.similarities), ~lineage.is_duplicate)
        assert not (lineage.is_duplicate & lineage.stays).any()
        assert sum(lineage.counts().values()) == n - len(lineage.rows)
        # Whoever had one representative still has one.
        assert all(len(set(lineage.representatives[before.representatives == row])) == 1 for row in before.rows)


def test_a_frame_keeps_all_of_the_rows_that_stay() -> None:
    table = pa.concat_tables([pa.table({"text": ["a", "b"]}), pa.table({"text": ["c", "d"]})])
    data = dataset(table)
    vectors = Matrix.from_array(np.arange(1, 9, dtype=np.float32).reshape(4, 2))
    full = data.with_feature("scores", Scores(np.arange(4, dtype=np.float32))).with_feature("vectors", vectors)
    less = full.drop_duplicates(*leaving([0, 0, 2, 3]), EXACT_COPY).drop_duplicates(*leaving([0, 1, 0]), NEAR_COPY)
    assert less.n == 2
    assert less.rows is not None
    assert less.ids is not None
    assert less.scores is not None
    assert less.matrix is not None
    assert less.rows.table["text"].to_pylist() == ["a", "c"]
    assert less.texts.to_pylist() == ["a", "c"]
    assert data.ids is not None
    assert less.ids.to_pylist() == data.ids.take([0, 2]).to_pylist()
    assert less.scores.values.tolist() == [0, 2]
    np.testing.assert_array_equal(less.matrix.take(np.arange(2)), vectors.take(np.array([0, 2])))
    assert less.input_rows(np.array([1, 0])).tolist() == [2, 0]
    assert less.lineage.representatives.tolist() == [0, 0, 2, 0]
    assert less.rows.where(1).row == 2


def test_rows_that_leave_for_several_causes_leave_at_once() -> None:
    data = dataset(pa.table({"text": list("abcdef")})).drop(np.array([1]), BAD)
    one, other = Cause("mix", "one"), Cause("mix", "other")
    less = data.drop_for([(np.array([0, 3]), one), (np.array([False, False, False, False, True]), other)])
    assert less.texts.to_pylist() == ["c", "d"]
    assert less.lineage.counts() == data.drop(np.array([0, 3]), one).drop(np.array([2]), other).lineage.counts()
    assert [less.lineage.cause(row) for row in (0, 4, 5)] == [one, one, other]
    assert data.drop_for([(np.array([], np.int64), one)]) is data


def test_rows_that_are_dropped_are_counted_and_named() -> None:
    table = pa.table({"text": list("abcdab")})
    data = dataset(table)
    less = data.drop(np.array([2, 5]), BAD).drop_duplicates(*leaving([0, 1, 2, 0]), EXACT_COPY)
    less = less.drop(np.array([1]), Cause("score", "no finite number")).drop(np.array([], np.int64), NEAR_COPY)
    assert less.n == 2
    assert less.texts.to_pylist() == ["a", "d"]
    assert less.input_n == 6
    assert less.input_rows(np.array([0, 1])).tolist() == [0, 3]
    assert [str(less.lineage.cause(row) or "") for row in range(6)] == [
        "",
        "score: no finite number",
        "source: nothing to train",
        "",
        "dedup: exact copy",
        "source: nothing to train",
    ]
    assert {str(cause): count for cause, count in less.lineage.counts().items()} == {
        "source: nothing to train": 2,
        "dedup: exact copy": 1,
        "score: no finite number": 1,
    }
    assert less.position(4, "start") == 0
    with pytest.raises(UsageError, match="start names a row that left"):
        less.position(5, "start")
    with pytest.raises(UsageError, match="start names no row"):
        less.position(6, "start")
    picks = Selected("select", less, np.array([1]), np.full(1, np.nan, np.float32), (("random", 1),))
    report = row_report(less.select(picks), 0)
    assert report["stage"].to_pylist() == ["select", "score", "source", "select", "dedup", "source"]
    assert report["reason"].to_pylist() == [
        "not selected", "no finite number", "nothing to train", "random", "exact copy", "nothing to train"
    ]  # fmt: skip
    assert report["kept"].to_pylist() == [False, False, False, True, False, False]
    assert data.ids is not None
    assert report["duplicate_of"].to_pylist() == [None, None, None, None, data.ids[0].as_py(), None]


def test_nothing_leaves_and_nothing_is_copied() -> None:
    matrix = Matrix.from_array(np.eye(3, dtype=np.float32))
    data = Dataset(n=3).with_feature("vectors", matrix)
    assert data.drop_duplicates(*leaving([0, 1, 2]), NEAR_COPY).matrix is matrix
    with pytest.raises(RuntimeError, match="no texts"):
        _ = data.texts
