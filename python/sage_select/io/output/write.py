"""Write an output: its rows, the row report and its manifest, read back and committed as one."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sage_select.errors import DataError, ResourceError
from sage_select.io.commit.files import Files
from sage_select.io.commit.manifest import manifest_text
from sage_select.io.commit.names import OutputNames
from sage_select.io.commit.protocol import exclusive, publish, recover, resource_errors
from sage_select.io.formats.encode import OutputFormat, encode_table, output_format, write_parquet
from sage_select.io.formats.ipc_frames import walk_file, walk_stream
from sage_select.io.formats.text import open_text
from sage_select.io.guards.damage import damage_errors
from sage_select.io.output.parts import swept_on_failure, verify_bytes, write_bytes
from sage_select.io.output.target import check_target
from sage_select.io.source.opened import Input
from sage_select.io.source.progress import Meter
from sage_select.io.tables.digest import combine_digests

__all__ = ["Written", "write"]


@dataclass(frozen=True)
class Written:
    """What was written.

    Parameters
    ----------
    path, manifest_path
        The output and its manifest.
    digest
        The digest of the output, as its manifest has it.
    """

    path: Path
    manifest_path: Path
    digest: str


def write(
    table: pa.Table,
    target: str | Path,
    manifest: Mapping[str, Any],
    *,
    row_report: pa.Table | None = None,
    force: bool = False,
    overwrite_foreign: bool = False,
    files: Files | None = None,
) -> Written:
    """Write a table with its manifest so that all of it appears or nothing does.

    Parameters
    ----------
    table
        The rows.
    target
        Its name; the end of the name is the format: `.arrow`, `.arrows`, `.parquet`, `.jsonl`, `.jsonl.gz`,
        or none for a folder that `datasets.load_from_disk` opens.
    manifest
        What to say about the rows; `format_version` and `output` are added.
    row_report
        The row report, for `NAME.rows.parquet`.
    force, overwrite_foreign
        Replace an output of this program that is there; with both, anything that `check_target` lets go.
    files
        The file operations to use.

    Raises
    ------
    UsageError
        Where the name has no known end, or names a pipe, device or socket.
    OutputError
        Where the output exists and `force` is false, or another run is writing it.
    DataError
        Where the format cannot hold the values.
    ResourceError
        Where the folder is missing or cannot be written, or the disk is full. What was there before is
        untouched, and nothing else stays behind.

    Notes
    -----
    Everything is written, brought to the disk and read back before the first byte of an old output goes.
    """
    form = output_format(target)
    names = OutputNames(Path(target))
    files = Files() if files is None else files
    recover(names.target)
    check_target(names, form, force=force, overwrite_foreign=overwrite_foreign)
    with resource_errors(names.target, "cannot be written"), exclusive(names, files):
        check_target(names, form, force=force, overwrite_foreign=overwrite_foreign)
        with swept_on_failure(names, files), _arrow_errors(names.target, form.value):
            run = secrets.token_hex(8)
            parts = {}

            data = names.temporary(run, "data")
            encoded = encode_table(table, form, data, files)
            verify_bytes(encoded)
            _verify_rows(encoded[0][0], form, table.num_rows)
            digest = combine_digests([digest for _, digest in encoded])
            parts[data] = names.target
            output = {
                "file": names.target.name,
                "format": form.name.lower(),
                "digest": digest,
                "rows": table.num_rows,
            }

            if row_report is not None:
                report = names.temporary(run, "report")
                report_digest = write_parquet(row_report, report, files)
                verify_bytes([(report, report_digest)])
                parts[report] = names.row_report
                output["row_report"] = {"file": names.row_report.name, "digest": report_digest}

            draft = names.temporary(run, "manifest")
            write_bytes(manifest_text({**manifest, "output": output}).encode(), draft, files)
            parts[draft] = names.manifest
            publish(names, run, parts, files)
    return Written(names.target, names.manifest, digest)


@contextlib.contextmanager
def _arrow_errors(target: Path, form: str) -> Iterator[None]:
    try:
        yield
    except MemoryError:  # before ArrowException: Arrow's own is both
        raise ResourceError("needs more memory than there is to write", where=str(target)) from None
    except pa.ArrowException as error:
        got = str(error).split("\n", 1)[0]
        raise DataError(f"{form or 'a folder'} cannot hold the rows", where=str(target), got=got) from None


def _verify_rows(path: Path, form: OutputFormat, rows: int) -> None:
    """Check that a data file can be opened and has its number of rows.

    Raises
    ------
    ResourceError
        Where it has not.
    """
    with damage_errors(str(path), "what was written"):
        found = _rows(path, form)
    if found != rows:
        raise ResourceError(
            "the output has another number of rows than were written",
            where=str(path),
            expected=str(rows),
            got=str(found),
        )


def _rows(path: Path, form: OutputFormat) -> int:
    if form is OutputFormat.PARQUET:
        return int(pq.read_metadata(path).num_rows)
    if form in (OutputFormat.JSONL, OutputFormat.JSONL_GZIP):
        with open_text(Input(path, str(path)), Meter(None, 0)) as text:
            return sum(1 for _ in text.lines())
    walk = walk_file if form is OutputFormat.ARROW_FILE else walk_stream
    return walk(Input(path, str(path))).rows
