"""Rows of several tables in one."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select.errors import UsageError
from sage_select.kernels import HeldTable, interleave

_TURNS = [("a", [{"n": 1}]), (None, []), ("c", None), ("d", [{"n": None}]), ("e", [None, {"n": 2}])]
#: Values of every type of column that a buffer may hold, some of them null.
COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "text": (pa.string(), ["a", "é", None, "", "längerer Text, der nicht hineinpasst", "f"]),
    "large_text": (pa.large_string(), ["a", None, "c", "", "e", "f"]),
    "view": (pa.string_view(), ["a", None, "a text of more than twelve bytes", "", "e", "f"]),
    "binary": (pa.binary(), [b"a", b"\x00", None, b"", b"e", b"f"]),
    "fixed": (pa.binary(2), [b"aa", b"bb", None, b"dd", b"ee", b"ff"]),
    "flag": (pa.bool_(), [True, None, False, True, False, True]),
    "whole": (pa.int64(), [1, None, 3, -4, 5, 6]),
    "byte": (pa.uint8(), [1, 2, None, 4, 5, 6]),
    "half": (pa.float16(), [np.float16(x) for x in (0.5, 1, 2, 3, 4, 5)]),
    "double": (pa.float64(), [0.5, None, 2.0, 3.0, 4.0, 5.0]),
    "decimal": (pa.decimal128(9, 2), [Decimal("1.25"), None, Decimal("3.00"), *map(Decimal, (4, 5, 6))]),
    "narrow_decimal": (pa.decimal32(5, 2), [Decimal("1.25"), None, *map(Decimal, (3, 4, 5, 6))]),
    "day": (pa.date32(), [date(2026, 1, one) for one in range(1, 7)]),
    "moment": (pa.timestamp("us", "UTC"), [0, None, 2, 3, 4, 5]),
    "duration": (pa.duration("ms"), [timedelta(seconds=one) for one in range(6)]),
    "nothing": (pa.null(), [None] * 6),
    "labels": (pa.dictionary(pa.int8(), pa.string()), ["a", "b", None, "a", "c", "b"]),
    "list": (pa.list_(pa.string()), [["a"], [], None, ["b", None], ["c"], ["d", "e"]]),
    "large_list": (pa.large_list(pa.int32()), [[1], [], None, [2, None], [3], [4, 5]]),
    "list_view": (pa.list_view(pa.int32()), [[1], [], None, [2, None], [3], [4, 5]]),
    "vector": (pa.list_(pa.float32(), 2), [[0.0, 1.0], None, [2.0, 3.0], [4.0, 5.0], [6.0, 7.0], [8.0, 9.0]]),
    "struct": (
        pa.struct({"role": pa.string(), "turns": pa.list_(pa.struct({"n": pa.int64()}))}),
        [*({"role": role, "turns": turns} for role, turns in _TURNS), None],
    ),
    "map": (pa.map_(pa.string(), pa.int64()), [[("a", 1)], [], None, [("b", 2), ("c", 3)], [("d", 4)], [("e", 5)]]),
}


def _cut(table: pa.Table, at: int, *, pieces: bool) -> list[pa.Table]:
    parts = [table.slice(0, at), table.slice(at)]
    return parts if pieces else [part.combine_chunks() for part in parts]


@pytest.mark.parametrize("pieces", [True, False], ids=["slices", "joined"])
@pytest.mark.parametrize("name", COLUMNS)
def test_rows_are_those_of_the_joined_table(name: str, pieces: bool) -> None:
    kind, values = COLUMNS[name]
    field = pa.field(name, kind, metadata={"about": "kept"})
    column = pa.array(values, kind)
    table = pa.table([column], schema=pa.schema([field], metadata={"of": "the table"}))
    first, second = _cut(table, 2, pieces=pieces)
    order = [5, 0, 2, 2, 1, 3, 4]
    which, rows = [int(row >= 2) for row in order], [row - 2 * (row >= 2) for row in order]
    found = interleave([HeldTable(first), HeldTable(second)], which, rows)
    assert found.schema.equals(table.schema, check_metadata=True)
    found.validate(full=True)
    assert found[name].to_pylist() == [column[row].as_py() for row in order]


@given(st.lists(st.lists(st.lists(st.text(max_size=3) | st.none(), max_size=4), max_size=3), min_size=1), st.data())
def test_any_rows_of_any_chunks(tables: list[list[list[str | None]]], data: st.DataObject) -> None:
    made = [pa.table({"a": pa.chunked_array(chunks, pa.string())}) for chunks in tables]
    flat = [[value for chunk in chunks for value in chunk] for chunks in tables]
    places = [(one, row) for one, values in enumerate(flat) for row in range(len(values))]
    some = data.draw(st.lists(st.sampled_from(places), max_size=8)) if places else []
    found = interleave([HeldTable(one) for one in made], [one for one, _ in some], [row for _, row in some])
    assert found["a"].to_pylist() == [flat[one][row] for one, row in some]


def test_no_columns_are_rows_too() -> None:
    table = pa.table({"a": [1, 2, 3]}).select([])
    assert interleave([HeldTable(table)], [0, 0], [2, 1]).shape == (2, 0)


@pytest.mark.parametrize(
    ("which", "rows", "said"),
    [
        ([1], [0], "no row 0"),
        ([-1], [0], "no row 0"),
        ([0], [2], "no row 2"),
        ([0], [-1], "no row -1"),
        ([0, 0], [1], "2 tables are named"),
    ],
)
def test_what_is_not_there_is_refused(which: list[int], rows: list[int], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        interleave([HeldTable(pa.table({"a": ["x", "y"]}))], which, rows)


def test_tables_without_one_schema_are_refused() -> None:
    tables = [HeldTable(pa.table({"a": [1]})), HeldTable(pa.table({"a": ["x"]}))]
    with pytest.raises(UsageError, match="different columns"):
        interleave(tables, [0], [0])
    with pytest.raises(UsageError, match="no table"):
        interleave([], [], [])


def test_a_dictionary_that_outgrows_its_numbers_is_an_error() -> None:
    kind = pa.dictionary(pa.int8(), pa.string())
    tables = [pa.table({"a": pa.array([f"{half}{one}" for one in range(120)], kind)}) for half in "xy"]
    which, rows = np.repeat([0, 1], 120), np.tile(np.arange(120), 2)
    with pytest.raises(UsageError, match="bigger than the key type"):
        interleave([HeldTable(one) for one in tables], which, rows)
