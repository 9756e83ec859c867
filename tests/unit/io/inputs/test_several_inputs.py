"""Several inputs as one pool, folders of data files, pipes and standard input."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sage_select.errors import DataError, UsageError
from sage_select.io import decode_rows, estimate, read
from sage_select.io.source import pipes
from sage_select.io.source.named import short_names
from sage_select.io.tables.merge import merged

CHATS = [
    {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": f"b {number}"}], "n": number}
    for number in range(4)
]


def lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_files_of_several_formats_are_one_pool(tmp_path: Path) -> None:
    one, two, three = tmp_path / "a.jsonl", tmp_path / "b.parquet", tmp_path / "c.arrow"
    lines(one, CHATS[:2])
    pq.write_table(pa.Table.from_pylist(CHATS[2:3]).cast(pa.Table.from_pylist(CHATS[2:3]).schema), two)
    other = pa.Table.from_pylist(CHATS[3:]).set_column(1, "n", pa.array([3], pa.int32()))
    with pa.ipc.new_file(three, other.schema) as writer:
        writer.write_table(other)
    rows = read([one, two, three])
    assert [row["sage_source"] for row in rows.table.to_pylist()] == ["a.jsonl", "a.jsonl", "b.parquet", "c.arrow"]
    assert list(decode_rows(rows.table.drop_columns(["sage_source"]))) == CHATS
    assert str(rows.where(3)) == f"{three}, row 0"
    assert estimate([one, two, three]).rows == 4
    assert read(one).table.column_names == ["messages", "n"]


def test_a_folder_of_data_files(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    lines(folder / "b.jsonl", [{"text": "two"}])
    (folder / "a.csv").write_text("text\none\n")
    (folder / "README.md").write_text("no rows")
    lines(folder / "x.arrow.manifest.json", [{}])
    assert read(folder).table.to_pylist() == [
        {"text": "one", "sage_source": "a.csv"},
        {"text": "two", "sage_source": "b.jsonl"},
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="is a folder without a saved dataset or data files"):
        read(tmp_path / "empty")


def test_columns_that_some_files_lack_are_told(tmp_path: Path) -> None:
    one, two = lines(tmp_path / "a.jsonl", [{"text": "x", "tag": 1}]), lines(tmp_path / "b.jsonl", [{"text": "y"}])
    (tmp_path / "c.csv").write_text("text\nz\n")
    rows = read([one, two, tmp_path / "c.csv"])
    assert rows.table["tag"].to_pylist() == [1, None, None]
    told = [notice for notice in rows.notices if "lacks the column tag" in notice]
    assert [str(two) in told[0], str(tmp_path / "c.csv") in told[1]] == [True, True]
    with pytest.raises(DataError, match="different columns"):
        read([one, lines(tmp_path / "d.jsonl", [{"text": "x", "other": 1}])])


def test_types_are_widened_only_where_nothing_is_lost() -> None:
    def together(*columns: pa.Array) -> Any:
        return merged([(str(index), pa.table({"a": column})) for index, column in enumerate(columns)])[0]["a"]

    assert together(pa.array([1], pa.int32()), pa.array([2], pa.int64()), pa.nulls(1)).to_pylist() == [1, 2, None]
    assert together(pa.nulls(2), pa.array(["x"])).to_pylist() == [None, None, "x"]
    assert together(pa.array([1], pa.uint8()), pa.array([-2], pa.int8())).type == pa.int64()
    lists = [[{"r": "u"}], None, []], [[{"r": None, "t": [1]}, {"r": "w", "t": None}]]
    made = together(pa.array(lists[0])[0:3], pa.array([[], *lists[1]])[1:])
    assert made.to_pylist() == [[{"r": "u", "t": None}], None, [], *lists[1]]
    for one, other in (([1], ["1"]), ([1], [1.5]), (["x"], [["x"]])):
        with pytest.raises(DataError, match="a column of different types"):
            together(pa.array(one), pa.array(other))
    with pytest.raises(DataError, match="a column of different types"):
        together(pa.array([1], pa.uint64()), pa.array([-1], pa.int64()))


def test_names_of_sources() -> None:
    assert short_names(["/x/a/train.jsonl", "/x/b/train.jsonl"]) == ["a/train.jsonl", "b/train.jsonl"]
    assert short_names(["a.jsonl", "b/c.jsonl"]) == ["a.jsonl", "b/c.jsonl"]


def test_one_file_twice_is_a_mistake(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [{"text": "x"}])
    with pytest.raises(UsageError, match="is named twice"):
        read([path, path])


def test_a_pattern_that_is_a_name(tmp_path: Path) -> None:
    folder = tmp_path / "[D]ata (v2)"
    folder.mkdir()
    path = lines(folder / "rows.jsonl", [{"text": "x"}])
    assert read(path).table.num_rows == 1
    with pytest.raises(UsageError) as caught:
        read(folder / "*.jsonl")
    assert "'[D]ata (v2)'" in str(caught.value)
    assert "[[]D]ata (v2)" in str(caught.value)
    assert read(tmp_path / "[[]D]ata (v2)" / "*.jsonl").table.num_rows == 1


def test_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    table = pa.table({"text": ["row"] * 100_000})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    thread = threading.Thread(target=lambda: pipe.write_bytes(sink.getvalue()))
    thread.start()
    rows = read(pipe)
    thread.join()
    assert rows.table.equals(table)
    assert rows.source == str(pipe)


def test_a_pipe_that_nobody_writes_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "_PATIENCE", 0.05)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="nobody writes into"):
        read(tmp_path / "pipe")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "a"}\n{"text": 1}\n{"text": "b"}\n')))
    with pytest.raises(DataError, match="<stdin>, row 1, line 2, column 'text': a column changes its type"):
        read("-")
