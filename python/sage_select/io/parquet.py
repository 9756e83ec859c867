"""Parquet files."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from sage_select.io.damage import guarded, refuse_expansion
from sage_select.io.inputs import Input
from sage_select.io.normalise import normalise
from sage_select.io.sniff import Format

__all__ = ["read_parquet"]

_VALUE_BYTES: Final = 4


def read_parquet(source: Input) -> pa.Table:
    """Return the table of a Parquet file, every value validated.

    Raises
    ------
    DataError
        Where the file is damaged or cut off.
    """
    with (
        guarded(source.name, Format.PARQUET.value),
        pq.ParquetFile(source.path, page_checksum_verification=True) as file,
    ):
        refuse_expansion(_declared(file), source.size, source.name)
        table = file.read()
        table.validate(full=True)
        return normalise(table, source.name)


def _declared(file: pq.ParquetFile) -> int:
    """Bytes that the footer claims, four a value at least: repeated values take next to none in the file."""
    metadata = file.metadata
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    sizes = sum(max(0, int(group.total_byte_size)) for group in groups)
    return max(sizes, _VALUE_BYTES * int(metadata.num_rows) * int(metadata.num_columns))
