"""What a selection must keep, looked up in the rows: ids to row numbers, a quota's groups, lengths."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io
from sage_select.engine.base import Talk
from sage_select.engine.frame import Frame, Lengths
from sage_select.errors import DataError, UsageError, nearest
from sage_select.ops import Select
from sage_select.render import examples
from sage_select.score import token_lengths
from sage_select.strategies import Groups

__all__ = ["groups_of", "id_list", "limit_rows", "listed_rows"]

#: Ids among which the nearest to a misspelt one is looked for.
_SEARCHED = 100_000


def limit_rows(frame: Frame, select: Select, talk: Talk) -> Frame:
    """Return the frame with the rows pinned and excluded, the groups of the quota, and lengths for a budget in tokens.

    Raises
    ------
    UsageError
        If a file or column is not there, or an id names no row.
    DataError
        If a list of ids cannot be read, or a row has no value to be counted by.
    """
    pinned, excluded = (
        np.empty(0, np.int64)
        if path is None
        else listed_rows(frame, io.read_id_list(frame.files.file(path)), pinned=pinned)
        for path, pinned in ((select.pin, True), (select.exclude, False))
    )
    frame = dataclasses.replace(frame, pinned=pinned, excluded=excluded)
    if select.quota is not None:
        if frame.rows is None:
            raise UsageError("a quota by a column needs rows", hint="pass data, or groups as an array")
        frame = dataclasses.replace(frame, groups=groups_of(io.group_column(frame.rows, select.quota.column)))
    if select.tokenizer is not None:
        return _with_tokens(frame, select.tokenizer, talk)
    if select.budget.tokens is not None:
        talk.notice("no tokenizer named: the budget counts words; --tokenizer counts the tokens of a model")
    return frame


def id_list(name: str, ids: Iterable[object]) -> io.IdList:
    """Return ids that a program hands over as a list.

    Raises
    ------
    UsageError
        If it is no list, or one stands twice.
    """
    if isinstance(ids, bytes) or not isinstance(ids, Iterable):
        raise UsageError(
            "this is no list of ids", where=name, expected="a list, or a path to a file", got=repr(ids)[:80]
        )
    texts: dict[str, None] = {}
    for one in ids:
        # What no UTF-8 text can hold is the id of no row.
        text = str(one).encode(errors="backslashreplace").decode()
        if text in texts:
            raise UsageError(f"the id {text[:80]!r} stands twice", where=name, expected="each id once")
        texts[text] = None
    return io.IdList(name, tuple(texts))


def listed_rows(frame: Frame, ids: io.IdList, *, pinned: bool) -> NDArray[np.int64]:
    """Return the row of each id, in the order of the list; rows that left are passed over, unless `pinned`.

    Raises
    ------
    UsageError
        If an id names no row, or a row is pinned that left.
    """
    lineage = frame.lineage
    known = pa.array(np.arange(frame.input_n)).cast(pa.string()) if lineage.ids is None else lineage.ids
    found = pc.index_in(pa.array(ids.ids, pa.string()), value_set=known)
    unknown = np.flatnonzero(found.is_null().to_numpy(zero_copy_only=False))
    if len(unknown):
        first = int(unknown[0])
        raise UsageError(
            f"no row has the id {ids.ids[first][:80]!r}"
            + (f" (more such ids in the list: {len(unknown) - 1:,})" if len(unknown) > 1 else ""),
            where=ids.where(first),
            expected="ids of --id-column, or the sage_row_id of an earlier output",
            hint=_column_with(frame, ids.ids[first]) or nearest(ids.ids[first], known.slice(0, _SEARCHED).to_pylist()),
        )
    rows = np.asarray(found.to_numpy(zero_copy_only=False), np.int64)
    left = np.flatnonzero(~lineage.stays[rows])
    if pinned and len(left):
        first = int(left[0])
        raise UsageError(
            f"the row {ids.ids[first][:80]!r} is pinned, and cannot be selected: {lineage.cause(int(rows[first]))}"
            + (f" (more such ids in the list: {len(left) - 1:,})" if len(left) > 1 else ""),
            where=ids.where(first),
            expected="rows that can be trained on",
            hint="take the id out of the list, or mend the row",
        )
    return np.searchsorted(lineage.rows, rows[lineage.stays[rows]])


def _column_with(frame: Frame, text: str) -> str | None:
    """Return a hint that names the first column which holds an id that names no row."""
    if frame.rows is None:
        return None
    table = frame.rows.table
    for name in (
        field.name for field in table.schema if pa.types.is_string(field.type) or pa.types.is_integer(field.type)
    ):
        if pc.index(table[name].cast(pa.string()), text).as_py() >= 0:
            return f"column {name!r} holds it: pass --id-column {name} (id_column={name!r})"
    return None


def groups_of(values: pa.Array | pa.ChunkedArray) -> Groups:
    """Return rows by their value; groups are numbered in the order of their names."""
    names = pc.unique(values).sort()
    return Groups(np.asarray(pc.index_in(values, value_set=names).to_numpy(), np.int64), tuple(names.to_pylist()))


def _with_tokens(frame: Frame, tokenizer: str, talk: Talk) -> Frame:
    if frame.rows is None or frame.shape is None:
        raise UsageError("a tokenizer needs rows, and there are only arrays", hint="pass data")
    rows = frame.rows
    with talk.progress(f"counting tokens with {tokenizer}") as progress:
        lengths, notices = token_lengths(
            examples(rows.table, frame.shape, rows.where),
            tokenizer,
            total=frame.n,
            where=rows.where,
            progress=progress,
        )
    for notice in notices:
        talk.notice(notice)
    empty = np.flatnonzero(lengths == 0)
    if len(empty):
        raise DataError(
            f"{len(empty):,} rows have no tokens",
            where=rows.where(int(empty[0])),
            expected="something to train on in every row",
            hint="take these rows out of the input",
        )
    return dataclasses.replace(frame, measured=Lengths(lengths, f"tokens of {tokenizer}"))
