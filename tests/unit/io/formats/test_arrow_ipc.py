from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sage_select.errors import DataError
from sage_select.io import read
from sage_select.io.formats.ipc_frames import walk_file, walk_stream
from sage_select.io.guards import damage
from sage_select.io.source.opened import Input

TABLE = pa.table({"a": [f"text {number}" for number in range(3000)], "b": list(range(3000))})


def ipc(kind: str, table: pa.Table = TABLE, compression: str | None = None, rows: int = 1000) -> bytes:
    sink = pa.BufferOutputStream()
    new = {"file": pa.ipc.new_file, "stream": pa.ipc.new_stream}[kind]
    with new(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table, max_chunksize=rows)
    return sink.getvalue().to_pybytes()


def put(folder: Path, data: bytes, name: str = "rows.arrow") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", ["file", "stream"])
@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_files_and_streams_are_read_and_walked(kind, compression, tmp_path) -> None:
    data = ipc(kind, compression=compression)
    held = read(put(tmp_path, data))
    assert held.table.equals(TABLE)
    assert held.notices == []
    frames = {"file": walk_file, "stream": walk_stream}[kind](Input(tmp_path / "rows.arrow", "x"))
    assert (frames.rows, frames.ended) == (3000, True)
    assert frames.unpacked >= TABLE.nbytes


def test_dictionary_batches_are_walked_and_decoded(tmp_path) -> None:
    table = pa.table({"a": TABLE.column("a").dictionary_encode()})
    for kind in ("file", "stream"):
        held = read(put(tmp_path, ipc(kind, table, "zstd")))
        assert held.table.column("a").equals(TABLE.column("a"))


def test_a_stream_without_its_end_is_noticed_and_a_cut_batch_refused(tmp_path) -> None:
    data = ipc("stream")
    held = read(put(tmp_path, data[:-8]))
    assert held.table.num_rows == 3000
    assert "the stream of 3000 rows has no end marker" in held.notices[0]
    with pytest.raises(DataError, match="cut off within a batch"):
        read(put(tmp_path, data[:-100]))


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("stream", ipc("stream"), "another Arrow stream follows"),
        ("stream", b"\0" * 64, "bytes follow the end"),
        ("file", ipc("file"), "between the batches and the footer"),
        ("file", b"\0" * 64, "ends with ARROW1"),
        ("file", b"ARROW1", "is damaged"),
    ],
)
def test_what_other_readers_do_not_see_behind_the_end(kind, more, said, tmp_path) -> None:
    with pytest.raises(DataError, match=said):
        read(put(tmp_path, ipc(kind) + more))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(damage, "RATIO_FREE_BYTES", 1 << 20)
    table = pa.table({"a": np.zeros(1 << 20)})
    for kind in ("file", "stream"):
        path = put(tmp_path, ipc(kind, table, "zstd", rows=1 << 20))
        before = pa.total_allocated_bytes()
        peak = pa.default_memory_pool().max_memory()
        with pytest.raises(DataError, match="expands far more"):
            read(path)
        assert pa.total_allocated_bytes() == before
        assert pa.default_memory_pool().max_memory() == peak


def test_a_claim_of_rows_without_bytes_is_refused(tmp_path) -> None:
    data = ipc("stream", pa.table({"a": pa.nulls(12_345)}), rows=12_345)
    claim = data.replace(struct.pack("<q", 12_345), struct.pack("<q", 1 << 40))
    assert claim != data
    with pytest.raises(DataError, match="expands far more"):
        read(put(tmp_path, claim))


def test_values_are_validated_in_full(tmp_path) -> None:
    bad = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.array([0, 1, 2], pa.int32()).buffers()[1], pa.py_buffer(b"a\xff")]
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema([("a", pa.string())])) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays([bad], ["a"]))
    with pytest.raises(DataError, match="is damaged"):
        read(put(tmp_path, sink.getvalue().to_pybytes()))


def test_two_columns_of_one_name(tmp_path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(DataError, match="two columns have the name 'a'"):
        read(put(tmp_path, ipc("file", table)))


def test_files_of_different_types_do_not_mix(tmp_path) -> None:
    put(tmp_path, ipc("file", pa.table({"a": [1], "b": ["x"]})), "1.arrow")
    put(tmp_path, ipc("file", pa.table({"b": ["x"], "a": [1]})), "2.arrow")
    assert read(str(tmp_path / "*.arrow")).table.select(["a", "b"]).to_pylist() == [{"a": 1, "b": "x"}] * 2
    put(tmp_path, ipc("file", pa.table({"a": ["1"], "b": ["x"]})), "3.arrow")
    with pytest.raises(DataError, match=r"3.arrow, column 'a'(?s:.*)expected: int64"):
        read(str(tmp_path / "*.arrow"))


def test_an_empty_table(tmp_path) -> None:
    with pytest.raises(DataError, match="has no rows"):
        read(put(tmp_path, ipc("file", TABLE.slice(0, 0))))


def test_a_negative_buffer_length_is_damage(tmp_path) -> None:
    data = bytearray(ipc("stream", pa.table({"a": [1, 2, 3]}), "zstd"))
    at = data.index(struct.pack("<q", 24))
    data[at : at + 8] = struct.pack("<q", -5)
    with pytest.raises((DataError, ValueError, struct.error)):
        walk_stream(Input(put(tmp_path, bytes(data)), "x"))
