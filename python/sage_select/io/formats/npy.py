"""NumPy `.npy` files of embeddings and scores, one row for each row of a table."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from io import RawIOBase
from pathlib import Path
from tokenize import TokenError
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy_format

from sage_select.errors import DataError
from sage_select.io.guards.damage import damage_errors
from sage_select.io.source.named import existing_file
from sage_select.io.source.opened import Input
from sage_select.paths import user_path

__all__ = ["Kind", "NpyHeader", "npy_header", "read_npy"]

#: What an array holds for each row of a table.
Kind = Literal["embeddings", "predictions", "scores"]

_MAGIC: Final = b"\x93NUMPY"
_FIRST_ROWS: Final = 256
#: Versions differ in the length of the header, and in the names of records.
_HEADERS: Final = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
    (3, 0): npy_format.read_array_header_2_0,
}
_SHAPES: Final = {
    "embeddings": (2, "two axes (rows, dimensions)"),
    "predictions": (2, "two axes (rows, classes)"),
    "scores": (1, "one axis, a number a row"),
}


def read_npy(path: str | Path | Input, *, rows: int | None, kind: Kind) -> npt.NDArray[np.floating[Any]]:
    """Return the array of an `.npy` file; a large one lies in a mapped copy where its type allows.

    Parameters
    ----------
    path
        The file, or one that is open. Nothing in it is ever executed: arrays of Python objects are refused.
    rows
        How many rows it must have; None for any number.
    kind
        `"embeddings"`, `"predictions"`: shape (rows, dimensions or classes), float16, float32 or float64, returned
        read-only as they are.
        `"scores"`: shape (rows,), any real numbers, returned as float64.

    Raises
    ------
    UsageError
        Where there is no such file.
    DataError
        Where it is damaged, cut off, of another shape or type, or has another number of rows.
    """
    source = path if isinstance(path, Input) else _opened(path)
    header = _checked(source, rows, kind)
    with damage_errors(source.name, "an .npy file"):
        array = _values(source, header)
    source.release()
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
        Whether the array takes memory: it is small, stored by columns or in another byte order.
    first
        The first 256 rows, read-only; none of an array that is stored by columns.
    """

    rows: int
    width: int
    item_bytes: int
    copied: bool
    first: npt.NDArray[Any] = field(default_factory=lambda: np.empty((0, 1)), compare=False)


def npy_header(path: str | Path, *, rows: int | None, kind: Kind) -> NpyHeader:
    """Return what the header says, and the first rows; it refuses what `read_npy` refuses, as far as these show."""
    source = _opened(path)
    header = _checked(source, rows, kind)
    by_columns = header.fortran and min(header.shape) > 1 and len(header.shape) > 1
    width = header.shape[1] if len(header.shape) == 2 else 1
    count = 0 if by_columns else min(header.shape[0], _FIRST_ROWS) * width
    first = np.frombuffer(source.at(header.start, count * header.dtype.itemsize), header.dtype).reshape(-1, width)
    return NpyHeader(
        rows=header.shape[0],
        width=width,
        item_bytes=header.dtype.itemsize,
        copied=by_columns or not header.dtype.isnative or not source.is_mapped,
        first=first.astype(first.dtype.newbyteorder("="), copy=False),
    )


@dataclass(frozen=True)
class _Header:
    """What the file says of its values, and where they begin."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    start: int

    @property
    def size(self) -> int:
        return int(self.dtype.itemsize * math.prod(self.shape))


def _opened(path: str | Path) -> Input:
    return Input(existing_file(user_path(path)), str(path))


def _checked(source: Input, rows: int | None, kind: Kind) -> _Header:
    """Return the header, shape and type checked; the file must end where the values do."""
    if source.at(0, len(_MAGIC)) != _MAGIC:
        raise DataError("is not an .npy file", where=source.name, hint="write it with numpy.save")
    with damage_errors(source.name, "an .npy file"), source.open() as raw:
        header = _Header(*_header(raw), raw.tell())
        if header.start + header.size != source.size:
            held = source.size - header.start
            raise ValueError(f"its header asks for {header.size} bytes of values, the file has {held}")
    axes, wanted = _SHAPES[kind]
    shape = header.shape
    if len(shape) != axes:
        raise DataError(f"{kind} have the wrong shape", where=source.name, expected=wanted, got=f"shape {shape}")
    _check_type(header.dtype, kind, source.name)
    if rows is not None and shape[0] != rows:
        raise DataError(
            f"{kind} and table differ in their number of rows",
            where=source.name,
            expected=f"{rows} rows, as the table",
            got=f"{shape[0]} rows",
        )
    if axes > 1 and shape[1] == 0:
        raise DataError(f"{kind} have no {'classes' if kind == 'predictions' else 'dimensions'}", where=source.name)
    return header


def _values(source: Input, header: _Header) -> npt.NDArray[Any]:
    data = source.buffer()
    source.check_unchanged()
    if header.size == 0:
        return np.zeros(header.shape, header.dtype)
    numbers = np.frombuffer(data, header.dtype, offset=header.start)
    return numbers.reshape(header.shape, order="F" if header.fortran else "C")


def _header(raw: RawIOBase) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header by numpy; whatever it raises for one that is none becomes a `ValueError`."""
    version = npy_format.read_magic(raw)
    if version not in _HEADERS:
        raise ValueError(f"version {version[0]}.{version[1]} of the format is not known")
    try:
        with warnings.catch_warnings(action="ignore"):  # of headers that Python 2 wrote, and names of old types
            shape, fortran, dtype = _HEADERS[version](raw)
    except (SyntaxError, TokenError, TypeError, KeyError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"its header is not the description of an array: {str(error)[:100]}") from None
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which could run code")
    if dtype.kind == "V":
        raise ValueError("it holds records, not numbers")
    if any(type(length) is not int or length < 0 for length in shape):
        raise ValueError("its shape is not one")
    return shape, bool(fortran), dtype


def _check_type(dtype: np.dtype[Any], kind: str, name: str) -> None:
    right = dtype.kind == "f" and dtype.itemsize <= 8
    if kind == "scores":
        right = right or dtype.kind in "iu"
    if not right:
        wanted = "float16, float32 or float64" + (", or whole numbers" if kind == "scores" else "")
        raise DataError(f"{kind} have the wrong type", where=name, expected=wanted, got=str(dtype))
