"""What a selection must keep, looked up in the rows: ids to rows, a quota's groups, lengths."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io
from sage_select.data import Dataset, Lengths
from sage_select.errors import DataError, UsageError, Where, nearest
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage
from sage_select.render import examples
from sage_select.score import token_lengths
from sage_select.stages.inputs.arrays import array_of, misfit
from sage_select.stages.inputs.queries import Queries
from sage_select.strategies import Groups

if TYPE_CHECKING:
    from sage_select.stages.select import Select

__all__ = [
    "Prepared",
    "Protected",
    "groups_given",
    "groups_of_column",
    "listed_rows",
    "protected_rows",
    "rows_of",
    "with_departures",
    "with_lengths",
]

#: Ids among which the nearest to a misspelt one is looked for.
_SEARCHED: Final = 100_000
#: More than all rows can be together: sums of lengths stay below what 64 bits hold.
_MOST_IN_ALL: Final = 2**62


def _none() -> NDArray[np.int64]:
    return np.empty(0, np.int64)


@dataclass
class Prepared:
    """What a selection looked up before anything costly ran; rows by their numbers in the input.

    Attributes
    ----------
    pinned, excluded
        Rows that are selected in any case, in the order of their list, and rows that never are.
    query_rows
        Rows that are queries by a column: excluded, too.
    groups
        The groups of a quota for all rows ever seen; -1 where a row had left.
    queries
        What is looked for, where that is no row of the input.
    preselected
        Rows of the input that are labelled or selected already: excluded, too.
    labelled
        Labelled rows that are no rows of the input, each file by itself.
    """

    pinned: NDArray[np.int64] = field(default_factory=_none)
    excluded: NDArray[np.int64] = field(default_factory=_none)
    query_rows: NDArray[np.int64] = field(default_factory=_none)
    groups: Groups | None = None
    queries: Queries | None = None
    preselected: NDArray[np.int64] = field(default_factory=_none)
    labelled: tuple[Queries, ...] = ()

    @property
    def to_embed(self) -> tuple[Queries, ...]:
        """The queries, where they may need vectors."""
        return () if self.queries is None else (self.queries,)

    def groups_of(self, data: Dataset) -> Groups | None:
        """Return the groups of the rows that are in."""
        if self.groups is None:
            return None
        return Groups(self.groups.of if data.index is None else self.groups.of[data.index], self.groups.names)


@dataclass(frozen=True)
class Protected:
    """Which of the rows that are in later selections want, by their numbers among these."""

    n: int
    pinned: NDArray[np.int64]
    excluded: NDArray[np.int64]
    queries: NDArray[np.int64]
    preselected: NDArray[np.int64] = field(default_factory=_none)

    def order(self, apart: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Return the rows to compare in their order, none of `apart`.

        Those pinned come first, then those selected already, so that what repeats them leaves, and those excluded last.
        """
        apart = self.queries if apart is None else apart
        between = np.ones(self.n, np.bool_)
        between[self.pinned] = between[self.preselected] = between[self.excluded] = False
        order = np.concatenate([self.pinned, self.preselected, np.flatnonzero(between), self.excluded])
        return order[~np.isin(order, apart)] if len(apart) else order


def protected_rows(data: Dataset, stage: Stage, run: Run, *, pinned_before: bool = False) -> Protected:
    """Return the rows that the selections after a stage pin, exclude or look for; and those pinned before it."""
    later = [one for step in run.after(stage) if isinstance(one := run.prepared.get(id(step)), Prepared)]
    pinning = [one for one in run.prepared.values() if isinstance(one, Prepared)] if pinned_before else later

    def rows(of: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
        found = np.concatenate([_none(), *of])
        _, first = np.unique(found, return_index=True)
        return data.positions(found[np.sort(first)])

    pinned = rows(one.pinned for one in pinning)
    preselected = rows(one.preselected for one in later)
    preselected = preselected[~np.isin(preselected, pinned)]
    excluded = rows(np.union1d(one.excluded, one.query_rows) for one in later)
    excluded = excluded[~np.isin(excluded, np.concatenate([pinned, preselected]))]
    return Protected(data.n, pinned, excluded, rows(one.query_rows for one in later), preselected)


def rows_of(
    value: Any, path: str | None, data: Dataset, *, name: str, pinned: bool, own_ids: bool
) -> NDArray[np.int64]:
    """Return the rows, by their numbers in the input, that a file of ids or a list of a program names.

    Parameters
    ----------
    value
        The list of a program, or None.
    path
        The file, or None.
    data
        The rows.
    name
        What messages call the list of a program.
    pinned
        Whether they must be in.
    own_ids
        Whether rows have ids of their own: if not, whole numbers of a list are row numbers.

    Raises
    ------
    UsageError
        If a file is not there, or an id names no row.
    DataError
        If a list of ids cannot be read.
    """
    if value is not None:
        value = value.tolist() if hasattr(value, "tolist") else value
        if not own_ids and isinstance(value, Iterable) and not isinstance(value, bytes):
            value = [_id_of(data, one, name) for one in value]
        return listed_rows(data, id_list(name, value), pinned=pinned)
    if path is None:
        return _none()
    return listed_rows(data, io.read_id_list(data.files.file(path)), pinned=pinned)


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


def listed_rows(data: Dataset, ids: io.IdList, *, pinned: bool) -> NDArray[np.int64]:
    """Return the number in the input of each id, in the order of the list; of rows that left only where `pinned`.

    Raises
    ------
    UsageError
        If an id names no row, or a row is pinned that left.
    """
    lineage = data.lineage
    known = pa.array(np.arange(data.input_n)).cast(pa.string()) if lineage.ids is None else lineage.ids
    found = pc.index_in(pa.array(ids.ids, pa.string()), value_set=known)
    unknown = np.flatnonzero(found.is_null().to_numpy(zero_copy_only=False))
    if len(unknown):
        first = int(unknown[0])
        raise UsageError(
            f"no row has the id {ids.ids[first][:80]!r}"
            + (f" (more such ids in the list: {len(unknown) - 1:,})" if len(unknown) > 1 else ""),
            where=ids.where(first),
            expected="ids of --id-column, or the sage_row_id of an earlier output",
            hint=_column_with(data, ids.ids[first]) or nearest(ids.ids[first], known.slice(0, _SEARCHED).to_pylist()),
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
    return rows[lineage.stays[rows]]


def _column_with(data: Dataset, text: str) -> str | None:
    """Return a hint that names the first column which holds an id that names no row."""
    if data.rows is None:
        return None
    table = data.rows.table
    for name in (one.name for one in table.schema if pa.types.is_string(one.type) or pa.types.is_integer(one.type)):
        if pc.index(table[name].cast(pa.string()), text).as_py() >= 0:
            return f"column {name!r} holds it: pass --id-column {name} (id_column={name!r})"
    return None


def groups_of_column(data: Dataset, column: str) -> Groups:
    """Return rows by their value in a column; groups are numbered in the order of their names.

    Raises
    ------
    UsageError
        If there is no such column.
    DataError
        If a row has no value to be counted by.
    """
    if data.rows is None:
        raise UsageError("a quota by a column needs rows", hint="pass data, or groups as an array")
    return _groups_of(data, io.group_column(data.rows, column))


def groups_given(data: Dataset, groups: Any) -> Groups:
    """Return rows by a value for each row of the input that a program handed over."""
    values = data.of_input(_values(groups, data.input_n))
    names = io.group_names(values, lambda row: Where(file="groups", row=int(data.input_rows(np.array([row]))[0])))
    return _groups_of(data, names)


def _groups_of(data: Dataset, values: pa.Array | pa.ChunkedArray) -> Groups:
    names = pc.unique(values).sort()
    of = np.full(data.seen_n, -1, np.int64)
    of[data.input_rows(np.arange(data.n))] = pc.index_in(values, value_set=names).to_numpy()
    return Groups(of, tuple(names.to_pylist()))


def with_lengths(data: Dataset, select: Select, run: Run) -> Dataset:
    """Return the rows with the lengths that a budget in tokens counts, where these are no words.

    Raises
    ------
    DataError
        If a row has no tokens, or lengths that a program handed over are no whole numbers from 0.
    """
    given = run.given(select, "lengths")
    if given is not None:
        data = data.with_feature("lengths", Lengths(data.of_input(_lengths(given, data.input_n)), "tokens"))
    if select.tokenizer is not None:
        return _with_tokens(data, select.tokenizer, run)
    if select.budget.tokens is not None:
        run.reporter.notice("no tokenizer named: the budget counts words; --tokenizer counts the tokens of a model")
    return data


def with_departures(error: UsageError, data: Dataset) -> UsageError:
    """Return the error with the rows that left before: they are why there are fewer than the input holds."""
    counts = data.lineage.counts() if data.fate is not None else {}
    if not counts:
        return error
    gone = ", ".join(f"{count:,} {cause.reason}" for cause, count in counts.items())
    copies = "; --dedup none (dedup='none') keeps copies" if any(cause.stage == "dedup" for cause in counts) else ""
    note = f"{data.input_n:,} rows were read, of which left: {gone}{copies}"
    return UsageError(
        error.message,
        where=error.where,
        expected=error.expected,
        got=error.got,
        hint=note if error.hint is None else f"{error.hint}; {note}",
    )


def _with_tokens(data: Dataset, tokenizer: str, run: Run) -> Dataset:
    if data.rows is None or data.shape is None:
        raise UsageError("a tokenizer needs rows, and there are only arrays", hint="pass data")
    rows = data.rows
    with run.reporter.progress(f"counting tokens with {tokenizer}") as progress:
        lengths, notices = token_lengths(
            examples(rows.table, data.shape, rows.where),
            tokenizer,
            total=data.n,
            where=rows.where,
            progress=progress,
        )
    for notice in notices:
        run.reporter.notice(notice)
    empty = np.flatnonzero(lengths == 0)
    if len(empty):
        raise DataError(
            f"{len(empty):,} rows have no tokens",
            where=rows.where(int(empty[0])),
            expected="something to train on in every row",
            hint="take these rows out of the input",
        )
    return data.with_feature("lengths", Lengths(lengths, f"tokens of {tokenizer}"))


def _id_of(data: Dataset, one: object, name: str) -> object:
    """Return the id of a row that is given by its number; anything else is an id already."""
    if data.ids is None or not isinstance(one, Integral) or isinstance(one, bool):
        return one
    row = int(one)
    n = data.input_n
    if not 0 <= row < n:
        raise UsageError(f"{name} names no row", expected=f"row numbers below {n:,}, or ids", got=str(row))
    return data.lineage.name(row)


def _lengths(lengths: Any, n: int) -> NDArray[np.int64]:
    values = array_of(lengths, "lengths", 1, n)
    if values.dtype.kind not in "iu":
        raise DataError("lengths must be whole numbers from 0", where="lengths", got=str(values.dtype))
    negative = np.flatnonzero(values < 0)
    if len(negative):
        row = int(negative[0])
        raise DataError(
            "lengths must be whole numbers from 0", where=Where(file="lengths", row=row), got=str(values[row])
        )
    if values.sum(dtype=np.float64) > _MOST_IN_ALL:
        raise DataError("the lengths are too large", where="lengths", expected=f"at most {_MOST_IN_ALL:,} in all")
    return values.astype(np.int64)


def _values(groups: Any, n: int) -> pa.ChunkedArray:
    """Return one value a row as an Arrow array."""
    if isinstance(groups, pa.Array | pa.ChunkedArray):
        values = groups
    else:
        try:
            array = np.asarray(groups)
        except ValueError:
            array = np.asarray(groups, object)
        if array.ndim != 1:
            raise misfit("groups", 1, n, f"shape {array.shape}")
        try:
            values = pa.array(array)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            raise _no_groups(array) from None
    if len(values) != n:
        raise misfit("groups", 1, n, f"{len(values):,} values")
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])


def _no_groups(array: NDArray[Any]) -> DataError:
    """Name the first value that is of another kind than the first one, or the first."""
    values = array.tolist()
    row = next((row for row, value in enumerate(values) if type(value) is not type(values[0])), 0)
    return DataError(
        "rows cannot be counted by these values",
        where=Where(file="groups", row=row),
        expected="text, whole numbers or truth values, all of one kind",
        got=repr(values[row])[:80],
    )
