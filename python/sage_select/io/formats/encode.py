"""A table as the bytes of each output format; equal tables give equal bytes."""

from __future__ import annotations

import enum
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from sage_select.errors import DataError, UsageError, Where, nearest
from sage_select.io.commit.files import Files, HashedFile
from sage_select.io.source.hf_folder import INFO_FILE, STATE_FILE, state_json
from sage_select.io.tables.batches import fixed_batches
from sage_select.io.tables.digest import DIGEST_PREFIX, digest_table
from sage_select.io.tables.nested import decode_rows

__all__ = ["DATA_FILE", "ROW_GROUP", "OutputFormat", "encode_table", "output_format", "write_parquet"]

DATA_FILE: Final = "data-00000-of-00001.arrow"
#: Rows of a row group of Parquet, which are held while they are written.
ROW_GROUP: Final = 32_768
_LINES_BYTES: Final = 1 << 20
_FINGERPRINT_DIGITS: Final = 16


class OutputFormat(enum.Enum):
    """The formats that can be written; the value is the end of the name, empty for a folder."""

    ARROW_FILE = ".arrow"
    ARROW_STREAM = ".arrows"
    PARQUET = ".parquet"
    JSONL = ".jsonl"
    JSONL_GZIP = ".jsonl.gz"
    HF_FOLDER = ""


def output_format(target: str | Path) -> OutputFormat:
    """Return the format that a name asks for.

    Raises
    ------
    UsageError
        Where its end is none of the known ones.

    Examples
    --------
    >>> output_format("out.arrow"), output_format("rows/")
    (<OutputFormat.ARROW_FILE: '.arrow'>, <OutputFormat.HF_FOLDER: ''>)
    """
    path = Path(target)
    if str(target).endswith("/") or (path.name and not path.suffix):
        return OutputFormat.HF_FOLDER
    for form in OutputFormat:
        if form.value and path.name.lower().endswith(form.value) and path.name.lower() != form.value:
            return form
    known = [form.value for form in OutputFormat if form.value]
    raise UsageError(
        "no known output format",
        where=str(target),
        expected=f"a name that ends in {', '.join(known)}, or one without an end for a folder",
        got=path.suffix or str(target),
        hint=nearest(path.suffix, known),
    )


def encode_table(table: pa.Table, form: OutputFormat, path: Path, files: Files) -> list[tuple[Path, str]]:
    """Write a table under `path` and bring it to the disk.

    Returns
    -------
    list
        (file, digest of what was written) of each file, in the order in which the output's digest joins them.

    Raises
    ------
    DataError
        Where the format cannot hold the table's values.
    OSError
        Where the system cannot write them.
    """
    if form is OutputFormat.HF_FOLDER:
        return _folder(table, path, files)
    return [(path, _file(path, files, lambda file: _ENCODERS[form](table, file)))]


def write_parquet(table: pa.Table, path: Path, files: Files) -> str:
    """Write a Parquet file, bring it to the disk and return its digest."""
    return _file(path, files, lambda file: _parquet(table, file))


def _file(path: Path, files: Files, fill: Callable[[HashedFile], None]) -> str:
    file = HashedFile(files, path)
    try:
        fill(file)
        file.finish()
    finally:
        file.close()
    return file.digest


def _folder(table: pa.Table, path: Path, files: Files) -> list[tuple[Path, str]]:
    files.make_folder(path)
    fingerprint = _fingerprint(table)
    info = (
        json.dumps({"citation": "", "description": "", "features": None, "homepage": "", "license": ""}, indent=2)
        + "\n"
    )
    state = state_json(fingerprint, [DATA_FILE])
    written = [
        (path / DATA_FILE, _file(path / DATA_FILE, files, lambda file: _stream(table, file))),
        (path / INFO_FILE, _file(path / INFO_FILE, files, lambda file: _text(info, file))),
        (path / STATE_FILE, _file(path / STATE_FILE, files, lambda file: _text(state, file))),
    ]
    files.sync_folder(path)
    return written


def _fingerprint(table: pa.Table) -> str:
    return digest_table(table).removeprefix(DIGEST_PREFIX)[:_FINGERPRINT_DIGITS]


def _named(table: pa.Table) -> pa.Schema:
    """Give the schema a fingerprint for `datasets`, whose own would change with the file's time and place."""
    return table.schema.with_metadata({"huggingface": json.dumps({"fingerprint": _fingerprint(table)})})


def _text(text: str, file: HashedFile) -> None:
    file.write(text.encode())


def _ipc_file(table: pa.Table, file: HashedFile) -> None:
    _write_batches(pa.ipc.new_file(pa.PythonFile(file, "w"), _named(table)), table)


def _stream(table: pa.Table, file: HashedFile) -> None:
    _write_batches(pa.ipc.new_stream(pa.PythonFile(file, "w"), _named(table)), table)


def _write_batches(writer: Any, table: pa.Table) -> None:
    with writer:
        for batch in fixed_batches(table):
            writer.write_batch(batch)
        if not table.num_rows:  # `datasets` cannot cast a column that has no batch at all
            writer.write_batch(pa.RecordBatch.from_pylist([], schema=table.schema))


def _parquet(table: pa.Table, file: HashedFile) -> None:
    schema = _named(table)
    with pq.ParquetWriter(pa.PythonFile(file, "w"), schema, compression="zstd", write_page_checksum=True) as writer:
        for batch in fixed_batches(table, ROW_GROUP):
            writer.write_batch(batch, row_group_size=ROW_GROUP)


def _jsonl(table: pa.Table, file: Any) -> None:
    pending: list[str] = []
    size = 0
    for number, row in enumerate(decode_rows(table)):
        line = _line(row, number)
        pending.append(line)
        size += len(line)
        if size >= _LINES_BYTES:
            file.write("".join(pending).encode())
            pending, size = [], 0
    if pending:
        file.write("".join(pending).encode())


def _jsonl_gzip(table: pa.Table, file: HashedFile) -> None:
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packed:
        _jsonl(table, packed)


_ENCODERS: Final[dict[OutputFormat, Callable[[pa.Table, HashedFile], None]]] = {
    OutputFormat.ARROW_FILE: _ipc_file,
    OutputFormat.ARROW_STREAM: _stream,
    OutputFormat.PARQUET: _parquet,
    OutputFormat.JSONL: _jsonl,
    OutputFormat.JSONL_GZIP: _jsonl_gzip,
}


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def _line(row: dict[str, Any], number: int) -> str:
    try:
        return _ENCODER.encode(row) + "\n"
    except (ValueError, TypeError):
        for name, value in row.items():
            try:
                _ENCODER.encode(value)
            except (ValueError, TypeError) as error:
                raise DataError(
                    f"JSON cannot hold a value: {error}",
                    where=Where(row=number, column=name),
                    hint="write .arrow or .parquet instead",
                ) from None
        raise
