from __future__ import annotations

import datetime

import pyarrow as pa
import pytest

from sage_select.errors import DataError
from sage_select.io import read, write

FIRST = datetime.datetime(1, 1, 1)
LAST = datetime.datetime(9999, 12, 31, 23, 59, 59)
EXTREMES = {
    "timestamp": (pa.timestamp("us"), [FIRST, LAST, None]),
    "timestamp[s]": (pa.timestamp("s", "UTC"), [FIRST, LAST]),
    "date": (pa.date32(), [FIRST.date(), LAST.date()]),
    "date64": (pa.date64(), [FIRST.date(), LAST.date()]),
    "time": (pa.time64("ns"), [datetime.time(0), datetime.time(23, 59, 59)]),
    "duration": (pa.duration("s"), [datetime.timedelta(days=-999_999_999), datetime.timedelta(days=999_999_999)]),
}
BEYOND = [
    pa.array([None, -(2**63)], pa.int64()).cast(pa.timestamp("us")),
    pa.array([0, 2**62], pa.int64()).cast(pa.timestamp("s")),
    pa.array([2**31 - 1], pa.int32()).cast(pa.date32()),
    pa.array([86_400_000 * 10**8], pa.int64()).cast(pa.date64()),
    pa.array([2**62], pa.int64()).cast(pa.duration("s")),
]


@pytest.mark.parametrize("case", EXTREMES)
def test_the_first_and_the_last_moment_are_read(case: str, tmp_path) -> None:
    kind, values = EXTREMES[case]
    table = pa.table({"a": pa.array(values, kind)})
    write(table, tmp_path / "rows.arrow", {})
    assert read(tmp_path / "rows.arrow").table.equals(table)
    assert len(read(tmp_path / "rows.arrow").table.to_pylist()) == len(values)


@pytest.mark.parametrize("values", BEYOND, ids=lambda values: str(values.type))
@pytest.mark.parametrize("nested", ["column", "struct", "list"])
def test_a_moment_that_python_cannot_hold_is_refused(values: pa.Array, nested: str, tmp_path) -> None:
    if nested == "struct":
        values = pa.StructArray.from_arrays([values], ["inner"])
    elif nested == "list":
        values = pa.ListArray.from_arrays(list(range(len(values) + 1)), values)
    table = pa.table({"text": ["a"] * len(values), "when": values})
    with pa.ipc.new_file(tmp_path / "rows.arrow", table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(DataError, match=r"when.*\n?.*out of range"):
        read(tmp_path / "rows.arrow")
