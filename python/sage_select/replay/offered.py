"""Rows that are offered to a buffer, or named for it: a table, its ids, and what is known of each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io
from sage_select.errors import DataError, UsageError, Where
from sage_select.io.guards.damage import damage_errors
from sage_select.replay.rows import NOT_KNOWN, ReplayRows, words_of

__all__ = ["BESIDE", "LOGITS", "VECTORS", "Offered", "as_table", "ids_of", "offered", "some_ids", "vectors_of"]

#: The column in which vectors lie that are no column of the rows themselves.
VECTORS: Final = "sage_replay_vector"
#: The column in which lies what a model said of each row, where it was asked.
LOGITS: Final = "sage_replay_logits"
#: Columns that lie beside those of the rows themselves, and are shown by nothing that shows rows.
BESIDE: Final = (VECTORS, LOGITS)


@dataclass(frozen=True)
class Offered:
    """Rows that are offered.

    Attributes
    ----------
    table
        Their columns, the vectors among them.
    rows
        What the buffer knows them by.
    vector_column
        The column of their vectors, None where they have none.
    """

    table: pa.Table
    rows: ReplayRows
    vector_column: str | None


def as_table(rows: Any, name: str = "rows") -> pa.Table:
    """Return rows as a table; there may be none.

    Raises
    ------
    UsageError, DataError
        They are no table, or cannot be held.
    """
    found = io.table_of(rows, name)
    if found is None and isinstance(rows, list | tuple) and not rows:
        raise UsageError("rows without columns", expected="a table, or a list of dictionaries", got="an empty list")
    return io.from_object(rows).table if found is None else found


def ids_of(table: pa.Table, column: str) -> pa.Array:
    """Return the ids of rows, as text.

    Raises
    ------
    UsageError
        There is no such column.
    DataError
        An id is null, there twice, or neither text nor a whole number.
    """
    if column not in table.column_names:
        raise UsageError(
            "rows have no ids",
            where=Where(column=column),
            expected="a column whose values name rows",
            got=", ".join(table.column_names)[:200],
            hint="name another with id_column, or take rows that sage-select has written: these have sage_row_id",
        )
    ids = table[column].combine_chunks()
    types = pa.types
    if any(is_so(ids.type) for is_so in (types.is_integer, types.is_large_string, types.is_string_view, types.is_null)):
        ids = ids.cast(pa.string())
    elif ids.type != pa.string():
        raise DataError("ids are text or whole numbers", where=Where(column=column), got=str(ids.type))
    if ids.null_count:
        row = int(np.flatnonzero(ids.is_null().to_numpy(zero_copy_only=False))[0])
        raise DataError("a row has no id", where=Where(row=row, column=column), expected="text", got="null")
    return ids


def offered(
    given: Any,
    id_column: str,
    *,
    scores: Any = None,
    embeddings: Any = None,
    groups: Any = None,
    lengths: Any = None,
    logits: pa.Array | None = None,
    plain: pa.Schema | None = None,
) -> Offered:
    """Return rows as they are offered to a buffer.

    Parameters
    ----------
    plain
        A schema of which it is known that rows are held as they are.

    Raises
    ------
    UsageError, DataError
        As `ReplayBuffer.update`.
    """
    table = _valid(given) if isinstance(given, pa.Table) and given.schema == plain else as_table(given)
    _refuse_ours(table)
    n = table.num_rows
    ids = ids_of(table, id_column)
    words = words_of(ids)
    _refuse_twice(ids, words, id_column)
    known = _numbers(table, scores, "scores", n)
    unknown = np.full(n, NOT_KNOWN, np.int64)
    table, vector_column = _with_vectors(table, embeddings, n)
    vectors = None if vector_column is None else vectors_of(table[vector_column], vector_column)
    table = _with_logits(table, logits)
    rows = ReplayRows(
        words=words,
        arrivals=unknown,
        scores=np.full(n, np.nan) if known is None else known,
        scored=unknown,
        groups=_groups(table, groups, n),
        tokens=_lengths(table, lengths, n),
        segments=unknown,
        places=np.arange(n),
        ids=ids,
        vectors_of=None if vectors is None else lambda some: vectors[some],
    )
    return Offered(table, rows, vector_column)


def _valid(table: pa.Table) -> pa.Table:
    """Return a table whose values are those that Arrow promises."""
    with damage_errors("rows", "an Arrow table"):
        table.validate(full=True)
    return table


def some_ids(given: Any, id_column: str) -> pa.Array:
    """Return ids that somebody names: a list or array of them, or a table of rows.

    Raises
    ------
    UsageError, DataError
        They are no ids.
    """
    if given is None:
        return pa.array([], pa.string())
    if isinstance(given, pa.Array | pa.ChunkedArray):
        return ids_of(pa.table({id_column: given}), id_column)
    if isinstance(given, set | frozenset):
        given = sorted(given, key=str)
    if isinstance(given, str):
        given = [given]
    if isinstance(given, np.ndarray) or (hasattr(given, "to_list") and not hasattr(given, "columns")):
        given = given.tolist() if isinstance(given, np.ndarray) else given.to_list()  # of polars, or of pandas
    if isinstance(given, list | tuple) and not any(isinstance(one, dict) for one in given):
        wrong = [one for one in given if isinstance(one, bool) or not isinstance(one, str | int | np.integer)]
        if wrong:
            raise UsageError("ids are text or whole numbers", got=type(wrong[0]).__name__)
        return pa.array([str(one) for one in given], pa.string())
    return ids_of(as_table(given), id_column)


def vectors_of(column: pa.ChunkedArray, name: str) -> NDArray[np.float32]:
    """Return a list column as a matrix, float32 (n, d).

    Raises
    ------
    DataError
        It holds no vectors, or some of another width, or a row has none.
    """
    lists = column.combine_chunks()
    kind, own = lists.type, None if name == VECTORS else name
    fixed = pa.types.is_fixed_size_list(kind)
    if not (fixed or pa.types.is_list(kind) or pa.types.is_large_list(kind)) or not _are_numbers(kind.value_type):
        raise DataError("embeddings are lists of numbers", where=Where(column=name), got=str(kind))
    missing = lists.is_null().to_numpy(zero_copy_only=False)
    if missing.any():
        raise DataError("a row has no vector", where=Where(row=int(np.flatnonzero(missing)[0]), column=own))
    if not len(lists):
        return np.empty((0, kind.list_size if fixed else 0), np.float32)
    widths = np.full(len(lists), kind.list_size) if fixed else lists.value_lengths().to_numpy()
    if (widths != widths[0]).any():
        row = int(np.flatnonzero(widths != widths[0])[0])
        got = f"{widths[row]}"
        raise DataError(
            "vectors of different widths", where=Where(row=row, column=own), expected=f"{widths[0]}", got=got
        )
    matrix = np.asarray(lists.flatten().cast(pa.float32())).reshape(len(lists), int(widths[0]))
    wrong = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(wrong):
        raise DataError("a vector holds what is no finite number", where=Where(row=int(wrong[0]), column=own))
    return matrix


def _are_numbers(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _refuse_ours(table: pa.Table) -> None:
    names = table.column_names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError("a column is there twice", where=Where(column=twice))
    for name in BESIDE:
        if name in names:
            raise DataError("has a column of our own name", where=Where(column=name), hint="name it otherwise")


def _refuse_twice(ids: pa.Array, words: NDArray[np.uint64], column: str) -> None:
    in_order = np.sort(words)
    if not (in_order[1:] == in_order[:-1]).any():
        return
    counts = pc.value_counts(ids)
    twice = counts.filter(pc.greater(counts.field("counts"), 1))
    if not len(twice):
        return
    name = twice[0]["values"].as_py()
    rows = np.flatnonzero(pc.equal(ids, name).to_numpy(zero_copy_only=False))
    raise DataError(
        "an id is there twice",
        where=Where(row=int(rows[1]), column=column),
        got=f"{name!r} in rows {rows[0]} and {rows[1]}, and {len(twice) - 1:,} others"
        if len(twice) > 1
        else f"{name!r} in rows {rows[0]} and {rows[1]}",
        expected="each row once in an update",
        hint="leave the copies out: sage-select build --dedup exact",
    )


def _column(table: pa.Table, given: Any, what: str) -> Any:
    """Return a column where one is named, else the values themselves."""
    if not isinstance(given, str):
        return given
    if given not in table.column_names:
        raise UsageError(
            f"there is no column of {what}", where=Where(column=given), got=", ".join(table.column_names)[:200]
        )
    return table[given].combine_chunks()


def _numbers(table: pa.Table, given: Any, what: str, n: int) -> NDArray[np.float64] | None:
    """Return one finite number a row; None where nothing is given."""
    values = _column(table, given, what)
    if values is None:
        return None
    try:
        found = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{what} are numbers", got=type(values).__name__) from None
    if found.shape != (n,):
        raise UsageError(f"{what} are one number a row", expected=f"{n:,}", got=f"shape {found.shape}")
    wrong = np.flatnonzero(~np.isfinite(found))
    if len(wrong):
        raise DataError(
            f"{len(wrong):,} of {n:,} {what} are no finite number",
            where=Where(row=int(wrong[0])),
            got=str(found[wrong[0]]),
            hint="leave these rows out, or score them again",
        )
    return found


def _groups(table: pa.Table, given: Any, n: int) -> pa.Array:
    values = _column(table, given, "groups")
    if values is None:
        return pa.nulls(n, pa.string())
    try:
        found = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        found = (found if isinstance(found, pa.Array) else pa.array(found)).cast(pa.string())
    except (pa.ArrowException, TypeError, ValueError):
        raise DataError("groups are text or whole numbers", got=type(values).__name__) from None
    if len(found) != n:
        raise UsageError("groups are one a row", expected=f"{n:,}", got=f"{len(found):,}")
    if found.null_count:
        row = int(np.flatnonzero(found.is_null().to_numpy(zero_copy_only=False))[0])
        raise DataError("a row has no group", where=Where(row=row), got="null")
    return found


def _lengths(table: pa.Table, given: Any, n: int) -> NDArray[np.int64]:
    found = _numbers(table, given, "lengths", n)
    if found is None:
        return np.full(n, NOT_KNOWN, np.int64)
    wrong = np.flatnonzero((found < 0) | (found != np.floor(found)) | (found >= 2.0**53))
    if len(wrong):
        raise DataError(
            "lengths are whole numbers of tokens", where=Where(row=int(wrong[0])), got=f"{found[wrong[0]]:g}"
        )
    return found.astype(np.int64)


def _with_vectors(table: pa.Table, given: Any, n: int) -> tuple[pa.Table, str | None]:
    """Return the table with vectors as a column of it, and the name of the column."""
    if given is None:
        return table, None
    if isinstance(given, str):
        _column(table, given, "embeddings")
        return table, given
    try:
        with np.errstate(over="ignore"):  # what is too large is refused as no finite number
            matrix = np.ascontiguousarray(given, np.float32)
    except (TypeError, ValueError):
        raise DataError("embeddings are numbers", got=type(given).__name__) from None
    if matrix.ndim != 2 or len(matrix) != n or not matrix.shape[1]:
        raise UsageError("embeddings are one vector a row", expected=f"({n:,}, d)", got=f"shape {matrix.shape}")
    values = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])
    return table.append_column(pa.field(VECTORS, values.type), values), VECTORS


def _with_logits(table: pa.Table, given: pa.Array | None) -> pa.Table:
    """Return the table with what a model said of its rows as a column of it."""
    if given is None:
        return table
    if not isinstance(given, pa.Array) or len(given) != table.num_rows:
        got = f"{len(given):,}" if isinstance(given, pa.Array) else type(given).__name__
        raise UsageError("logits are an Arrow array of one value a row", expected=f"{table.num_rows:,}", got=got)
    return table.append_column(pa.field(LOGITS, given.type), given)
