from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sage_select.errors import DataError
from sage_select.io import read
from sage_select.io.formats.sniff import Format, text_format_of

TABLE = pa.table({"a": ["x", "y"]})


def write_all(folder):
    """Write the same rows in every format and return (content, what it is)."""
    rows = "".join(json.dumps(row) + "\n" for row in TABLE.to_pylist())
    pq.write_table(TABLE, folder / "parquet")
    for name, new in (("file", pa.ipc.new_file), ("stream", pa.ipc.new_stream)):
        with new(folder / name, TABLE.schema) as writer:
            writer.write_table(TABLE)
    (folder / "lines").write_text(rows)
    (folder / "array").write_text(json.dumps(TABLE.to_pylist(), indent=2))
    (folder / "gzipped").write_bytes(gzip.compress(rows.encode()))
    return ["parquet", "file", "stream", "lines", "array", "gzipped"]


@pytest.mark.parametrize("suffix", ["", ".data", ".arrow", ".parquet", ".jsonl", ".gz"])
def test_content_decides_whatever_the_name_says(suffix, tmp_path) -> None:
    for name in write_all(tmp_path):
        path = (tmp_path / name).rename(tmp_path / (name + suffix))
        assert read(path).table.to_pylist() == TABLE.to_pylist(), path.name


@pytest.mark.parametrize(
    ("head", "name", "wanted"),
    [
        (b"{", "x.csv", Format.CSV),
        (b"a,b", "x.json", Format.JSONL),
        (b" \n [", "x.jsonl", Format.JSON_ARRAY),
        (b"\xef\xbb\xbf{", "x", Format.JSONL),
        (b"a\tb\n", "x.txt", Format.TSV),
        (b"a,b\n", "x.TSV.zst", Format.TSV),
        (b"a,b\tc\n", "x.txt", Format.CSV),
        (b"just words\nmore, words", "x.txt", None),
        (b"\x00,\x01", "x.bin", None),
    ],
)
def test_kinds_of_text(head, name, wanted) -> None:
    assert text_format_of(head, name) is wanted


def test_unknown_content_lists_what_is_known(tmp_path) -> None:
    path = tmp_path / "rows.bin"
    path.write_bytes(b"\x7fELF....")
    with pytest.raises(DataError, match=r"no known format(?s:.*)Parquet"):
        read(path)


def test_a_compressed_table_is_told_from_text(tmp_path) -> None:
    write_all(tmp_path)
    path = tmp_path / "rows.parquet.gz"
    path.write_bytes(gzip.compress((tmp_path / "parquet").read_bytes()))
    with pytest.raises(DataError, match="compressed as a whole, with gzip"):
        read(path)
