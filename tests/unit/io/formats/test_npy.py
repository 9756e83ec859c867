from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sage_select.errors import DataError, UsageError
from sage_select.io import read_npy
from sage_select.io.source import opened


def put(folder: Path, array: object, **options: bool) -> Path:
    path = folder / "x.npy"
    np.save(path, array, **options)
    return path


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_embeddings(dtype, order, tmp_path) -> None:
    array = np.arange(6, dtype=dtype).reshape(3, 2, order=order)
    made = read_npy(put(tmp_path, array), rows=3, kind="embeddings")
    assert made.tolist() == array.tolist()
    assert made.dtype == np.dtype(dtype).newbyteorder("=")
    assert made.flags.c_contiguous
    assert not made.flags.writeable


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i8", "u1"])
def test_scores_are_float64(dtype, tmp_path) -> None:
    made = read_npy(put(tmp_path, np.array([1, 2, 3], dtype)), rows=None, kind="scores")
    assert made.dtype == np.float64
    assert made.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("array", "kind", "said"),
    [
        (np.zeros(3), "embeddings", r"expected: two axes \(rows, dimensions\)\n  got: shape \(3,\)"),
        (np.zeros((3, 1)), "scores", r"got: shape \(3, 1\)"),
        (np.zeros((3, 0)), "embeddings", "no dimensions"),
        (np.zeros((3, 2), "i4"), "embeddings", "got: int32"),
        (np.zeros((3, 2), "c8"), "embeddings", "got: complex64"),
        (np.zeros((3, 2), np.longdouble), "embeddings", "got: float128"),
        (np.array(["a", "b", "c"]), "scores", "got: <U1"),
        (np.zeros(3, bool), "scores", "got: bool"),
        (np.zeros(3, [("a", "f4")]), "scores", "it holds records"),
        (np.zeros((2, 2)), "embeddings", "expected: 3 rows, as the table\n  got: 2 rows"),
        (np.zeros(0), "scores", "got: 0 rows"),
    ],
)
def test_what_is_refused(array, kind, said, tmp_path) -> None:
    with pytest.raises(DataError, match=said):
        read_npy(put(tmp_path, array), rows=3, kind=kind)


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    return b"\x93NUMPY" + version + len(text).to_bytes(2 if version == b"\x01\x00" else 4, "little") + text.encode()


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2L,)}",  # as Python 2 wrote it
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
    ],
)
@pytest.mark.parametrize("version", [b"\x01\x00", b"\x02\x00", b"\x03\x00"])
def test_headers_of_all_versions(text: str, version: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(header(text, version) + np.array([1, 2], "<f4").tobytes())
    assert read_npy(path, rows=2, kind="scores").tolist() == [1, 2]


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 2}",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '(3,)<f4', 'fortran_order': False, 'shape': (1, 1)}",
        "{'descr': 'a4', 'fortran_order': False, 'shape': (1, 1)}",
        "{'descr': '99999999999f4', 'fortran_order': False, 'shape': (1, 1)}",
        "{'descr': [], 'fortran_order': False, 'shape': (1, 1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 4400 + ", 1)}",
        "{'descr': __import__('os'), 'fortran_order': False, 'shape': (1, 1)}",
        "[" * 4000,
        "(" * 9000,
        '{\'descr\': """',
        "{\n\t'descr'\n  : 1",
        "\0",
        " " * 20_000,
        "",
    ],
)
@pytest.mark.parametrize("kind", ["embeddings", "scores"])
def test_headers_that_are_none(text: str, kind, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(header(text) + b"\0" * 4)
    with pytest.raises(DataError, match=r"x\.npy"):
        read_npy(path, rows=None, kind=kind)


def test_objects_are_never_loaded(tmp_path) -> None:
    path = put(tmp_path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="Python objects"):
        read_npy(path, rows=None, kind="scores")


def test_damage(tmp_path) -> None:
    path = put(tmp_path, np.zeros((10, 4)))
    data = path.read_bytes()
    for bad in (data[:-1], data + b"x", data[:40], data[:8], data[:6] + b"\x09\x09" + data[8:]):
        path.write_bytes(bad)
        with pytest.raises(DataError, match=r"x\.npy: is damaged, cut off or not an \.npy file"):
            read_npy(path, rows=None, kind="embeddings")
    for other in (b"", b"PK\x03\x04"):
        path.write_bytes(other)
        with pytest.raises(DataError, match=r"is not an \.npy file"):
            read_npy(path, rows=None, kind="embeddings")


def test_a_missing_file(tmp_path) -> None:
    put(tmp_path, np.zeros(3))
    with pytest.raises(UsageError, match=r"did you mean 'x\.npy'"):
        read_npy(tmp_path / "y.npy", rows=None, kind="scores")
    with pytest.raises(UsageError, match="is a folder"):
        read_npy(tmp_path, rows=None, kind="scores")


def test_a_large_file_lies_in_a_mapped_copy(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(opened, "MAPPED_BYTES", 1 << 10)
    numbers = np.arange(4000, dtype=np.float32).reshape(1000, 4)
    path = put(tmp_path, numbers)
    before = pa.total_allocated_bytes()
    made = read_npy(path, rows=1000, kind="embeddings")
    assert pa.total_allocated_bytes() == before
    path.write_bytes(b"")  # a mapped file of the user's would take the process with it here
    assert np.array_equal(made, numbers)
    assert not made.flags.writeable


@pytest.mark.real_data
def test_real_embeddings(shared_data) -> None:
    made = read_npy(shared_data / "clinc150/test.minilm.npy", rows=4500, kind="embeddings")
    assert made.shape == (4500, 384)
    assert made.dtype == np.float16
