"""Columns of a table as arrays of numbers: scores and embeddings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sage_select.columns import PARENT
from sage_select.errors import DataError, UsageError, Where, nearest
from sage_select.io.tables.nested import is_json_text
from sage_select.io.tables.paths import fields_within, value_column
from sage_select.io.tables.rows import Rows
from sage_select.kernels.vectors import lists_of_one_width

__all__ = [
    "embedding_column",
    "group_column",
    "group_names",
    "numeric_column",
    "parent_ids",
    "require_column",
    "truth_column",
]

_SHOWN_COLUMNS: Final = 30
#: What texts say that stand for no number, in any case.
_NONE: Final = ["", "na", "n/a", "null", "none"]


def require_column(rows: Rows, name: str) -> pa.ChunkedArray:
    """Return the column `name`.

    Raises
    ------
    UsageError
        Where there is none, listing the columns and the nearest name.
    """
    names = rows.table.schema.names
    if name not in names:
        shown = ", ".join(names[:_SHOWN_COLUMNS]) + (", ..." if len(names) > _SHOWN_COLUMNS else "")
        raise UsageError(
            f"there is no column {name!r}", where=rows.source, expected=f"one of {shown}", hint=nearest(name, names)
        )
    return rows.table.column(name)


def numeric_column(rows: Rows, name: str, *, missing: Literal["error", "nan"] = "error") -> npt.NDArray[np.float64]:
    """Return a column of numbers as float64, shape (rows,); `scores.helpfulness` is a field of a column of objects.

    Whole numbers, floats of any width, decimals and dictionary-encoded ones are read, and strings as numbers, as CSV
    has them.

    Parameters
    ----------
    rows, name
        The rows, and the column or the path.
    missing
        What becomes of values that are null, NaN, infinite, or text that says so (blank, NA, N/A, null, None): an
        error, or `nan`: they become NaN, but infinite ones stay.

    Raises
    ------
    UsageError
        Where there is no such column, or no such field.
    DataError
        Where a value is no number, missing, or a whole number that float64 cannot hold; naming the row.
    """
    column = value_column(rows, name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if missing == "error":
        _refuse_null(rows, name, column)
    if text:
        if name in rows.table.schema.names and is_json_text(rows.table.schema.field(name)):
            raise DataError(
                "a column holds objects, and no numbers",
                where=rows.where(0, name),
                expected="numbers",
                got=str(column[0].as_py())[:80] if len(column) else None,
                hint=f"name a field of it, such as {name}.quality",
            )
        values = _parsed(rows, name, column, blank=missing == "nan")
    elif pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        values = _exact(rows, name, column)
    elif pa.types.is_floating(kind) or pa.types.is_null(kind):
        values = column.cast(pa.float64()).to_numpy()
    else:
        raise DataError(
            "a column is not one of numbers",
            where=rows.where(0, name),
            expected="numbers",
            got=str(kind),
            hint=_numbers_of(name, kind),
        )
    if missing == "error" and len(bad := np.flatnonzero(~np.isfinite(values))):
        row = int(bad[0])
        raise DataError("a number is not finite", where=rows.where(row, name), got=str(values[row]))
    return values


def _numbers_of(name: str, kind: pa.DataType) -> str | None:
    """Return what to do where a column holds something else than numbers."""
    if fields := fields_within(kind):
        return f"name a field of it: {', '.join(f'{name}.{field}' for field in fields[:_SHOWN_COLUMNS])}"
    if pa.types.is_boolean(kind):
        return "write 1 and 0 in place of true and false"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return "write one number a row, such as the mean of the list, to a column of its own"
    return None


def parent_ids(table: pa.Table) -> pa.ChunkedArray:
    """Return the ids of the rows that rows were made of in an earlier run (`string`), null of most.

    A column of that name with something else than ids is none of ours, and says nothing.
    """
    if PARENT in table.schema.names:
        column = table[PARENT]
        if pa.types.is_string(column.type) or pa.types.is_integer(column.type) or pa.types.is_null(column.type):
            return column.cast(pa.string())
    return pa.chunked_array([pa.nulls(table.num_rows, pa.string())])


def embedding_column(rows: Rows, name: str, *, kind: str = "embeddings") -> pa.ChunkedArray:
    """Return a column of lists of numbers as `FixedSizeList`, over the same memory.

    float16, float32 and float64 stay as they are, whole numbers become float32. `kind` is what messages call the lists.

    Raises
    ------
    UsageError
        Where there is no such column.
    DataError
        Where it holds something else, a row or a number in it is null, or a row is longer or shorter than the
        first; naming the row and both lengths.
    """
    lists = lists_of_one_width(require_column(rows, name), lambda row: rows.where(row, name))
    of = lists.type.value_type
    if pa.types.is_integer(of):
        return lists.cast(pa.list_(pa.float32(), lists.type.list_size), safe=False)
    if not pa.types.is_floating(of):
        raise DataError(
            f"{kind} are of the wrong type", where=rows.where(0, name), expected="lists of numbers", got=str(of)
        )
    return lists


def group_column(rows: Rows, name: str, *, nulls: bool = False) -> pa.ChunkedArray:
    """Return a column of names as strings; whole numbers and truth values are written out, and `nulls` let through.

    Raises
    ------
    UsageError
        Where there is no such column.
    DataError
        Where it holds something else, or a value is null; naming the first such row, and how many there are.
    """
    return group_names(require_column(rows, name), lambda row: rows.where(row, name), nulls=nulls)


def group_names(values: pa.ChunkedArray, where: Callable[[int], Where], *, nulls: bool = False) -> pa.ChunkedArray:
    """Return names as strings, as `group_column` does; `where` tells what messages call the place of a row."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.cast(kind.value_type), kind.value_type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if not (text or pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
        raise DataError(
            "rows cannot be counted by these values",
            where=where(0),
            expected="text, whole numbers or truth values",
            got=str(kind),
        )
    if values.null_count and not nulls:
        raise DataError(
            f"{values.null_count:,} rows have no value to be counted by",
            where=where(_first(values.is_null())),
            expected="a value in every row",
            got="null",
            hint="fill the column, or take these rows out of the input",
        )
    return values.cast(pa.string())


def truth_column(rows: Rows, name: str) -> npt.NDArray[np.bool_]:
    """Return a column of truth values, shape (rows,).

    Raises
    ------
    UsageError
        Where there is no such column.
    DataError
        Where it holds something else, or a value is null; naming the row.
    """
    column = require_column(rows, name)
    if not pa.types.is_boolean(column.type):
        raise DataError(
            "a column does not hold truth values",
            where=rows.where(0, name),
            expected="true or false",
            got=str(column.type),
        )
    _refuse_null(rows, name, column)
    return np.asarray(column.to_numpy())


def _refuse_null(rows: Rows, name: str, column: pa.ChunkedArray) -> None:
    if column.null_count:
        raise DataError("a value is missing", where=rows.where(_first(column.is_null()), name), got="null")


def _first(mask: pa.ChunkedArray) -> int:
    return int(pc.index(mask, True).as_py())


def _parsed(rows: Rows, name: str, column: pa.ChunkedArray, *, blank: bool) -> npt.NDArray[np.float64]:
    """Return the numbers that texts spell; with `blank`, NaN for those that say that there is none."""
    trimmed = pc.ascii_trim_whitespace(column)
    if blank:
        none = pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(_NONE, trimmed.type))
        trimmed = pc.if_else(none, None, trimmed)
    try:
        return np.asarray(trimmed.cast(pa.float64()).to_numpy())
    except pa.ArrowInvalid:
        row = _first_uncastable(trimmed, pa.float64())
        text = column[row].as_py()
        raise DataError(
            "a text is not a number",
            where=rows.where(row, name),
            expected="a number",
            got=repr(text[:80]),
            hint="write a number such as 4.5, or null where there is none",
        ) from None


def _exact(rows: Rows, name: str, column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    try:
        return np.asarray(column.cast(pa.float64()).to_numpy())
    except pa.ArrowInvalid:
        row = _first_uncastable(column, pa.float64())
        raise DataError(
            "a number cannot be held as a 64-bit float", where=rows.where(row, name), got=str(column[row].as_py())
        ) from None


def _first_uncastable(column: pa.ChunkedArray, wanted: pa.DataType) -> int:
    """Return the first row that cannot be cast, by halving the part that holds it."""
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            column.slice(low, middle - low).cast(wanted)
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low
