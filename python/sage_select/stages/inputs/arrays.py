"""Arrays that a program hands over, one number or vector a row, and what is wrong with them."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.errors import DataError, Where

__all__ = ["array_of", "misfit", "nan_for_none", "no_numbers", "one_a_row", "ragged"]


def array_of(value: Any, name: str, dimensions: int, n: int) -> NDArray[Any]:
    """Return numbers of so many dimensions, `n` along the first, or say what is wrong with them."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise ragged(value, name, dimensions) from None
    if array.ndim != dimensions or len(array) != n:
        # Whatever is no array is one of 0 dimensions to numpy.
        raise misfit(name, dimensions, n, f"shape {array.shape}" if array.ndim else f"a {type(value).__qualname__}")
    if array.dtype.kind not in "fiu":
        raise no_numbers(array, name)
    return array


def nan_for_none(value: Any) -> Any:
    """Return numbers with NaN in place of None, and all else as it is."""
    array = np.asarray(value)
    if array.dtype != object or array.ndim != 1:
        return value
    return [np.nan if one is None else one for one in array]


def one_a_row(given: Any, name: str, n: int) -> Any:
    """Return lists of numbers that a program handed over, one for each of `n` rows: an Arrow array, or one of numpy."""
    if not isinstance(given, pa.Array | pa.ChunkedArray):
        return array_of(given, name, 2, n)
    if len(given) != n:
        raise misfit(name, 2, n, f"{len(given):,} rows")
    return given


def misfit(name: str, dimensions: int, n: int, got: str) -> DataError:
    """Say that an array has another shape than the rows."""
    wanted = f"{dimensions} dimension{'s' if dimensions > 1 else ''}, {n:,} rows"
    return DataError("this array does not fit the rows", where=name, expected=wanted, got=got)


def ragged(value: Any, name: str, dimensions: int) -> DataError:
    """Name the first row that is shorter or longer than row 0."""
    shapes = [np.shape(row) for row in value]
    row = next((row for row, shape in enumerate(shapes) if shape != shapes[0]), None)
    return DataError(
        "rows differ in width", where=Where(file=name, row=row), expected=f"a {dimensions}-dimensional array"
    )


def no_numbers(array: NDArray[Any], name: str) -> DataError:
    """Name the first value of an array of objects that is no number, such as None."""
    where, got = Where(file=name), f"dtype {array.dtype}"
    if array.dtype == object:
        for row, value in zip(np.indices(array.shape)[0].flat, array.flat, strict=True):
            if not isinstance(value, Real) or isinstance(value, bool):
                where, got = Where(file=name, row=int(row)), repr(value)
                break
    return DataError("numbers expected", where=where, got=got)
