"""A table from JSON rows, in memory bounded by a batch and the table itself.

The files are read once, batch by batch, each batch built by what is known so far. Batches whose layout turns
out too narrow (a key first seen later, say) are read and built again at the end; most files need none.
"""

from __future__ import annotations

import contextlib
import gc
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from sage_select.errors import DataError, Where
from sage_select.io.bad_rows import BadRows
from sage_select.io.json_source import JsonBatch, json_batches
from sage_select.io.layout import ABSENT, KINDS, Kind, Layout, Seen, column_field, layout_of
from sage_select.io.nested import build, retyped
from sage_select.io.opened import Input
from sage_select.io.progress import Meter
from sage_select.io.rows import Part
from sage_select.io.sniff import Format
from sage_select.io.strict_json import StrictJsonError
from sage_select.io.type_change import INEXACT, changed_type, family, holds, type_change

__all__ = ["differing_columns", "read_json", "table_of_objects"]

_MAX_COLUMNS: Final = 10_000


def read_json(
    inputs: Sequence[tuple[Input, Format]], meter: Meter, bad_rows: BadRows
) -> tuple[pa.Table, list[Part], list[str]]:
    """Return the rows of JSON files as one table, its parts and notices.

    Bad rows (no strict JSON, no object, a column of another type than in the rows before) are null in all columns.

    Raises
    ------
    DataError
        Where a file cannot be read on.
    """
    table = _JsonTable(bad_rows)
    with _no_cycle_collection():
        for source, kind in inputs:
            for batch in json_batches(source, kind, meter):
                table.take(source, batch)
            table.end_file(source)
            meter.file_done(source.size)
            source.release()
        table.finish(inputs)
    return table.made(), table.parts, table.notices()


@contextlib.contextmanager
def _no_cycle_collection() -> Iterator[None]:
    """Pause the search for cycles, of which JSON has none: it costs a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def table_of_objects(batch: JsonBatch, name: str, bad_rows: BadRows) -> tuple[pa.Table, list[str]]:
    """Return objects in memory as a table, and notices."""
    table = _JsonTable(bad_rows)
    source = Input(Path(), name)
    if batch.rows:
        table.take(source, batch)
    table.end_file(source)
    return table.made(), table.notices()


class _Built:
    """The columns of one batch, each with the layout it was built by."""

    def __init__(self, source: Input, batch: JsonBatch) -> None:
        self.source = source
        self.count = len(batch.rows)
        self.bad: set[int] = set()
        self.columns: dict[str, tuple[Layout, pa.Array]] = {}


class _JsonTable:
    def __init__(self, bad_rows: BadRows) -> None:
        self.parts: list[Part] = []
        self._bad_rows = bad_rows
        self._rows = 0
        self._columns: dict[str, Seen] = {}
        self._first: dict[str, dict[Kind | str, Where]] = {}
        self._built: list[_Built] = []
        self._lines: list[Sequence[int]] = []
        self._file_rows = 0
        self._file_names: dict[str, None] = {}
        self._names_of_files: list[tuple[str, set[str]]] = []
        self._first_file: tuple[str, set[str]] | None = None

    def take(self, source: Input, batch: JsonBatch) -> None:
        """Add a batch of rows."""
        built = _Built(source, batch)
        names = dict.fromkeys(chain.from_iterable(batch.rows))
        self._file_names.update(names)
        for name in names:
            if name not in self._columns:
                self._columns[name] = Seen(name)
                self._columns[name].absent = bool(self._built)
        if len(self._columns) > _MAX_COLUMNS:
            raise DataError(f"the rows have more than {_MAX_COLUMNS} different keys", where=source.name)
        self._set_apart(source, batch)
        while (late := self._take_good(source, batch, built)) is not None:
            batch.bad[late[0]] = late[1]
        for index, error in batch.bad.items():
            self._bad_rows.add(self._rows + index, error)
        built.bad = set(batch.bad)
        self._built.append(built)
        self._lines.append(_compact(batch.lines))
        self._file_rows += built.count
        self._rows += built.count

    def _take_good(self, source: Input, batch: JsonBatch, built: _Built) -> tuple[int, DataError] | None:
        """Build the columns of a batch, or return a row of which it is only now seen that it cannot be held."""
        good = [index for index in range(len(batch.rows)) if index not in batch.bad] if batch.bad else None
        columns = {name: [row.get(name, ABSENT) for row in batch.rows] for name in self._columns}
        changes = []
        for name, seen in self._columns.items():
            values = columns[name] if good is None else [columns[name][index] for index in good]
            seen.look_at(values)
            changes.append(self._type_change(source, batch, seen, values, good))
        refused = [error for error in changes if error is not None]
        if refused:
            raise min(refused, key=_row)  # the first in the file, however it is batched
        for name, seen in self._columns.items():
            layout = layout_of(seen)
            values = columns[name]
            if good is not None:
                values = [None if index in batch.bad else value for index, value in enumerate(values)]
            array = self._array(layout, values, source, batch, name)
            if isinstance(array, tuple):
                return array
            built.columns[name] = (layout, array)
        return None

    def _set_apart(self, source: Input, batch: JsonBatch) -> None:
        """Set the rows apart in which a column has another type than in the good rows before."""
        changing = []
        for name, seen in self._columns.items():
            types = {type(row[name]) for row in batch.rows if name in row} - {type(None)}
            kinds = {family(kind) for kind in {*map(KINDS.__getitem__, types), *seen.kinds}}
            if seen.refuses_mixture and len(kinds) > 1:
                changing.append(seen)
        first: dict[str, tuple[Kind, Where]] = {}
        for seen in changing:
            known = self._first.get(seen.name, {}).items()
            first.update((seen.name, (kind, where)) for kind, where in list(known)[:1] if isinstance(kind, Kind))
        for index, row in enumerate(batch.rows if changing else ()):
            found = {seen.name: KINDS[type(row[seen.name])] for seen in changing if row.get(seen.name) is not None}
            for name, kind in found.items():
                before, where = first.get(name, (kind, None))
                if where is not None and family(before) != family(kind):
                    batch.bad[index] = changed_type(kind, self._where(source, batch, index, name), before, where)
                    break
            if index not in batch.bad:
                first = {**{n: (k, self._where(source, batch, index, n)) for n, k in found.items()}, **first}

    def end_file(self, source: Input) -> None:
        """Close the part of a file and compare its columns with those of the first file."""
        names = set(self._file_names)
        if self._file_rows and self._first_file is None:
            self._first_file = (source.name, names)
        if self._file_rows and self._first_file is not None and names:
            first_name, known = self._first_file
            if names - known and known - names:
                raise differing_columns(source.name, names, first_name, known)
            known |= names
        self._names_of_files.append((source.name, names))
        self.parts.append(Part(source.name, self._file_rows, _joined(self._lines)))
        self._lines, self._file_rows, self._file_names = [], 0, {}

    def finish(self, inputs: Sequence[tuple[Input, Format]]) -> None:
        """Build again what was built by a layout that later rows have widened."""
        final = {name: layout_of(seen) for name, seen in self._columns.items()}
        stale = [
            [name for name, (layout, array) in built.columns.items() if layout != final[name] and not _empty(array)]
            for built in self._built
        ]
        last = max((index for index, names in enumerate(stale) if names), default=-1)
        if last < 0:
            return
        again = ((s, batch) for s, kind in inputs for batch in json_batches(s, kind, Meter(None, 0)))
        for built, names in zip(self._built[: last + 1], stale, strict=False):
            source, batch = next(again, (built.source, JsonBatch()))
            if len(batch.rows) != built.count:
                source.check_unchanged()
                raise DataError("changed while it was read", where=source.name)
            for name in names:
                values = [None if index in built.bad else row.get(name) for index, row in enumerate(batch.rows)]
                array = self._array(final[name], values, source, batch, name)
                if isinstance(array, tuple):
                    raise array[1]
                built.columns[name] = (final[name], array)

    def made(self) -> pa.Table:
        """Return the table."""
        if self._rows and len(self._bad_rows) == self._rows:
            raise self._bad_rows.error(self._rows, self.parts[0].file, None)
        if self._built and not self._columns:
            raise DataError("the rows have no keys", where=self.parts[0].file)
        fields = [column_field(seen) for seen in self._columns.values()]
        return pa.table([self._column(field) for field in fields], schema=pa.schema(fields))

    def notices(self) -> list[str]:
        """Return what cannot be told apart any more."""
        lacks = [
            f"{file} lacks the column{'s' * (len(lacking) > 1)} {', '.join(lacking)}: null in its rows"
            for file, names in self._names_of_files
            if names and (lacking := [name for name in self._columns if name not in names])
        ]
        return lacks + [
            f"column {name!r} is null in some rows and missing in others; both are held as null"
            for name, seen in self._columns.items()
            if seen.null and seen.absent
        ]

    def _column(self, field: pa.Field) -> pa.ChunkedArray:
        chunks = []
        for built in self._built:
            entry = built.columns.get(field.name)
            if entry is None or _empty(entry[1]):
                chunks.append(pa.nulls(built.count, field.type))
            else:
                chunks.append(retyped(entry[1], field.type))
        return pa.chunked_array(chunks, field.type)

    def _array(
        self, layout: Layout, values: Sequence[Any], source: Input, batch: JsonBatch, name: str
    ) -> pa.Array | tuple[int, DataError]:
        """Return the values as an array, or the first row that cannot be in it and why."""
        try:
            return build(layout, values)
        except StrictJsonError as error:
            for index, value in enumerate(values):
                try:
                    build(layout, [value])
                except StrictJsonError:
                    return index, DataError(error.message, where=self._where(source, batch, index, name))
            raise

    def _where(self, source: Input, batch: JsonBatch, index: int, name: str) -> Where:
        line = batch.lines[index] if batch.lines else None
        return Where(file=source.name, row=self._file_rows + index, line=line, column=name)

    def _type_change(
        self, source: Input, batch: JsonBatch, seen: Seen, values: Sequence[Any], good: Sequence[int] | None
    ) -> DataError | None:
        first = self._first.setdefault(seen.name, {})
        wanted = seen.kinds | ({INEXACT} if seen.inexact else set())
        found = [
            (next(index for index, value in enumerate(values) if holds(label, value)), str(label), label)
            for label in wanted - first.keys()
            if any(holds(label, value) for value in values)
        ]
        for index, _, label in sorted(found, key=itemgetter(0, 1)):
            first[label] = self._where(source, batch, index if good is None else good[index], seen.name)
        return type_change(first) if seen.mixed and seen.refuses_mixture else None


def _row(error: DataError) -> int:
    return -1 if error.where is None or error.where.row is None else error.where.row


def differing_columns(file: str, names: set[str], first_file: str, first: set[str]) -> DataError:
    """Return the error for files, read as one, whose columns are not the same."""
    lacking, more = sorted(first - names), sorted(names - first)
    said = [f"lacks {', '.join(lacking)}"] if lacking else []
    said += [f"has {', '.join(more)} besides"] if more else []
    return DataError(
        "files read together have different columns", where=file, got=f"{'; '.join(said)}, unlike {first_file}"
    )


def _empty(array: pa.Array) -> bool:
    return bool(array.null_count == len(array))


def _compact(lines: list[int]) -> Sequence[int]:
    contiguous = bool(lines) and lines[-1] - lines[0] + 1 == len(lines)
    return range(lines[0], lines[-1] + 1) if contiguous else lines


def _joined(lines: list[Sequence[int]]) -> Sequence[int]:
    if not lines:
        return ()
    if all(isinstance(part, range) for part in lines) and lines[-1][-1] - lines[0][0] + 1 == sum(map(len, lines)):
        return range(lines[0][0], lines[-1][-1] + 1)
    return array("q", chain.from_iterable(lines))
