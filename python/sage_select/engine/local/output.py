"""The output's columns: the selected rows in training order, and the story of every input row."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.columns import COLUMNS, PREFIX, SOURCE, Origin
from sage_select.engine.frame import Frame
from sage_select.engine.local.order import training_order
from sage_select.strategies import Picks

__all__ = ["NOT_SELECTED", "reason_column", "rows_story", "selected_table"]

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
        "sage_gain": _null_for_nan(picks.gains[ranks]),
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


def rows_story(frame: Frame, picks: Picks) -> pa.Table:
    """Return one row for every input row: whether it was kept, by which stage and why, and what it duplicates."""
    lineage, k = frame.lineage, len(picks.indices)
    ranks = np.full(lineage.n, -1, np.int64)
    ranks[lineage.rows[picks.indices]] = np.arange(k)
    kept, left = ranks >= 0, ~lineage.stays
    excluded = np.zeros(lineage.n, bool)
    excluded[lineage.rows[frame.excluded]] = True
    # The reasons of the picks, then those of rows that were not picked, then those of rows that left before.
    others = [NOT_SELECTED, "excluded"]
    why = pa.concat_arrays(
        [reason_column(picks.reasons), pa.array([*others, *(cause.reason for cause in lineage.causes)], pa.string())]
    )
    reasons = np.where(kept, ranks, np.where(left, k + len(others) + lineage.dropped, k + excluded))
    stages = pa.array(["select", *(cause.stage for cause in lineage.causes)], pa.string())
    names = pa.array(range(lineage.n)).cast(pa.string()) if lineage.ids is None else lineage.ids
    scores = np.full(lineage.n, np.nan, np.float32)
    if frame.scores is not None:
        scores[lineage.rows] = frame.scores.values
    return pa.table(
        {
            "sage_row_id": names,
            "kept": pa.array(kept),
            "stage": stages.take(pa.array(lineage.dropped + 1)),
            "reason": why.take(pa.array(reasons)),
            "rank": pa.array(ranks, mask=~kept),
            "score": _null_for_nan(scores),
            "duplicate_of": names.take(pa.array(lineage.representatives, mask=~lineage.is_duplicate)),
            "similarity": _null_for_nan(lineage.similarities),
        }
    )


def _ids(frame: Frame, rows: NDArray[np.int64]) -> pa.Array | pa.ChunkedArray:
    return pa.array(frame.input_rows(rows)).cast(pa.string()) if frame.ids is None else frame.ids.take(pa.array(rows))


def _scores(frame: Frame, rows: NDArray[np.int64]) -> pa.Array:
    if frame.scores is None:
        return pa.nulls(len(rows), pa.float32())
    return pa.array(frame.scores.values[rows], pa.float32())


def _null_for_nan(values: NDArray[np.float32]) -> pa.Array:
    return pa.array(values, pa.float32(), from_pandas=True)
