"""What a selection from Python must keep: lists and arrays stand for files and columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from numbers import Integral
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import io
from sage_select.api.arrays import array_of, misfit
from sage_select.engine.base import Talk
from sage_select.engine.frame import Frame, Lengths
from sage_select.engine.local.limits import groups_of, id_list, limit_rows, listed_rows
from sage_select.errors import DataError, UsageError, Where
from sage_select.ops import Select

__all__ = ["limited", "listed"]

#: More than all rows can be together: sums of lengths stay below what 64 bits hold.
_MOST_IN_ALL: Final = 2**62


def limited(frame: Frame, op: Select, groups: Any, lengths: Any, talk: Talk) -> Frame:
    """Return the frame with what the selection must keep; arrays stand for columns and tokens."""
    if lengths is not None:
        frame = dataclasses.replace(frame, measured=Lengths(frame.of_input(_lengths(lengths, frame.input_n)), "tokens"))
    if groups is None:
        return limit_rows(frame, op, talk)
    values = _values(groups, frame.input_n)
    values = values if frame.dropped is None else values.take(pa.array(frame.dropped.rows))
    names = io.group_names(values, lambda row: Where(file="groups", row=int(frame.input_rows(np.array([row]))[0])))
    frame = limit_rows(frame, op.model_copy(update={"quota": None}), talk)
    return dataclasses.replace(frame, groups=groups_of(names))


def listed(frame: Frame, pin: Any, exclude: Any, *, own_ids: bool) -> Frame:
    """Return the frame with the rows that lists of ids pin and exclude; those of paths are looked up already.

    Where the rows have no ids of their own, but for the digests of what they say, whole numbers are row numbers.
    """

    def rows(name: str, ids: Any, otherwise: NDArray[np.int64]) -> NDArray[np.int64]:
        if ids is None or isinstance(ids, str):
            return otherwise
        ids = ids.tolist() if hasattr(ids, "tolist") else ids
        if not own_ids and isinstance(ids, Iterable) and not isinstance(ids, bytes):
            ids = [_id_of(frame, one, name) for one in ids]
        return listed_rows(frame, id_list(name, ids), pinned=name == "pin")

    return dataclasses.replace(
        frame, pinned=rows("pin", pin, frame.pinned), excluded=rows("exclude", exclude, frame.excluded)
    )


def _id_of(frame: Frame, one: object, name: str) -> object:
    """Return the id of a row that is given by its number; anything else is an id already."""
    if frame.ids is None or not isinstance(one, Integral) or isinstance(one, bool):
        return one
    row = int(one)
    n = frame.input_n
    if not 0 <= row < n:
        raise UsageError(f"{name} names no row", expected=f"row numbers below {n:,}, or ids", got=str(row))
    return frame.lineage.name(row)


def _lengths(lengths: Any, n: int) -> NDArray[np.int64]:
    values = array_of(lengths, "lengths", 1, n)
    if values.dtype.kind not in "iu":
        raise DataError("lengths must be whole numbers from 0", where="lengths", got=str(values.dtype))
    negative = np.flatnonzero(values < 0)
    if len(negative):
        row = int(negative[0])
        raise DataError(
            "lengths must be whole numbers from 0", where=Where(file="lengths", row=row), got=str(values[row])
        )
    if values.sum(dtype=np.float64) > _MOST_IN_ALL:
        raise DataError("the lengths are too large", where="lengths", expected=f"at most {_MOST_IN_ALL:,} in all")
    return values.astype(np.int64)


def _values(groups: Any, n: int) -> pa.ChunkedArray:
    """Return one value a row as an Arrow array."""
    if isinstance(groups, pa.Array | pa.ChunkedArray):
        values = groups
    else:
        try:
            array = np.asarray(groups)
        except ValueError:
            array = np.asarray(groups, object)
        if array.ndim != 1:
            raise misfit("groups", 1, n, f"shape {array.shape}")
        try:
            values = pa.array(array)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            raise _no_groups(array) from None
    if len(values) != n:
        raise misfit("groups", 1, n, f"{len(values):,} values")
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])


def _no_groups(array: NDArray[Any]) -> DataError:
    """Name the first value that is of another kind than the first one, or the first."""
    values = array.tolist()
    row = next((row for row, value in enumerate(values) if type(value) is not type(values[0])), 0)
    return DataError(
        "rows cannot be counted by these values",
        where=Where(file="groups", row=row),
        expected="text, whole numbers or truth values, all of one kind",
        got=repr(values[row])[:80],
    )
