"""Reading and writing rows: formats, what is wrong with a file and where, manifests, atomic commits."""

from __future__ import annotations

from sage_select.io.bad_rows import BadRows
from sage_select.io.beside import Beside
from sage_select.io.column_values import (
    embedding_column,
    group_column,
    group_names,
    numeric_column,
    require_column,
    truth_column,
)
from sage_select.io.digest import digest_table
from sage_select.io.encode import output_format
from sage_select.io.id_list import IdList, read_id_list
from sage_select.io.manifest import read_manifest
from sage_select.io.nested import decode_rows
from sage_select.io.npy import NpyHeader, npy_header, read_npy
from sage_select.io.objects import from_object
from sage_select.io.opened import TextOptions
from sage_select.io.output import existing, open_output, open_with_report
from sage_select.io.read import read
from sage_select.io.rows import Places, Rows
from sage_select.io.sniff import Format
from sage_select.io.survey import Survey, survey
from sage_select.io.write import Written, write

__all__ = [
    "BadRows",
    "Beside",
    "Format",
    "IdList",
    "NpyHeader",
    "Places",
    "Rows",
    "Survey",
    "TextOptions",
    "Written",
    "decode_rows",
    "digest_table",
    "embedding_column",
    "existing",
    "from_object",
    "group_column",
    "group_names",
    "npy_header",
    "numeric_column",
    "open_output",
    "open_with_report",
    "output_format",
    "read",
    "read_id_list",
    "read_manifest",
    "read_npy",
    "require_column",
    "survey",
    "truth_column",
    "write",
]
