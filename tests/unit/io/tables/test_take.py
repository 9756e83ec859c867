"""Some rows of a table, in memory or in a mapped file."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from sage_select.io.tables import take


@pytest.mark.parametrize("numbers", [[], [5], [0, 3, 4, 99], [99, 0, 50, 3, 2, 1, 0], list(range(100))[::-1]])
@pytest.mark.parametrize("room", [True, False])
def test_rows_beyond_the_budget_are_those_that_arrow_takes(
    numbers: list[int], room: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks = [
        pa.table({"a": pa.array([{"x": f"row {row}", "y": [row] * (row % 3)} for row in rows]), "b": rows})
        for rows in (range(7), range(7, 8), range(8, 60), range(60, 100))
    ]
    table = pa.concat_tables(chunks)
    wanted = np.array(numbers, np.int64)
    expected = table.take(pa.array(wanted))
    assert take.take_rows(table, wanted).equals(expected)
    monkeypatch.setattr(take, "MAPPED_BYTES", -1)
    monkeypatch.setattr(take, "row_budget", lambda: -1.0)
    monkeypatch.setattr(take, "_BYTES", table.nbytes // 10)
    if not room:
        monkeypatch.setattr(take, "mapped_batches", lambda schema, batches: None)
    found = take.take_rows(table, wanted)
    assert found.equals(expected)
    assert found.schema == table.schema
    assert len(wanted) < 50 or found.column(0).num_chunks > 5
