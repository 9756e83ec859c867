"""The output's columns: the selected rows in training order."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.columns import COLUMNS, PREFIX, SOURCE, Origin
from sage_select.engine.frame import Frame
from sage_select.engine.local.order import training_order
from sage_select.strategies import Picks

__all__ = ["NOT_SELECTED", "null_for_nan", "reason_column", "selected_table"]

#: The reason of a row that the strategy passed over.
NOT_SELECTED = "not selected"


def reason_column(runs: Iterable[tuple[str, int]]) -> pa.Array:
    """Return the reasons as a string column, one a pick."""
    names, counts = zip(*runs, strict=True) if runs else ((), ())
    codes = np.repeat(np.arange(len(names)), counts)
    return pa.array(names, pa.string()).take(pa.array(codes, pa.int64()))


def selected_table(frame: Frame, picks: Picks, seed: int) -> pa.Table:
    """Return the picked rows in `sage_position` order with all `sage_` columns after their own.

    `sage_` columns that the input already had are replaced: they told of another selection.
    """
    ranks = training_order(frame, picks.indices, seed)
    taken = picks.indices[ranks]
    k = len(ranks)
    columns = {
        "sage_row_id": _ids(frame, taken),
        "sage_origin": pa.repeat(pa.scalar(Origin.SELECTED), k),
        "sage_parent_id": pa.nulls(k, pa.string()),
        "sage_reason": reason_column(picks.reasons).take(pa.array(ranks)),
        "sage_rank": pa.array(ranks, pa.int64()),
        "sage_score": _scores(frame, taken),
        "sage_gain": null_for_nan(picks.gains[ranks]),
        "sage_position": pa.array(np.arange(k), pa.int64()),
        "sage_phase": pa.nulls(k, pa.int32()),
        "sage_weight": pa.array(np.ones(k, np.float32)),
    }
    own = frame.rows.table if frame.rows is not None else None
    named = own.column_names if own is not None else []
    names = [name for name in named if name == SOURCE or not name.startswith(PREFIX)]
    table = own.select(names).take(pa.array(taken)) if own is not None else None
    fields = [table.schema.field(name) for name in names] if table is not None else []
    arrays = [table.column(name) for name in names] if table is not None else []
    for name, (kind, nullable) in COLUMNS.items():
        fields.append(pa.field(name, pa.type_for_alias(kind), nullable=nullable))
        arrays.append(columns[name])
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _ids(frame: Frame, rows: NDArray[np.int64]) -> pa.Array | pa.ChunkedArray:
    return pa.array(frame.input_rows(rows)).cast(pa.string()) if frame.ids is None else frame.ids.take(pa.array(rows))


def _scores(frame: Frame, rows: NDArray[np.int64]) -> pa.Array:
    if frame.scores is None:
        return pa.nulls(len(rows), pa.float32())
    return pa.array(frame.scores.values[rows], pa.float32())


def null_for_nan(values: NDArray[np.float32]) -> pa.Array:
    """Return the numbers as a column, null where they are NaN."""
    return pa.array(values, pa.float32(), from_pandas=True)
