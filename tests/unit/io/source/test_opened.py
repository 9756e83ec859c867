"""Files that change while they are read, and tables that nobody has validated."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sage_select.errors import DataError
from sage_select.io import estimate, from_object, read
from sage_select.io.source import opened
from sage_select.io.source.opened import Input
from sage_select.io.tables.digest import digest_files

OLD = pa.table({"text": [f"old {number} of many" for number in range(40_000)]})


def put(path: Path, table: pa.Table) -> None:
    match path.suffix:
        case ".parquet":
            pq.write_table(table, path)
        case ".arrow":
            with pa.ipc.new_file(path, table.schema) as writer:
                writer.write_table(table, max_chunksize=1000)
        case _:
            # Its layout is known at the last row only: it is read twice.
            rows = [*table.to_pylist(), {"text": "last", "more": {"a": 1}}]
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("name", ["in.jsonl", "in.parquet", "in.arrow"])
def test_a_file_that_takes_the_name_meanwhile_is_not_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / name, tmp_path / f"other-{name}"
    put(path, OLD)
    put(other, OLD.slice(0, 10))
    digest = digest_files([path])
    at, done = Input.at, []

    def replacing(self: Input, place: int, count: int) -> bytes:
        data = at(self, place, count)
        if not done:
            done.append(other.replace(path))
        return data

    monkeypatch.setattr(Input, "at", replacing)
    rows = read(path)
    assert rows.table["text"].to_pylist()[:40_000] == OLD["text"].to_pylist()
    assert rows.digest == digest
    assert digest_files([path]) != digest


@pytest.mark.parametrize("name", ["in.jsonl", "in.parquet", "in.arrow"])
@pytest.mark.parametrize("large", [False, True])
def test_a_file_that_is_cut_while_it_is_read(
    name: str, large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr(opened, "MAPPED_BYTES", 1 << 10)
    path = tmp_path / name
    put(path, OLD)
    os.utime(path, (1, 1))
    at, seen = Input.at, []

    def cutting(self: Input, place: int, count: int) -> bytes:
        seen.append(count)
        if len(seen) == 3:
            os.truncate(path, path.stat().st_size // 2)
        return at(self, place, count)

    monkeypatch.setattr(Input, "at", cutting)
    with pytest.raises(DataError, match="changed while it was read"):
        read(path)


def test_a_large_file_lies_in_a_copy_that_nobody_can_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "MAPPED_BYTES", 1 << 10)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    path = tmp_path / "in.arrow"
    put(path, OLD)
    rows = read(path)
    os.truncate(path, 10)
    assert rows.table.equals(OLD)
    assert [entry.name for entry in tmp_path.iterdir()] == ["in.arrow"]


def test_of_very_many_files_each_is_known_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    source = Input(path, "a", hold=False)
    assert source.at(0, 9) == b"one"
    source.release()
    assert source.at(0, 9) == b"one"
    source.release()
    (tmp_path / "b").write_bytes(b"two")
    (tmp_path / "b").replace(path)
    with pytest.raises(DataError, match="changed while it was read"):
        source.at(0, 9)


def damaged_bytes(new: Callable[..., Any], offset: int) -> bytes:
    """Return a file of 100 rows in which one byte of an offset is wrong: it leads far outside the text."""
    sink = pa.BufferOutputStream()
    table = pa.table({"text": [f"row {number} with words" for number in range(100)]})
    with new(sink, table.schema) as writer:
        writer.write_table(table)
    data = bytearray(sink.getvalue().to_pybytes())
    at = data.index(bytes(table["text"].chunk(0).buffers()[1])[:64])
    data[at + 4 * offset + 3] = 0x7F
    return bytes(data)


def damaged() -> pa.Table:
    """Return a table as pyarrow reads a damaged file: unvalidated."""
    return pa.ipc.open_stream(damaged_bytes(pa.ipc.new_stream, 100)).read_all()


def test_a_damaged_table_is_validated_where_it_is() -> None:
    table = damaged()
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    for obj in (table, table.to_batches()[0], reader):
        with pytest.raises(DataError, match="is damaged"):
            from_object(obj)


def test_a_damaged_table_within_others() -> None:
    datasets = pytest.importorskip("datasets")
    pandas = pytest.importorskip("pandas")
    with pytest.raises(DataError, match="is damaged"):
        from_object(datasets.Dataset(datasets.table.InMemoryTable(damaged()), fingerprint="x"))
    frame = pandas.DataFrame({"text": pandas.arrays.ArrowExtensionArray(damaged()["text"])})
    with pytest.raises(DataError, match="is damaged"):
        from_object(frame)


@pytest.mark.parametrize("new", [pa.ipc.new_file, pa.ipc.new_stream])
@pytest.mark.parametrize("offset", [50, 100])
def test_a_look_validates_what_it_looks_at(new: Callable[..., Any], offset: int, tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(damaged_bytes(new, offset))
    for one in (estimate, read):
        with pytest.raises(DataError, match="is damaged"):
            one(tmp_path / "rows")
