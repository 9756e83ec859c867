"""Rows that come from one row: made of it by augmentation, or it made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sage_select import io
from sage_select.contamination.held_out import named_alike
from sage_select.render import Shape, row_digests

__all__ = ["Origins"]

_ID: Final = "sage_row_id"
Numbers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Origins:
    """What rows are called, and the rows that they were made of.

    Attributes
    ----------
    ids
        `string` (n,): the ids of a build, or what such ids are made of, where it is asked for.
    parents
        `string` (n,): the ids of the rows that they were made of; null of most.
    """

    ids: pa.ChunkedArray | pa.Array
    parents: pa.ChunkedArray | pa.Array

    @classmethod
    def of(cls, table: pa.Table, shape: Shape, ids: pa.ChunkedArray | pa.Array | None, *, named: bool) -> Origins:
        """Return those of rows.

        Parameters
        ----------
        table, shape
            The rows and how they are read.
        ids
            Their ids, where they are known; else those of a column `sage_row_id`, or with `named` the digests that a
            build names rows by.
        named
            Whether other rows were made of rows that these may be.
        """
        if ids is None and _ID in table.column_names:
            ids = table[_ID].cast(pa.string())
        if ids is None:
            ids = (
                row_digests(table, shape.columns, exact=True, alike=False)[0]
                if named
                else pa.nulls(table.num_rows, pa.string())
            )
        return cls(ids, io.parent_ids(table))

    def at(self, rows: Numbers) -> Origins:
        """Return those of some rows."""
        return Origins(self.ids.take(pa.array(rows)), self.parents.take(pa.array(rows)))

    @staticmethod
    def has_parents(table: pa.Table) -> bool:
        """Return whether any row of a table was made of another."""
        return bool(io.parent_ids(table).null_count < table.num_rows)

    def related_to(self, others: Origins) -> Numbers:
        """Return for each row the place of the first of the others that comes from one row with it, int64; -1 for none.

        One is the parent of the other, or both have the same parent. A mere number proves nothing.
        """
        found = np.full(len(self.ids), -1, np.int64)
        for mine, theirs in ((self.parents, others.ids), (self.ids, others.parents), (self.parents, others.parents)):
            if mine.null_count < len(mine) and theirs.null_count < len(theirs):
                places = named_alike(mine, theirs)
                places[pc.is_null(mine).to_numpy(zero_copy_only=False)] = -1
                found = np.where(found < 0, places, found)
        return found
