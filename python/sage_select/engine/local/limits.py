"""What a selection must keep, looked up in the rows: ids to row numbers, a quota's groups, lengths."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

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
        np.empty(0, np.int64) if path is None else listed_rows(frame, io.read_id_list(path))
        for path in (select.pin, select.exclude)
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


def id_list(name: str, ids: Sequence[object]) -> io.IdList:
    """Return ids that a program hands over as a list.

    Raises
    ------
    UsageError
        If one stands twice.
    """
    texts = tuple(str(one) for one in ids)
    if len(set(texts)) < len(texts):
        twice = next(text for place, text in enumerate(texts) if text in texts[:place])
        raise UsageError(f"the id {twice!r} stands twice", where=name, expected="each id once")
    return io.IdList(name, texts)


def listed_rows(frame: Frame, ids: io.IdList) -> NDArray[np.int64]:
    """Return the row of each id, in the order of the list.

    Raises
    ------
    UsageError
        If an id names no row.
    """
    known = pa.array(np.arange(frame.n)).cast(pa.string()) if frame.ids is None else frame.ids
    found = pc.index_in(pa.array(ids.ids, pa.string()), value_set=known)
    unknown = np.flatnonzero(found.is_null().to_numpy(zero_copy_only=False))
    if len(unknown):
        first = int(unknown[0])
        raise UsageError(
            f"no row has the id {ids.ids[first]!r}"
            + (f", and {len(unknown) - 1:,} more ids of the list name none" if len(unknown) > 1 else ""),
            where=ids.where(first),
            expected="ids of --id-column, or the sage_row_id of an earlier output",
            hint=nearest(ids.ids[first], known.slice(0, _SEARCHED).to_pylist()),
        )
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)


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
