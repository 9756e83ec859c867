from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.errors import DataError, UsageError


def reference(scores: NDArray[Any], k: int) -> list[int]:
    # Adding zero makes -0 and 0 the same; the sort is stable, so equal scores stay in row order.
    ranking: list[int] = np.argsort(-(scores.astype(np.float64) + 0.0), kind="stable").tolist()
    return ranking[:k]


@settings(deadline=None)
@given(data=st.data(), dtype=st.sampled_from(["float16", "float32", "float64", "int32", "uint8", ">f4", ">f8"]))
def test_top_k_is_a_stable_sort(data: st.DataObject, dtype: str) -> None:
    kind = np.dtype(dtype)
    elements: Any = st.integers(0, 5)
    if kind.kind == "f":
        few = st.sampled_from([-0.0, 0.0, 1.0, -1.0])
        elements = few | st.floats(-100, 100, width=16 if kind.itemsize == 2 else 32)
    scores = data.draw(arrays.arrays(kind, st.integers(0, 60), elements=elements))
    k = data.draw(st.integers(0, len(scores)))
    picks = kernels.top_k(scores, k)
    assert picks.dtype == np.int64
    assert picks.tolist() == reference(scores, k)


def test_other_layouts_are_taken() -> None:
    table = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    assert kernels.top_k(table[:, 1], 9).tolist() == reference(table[:, 1], 9)
    assert kernels.top_k(table[::-1, 2], 9).tolist() == reference(table[::-1, 2], 9)
    assert kernels.top_k([3, 1, 2], 2).tolist() == [0, 2]
    assert kernels.top_k(pa.array([3.0, 1.0, 2.0]), 2).tolist() == [0, 2]
    unaligned = np.frombuffer(b"x" + table.tobytes(), np.uint8)[1:].view(np.float32)
    assert kernels.top_k(unaligned, 5).tolist() == reference(table.ravel(), 5)
    frozen = table[:, 0].copy()
    frozen.flags.writeable = False
    assert kernels.top_k(frozen, 3).tolist() == reference(frozen, 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_first_bad_score_is_named(bad: float, dtype: type[np.floating[Any]]) -> None:
    scores = np.ones(10, dtype)
    scores[[4, 8]] = bad
    with pytest.raises(DataError, match="scores, row 4: the value is NaN or infinite") as refused:
        kernels.top_k(scores, 1)
    assert refused.value.where is not None
    assert refused.value.where.row == 4


def test_a_null_score_is_a_bad_score() -> None:
    with pytest.raises(DataError, match="row 1"):
        kernels.top_k(pa.array([1.0, None, 2.0]), 1)


@pytest.mark.parametrize("k", [-1, 4, 2**63, 1.0, True])
def test_k_is_between_none_and_all(k: object) -> None:
    with pytest.raises(UsageError):
        kernels.top_k(np.ones(3), k)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values", [np.ones((2, 2)), np.array(["a"]), np.array([1j]), np.array([True]), np.array(1.0), np.array([object()])]
)
def test_what_is_no_row_of_numbers_is_refused(values: NDArray[Any]) -> None:
    with pytest.raises(DataError):
        kernels.top_k(values, 1)


def test_whole_numbers_that_would_be_rounded_are_refused() -> None:
    assert kernels.top_k(np.array([2**53, -(2**53)]), 1).tolist() == [0]
    for value in (2**53 + 1, -(2**53) - 1):
        with pytest.raises(DataError, match="row 1: scores holds a whole number that float64 rounds"):
            kernels.top_k(np.array([0, value]), 1)
    with pytest.raises(DataError, match="row 0"):
        kernels.top_k(np.array([2**64 - 1], np.uint64), 1)


def test_threads_are_a_number_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.arange(9.0)
    monkeypatch.setenv("SAGE_THREADS", "2")
    assert kernels.top_k(scores, 1).tolist() == [8]
    for bad in ("0", "two", "-1", "1.5", "100000"):
        monkeypatch.setenv("SAGE_THREADS", bad)
        with pytest.raises(UsageError, match="SAGE_THREADS"):
            kernels.top_k(scores, 1)
        assert kernels.top_k(scores, 1, threads=1).tolist() == [8]
    monkeypatch.setenv("SAGE_THREADS", "")
    assert kernels.top_k(scores, 1).tolist() == [8]
    for bad_number in (0, -1, 1025, 1.0, True):
        with pytest.raises(UsageError, match="threads is out of range"):
            kernels.top_k(scores, 1, threads=bad_number)  # type: ignore[arg-type]
