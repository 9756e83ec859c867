from __future__ import annotations

import pyarrow as pa

from sage_select.errors import Where
from sage_select.io.tables.rows import FileRows, RowLocations, Rows


def test_places_over_files_with_and_without_rows() -> None:
    places = RowLocations((FileRows("a", 2, (5, 9)), FileRows("empty", 0, ()), FileRows("b", 2)))
    assert [places[row] for row in range(4)] == [
        Where("a", 0, 5),
        Where("a", 1, 9),
        Where("b", 0),
        Where("b", 1),
    ]


def test_a_column_is_added() -> None:
    rows = Rows(pa.table({"x": [1]}), "a", RowLocations((FileRows("a", 1),)), "", [])
    assert rows.where(0, "x") == Where("a", 0, None, "x")
