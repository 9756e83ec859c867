"""Row ids: the row's own, or the digest of what the row says; and by which digest rows say the same."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select.errors import DataError
from sage_select.io import Rows, require_column
from sage_select.render import Shape, row_digests

__all__ = ["row_ids"]

_OWN = "sage_row_id"


def row_ids(
    rows: Rows, shape: Shape, id_column: str | None, *, contents: bool = False
) -> tuple[pa.ChunkedArray, pa.ChunkedArray | None]:
    """Return one unique string a row and, with `contents`, a digest that is the same for rows that say the same.

    The id is the column `id_column`, else an existing `sage_row_id`, else BLAKE3-128 of the canonical JSON of the
    columns that make the row (an added score column changes no id), with `-1`, `-2` added to exact copies in row order.

    Raises
    ------
    DataError
        If an id is null, empty or stands twice, naming the rows.
    """
    if id_column is None and _OWN in rows.table.column_names:
        id_column = _OWN
    given = None if id_column is None else _given(rows, id_column)
    if given is not None and not contents:
        return given, None
    exact, alike = row_digests(rows.table, shape.columns, exact=given is None, alike=contents, where=rows.where)
    ids = _unique(exact) if given is None else given
    return ids, alike if contents else None


def _unique(digests: pa.ChunkedArray) -> pa.ChunkedArray:
    copies = _earlier_copies(digests)
    if not copies.any():
        return digests
    suffixes = pa.array(np.where(copies > 0, np.char.add("-", copies.astype(str)), ""), pa.string())
    return pa.chunked_array([pc.binary_join_element_wise(digests.combine_chunks(), suffixes, "")])


def _given(rows: Rows, name: str) -> pa.ChunkedArray:
    column = require_column(rows, name)
    if not (pa.types.is_string(column.type) or pa.types.is_integer(column.type)):
        raise DataError(
            "ids must be text or whole numbers",
            where=rows.where(0, name),
            got=str(column.type),
            hint="name another column with --id-column, or leave it out: content then names the rows",
        )
    ids = column.cast(pa.string())
    empty = pc.or_kleene(pc.is_null(ids), pc.equal(ids, ""))
    if pc.any(empty).as_py():
        raise DataError("this row has no id", where=rows.where(pc.index(empty, True).as_py(), name))
    copies = _earlier_copies(ids)
    if copies.any():
        second = int(np.argmax(copies > 0))
        value = ids[second].as_py()
        first = pc.index(ids, value).as_py()
        raise DataError(
            f"the id {value!r} stands twice",
            where=rows.where(second, name),
            expected="ids that differ from row to row",
            got=f"the same as {rows.where(first)}",
        )
    return ids


def _earlier_copies(values: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """Return how many earlier rows hold the same value, for each row."""
    encoded = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    codes = encoded.dictionary_encode().indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(codes) else np.empty(0, np.int64)
    lengths = np.diff(np.r_[starts, len(codes)])
    copies = np.empty(len(codes), np.int64)
    copies[order] = np.arange(len(codes)) - np.repeat(starts, lengths)
    return copies
