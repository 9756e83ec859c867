"""Write an output: its rows, their story and its manifest, committed as one."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from sage_select.errors import DataError, ResourceError, SageError
from sage_select.io.commit import exclusive, publish, recover, resource_errors, sweep
from sage_select.io.digest import joined
from sage_select.io.encode import encode_table, output_format, write_parquet
from sage_select.io.files import Files, HashedFile
from sage_select.io.manifest import manifest_text
from sage_select.io.names import OutputNames
from sage_select.io.target import check_target
from sage_select.io.verify import verify_rows, verify_written

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
    rows_story: pa.Table | None = None,
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
    rows_story
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
        untouched, and nothing else is left.

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
        with _swept_on_failure(names, files), _arrow_errors(names.target, form.value):
            run = secrets.token_hex(8)
            parts = {}

            data = names.temporary(run, "data")
            encoded = encode_table(table, form, data, files)
            verify_written(encoded)
            verify_rows(encoded[0][0], form, table.num_rows)
            digest = joined([digest for _, digest in encoded])
            parts[data] = names.target
            output = {
                "file": names.target.name,
                "format": form.name.lower(),
                "digest": digest,
                "rows": table.num_rows,
            }

            if rows_story is not None:
                story = names.temporary(run, "story")
                story_digest = write_parquet(rows_story, story, files)
                verify_written([(story, story_digest)])
                parts[story] = names.story
                output["story"] = {"file": names.story.name, "digest": story_digest}

            draft = names.temporary(run, "manifest")
            _write_text(manifest_text({**manifest, "output": output}), draft, files)
            parts[draft] = names.manifest
            publish(names, run, parts, files)
    return Written(names.target, names.manifest, digest)


def _write_text(text: str, path: Path, files: Files) -> None:
    file = HashedFile(files, path)
    with contextlib.closing(file):
        file.write(text.encode())
        file.finish()
    verify_written([(path, file.digest)])


@contextlib.contextmanager
def _swept_on_failure(names: OutputNames, files: Files) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError, SageError):
            sweep(names, files)
        raise


@contextlib.contextmanager
def _arrow_errors(target: Path, form: str) -> Iterator[None]:
    try:
        yield
    except MemoryError:  # before ArrowException: Arrow's own is both
        raise ResourceError("needs more memory than there is to write", where=str(target)) from None
    except pa.ArrowException as error:
        got = str(error).split("\n", 1)[0]
        raise DataError(f"{form or 'a folder'} cannot hold the rows", where=str(target), got=got) from None
