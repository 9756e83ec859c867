"""Parquet files."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from io import RawIOBase
from itertools import islice
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sage_select.io.formats.parquet_pages import check_pages
from sage_select.io.formats.sniff import Format
from sage_select.io.guards import damage
from sage_select.io.guards.damage import damage_errors
from sage_select.io.guards.expansion import ROW_BYTES, PlainSize
from sage_select.io.source.opened import Input
from sage_select.io.tables.normalise import normalise

__all__ = ["BATCH_ROWS", "PAGE_BYTES", "first_rows", "read_parquet"]

_VALUE_BYTES: Final = 4
_TEXT: Final = "BYTE_ARRAY"
_FIXED: Final = "FIXED_LEN_BYTE_ARRAY"
#: Rows of a batch where what they stand for must be added up before it is written out.
_CAREFUL_ROWS: Final = 1024
#: Rows that are decoded at a time otherwise: the buffers of the decoder grow with them, and are copied as they grow.
BATCH_ROWS: Final = 4096
#: What writers put into a page, or into a dictionary, of a column: Parquet's default.
PAGE_BYTES: Final = 1 << 20
#: A column is read through a buffer of this size, so that the bytes of a row group are not held beside its values.
_BUFFER: Final = 1 << 16


def read_parquet(source: Input) -> pa.Table:
    """Return the table of a Parquet file, every value validated.

    Raises
    ------
    DataError
        Where the file is damaged or cut off, or expands further than any data set.
    """
    with damage_errors(source.name, Format.PARQUET.value), source.open() as raw:
        file = _File(source, raw)
        tables = [normalise(batch, source.name) for group in file.groups for batch in file.batches(group)]
        return pa.concat_tables(tables) if tables else normalise(file.schema.empty_table(), source.name)


def first_rows(source: Input, count: int) -> tuple[pa.Table, int]:
    """Return the first rows of a Parquet file in plain types, and how many it has.

    To be called under `damage_errors`.
    """
    with source.open() as raw:
        file = _File(source, raw)
        head = next((batch for group in file.groups for batch in file.batches(group, count)), file.schema.empty_table())
        return normalise(head.slice(0, count), source.name), file.rows


class _File:
    """An open file, whose batches come validated, and counted before what they stand for is written out.

    It is read in this thread alone: Arrow's own let go of a column's bytes, which are Python's, some time after they
    have handed it over, and where the interpreter ends in between they end the process (std::terminate).
    """

    def __init__(self, source: Input, raw: RawIOBase) -> None:
        def opened(**more: Any) -> pq.ParquetFile:
            file = pa.PythonFile(raw, "r")
            return pq.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER, page_checksum_verification=True, **more)

        self._raw, self._name = raw, source.name
        self._plain = opened()
        leaves = [self._plain.schema.column(index) for index in range(len(self._plain.schema))]
        self._texts = [index for index, leaf in enumerate(leaves) if leaf.physical_type == _TEXT]
        self._widths = [max(_VALUE_BYTES, leaf.length if leaf.physical_type == _FIXED else 0) for leaf in leaves]
        self._as_dictionaries = opened(read_dictionary=[leaves[index].path for index in self._texts])
        self._size = PlainSize(source.size, source.name)
        metadata = self._plain.metadata
        groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
        self.schema = self._plain.schema_arrow
        self.groups = [index for index, group in enumerate(groups) if group.num_rows > 0]
        self.rows = int(metadata.num_rows)
        rows = max(self.rows, sum(int(groups[index].num_rows) for index in self.groups))
        sizes = sum(max(0, int(group.total_byte_size)) for group in groups)
        self._size.expect(max(sizes, _VALUE_BYTES * rows * metadata.num_columns, ROW_BYTES * rows))

    def batches(self, group: int, rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
        """Yield a row group, so many rows at a time.

        Where its dictionaries could stand for more than is free, text comes as the dictionaries that it lies in.
        """
        # The first row comes with the whole of each dictionary.
        first = next(self._as_dictionaries.iter_batches(batch_size=1, row_groups=[group], use_threads=False), None)
        if first is None:
            return
        # Only now is it known that Arrow can read the descriptions of the columns: damaged ones end the process here.
        found = self._plain.metadata.row_group(group)
        values = [max(0, int(found.column(index).num_values)) for index in range(found.num_columns)]
        self._size.expect(sum(count * width for count, width in zip(values, self._widths, strict=True)))
        for index in range(found.num_columns):
            check_pages(self._raw, found.column(index), self._name)
        longest = [size for column in first.columns for size in _longest(column)]
        texts = [values[index] for index in self._texts]
        known = len(longest) == len(texts)
        if not known or sum(map(operator.mul, texts, longest)) > damage.RATIO_FREE_BYTES:
            batches = self._by_dictionaries(group, rows)
        else:
            found = self._plain.iter_batches(batch_size=rows, row_groups=[group], use_threads=False)
            batches = map(_table, found)
        for batch in batches:
            batch.validate(full=True)
            for part in batch.to_batches():
                self._size.add(part.columns, part.num_rows)
            yield batch

    def _by_dictionaries(self, group: int, rows: int) -> Iterator[pa.Table]:
        done, most = 0, min(_CAREFUL_ROWS, rows)
        try:
            for batch in self._as_dictionaries.iter_batches(batch_size=most, row_groups=[group], use_threads=False):
                yield _table(batch)
                done += batch.num_rows
        except pa.ArrowNotImplementedError:
            # A nested column whose dictionary changes within a batch; the rows after it come one at a time.
            ones = self._plain.iter_batches(batch_size=1, row_groups=[group], use_threads=False)
            yield from map(_table, islice(ones, done, None))


def _table(batch: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([batch])


def _longest(array: Any) -> Iterator[int]:
    """Yield the bytes of the longest entry of each dictionary in an array."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        yield pc.max(pc.binary_length(array.dictionary)).as_py() or 0
    elif pa.types.is_struct(kind):
        for index in range(kind.num_fields):
            yield from _longest(array.field(index))
    elif pa.types.is_map(kind):
        yield from _longest(array.keys)
        yield from _longest(array.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _longest(array.values)
