"""What a table has by the ids of rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io
from sage_select.data.dataset import Dataset
from sage_select.display import counted
from sage_select.errors import DataError, UsageError

Values = TypeVar("Values")

__all__ = ["at", "ids_of", "is_table", "places_of", "read_by_id", "refuse_absent"]

#: How the names of tables end; what else is named is an array, unless one of its columns is named too.
_TABLES: Final = frozenset({".arrow", ".arrows", ".feather", ".ipc", ".parquet", ".csv", ".tsv", ".jsonl", ".ndjson"})
#: By which columns a table names its rows: the first that it has.
_IDS: Final = ("sage_row_id", "row_id", "id")

_NAMED: Final = 5


def is_table(name: str) -> bool:
    """Return whether a file of this name is a table, by how it ends."""
    return any(end.lower() in _TABLES for end in PurePath(name).suffixes[-2:])


def read_by_id(
    data: Dataset, file: str, what: str, values_of: Callable[[io.Rows], Values], *, made_by: str, beside: str
) -> tuple[Values, pa.Array]:
    """Return the values of a table, and where in it each row that is in stands: int32, without nulls.

    Parameters
    ----------
    data
        The rows.
    file
        The table.
    what
        What it holds, in the plural: `scores`.
    values_of
        Returns the values of its rows, or refuses it.
    made_by, beside
        Which command writes one, and which option takes the same from a column of the input.

    Raises
    ------
    UsageError
        It has no column of ids, or the rows have none.
    DataError
        A row is not in it, or stands there twice.
    """
    rows = io.read(file)
    data.files.was_read(file, rows.digest)
    names = rows.table.column_names
    by = next((name for name in _IDS if name in names), None)
    if by is None:
        raise UsageError(
            f"a table of {what} has no column with the ids of rows",
            where=rows.source,
            expected=f"{', '.join(_IDS[:-1])} or {_IDS[-1]}",
            got=f"columns {', '.join(names[:20])}",
            hint=f"{made_by} writes one; {what} in a column of the input itself are {beside}",
        )
    ids = ids_of(rows, by)
    values = values_of(rows)
    counts = pc.value_counts(ids)
    twice = pc.index(pc.greater(counts.field(1), pa.scalar(1, pa.int64())), True).as_py()
    if twice >= 0:
        raise DataError(
            f"a table of {what} names a row twice", where=rows.source, got=f"id {counts.field(0)[twice].as_py()}"
        )
    places = places_of(data, ids, f"a table of {what}")
    verb = made_by.rpartition(" ")[2]
    hint = f"{verb} the same input, with the same --id-column, if any"
    refuse_absent(data, places, f"the table of {what}", file, hint)
    return values, places


def ids_of(rows: io.Rows, column: str) -> pa.Array:
    """Return a column of ids as strings.

    Raises
    ------
    UsageError
        If there is no such column.
    DataError
        If an id is missing.
    """
    ids = io.require_column(rows, column)
    if ids.null_count:
        row = pc.index(ids.is_null(), True).as_py()
        raise DataError("an id is missing", where=rows.where(row, column))
    return ids.cast(pa.string()).combine_chunks()


def places_of(data: Dataset, ids: pa.Array, what: str) -> pa.Array:
    """Return where each row that is in stands among the ids, null where it does not.

    Raises
    ------
    UsageError
        If the rows have no ids; `what` names who knows rows by them.
    """
    if data.ids is None:
        raise UsageError(f"{what} knows rows by their ids", hint="pass rows, or values as an array")
    places: pa.ChunkedArray = pc.index_in(data.ids.cast(pa.string()), value_set=ids)
    return places.combine_chunks()


def refuse_absent(data: Dataset, places: pa.Array, what: str, where: str, hint: str) -> None:
    """Raise DataError where rows have no place, naming the first of them."""
    if not places.null_count or data.ids is None:
        return
    absent = data.ids.filter(places.is_null()).slice(0, _NAMED).to_pylist()
    more = ", ..." if places.null_count > _NAMED else ""
    raise DataError(
        f"{counted(places.null_count, 'row')} of {data.n:,} are not in {what}",
        where=where,
        got=f"ids {', '.join(map(str, absent))}{more}",
        hint=hint,
    )


def at(values: NDArray[np.float64], places: pa.Array) -> NDArray[np.float64]:
    """Return the values at places that are there."""
    found: NDArray[np.float64] = values[places.drop_null().to_numpy(zero_copy_only=False).astype(np.int64)]
    return found
