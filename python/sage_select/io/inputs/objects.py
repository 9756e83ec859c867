"""Tables that are in memory already: anything that speaks Arrow, and lists of row objects."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, cast

import pyarrow as pa

from sage_select.errors import DataError, SageError, UsageError, Where
from sage_select.io.formats.json_faults import row_of
from sage_select.io.formats.json_table import table_of_text
from sage_select.io.guards.damage import damage_errors
from sage_select.io.guards.expansion import PlainSize
from sage_select.io.guards.panics import panics_refused
from sage_select.io.tables.bad_rows import BadRows
from sage_select.io.tables.digest import digest_table
from sage_select.io.tables.normalise import normalise
from sage_select.io.tables.rows import FileRows, RowLocations, Rows
from sage_select.io.tables.strict_json import StrictJsonError, encode

__all__ = ["by_polars", "collected", "from_object", "repeatable", "table_of"]

_ACCEPTED = (
    "an object with __arrow_c_stream__ (a polars or pandas DataFrame, a pyarrow Table, a DuckDB relation), a polars "
    "LazyFrame, a datasets.Dataset, a pyarrow Dataset or Scanner, or a list of dicts"
)
#: What computes its rows whenever they are read.
_COMPUTED: Final = (("polars", "LazyFrame"), ("datasets", "Dataset"), ("duckdb", "DuckDBPyRelation"))
#: What an object that is no table may be meant as: module, class, and what to hand over instead.
_INSTEAD: Final = (
    ("datasets", "IterableDataset", "collect it first: datasets.Dataset.from_list(list(dataset))"),
    ("duckdb", "DuckDBPyConnection", "hand over a relation: connection.sql(query)"),
    ("numpy", "ndarray", "vectors are `embeddings`, one number a row are `scores`; rows are tables"),
    ("torch", "Tensor", "vectors are `embeddings`, one number a row are `scores`; rows are tables"),
    ("builtins", "dict", "columns are a table: pyarrow.table(columns)"),
)


def from_object(obj: Any, *, with_bad_rows: bool = False) -> Rows:
    """Return the rows of an object in memory.

    Parameters
    ----------
    obj
        Anything with `__arrow_c_stream__` (a reader of batches gives its rows once), a polars `LazyFrame` (collected),
        a `datasets.Dataset` (with its selections and order), a pyarrow `Dataset` or `Scanner`, or a list of dicts of
        JSON values.
    with_bad_rows
        Return rows of a list that cannot be held as well, null in all columns and told in `Rows.bad`.

    Raises
    ------
    UsageError
        Where the object is none of these.
    DataError
        Where it has no rows, or values that cannot be held, or cannot compute them.
    """
    name = f"<{type(obj).__module__.partition('.')[0]} {type(obj).__name__}>"
    notices: list[str] = []
    bad = BadRows()
    if isinstance(obj, list | tuple):
        name = "<list of dicts>"
        table, notices = _from_dicts(obj, name, bad)
    elif _is_instance(obj, "polars", "LazyFrame"):
        table = _plain(_imported(collected(obj, name), name), name)
    elif _is_instance(obj, "datasets", "Dataset"):
        table = _plain(_of_dataset(obj), name)
    elif hasattr(obj, "__arrow_c_stream__") or _is_scanned(obj):
        table = _plain(_imported(obj, name), name)
    else:
        raise UsageError("not a table", expected=_ACCEPTED, got=type(obj).__qualname__, hint=_hint(obj))
    if table.num_rows == 0:
        raise DataError("has no rows", where=name, hint=_of_empty(obj))
    if len(bad) and (len(bad) == table.num_rows or not with_bad_rows):
        raise bad.error(table.num_rows, name, None)
    return Rows(table, name, RowLocations((FileRows(name, table.num_rows),)), digest_table(table), notices, bad)


def repeatable(obj: Any) -> Any:
    """Return rows that can be read once, or are computed whenever they are read, as a table; all else as it is.

    Raises
    ------
    DataError
        As `from_object`.
    """
    once = isinstance(obj, pa.RecordBatchReader) or _is_scanned(obj)
    computed = any(_is_instance(obj, *kind) for kind in _COMPUTED)
    return from_object(obj).table if once or computed else obj


def _is_instance(obj: Any, module: str, name: str) -> bool:
    """Tell whether `obj` is of a class whose module may never have been imported."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(obj, getattr(loaded, name, ()))


def _plain(batches: Iterator[pa.RecordBatch | pa.Schema], name: str) -> pa.Table:
    """Return the table of a schema and valid batches after it."""
    with damage_errors(name, "an Arrow table"):
        schema, held = cast("pa.Schema", next(batches)), []
        size = PlainSize(0, name)
        for batch in batches:
            size.packed += batch.nbytes
            size.add(batch.columns, batch.num_rows)
            held.append(batch)
        return normalise(pa.Table.from_batches(held, schema), name)


def _imported(obj: Any, name: str) -> Iterator[pa.RecordBatch | pa.Schema]:
    """Yield the schema and the batches of an object, validated.

    The C stream tells no sizes of buffers, so that one which came through it can no longer be validated safely: what
    pyarrow holds itself is validated where it is. Of other libraries' objects nothing better is known than that they
    hold what they promise.
    """
    if _is_instance(obj, "pandas", "DataFrame"):
        obj = _of_pandas(obj, name)
    if isinstance(obj, pa.RecordBatch):
        obj = pa.Table.from_batches([obj])
    if isinstance(obj, pa.Table):
        obj.validate(full=True)
        yield obj.schema
        yield from obj.to_batches()
        return
    try:
        reader = _reader(obj)
        yield reader.schema
        for batch in reader:
            batch.validate(full=True)
            yield batch
    except (MemoryError, pa.ArrowException, SageError):
        raise
    except Exception as error:  # of whatever computes the rows: a query of DuckDB, a generator
        raise _not_computed(name, error) from error


def _reader(obj: Any) -> pa.RecordBatchReader:
    if isinstance(obj, pa.RecordBatchReader):
        return obj
    if _is_instance(obj, "pyarrow.dataset", "Dataset"):
        obj = obj.scanner()
    return obj.to_reader() if _is_scanned(obj) else pa.RecordBatchReader.from_stream(obj)


def _is_scanned(obj: Any) -> bool:
    return any(_is_instance(obj, "pyarrow.dataset", kind) for kind in ("Dataset", "Scanner"))


def _of_pandas(frame: Any, name: str) -> pa.Table:
    """Return a pandas frame as a table; columns of objects are what their values have in common."""
    try:
        return pa.Table.from_pandas(frame)
    except (ValueError, TypeError) as error:  # those of Arrow are either, too
        said = [str(one) for one in error.args if str(one)] or [type(error).__name__]
        column = re.fullmatch(r"Conversion failed for column (.*) with type \w+", said[-1], flags=re.DOTALL)
        if column is None and isinstance(error, pa.ArrowException):
            raise
        raise DataError(
            "pandas holds what Arrow has no type for",
            where=name if column is None else Where(file=name, column=column[1]),
            expected="values of one type in each column",
            got=said[0].split("\n", 1)[0][:200],
        ) from None


def collected(frame: Any, name: str) -> Any:
    """Return the data frame of a polars `LazyFrame`, which messages call `name`.

    Raises
    ------
    DataError
        If polars cannot compute it, or panics.
    """
    return by_polars(frame.collect, name)


def by_polars(compute: Callable[[], Any], name: str) -> Any:
    """Return what a function of polars computes of a frame, which messages call `name`.

    Raises
    ------
    DataError
        If polars cannot compute it, or panics.
    """

    def refused(said: str) -> DataError:
        return DataError("polars cannot collect the frame", where=name, got=said.split("\n", 1)[0][:300])

    with panics_refused(refused):
        try:
            return compute()
        except SageError:
            raise
        except Exception as error:
            raise refused(str(error)) from None


def table_of(obj: Any, name: str) -> pa.Table | None:
    """Return an object that speaks Arrow as a table of plain types, or None where it does not.

    Raises
    ------
    DataError
        Where it cannot be held.
    """
    if not (isinstance(obj, pa.Table) or hasattr(obj, "__arrow_c_stream__") or _is_scanned(obj)):
        return None
    return _plain(_imported(obj, name), name)


def _of_dataset(dataset: Any) -> Iterator[pa.RecordBatch | pa.Schema]:
    """Read through the dataset's own iteration: its `.data` knows nothing of `select`, `shuffle` or `sort`."""
    dataset.data.table.validate(full=True)  # it may lie in a mapped file whose values nobody has checked
    tables = dataset.with_format("arrow").iter(batch_size=8192)
    first = next(tables, None)
    yield dataset.features.arrow_schema if first is None else first.schema
    for table in [first, *tables] if first is not None else ():
        yield from table.to_batches()


def _from_dicts(rows: list[Any] | tuple[Any, ...], name: str, bad_rows: BadRows) -> tuple[pa.Table, list[str]]:
    lines: list[str] = []
    faults = {}
    for index, row in enumerate(rows):
        where = Where(file=name, row=index)
        if not isinstance(row, dict):
            raise UsageError(
                "not a table", where=where, expected=_ACCEPTED, got=f"a list with a {type(row).__qualname__}"
            )
        made = _json_text(row, where)
        if isinstance(made, DataError):
            faults[index] = made
        lines.append("!" if isinstance(made, DataError) else made)
    table, _, notices = table_of_text("\n".join(lines).encode(), name, bad_rows, faults=faults)
    return table, notices


def _json_text(row: dict[Any, Any], where: Where) -> str | DataError:
    """Return the row as JSON, or what JSON cannot hold of it."""
    try:
        text = encode(row)
        text.encode("utf-8")
        copy: Any = row_of(text)
    except (StrictJsonError, UnicodeEncodeError, TypeError, RecursionError) as error:
        return DataError(f"holds what JSON cannot hold: {error}", where=where)
    if copy != row:
        return DataError("holds what JSON cannot hold: a tuple, or a key that is no string", where=where)
    return text


def _not_computed(name: str, error: Exception) -> DataError:
    said = str(error).strip().split("\n", 1)[0][:300] or type(error).__name__
    return DataError("its rows cannot be computed", where=name, got=said)


def _of_empty(obj: Any) -> str | None:
    """Return what may be the matter with a reader that gives no rows."""
    if not isinstance(obj, pa.RecordBatchReader):
        return None
    return "a reader gives its rows once; to read them again, make another, or hand over reader.read_all()"


def _hint(obj: Any) -> str | None:
    if _is_instance(obj, "datasets", "DatasetDict") or _is_instance(obj, "datasets", "IterableDatasetDict"):
        return f"choose a split: {', '.join(map(str, obj))}"
    for module, kind, instead in _INSTEAD:
        if _is_instance(obj, module, kind):
            return instead
    return "rows in a list are a table: list(rows)" if isinstance(obj, Iterable) else None
