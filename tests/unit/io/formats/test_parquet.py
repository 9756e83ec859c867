from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sage_select.errors import DataError
from sage_select.io import read
from sage_select.io.formats.parquet import BATCH_ROWS
from sage_select.io.guards import damage


def test_a_table_with_nested_columns(tmp_path) -> None:
    rows = [{"m": [{"role": "user", "content": None}], "s": {"a": 1, "b": None}}, {"m": [], "s": None}]
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, tmp_path / "rows")
    held = read(tmp_path / "rows")
    assert held.table.to_pylist() == rows
    assert held.table.schema.field("m").type == pa.list_(table.schema.field("m").type.value_field.with_name("item"))
    assert held.where(1).row == 1
    assert held.where(1).line is None


def test_a_row_group_is_decoded_some_rows_at_a_time(tmp_path) -> None:
    table = pa.table({"n": range(2 * BATCH_ROWS + 5), "s": [{"a": [str(i)]} for i in range(2 * BATCH_ROWS + 5)]})
    pq.write_table(table, tmp_path / "rows")
    held = read(tmp_path / "rows").table
    assert [len(chunk) for chunk in held["s"].chunks] == [BATCH_ROWS, BATCH_ROWS, 5]
    assert held.to_pylist() == table.to_pylist()


@pytest.mark.parametrize("cut", [8, 100, -1])
def test_a_cut_file_is_named(cut, tmp_path) -> None:
    pq.write_table(pa.table({"a": ["x"] * 100}), tmp_path / "rows")
    (tmp_path / "rows").write_bytes((tmp_path / "rows").read_bytes()[:cut])
    with pytest.raises(DataError, match=r"rows: is damaged, cut off or not Parquet"):
        read(tmp_path / "rows")


def test_repeated_values_can_be_a_bomb(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(damage, "RATIO_FREE_BYTES", 1 << 20)
    monkeypatch.setattr(damage, "MAX_RATIO", 100)
    pq.write_table(pa.table({"a": pa.array([7]).take(pa.array([0] * (1 << 20)))}), tmp_path / "rows")
    with pytest.raises(DataError, match="expands far more"):
        read(tmp_path / "rows")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads as Linux lists them")
def test_no_thread_of_arrow_holds_bytes_of_python(tmp_path) -> None:
    """One that lets go of them while the interpreter ends takes the process with it."""
    pq.write_table(pa.table({name: ["x" * 100] * 100 for name in "abcdef"}), tmp_path / "rows")
    code = """if True:
        import pathlib, sys, sage_select.io, pyarrow
        pyarrow.set_cpu_count(4)
        before = len(list(pathlib.Path("/proc/self/task").iterdir()))
        assert sage_select.io.read(sys.argv[1]).table.num_rows == 100
        print(len(list(pathlib.Path("/proc/self/task").iterdir())) - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "rows")], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"
