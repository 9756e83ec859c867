from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
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
    lists = pa.FixedSizeListArray.from_arrays(flat, 5)
    assert cells(Matrix.from_array(lists, metric="sqeuclidean"), rows()) == list(range(6))
    assert cells(Matrix.from_array(lists.slice(2, 3), metric="sqeuclidean"), rows()) == [2, 3, 4]
    chunks = pa.chunked_array([lists.slice(4), lists.slice(0, 1)])
    assert cells(Matrix.from_array(chunks, metric="sqeuclidean"), rows()) == [4, 5, 0]
    assert Matrix.from_array(chunks.slice(0, 0), metric="dot").n == 0
    assert Matrix.from_array(pa.chunked_array([], lists.type), metric="dot").n == 0


def test_rows_for_cosine_have_length_one() -> None:
    data = rows()
    unit = data / np.linalg.norm(data, axis=1, keepdims=True)
    matrix = Matrix.from_array(data * np.array([[1], [2], [1e30], [1e-30], [5], [0.1]]))
    # The squared distance to the nearest other row tells the length: each row is nearest to its own direction.
    assert cells(matrix, unit) == list(range(6))
    picks = kernels.k_center(matrix, 5, given=[0])
    distances = np.square(unit[:, None] - unit[None]).sum(axis=2)
    assert picks.gains[0] == pytest.approx(distances[0].max(), rel=1e-5)


def test_memory_nobody_writes_to_is_borrowed_and_other_memory_copied(tmp_path: Path) -> None:
    writable = rows().astype(np.float32)
    copied = Matrix.from_array(writable, metric="dot")
    assert not copied.borrowed
    before = kernels.facility_location(copied, 3).indices.tolist()
    writable[:] = np.nan
    assert kernels.facility_location(copied, 3).indices.tolist() == before

    frozen = rows().astype(np.float32)
    frozen.flags.writeable = False
    assert Matrix.from_array(frozen, metric="dot").borrowed
    assert Matrix.from_array(frozen, metric="sqeuclidean").borrowed
    assert not Matrix.from_array(frozen, metric="cosine").borrowed
    assert not Matrix.from_array(frozen.astype(np.float16), metric="dot").borrowed
    lists = pa.FixedSizeListArray.from_arrays(pa.array(frozen.ravel()), 5)
    assert Matrix.from_array(lists, metric="dot").borrowed

    np.save(tmp_path / "rows.npy", frozen)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    assert Matrix.from_array(mapped, metric="dot").borrowed


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
    with pytest.raises(DataError, match="embeddings, row 3: the row is all zeros"):
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
