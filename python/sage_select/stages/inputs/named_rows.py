"""The rows that a selection names by their ids: pinned, excluded, or selected already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sage_select.data import Dataset
from sage_select.errors import UsageError
from sage_select.pipeline.run import Run
from sage_select.stages.inputs.limits import Prepared, rows_of
from sage_select.stages.source import Source

if TYPE_CHECKING:
    from sage_select.stages.select import Select

__all__ = ["named_rows"]


def named_rows(select: Select, data: Dataset, source: Source, run: Run) -> Prepared:
    """Return the rows that lists of ids name, of files or of a program.

    Raises
    ------
    UsageError
        If a file is not there, an id names no row, or a row is pinned and selected already.
    DataError
        If a list cannot be read.
    """
    own_ids = source.id_column is not None or (data.rows is not None and "sage_row_id" in data.rows.table.column_names)

    def rows(name: str) -> NDArray[np.int64]:
        given, path = run.given(select, name), getattr(select, name)
        return rows_of(given, path, data, name=name, pinned=name == "pin", own_ids=own_ids)

    found = Prepared(pinned=rows("pin"), excluded=rows("exclude"), preselected=rows("preselected"))
    both = np.intersect1d(found.pinned, found.preselected)
    if len(both):
        raise UsageError(
            f"{len(both):,} rows are pinned, and are among those selected already",
            where=data.label(int(data.positions(both)[0])),
            hint="take each of them out of one of the two lists",
        )
    return found
