"""JSON lines as a table, one value after the other: the plain twin of the Rust reader, which must say the same."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pyarrow as pa
from tests.support.json_changes import INEXACT, changed_type, family, holds, type_change
from tests.support.json_kinds import ABSENT, KINDS, Kind, Observed
from tests.support.json_layout import build, column_field, layout_of

from sage_select.errors import DataError, Where
from sage_select.io.formats.json_faults import line_fault, row_of
from sage_select.io.tables.strict_json import StrictJsonError

__all__ = ["twin"]


def twin(text: bytes, file: str) -> tuple[pa.Table, dict[int, DataError], list[str]] | DataError:
    """Return the table of JSON lines, what is wrong with bad rows, and notices; or why there is no table."""
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    bad: dict[int, DataError] = {}
    for number, line in enumerate(text.split(b"\n"), start=1):
        if not line.strip():
            continue
        where = Where(file=file, row=len(rows), line=number)
        try:
            row = row_of(line.decode())
        except (StrictJsonError, UnicodeDecodeError):
            row = None
        if not isinstance(row, dict) or "" in row:
            bad[len(rows)] = line_fault(line, where)
            row = {}
        rows.append(row)
        lines.append(number)

    def place(index: int, name: str) -> Where:
        return Where(file=file, row=index, line=lines[index], column=name)

    columns = {name: Observed(name) for name in dict.fromkeys(chain.from_iterable(rows))}
    first: dict[str, tuple[Kind, Where]] = {}
    for index, row in enumerate(rows):
        found = {
            name: KINDS[type(value)]
            for name, value in row.items()
            if value is not None and columns[name].refuses_mixture
        }
        for name in columns:
            before, where = first.get(name, (None, None))
            if name in found and before is not None and family(before) != family(found[name]):
                bad[index] = changed_type(found[name], place(index, name), before, where)
                break
        if index not in bad:
            first = {**{name: (kind, place(index, name)) for name, kind in found.items()}, **first}
    refused = []
    for name, seen in columns.items():
        values = {index: row.get(name, ABSENT) for index, row in enumerate(rows) if index not in bad}
        seen.observe(list(values.values()))
        wanted = seen.kinds | ({INEXACT} if seen.inexact else set())
        labels = sorted(
            (next(index for index, value in values.items() if holds(label, value)), str(label), label)
            for label in wanted
            if any(holds(label, value) for value in values.values())
        )
        if seen.mixed and seen.refuses_mixture:
            refused.append(type_change({label: place(index, name) for index, _, label in labels}))
    if refused:
        return min(refused, key=lambda error: error.where.row)
    arrays = {}
    late = True
    while late:
        late = False
        for name, seen in columns.items():
            values = [None if index in bad else row.get(name, ABSENT) for index, row in enumerate(rows)]
            layout = layout_of(seen)
            for index, value in enumerate(values):
                try:
                    build(layout, [value])
                except StrictJsonError as error:
                    bad[index], late = DataError(error.message, where=place(index, name)), True
            if late:
                break
            arrays[name] = build(layout, values)
    if rows and not columns:
        return DataError("the rows have no keys", where=file)
    fields = [column_field(seen) for seen in columns.values()]
    table = pa.table([retyped(arrays[field.name], field.type) for field in fields], schema=pa.schema(fields))
    notices = [
        f"column {name!r} is null in some rows and missing in others; both are held as null"
        for name, seen in columns.items()
        if seen.null and seen.absent
    ]
    return table, bad, notices


def retyped(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Return the same values under a type that differs in metadata."""
    return pa.array(array.to_pylist(), wanted)
