"""Numbers that a table has by the ids of rows."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io
from sage_select.data import Dataset
from sage_select.display import counted
from sage_select.errors import DataError, UsageError

__all__ = ["at", "ids_of", "places_of", "refuse_absent"]

_NAMED: Final = 5


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
        raise UsageError(f"{what} knows rows by their ids", hint="pass rows, or the scores as an array")
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
