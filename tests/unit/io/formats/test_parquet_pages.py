"""Pages of Parquet columns are what the footer says, whoever wrote the file."""

from __future__ import annotations

import io
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sage_select.errors import DataError
from sage_select.io import read
from sage_select.io.formats.parquet_pages import _page, check_pages

TEXTS = [f"words {i % 40} " * (i % 9) for i in range(6000)]
TABLE = pa.table({"text": TEXTS, "x": range(6000), "l": [[i, None][: i % 3] for i in range(6000)]})


@pytest.mark.parametrize(
    ("version", "compression", "dictionary", "pages", "page_bytes"),
    [*product(("1.0", "2.6"), ("none", "zstd"), (True, False), ("1.0", "2.0"), (1000, 1 << 20))],
)
def test_what_arrow_writes_is_sound(
    tmp_path: Path, version: Any, compression: str, dictionary: bool, pages: Any, page_bytes: int
) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(
        TABLE, path, version=version, compression=compression, use_dictionary=dictionary, data_page_version=pages,
        data_page_size=page_bytes, row_group_size=2500,
    )  # fmt: skip
    assert read(str(path)).table["text"].to_pylist() == TEXTS


def chunk(tmp_path: Path, dictionary: bool) -> tuple[bytes, Any]:
    """Return the bytes of a text column of one row group, and its description."""
    path = tmp_path / f"{dictionary}.parquet"
    pq.write_table(TABLE.select(["text"]).slice(0, 500), path, compression="none", use_dictionary=dictionary)
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    start = column.dictionary_page_offset if dictionary else column.data_page_offset
    return path.read_bytes()[start : start + column.total_compressed_size], column


def described(data: bytes, values: int) -> Any:
    return SimpleNamespace(
        has_dictionary_page=False, data_page_offset=4, dictionary_page_offset=None, num_values=values,
        total_compressed_size=len(data), path_in_schema="text",
    )  # fmt: skip


def checked(data: bytes, values: int) -> None:
    check_pages(io.BytesIO(b"PAR1" + data), described(data, values), "x.parquet")  # type: ignore[arg-type]


def test_a_dictionary_after_the_first_page_is_refused(tmp_path: Path) -> None:
    plain, by_dictionary = chunk(tmp_path, False)[0], chunk(tmp_path, True)[0]
    checked(plain, 500)
    checked(by_dictionary, 500)
    with pytest.raises(DataError, match=r"x\.parquet: is damaged(?s:.*)a dictionary after its first page"):
        checked(plain + by_dictionary, 1000)


def test_more_values_than_the_footer_says_are_refused(tmp_path: Path) -> None:
    plain = chunk(tmp_path, False)[0]
    with pytest.raises(DataError, match="pages of more than the 499 values"):
        checked(plain, 499)


def test_headers_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    plain = chunk(tmp_path, False)[0]
    header = _page(io.BytesIO(plain), 0, "x").header_bytes  # type: ignore[arg-type]
    for bad in (b"", b"\xff" * 40, plain[: header - 1], b"\x1c" * 40, b"\x15\x01" + plain[2:]):
        with pytest.raises(DataError, match="header of a page cannot be read"):
            checked(bad, 500) if bad else _page(io.BytesIO(bad), 0, "x")  # type: ignore[arg-type, func-returns-value]
    for place in range(header):
        for bit in range(8):
            damaged = bytearray(plain)
            damaged[place] ^= 1 << bit
            try:
                checked(bytes(damaged), 500)
            except DataError:
                continue


def test_long_statistics_are_read_over(tmp_path: Path) -> None:
    path = tmp_path / "long.parquet"
    pq.write_table(pa.table({"text": ["a" * 60_000, "b" * 60_000]}), path, write_statistics=True, use_dictionary=False)
    assert read(str(path)).table.num_rows == 2
