"""What is known of a data set before it is read, beside what it turns out to be."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet
import pytest

from sage_select import io
from sage_select.errors import DataError, UsageError
from sage_select.io.source import opened

ROWS = [{"prompt": f"question {i} of {'many ' * (i % 7)}", "completion": "é" * (i % 5) + "x"} for i in range(6000)]
TABLE = pa.Table.from_pylist(ROWS)


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def ipc(path: Path, table: pa.Table, *, stream: bool = False, compression: str | None = None) -> Path:
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(path, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table, max_chunksize=700)
    return path


def parquet(path: Path, table: pa.Table) -> Path:
    pa.parquet.write_table(table, path, row_group_size=1000)
    return path


def folder(path: Path, table: pa.Table) -> Path:
    datasets.Dataset(table).save_to_disk(path, num_shards=3)
    return path


BINARY = {
    "parquet": lambda where: parquet(where / "a.parquet", TABLE),
    "arrow": lambda where: ipc(where / "a.arrow", TABLE),
    "stream": lambda where: ipc(where / "a.arrows", TABLE, stream=True),
    "zstd": lambda where: ipc(where / "a.arrow", TABLE, compression="zstd"),
    "wide": lambda where: ipc(
        where / "a.arrow", TABLE.cast(pa.schema([(n, pa.large_string()) for n in TABLE.column_names]))
    ),
    "folder": lambda where: folder(where / "saved", TABLE),
}


@pytest.fixture
def as_if_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have small inputs estimated as large ones are."""
    monkeypatch.setattr(sys.modules["sage_select.io.inputs.estimate"], "SMALL_BYTES", -1)


@pytest.mark.usefixtures("as_if_large")
@pytest.mark.parametrize("kind", BINARY)
def test_rows_of_binary_files_are_exact(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "MAPPED_BYTES", 1 << 10)
    path = BINARY[kind](tmp_path)
    found, read = io.estimate(path), io.read(path).table
    assert (found.rows, found.exact) == (len(ROWS), True)
    assert 0.7 * read.nbytes < found.table_bytes < 1.5 * read.nbytes
    assert found.mapped == (kind in ("arrow", "stream", "folder"))
    assert found.sample.table.equals(read.slice(0, len(found.sample.table)))
    assert found.sample.table.num_rows > 0


@pytest.mark.usefixtures("as_if_large")
def test_values_beyond_the_first_are_not_read(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", TABLE)
    group = pa.parquet.ParquetFile(path).metadata.row_group(4).column(0)
    data = bytearray(path.read_bytes())
    start = group.dictionary_page_offset or group.data_page_offset
    data[start : start + group.total_compressed_size] = b"\xff" * group.total_compressed_size
    path.write_bytes(data)
    assert io.estimate(path).rows == len(ROWS)
    with pytest.raises(DataError):
        io.read(path)


@pytest.mark.usefixtures("as_if_large")
@pytest.mark.parametrize("stream", [False, True])
def test_the_sample_is_of_the_first_batch_with_rows(stream: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(path, TABLE.schema) as writer:
        for start, count in ((0, 0), (0, 3), (3, 4)):
            writer.write_batch(TABLE.slice(start, count).combine_chunks().to_batches()[0] if count else _NO_ROWS)
    found = io.estimate(path)
    assert (found.rows, found.checked) == (7, 3)
    assert found.sample.table.equals(TABLE.slice(0, 3))


_NO_ROWS = pa.RecordBatch.from_pylist([], schema=TABLE.schema)


def written(where: Path, kind: str, rows: list[dict[str, Any]]) -> Path:
    path = where / f"rows.{kind}"
    if kind == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([list(rows[0]), *(row.values() for row in rows)])
    elif kind == "json":
        path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    elif kind == "jsonl.gz":
        path.write_bytes(gzip.compress(lines(rows).encode()))
    else:
        path.write_text(lines(rows), encoding="utf-8")
    return path


@pytest.mark.usefixtures("as_if_large")
@pytest.mark.parametrize("kind", ["jsonl", "csv", "json", "jsonl.gz"])
def test_text_that_is_read_in_whole_is_exact(kind: str, tmp_path: Path) -> None:
    path = written(tmp_path, kind, ROWS)
    found, read = io.estimate(path), io.read(path).table
    assert (found.rows, found.exact) == (len(ROWS), True)
    assert 0.9 * read.nbytes < found.table_bytes < 1.1 * read.nbytes
    assert not found.mapped


@pytest.mark.parametrize("kind", ["jsonl", "csv", "json", "jsonl.gz"])
def test_longer_text_is_estimated(kind: str, tmp_path: Path) -> None:
    # Short rows first: the beginning alone would find many times as many.
    rows = [*ROWS, *({"prompt": "a, b " * 200, "completion": f"{i} " * 300} for i in range(6000))]
    path = written(tmp_path, kind, rows)
    found, read = io.estimate(path), io.read(path).table
    assert not found.exact
    # An array on one line has no line feeds to count.
    if kind != "json":
        assert abs(found.rows / len(rows) - 1) < 0.2
    assert abs(found.table_bytes / read.nbytes - 1) < 0.2


def test_a_cut_record_is_no_error(tmp_path: Path) -> None:
    rows = [{"text": "line\n" * 40_000}, *({"text": "short"} for _ in range(3))]
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["text"], *([row["text"]] for row in rows), *([["line\n" * 400_000]])])
    found = io.estimate(path)
    assert not found.exact
    assert found.rows >= 4


def test_several_files_are_added_up(tmp_path: Path) -> None:
    for part in range(3):
        parquet(tmp_path / f"{part}.parquet", TABLE.slice(part * 100, 100 + part))
    assert io.estimate(tmp_path / "*.parquet").rows == 303
    parquet(tmp_path / "3.parquet", TABLE.rename_columns(["prompt", "answer"]))
    with pytest.raises(DataError, match="different columns"):
        io.estimate(tmp_path / "*.parquet")


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b"", "has no rows"),
        ("a.jsonl", b'{"a": \n', "line 1"),
        ("a.parquet", b"PAR1 and no footer", "damaged"),
        ("a.arrow", b"ARROW1\0\0 cut", "cut off"),
        ("a.jsonl.gz", b"\x1f\x8b\x08 nothing", "damaged"),
    ],
)
def test_damage_where_it_is_read(
    name: str, content: bytes, said: str, large: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if large:
        request.getfixturevalue("as_if_large")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        io.estimate(tmp_path / name)


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a": \n{"a": 2}\n[]\n{"a": "x"}\n'),
        ("a.csv", b"a,b\n1,2\n1\n3,4\n1\n1,2,3\n"),
    ],
)
def test_rows_that_cannot_be_used_are_counted_among_all(
    name: str, content: bytes, large: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if large:
        request.getfixturevalue("as_if_large")
    (tmp_path / name).write_bytes(content)
    found = io.estimate(tmp_path / name)
    assert (found.rows, found.checked, sorted(found.sample.bad.kinds)) == (5, 5, [1, 3, 4])
    assert found.sample.table.num_rows == 5
    assert found.sample.table.column(0).null_count == 3


def test_a_first_row_beyond_the_sample_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "x" * (9 << 20)}) + "\n" + json.dumps({"text": "y"}) + "\n")
    with pytest.raises(UsageError, match="cannot be estimated"):
        io.estimate(path)


def test_nothing_is_fetched() -> None:
    with pytest.raises(UsageError, match="fetched") as caught:
        io.estimate("s3://key:secret@bucket/rows.jsonl")
    assert "secret" not in str(caught.value)


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    [
        "sgd_chat/train.jsonl.gz",
        "sgd_chat/dev.jsonl.gz",
        "t0_p3/cap50.jsonl.gz",
        "gsm8k/train.jsonl.gz",
        "metatool/queries.csv",
        "chat_formats/v1_messages.jsonl",
        "clinc150/train.parquet",
    ],
)
def test_real_data(name: str, shared_data: Path) -> None:
    found, read = io.estimate(shared_data / name), io.read(shared_data / name).table
    assert abs(found.rows / len(read) - 1) < (0.0001 if found.exact else 0.2)
    assert abs(found.table_bytes / read.nbytes - 1) < 0.2


@pytest.mark.real_data
def test_real_text_without_compression(shared_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(gzip.decompress((shared_data / "sgd_chat/train.jsonl.gz").read_bytes()))
    found = io.estimate(path)
    assert not found.exact
    assert abs(found.rows / 12_174 - 1) < 0.2


def test_a_header_of_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    monkeypatch.setattr(opened, "MAPPED_BYTES", 1 << 4)
    np.save(tmp_path / "v.npy", np.zeros((5, 3), np.float16))
    np.save(tmp_path / "f.npy", np.zeros((5, 3), np.float32, order="F"))
    np.save(tmp_path / "s.npy", np.zeros(5))
    assert io.npy_header(tmp_path / "v.npy", rows=5, kind="embeddings") == io.NpyHeader(5, 3, 2, copied=False)
    assert io.npy_header(tmp_path / "f.npy", rows=None, kind="embeddings").copied
    assert io.npy_header(tmp_path / "s.npy", rows=5, kind="scores") == io.NpyHeader(5, 1, 8, copied=False)
    with pytest.raises(DataError, match="differ in their number of rows"):
        io.npy_header(tmp_path / "v.npy", rows=6, kind="embeddings")
