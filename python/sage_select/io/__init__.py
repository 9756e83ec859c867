"""Reading and writing rows: formats, what is wrong with a file and where, manifests, atomic commits."""

from __future__ import annotations

from sage_select.io.commit.manifest import read_manifest
from sage_select.io.formats.encode import output_format
from sage_select.io.formats.id_list import IdList, read_id_list
from sage_select.io.formats.npy import NpyHeader, npy_header, read_npy
from sage_select.io.formats.sniff import Format
from sage_select.io.inputs.estimate import DatasetEstimate, estimate
from sage_select.io.inputs.objects import from_object, table_of
from sage_select.io.inputs.read import read, rows_digest
from sage_select.io.output.open import existing, open_output, open_with_report
from sage_select.io.output.write import Written, write
from sage_select.io.source.beside import Beside
from sage_select.io.source.opened import TextOptions
from sage_select.io.tables.bad_rows import BadRows
from sage_select.io.tables.column_values import (
    embedding_column,
    group_column,
    group_names,
    numeric_column,
    parent_ids,
    require_column,
    truth_column,
)
from sage_select.io.tables.digest import digest_table
from sage_select.io.tables.merge import merged
from sage_select.io.tables.nested import decode_rows
from sage_select.io.tables.rows import RowLocations, Rows
from sage_select.io.tables.take import take_rows

__all__ = [
    "BadRows",
    "Beside",
    "DatasetEstimate",
    "Format",
    "IdList",
    "NpyHeader",
    "RowLocations",
    "Rows",
    "TextOptions",
    "Written",
    "decode_rows",
    "digest_table",
    "embedding_column",
    "estimate",
    "existing",
    "from_object",
    "group_column",
    "group_names",
    "merged",
    "npy_header",
    "numeric_column",
    "open_output",
    "open_with_report",
    "output_format",
    "parent_ids",
    "read",
    "read_id_list",
    "read_manifest",
    "read_npy",
    "require_column",
    "rows_digest",
    "table_of",
    "take_rows",
    "truth_column",
    "write",
]
