"""NumPy `.npy` files of embeddings and scores, one row for each row of a table."""

from __future__ import annotations

import ast
import math
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import numpy as np
import numpy.typing as npt

from sage_select.errors import DataError
from sage_select.io.damage import guarded
from sage_select.io.inputs import existing_file

__all__ = ["NpyHeader", "npy_header", "read_npy"]

_MAGIC: Final = b"\x93NUMPY"
_MAX_HEADER: Final = 10_000
_DESCRIPTION: Final = re.compile(r"[<>=|][?biufcmMOSUV]\d{0,9}(\[\w+\])?")
_SHAPES: Final = {"embeddings": (2, "two axes (rows, dimensions)"), "scores": (1, "one axis, a number a row")}


def read_npy(
    path: str | Path, *, rows: int | None, kind: Literal["embeddings", "scores"]
) -> npt.NDArray[np.floating[Any]]:
    """Return the array of an `.npy` file, mapped into memory where its type allows.

    Parameters
    ----------
    path
        The file. Nothing in it is ever executed: arrays of Python objects are refused.
    rows
        How many rows it must have; None for any number.
    kind
        `"embeddings"`: shape (rows, dimensions), float16, float32 or float64, returned read-only as they are.
        `"scores"`: shape (rows,), any real numbers, returned as float64.

    Raises
    ------
    UsageError
        Where there is no such file.
    DataError
        Where it is damaged, cut off, of another shape or type, or has another number of rows.
    """
    array = _checked(path, rows, kind)
    if kind == "scores":
        return np.asarray(array, dtype=np.float64)
    rows_of_numbers = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    rows_of_numbers.flags.writeable = False
    return rows_of_numbers


@dataclass(frozen=True)
class NpyHeader:
    """What the header of an `.npy` file says.

    Parameters
    ----------
    rows, width
        Its shape; `width` is 1 for scores.
    item_bytes
        Bytes of a number.
    copied
        Whether the array must be copied to be read, as it is stored by columns or in another byte order.
    """

    rows: int
    width: int
    item_bytes: int
    copied: bool


def npy_header(path: str | Path, *, rows: int | None, kind: Literal["embeddings", "scores"]) -> NpyHeader:
    """Return what the header says; it refuses what `read_npy` refuses, and reads no value."""
    array = _checked(path, rows, kind)
    width = array.shape[1] if array.ndim == 2 else 1
    return NpyHeader(
        rows=array.shape[0],
        width=width,
        item_bytes=array.dtype.itemsize,
        copied=not (array.flags.c_contiguous and array.dtype.isnative),
    )


def _checked(path: str | Path, rows: int | None, kind: Literal["embeddings", "scores"]) -> npt.NDArray[Any]:
    """Map the array, its shape and type checked."""
    file = existing_file(Path(path).expanduser())
    with file.open("rb") as raw:
        if raw.read(len(_MAGIC)) != _MAGIC:
            raise DataError("is not an .npy file", where=str(path), hint="write it with numpy.save")
    with guarded(str(path), "an .npy file"):
        array = _mapped(file)
    axes, wanted = _SHAPES[kind]
    if array.ndim != axes:
        raise DataError(f"{kind} have the wrong shape", where=str(path), expected=wanted, got=f"shape {array.shape}")
    _check_type(array, kind, path)
    if rows is not None and array.shape[0] != rows:
        raise DataError(
            f"{kind} and table differ in their number of rows",
            where=str(path),
            expected=f"{rows} rows, as the table",
            got=f"{array.shape[0]} rows",
        )
    if kind == "embeddings" and array.shape[1] == 0:
        raise DataError("embeddings have no dimensions", where=str(path))
    return array


def _mapped(file: Path) -> npt.NDArray[Any]:
    """Map the array, or return an empty one, which cannot be mapped; the file must end where the array does."""
    with file.open("rb") as raw:
        shape, fortran, dtype = _header(raw)
        start = raw.tell()
    size = dtype.itemsize * math.prod(shape)
    if start + size != file.stat().st_size:
        raise ValueError(f"its header asks for {size} bytes of values, the file has {file.stat().st_size - start}")
    if size == 0:
        return np.zeros(shape, dtype)
    return np.memmap(file, dtype=dtype, mode="r", offset=start, shape=shape, order="F" if fortran else "C")


def _header(raw: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header by its specification (NEP 1); numpy's own reader lets errors of the tokenizer through."""
    version = raw.read(len(_MAGIC) + 2)[len(_MAGIC) :]
    form = {b"\x01\x00": "<H", b"\x02\x00": "<I", b"\x03\x00": "<I"}.get(version)
    if form is None:
        raise ValueError(f"version {version.hex()} of the format is not known")
    (length,) = struct.unpack(form, raw.read(struct.calcsize(form)))
    if length > _MAX_HEADER:
        raise ValueError(f"its header has {length} bytes")
    try:
        header = ast.literal_eval(raw.read(length).decode("utf-8"))
        descr, fortran, shape = header["descr"], header["fortran_order"], header["shape"]
    except (SyntaxError, TypeError, KeyError, ValueError, RecursionError, MemoryError):
        raise ValueError("its header is not the description of an array") from None
    if not isinstance(descr, str):
        raise ValueError("it holds records, not numbers")
    if not _DESCRIPTION.fullmatch(descr):
        raise ValueError(f"type {descr[:20]!r} is not known")
    if descr.endswith("O"):
        raise ValueError("it holds Python objects, which could run code")
    if not isinstance(shape, tuple) or any(type(length) is not int or length < 0 for length in shape):
        raise ValueError("its shape is not one")
    try:
        return shape, bool(fortran), np.dtype(descr)
    except TypeError:
        raise ValueError(f"type {descr[:20]!r} is not known") from None


def _check_type(array: npt.NDArray[Any], kind: str, path: str | Path) -> None:
    right = array.dtype.kind == "f" and array.dtype.itemsize <= 8
    if kind == "scores":
        right = right or array.dtype.kind in "iu"
    if not right:
        wanted = "float16, float32 or float64" + (", or whole numbers" if kind == "scores" else "")
        raise DataError(f"{kind} have the wrong type", where=str(path), expected=wanted, got=str(array.dtype))
