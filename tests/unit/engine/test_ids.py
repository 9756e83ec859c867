"""Row ids: the row's own, or what it says."""

from __future__ import annotations

import pyarrow as pa
import pytest

from sage_select import io
from sage_select.engine.local.ids import row_ids
from sage_select.errors import DataError
from sage_select.render import ShapeOptions, detect_shape


def ids(table: pa.Table, id_column: str | None = None) -> list[str]:
    rows = io.from_object(table)
    found: list[str] = row_ids(rows, detect_shape(table.schema, ShapeOptions()), id_column).to_pylist()
    return found


def test_content_names_the_rows_and_copies_are_numbered() -> None:
    a, b, a1, a2 = ids(pa.table({"text": ["a", "b", "a", "a"]}))
    assert len(a) == 32
    assert a != b
    assert (a1, a2) == (f"{a}-1", f"{a}-2")


def test_ids_do_not_depend_on_other_columns_or_column_order() -> None:
    plain = ids(pa.table({"prompt": ["p"], "completion": ["c"]}))
    assert ids(pa.table({"loss": [1.0], "completion": ["c"], "prompt": ["p"]})) == plain


def test_given_ids_are_kept() -> None:
    table = pa.table({"text": ["a", "b"], "name": ["x", "y"], "number": [7, 8]})
    assert ids(table, "name") == ["x", "y"]
    assert ids(table, "number") == ["7", "8"]


def test_an_existing_sage_row_id_is_kept() -> None:
    assert ids(pa.table({"text": ["a", "b"], "sage_row_id": ["1", "2"]})) == ["1", "2"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", "b", "a"], "stands twice"),
        (["a", None, "b"], "has no id"),
        (["a", "", "b"], "has no id"),
        ([1.5, 2, 3], "ids must be"),
    ],
)
def test_bad_ids(values: list[object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        ids(pa.table({"text": ["a", "b", "c"], "name": values}), "name")
