from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.errors import DataError, UsageError
from sage_select.kernels import Matrix

FLOATS = [np.float16, np.float32, np.float64]


def rows(n: int = 6, d: int = 5) -> np.ndarray[Any, Any]:
    return np.random.default_rng(2).integers(-4, 5, (n, d)) + 0.5


def cells(matrix: Matrix, centroids: Any) -> list[int]:
    found: list[int] = kernels.assign_cells(matrix, np.asarray(centroids, np.float32)).tolist()
    return found


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("swap", [False, True])
def test_every_float_type_and_layout_gives_the_same_rows(dtype: type, order: Any, swap: bool) -> None:
    data: NDArray[Any] = np.asarray(rows(), dtype, order=order)
    data = data.astype(data.dtype.newbyteorder()) if swap else data
    for view in (data, data[::-1][::-1], np.repeat(data, 2, axis=1)[:, ::2]):
        matrix = Matrix.from_array(view, metric="sqeuclidean")
        assert (matrix.n, matrix.d, len(matrix)) == (6, 5, 6)
        assert cells(matrix, rows()) == list(range(6))


@pytest.mark.parametrize("dtype", FLOATS)
def test_arrow_lists_give_the_same_rows(dtype: type) -> None:
    flat = pa.array(rows().astype(dtype).ravel())
    column = pa.FixedSizeListArray.from_arrays(flat, 5)
    assert cells(Matrix.from_array(column, metric="sqeuclidean"), rows()) == list(range(6))
    assert cells(Matrix.from_array(column.slice(2, 3), metric="sqeuclidean"), rows()) == [2, 3, 4]
    chunks = pa.chunked_array([column.slice(4), column.slice(0, 1)])
    assert cells(Matrix.from_array(chunks, metric="sqeuclidean"), rows()) == [4, 5, 0]
    assert Matrix.from_array(chunks.slice(0, 0), metric="dot").n == 0
    assert Matrix.from_array(pa.chunked_array([], column.type), metric="dot").n == 0
    assert Matrix.from_array(pa.array([], pa.list_(flat.type)), metric="dot").n == 0


def test_rows_for_cosine_have_length_one() -> None:
    data = rows()
    unit = data / np.linalg.norm(data, axis=1, keepdims=True)
    matrix = Matrix.from_array(data * np.array([[1], [2], [1e30], [1e-30], [5], [0.1]]))
    # The squared distance to the nearest other row tells the length: each row is nearest to its own direction.
    assert cells(matrix, unit) == list(range(6))
    picks = kernels.k_center(matrix, kernels.Request(5, [0]))
    distances = np.square(unit[:, None] - unit[None]).sum(axis=2)
    assert picks.gains[0] == pytest.approx(distances[0].max(), rel=1e-5)


def unit_rows(n: int = 6, d: int = 5) -> NDArray[np.float32]:
    """Rows of length 1 that nobody writes to."""
    data = rows(n, d)
    unit = (data / np.linalg.norm(data, axis=1, keepdims=True)).astype(np.float32)
    unit.flags.writeable = False
    return unit


def lists(data: NDArray[Any]) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(data.ravel()), data.shape[1])


def mapped(data: NDArray[Any], folder: Path) -> NDArray[Any]:
    np.save(folder / "rows.npy", data)
    array: NDArray[Any] = np.load(folder / "rows.npy", mmap_mode="r")
    return array


def held(matrix: Matrix) -> NDArray[np.float32]:
    return matrix.take(np.arange(matrix.n))


#: Ways that rows come in, and whether float32 rows that need no change are used where they lie.
WAYS: dict[str, tuple[Callable[[NDArray[Any], Path], Any], bool]] = {
    "writable": (lambda data, _folder: data.copy(), False),
    "read-only": (lambda data, _folder: data, True),
    "strided": (lambda data, _folder: np.repeat(data, 2, axis=1)[:, ::2], True),
    "mapped": (mapped, True),
    "one chunk": (lambda data, _folder: lists(data), True),
    "sliced": (lambda data, _folder: lists(np.vstack([data, data])).slice(len(data)), True),
    "slices of one": (lambda data, _folder: pa.chunked_array([lists(data)[:2], lists(data)[2:]]), True),
    "chunks": (lambda data, _folder: pa.chunked_array([lists(data[:2]), lists(data[2:2]), lists(data[2:])]), False),
    "list": (
        lambda data, _folder: pa.ListArray.from_arrays(range(0, data.size + 1, data.shape[1]), data.ravel()),
        True,
    ),
    "large list": (lambda data, _folder: lists(data).cast(pa.large_list(pa.from_numpy_dtype(data.dtype))), True),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("metric", ["cosine", "dot", "sqeuclidean"])
def test_rows_that_need_no_change_are_used_where_they_lie(way: str, metric: Any, tmp_path: Path) -> None:
    bring, in_place = WAYS[way]
    unit = unit_rows()
    matrix = Matrix.from_array(bring(unit, tmp_path), metric=metric)
    assert matrix.borrowed == in_place
    assert held(matrix).tobytes() == unit.tobytes()
    for dtype in (np.float16, np.float64):
        other = Matrix.from_array(bring(unit.astype(dtype), tmp_path), metric=metric)
        assert not other.borrowed
        assert held(other) == pytest.approx(unit, abs=1e-3 if dtype == np.float16 else 1e-7)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_rows_of_another_length_are_scaled_the_same_whatever_way_they_come(
    way: str, dtype: Any, tmp_path: Path
) -> None:
    data = unit_rows().astype(dtype)
    data[4] *= 3
    data.flags.writeable = False
    matrix = Matrix.from_array(WAYS[way][0](data, tmp_path))
    assert not matrix.borrowed
    assert held(matrix).tobytes() == held(Matrix.from_array(data.astype(np.float32))).tobytes()
    assert np.linalg.norm(held(matrix).astype(np.float64), axis=1) == pytest.approx(np.ones(6), abs=1e-7)


def test_a_row_stays_as_it_is_where_its_length_is_near_enough_to_one() -> None:
    # Their squared lengths are 1 + 0.75 * 2**-20 and 1 + 1.25 * 2**-20.
    near, far = (np.float32(1 + steps * 2.0**-23) for steps in (3, 5))
    data = np.diag([near, far])
    assert held(Matrix.from_array(data)).tolist() == [[near, 0], [0, 1]]
    assert Matrix.from_array(lists(data[:1])).borrowed
    assert not Matrix.from_array(lists(data)).borrowed


@given(seed=st.integers(0, 999), size=st.floats(1e-30, 1e30), d=st.integers(1, 70))
def test_rows_that_were_scaled_once_are_not_scaled_again(seed: int, size: float, d: int) -> None:
    data = (np.random.default_rng(seed).normal(size=(20, d)) * size).astype(np.float32)
    once = held(Matrix.from_array(data))
    once.flags.writeable = False
    again = Matrix.from_array(once)
    assert again.borrowed
    assert held(again).tobytes() == once.tobytes()


def test_slices_of_one_array_in_order_are_one() -> None:
    whole = lists(unit_rows())
    in_order = pa.chunked_array([whole[:2], whole[2:2], whole[2:3], whole[3:]])
    assert Matrix.from_array(in_order).borrowed
    for chunks in ([whole[2:], whole[:2]], [whole[:2], whole[3:]], [whole[:3], whole[2:]]):
        matrix = Matrix.from_array(pa.chunked_array(chunks))
        assert not matrix.borrowed
        expected = np.concatenate([chunk.flatten().to_numpy() for chunk in chunks])
        assert held(matrix).tobytes() == expected.tobytes()


def test_memory_that_the_caller_writes_to_is_copied() -> None:
    writable = rows().astype(np.float32)
    copied = Matrix.from_array(writable, metric="dot")
    before = kernels.facility_location(copied, 3).indices.tolist()
    writable[:] = np.nan
    assert kernels.facility_location(copied, 3).indices.tolist() == before


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc to tell the peak")
@pytest.mark.parametrize(
    ("chunks", "dtype", "scale", "most"),
    [(1, "f4", 1, 0.2), (1, "f4", 2, 1.2), (8, "f4", 1, 1.2), (8, "f4", 2, 1.2), (8, "f2", 1, 1.2), (8, "f8", 1, 1.2)],
)
def test_no_more_than_one_copy_is_made(chunks: int, dtype: str, scale: float, most: float) -> None:
    """The peak of resident memory rises by at most one float32 copy, by nothing where rows are used in place."""
    program = (
        "import sys, pathlib, numpy as np, pyarrow as pa; from sage_select.kernels import Matrix\n"
        "chunks, dtype, scale = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]); n, d = 32768, 512\n"
        "def peak():\n"
        "    text = pathlib.Path('/proc/self/status').read_text()\n"
        "    return int(text.split('VmHWM:')[1].split()[0]) * 1024\n"
        "def chunk():\n"
        "    flat = np.zeros(n // chunks * d, dtype); flat[::d] = scale; flat[1::d] = 0\n"
        "    return pa.FixedSizeListArray.from_arrays(pa.array(flat), d)\n"
        "rows = pa.chunked_array([chunk() for _ in range(chunks)])\n"
        "Matrix.from_array(rows.slice(0, 1)); before = peak()\n"
        "matrix = Matrix.from_array(rows); print((peak() - before) / (4 * n * d))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(chunks), dtype, str(scale)], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < most


def test_borrowed_memory_outlives_its_array() -> None:
    frozen = rows(2000, 64).astype(np.float32)
    frozen.flags.writeable = False
    matrix = Matrix.from_array(frozen, metric="dot")
    expected = kernels.facility_location(matrix, 5).indices.tolist()
    del frozen
    scribble = [np.full((2000, 64), np.nan, np.float32) for _ in range(4)]
    assert kernels.facility_location(matrix, 5).indices.tolist() == expected
    assert len(scribble) == 4


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("metric", ["cosine", "dot", "sqeuclidean"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_bad_row_is_named(dtype: type, metric: Any, bad: float) -> None:
    data: NDArray[Any] = rows(9).astype(dtype)
    data[4, 2] = data[7, 0] = bad
    with pytest.raises(DataError, match=r"vectors\.npy, row 4: the value is NaN or infinite"):
        Matrix.from_array(data, metric=metric, name="vectors.npy")


def test_rows_without_direction_are_refused_for_cosine_only() -> None:
    data = rows(9)
    data[3] = 0
    with pytest.raises(DataError, match="embeddings, row 3: the row is all zeros in float32"):
        Matrix.from_array(data)
    assert Matrix.from_array(data, metric="dot").n == 9


def test_values_beyond_float32_are_refused() -> None:
    data = rows(3)
    data[2, 1] = 1e39
    with pytest.raises(DataError, match="row 2: the values are too large"):
        Matrix.from_array(data)
    data[2, 1] = 1e30
    assert Matrix.from_array(data).n == 3
    with pytest.raises(DataError, match="row 2: the values are too large"):
        Matrix.from_array(data, metric="dot")


def test_nulls_are_named() -> None:
    kind = pa.list_(pa.float32(), 2)
    with pytest.raises(DataError, match="embeddings, row 1: the embedding is null"):
        Matrix.from_array(pa.array([[1, 2], None, [3, 4]], kind))
    with pytest.raises(DataError, match="embeddings, row 2: the embedding is null or holds a null"):
        Matrix.from_array(pa.array([[1, 2], [0, 1], [3, None]], kind))
    with pytest.raises(DataError, match="row 1"):
        Matrix.from_array(pa.array([[1, 2], [0, 1], [3, None]], kind).slice(1))
    chunks = pa.chunked_array([pa.array([[1, 2], [3, 4]], kind), pa.array([[5, 6], [7, None]], kind)])
    with pytest.raises(DataError, match="row 3"):
        Matrix.from_array(chunks)
    with pytest.raises(DataError, match="row 2"):
        Matrix.from_array(chunks.cast(pa.list_(pa.float64())).slice(1))


def test_lists_of_another_length_are_named() -> None:
    chunks = pa.chunked_array([[[1.0, 2.0]], [[3.0, 4.0], [5.0]]])
    with pytest.raises(
        DataError, match=r"row 2: embeddings have different lengths\n  expected: 2 .*\n  got: 1 numbers"
    ):
        Matrix.from_array(chunks)


@pytest.mark.parametrize(
    "array",
    [
        np.ones(3),
        np.ones((2, 2, 2)),
        np.ones((3, 0)),
        np.ones((2, 2), int),
        np.ones((2, 2), complex),
        np.ones((2, 2), np.longdouble),
        np.array([["a"]]),
        [[1.0, 2.0], [3.0, "x"]],
        pa.array([1.0]),
        pa.array([[1.0], [2.0, 3.0]]),
        pa.array([[], []], pa.list_(pa.float32())),
        pa.array([[], []], pa.list_(pa.float32(), 0)),
        pa.array([["a"]], pa.list_(pa.string(), 1)),
        pa.array([[1]], pa.list_(pa.int8(), 1)),
    ],
)
def test_what_is_no_matrix_is_refused(array: Any) -> None:
    with pytest.raises(DataError):
        Matrix.from_array(array)


def test_an_unknown_metric_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'cosine'"):
        Matrix.from_array(rows(), metric="cosin")  # type: ignore[arg-type]


def test_no_rows_are_a_matrix() -> None:
    matrix = Matrix.from_array(np.empty((0, 4), np.float32))
    assert (matrix.n, matrix.d) == (0, 4)
    assert repr(matrix) == "Matrix('embeddings', n=0, d=4, metric='cosine')"


def test_the_instruction_set_has_a_name() -> None:
    assert kernels.instruction_set() in {"portable", "avx2", "avx512"}
