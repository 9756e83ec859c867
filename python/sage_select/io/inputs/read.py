"""Read rows from whatever the user names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from sage_select.columns import SOURCE
from sage_select.display import is_url, without_secrets
from sage_select.errors import DataError, UsageError
from sage_select.io.commit.manifest import read_manifest
from sage_select.io.commit.paired import Watch, settled
from sage_select.io.formats.arrow_ipc import read_ipc
from sage_select.io.formats.csv_file import read_csv
from sage_select.io.formats.json_table import read_json
from sage_select.io.formats.parquet import read_parquet
from sage_select.io.formats.sniff import Format, compression_of, format_of, text_format_of
from sage_select.io.formats.text import open_text
from sage_select.io.source.hf_folder import INFO_FILE, STATE_FILE, data_files
from sage_select.io.source.named import Named, open_inputs, short_names, shown_source
from sage_select.io.source.opened import Input, TextOptions, digests_beside
from sage_select.io.source.pipes import is_pipe
from sage_select.io.source.progress import Meter, Progress
from sage_select.io.tables.bad_rows import BadRows
from sage_select.io.tables.digest import combine_digests
from sage_select.io.tables.merge import merged
from sage_select.io.tables.rows import FileRows, RowLocations, Rows
from sage_select.paths import user_path

__all__ = [
    "content_digest",
    "digest_wanted",
    "formats_of",
    "read",
    "read_once",
    "read_open",
    "rows_digest",
    "size_of",
]

_HEAD_BYTES: Final = 4096
_JSON: Final = frozenset({Format.JSONL, Format.JSON_ARRAY})
_CSV: Final = frozenset({Format.CSV, Format.TSV})


def read(
    source: Named,
    *,
    progress: Progress | None = None,
    verify: bool = True,
    with_bad_rows: bool = False,
    text: TextOptions | None = None,
) -> Rows:
    """Read a data set.

    Parameters
    ----------
    source
        A file, a Hugging Face `save_to_disk` folder, a folder of data files, a glob, a URL that fsspec knows (`hf://`,
        `s3://`), `-` for standard input, or several of these.
        Files may be JSON lines, a JSON array, CSV (each plain, gzip or zstd), Parquet, Arrow IPC file or
        stream; the first bytes decide which, never the name alone. Several files, of any formats, are one pool, with a
        column `sage_source` that names the file of each row.
    progress
        Called with (bytes done, bytes in all) about ten times a second at most.
    verify
        Whether an output of this program, which its manifest beside it tells, must be as it was written.
    with_bad_rows
        Return rows that cannot be used as well, null in all columns and told in `Rows.bad`; else they are refused.
    text
        How text files are read.

    Returns
    -------
    Rows
        The table in file order; the files of a folder or glob sorted by name.

    Raises
    ------
    UsageError
        Where there is no such file.
    DataError
        Where content is damaged, empty, or not as its format demands, naming file, row and line; or where an output
        of this program, or its manifest, has been changed since it was written.
    ResourceError
        Where it may not be read, or a package for the URL is missing.
    """
    expected = digest_wanted(verify=verify)
    rows = settled(
        Path(shown_source(source)), lambda watch: read_once(source, progress, expected, watch, with_bad_rows, text)
    )
    if rows.table.num_rows == 0:
        raise DataError("has no rows", where=rows.source, expected="one row at least")
    return rows


def read_once(
    source: Named,
    progress: Progress | None,
    expected: Callable[[Path], str | None],
    watch: Watch,
    with_bad_rows: bool = False,
    text: TextOptions | None = None,
) -> Rows:
    """Read a data set as it lies there now.

    Parameters
    ----------
    source, progress, with_bad_rows, text
        As in `read`.
    expected
        The digest that a file or folder must have; None where any will do.
    watch
        Is told what is read.

    Raises
    ------
    DataError
        As `read` does.
    """
    with open_inputs(source, text) as inputs:
        rows = read_open(inputs, source, progress, expected, watch)
    count = rows.table.num_rows
    if len(rows.bad) and (len(rows.bad) == count or not with_bad_rows):
        raise rows.bad.error(count, rows.source, None)
    return rows


def read_open(
    inputs: list[Input],
    source: Named,
    progress: Progress | None,
    expected: Callable[[Path], str | None],
    watch: Watch,
) -> Rows:
    """Read files that are open, those that `source` names, bad rows included; it raises as `read_once` does."""
    digests = []
    for file in inputs:
        watch.add(file.path)
        digests.append(expected(file.path))
        watch.unproven |= digests[-1] is None
    bad = BadRows()
    meter = Meter(progress, sum(size_of(file) for file in inputs))
    with digests_beside(inputs):
        try:
            table, parts, notices = _read(formats_of(inputs), meter, bad)
        except DataError:
            for file, digest in zip(inputs, digests, strict=True):
                file.check_unchanged()  # a file that was cut while it was read seems damaged
                if digest is not None:
                    _check_digest(file, digest, combine_digests(_digests(file)))
            raise
        found = [_digests(file) for file in inputs]
        for file, digest, own in zip(inputs, digests, found, strict=True):
            _check_digest(file, digest, combine_digests(own))
    meter.finish()
    # Arrow holds on to what its readers are done with: as much again as the rows, of Parquet.
    pa.default_memory_pool().release_unused()
    name = shown_source(source) if len(inputs) > 1 else inputs[0].name
    shown = without_secrets(name) if is_url(name) else name
    return Rows(
        table, shown, RowLocations(tuple(parts)), combine_digests([one for own in found for one in own]), notices, bad
    )


def content_digest(paths: Sequence[Path]) -> str:
    """Return the digest of what `paths` hold; of a folder, the saved dataset in it and nothing beside."""
    return combine_digests([digest for path in paths for digest in _digests(Input(path, str(path)))])


def rows_digest(source: str) -> str:
    """Return the digest that `read` gives the rows of a file, folder or pattern of this machine.

    Raises
    ------
    UsageError, ResourceError
        Where there is none, it may not be read, or it is a pipe, which can be read only once.
    """
    if is_pipe(user_path(source)):
        raise UsageError("is a pipe, device or socket, not a file", where=source, hint="write its rows to a file")
    with open_inputs(source) as inputs:
        return combine_digests([digest for file in inputs for digest in _digests(file)])


def digest_wanted(*, verify: bool) -> Callable[[Path], str | None]:
    """Return what tells the digest that a file must have."""
    return _digest_in_manifest if verify else _no_digest


def _digest_in_manifest(path: Path) -> str | None:
    """Return the digest that the manifest beside a file gives; None where there is no manifest."""
    manifest = read_manifest(path) if path.name else None
    return None if manifest is None else str(manifest["output"]["digest"])


def _no_digest(_path: Path) -> None:
    return None


def _check_digest(file: Input, expected: str | None, found: str) -> None:
    if expected is not None and expected != found:
        raise DataError(
            "has been changed or damaged since it was written",
            where=file.name,
            expected="the digest in its manifest",
            hint="build it again; --no-verify reads it as it is",
        )


def _digests(file: Input) -> list[str]:
    """Return the digests of the bytes that were read, from the files that are open."""
    digests = [part.digest() for part in _content(file)]
    file.release()
    return digests


def _content(file: Input) -> list[Input]:
    if not file.is_folder:
        return [file]
    info = [file.member(name) for name in (INFO_FILE, STATE_FILE) if (file.path / name).is_file()]
    return [*data_files(file), *info]


def size_of(file: Input) -> int:
    """Return the bytes of a file, or of those of a saved dataset."""
    return sum(part.size for part in _content(file))


def formats_of(inputs: Sequence[Input]) -> list[tuple[Input, Format]]:
    """Return each file with its format, told from its first bytes."""
    return [(file, _format(file)) for file in inputs]


def _format(file: Input) -> Format:
    if file.is_folder:
        return Format.HF_FOLDER
    head = file.at(0, _HEAD_BYTES)
    if not head:
        return Format.JSONL  # a data set without rows; the name of an empty file says nothing we could use
    binary = format_of(head)
    if binary is not None:
        return binary
    with open_text(file, Meter(None, 0)) as text:
        start = text.read(_HEAD_BYTES)
    if format_of(start) is not None:
        packing = compression_of(head).value
        raise DataError(f"is a table compressed as a whole, with {packing}; uncompress it first", where=file.name)
    kind = text_format_of(start, file.name, cut=len(start) == _HEAD_BYTES)
    if kind is None:
        raise DataError(
            "is in no known format",
            where=file.name,
            expected="JSON lines, a JSON array, CSV, Parquet, an Arrow IPC file or stream, or a saved dataset",
            got="bytes that begin with " + repr(head[:16]),
            hint="text is read as CSV, whatever its rows are, where its name ends in .csv or .tsv",
        )
    return kind


def _read(
    kinds: list[tuple[Input, Format]], meter: Meter, bad_rows: BadRows
) -> tuple[pa.Table, list[FileRows], list[str]]:
    tables: list[tuple[str, pa.Table]] = []
    parts: list[FileRows] = []
    notices: list[str] = []
    sources: list[tuple[str, int]] = []
    for is_json, group in groupby(kinds, lambda entry: entry[1] in _JSON):
        # JSON has its types from all files; the others bring theirs.
        for run in [list(group)] if is_json else ([entry] for entry in group):
            bad = BadRows()
            table, made, said = _read_together(run, meter, bad)
            bad_rows.extend(bad, sum(part.count for part in parts))
            tables.append((run[0][0].name, table))
            parts += made
            notices += said
            counts = [part.count for part in made] if is_json else [table.num_rows]
            sources += [(file.name, count) for (file, _), count in zip(run, counts, strict=True)]
    table, said = merged(tables)
    return _with_source(table, sources), parts, [*notices, *said]


def _read_together(
    run: list[tuple[Input, Format]], meter: Meter, bad_rows: BadRows
) -> tuple[pa.Table, list[FileRows], list[str]]:
    """Read JSON files, or one file or folder of another format."""
    (source, kind), *_ = run
    if kind in _JSON:
        return read_json(run, meter, bad_rows)
    if kind in _CSV:
        return read_csv(run, meter, bad_rows)
    tables, parts, notices = [], [], []
    for file in data_files(source) if kind is Format.HF_FOLDER else [source]:
        table, said = _BINARY[kind](file)
        notices += said
        tables.append((file.name, table))
        parts.append(FileRows(file.name, table.num_rows))
        meter.file_done(file.size)
    table, said = merged(tables)
    return table, parts, [*notices, *said]


def _with_source(table: pa.Table, sources: list[tuple[str, int]]) -> pa.Table:
    """Return the table with the name of each row's file, as short as tells them apart, where there are several."""
    if len(sources) < 2:
        return table
    names = pa.array(short_names([name for name, _ in sources]), pa.string())
    column = names.take(pa.array(np.repeat(np.arange(len(sources)), [count for _, count in sources])))
    if SOURCE in table.column_names:
        table = table.drop_columns([SOURCE])
    return table.append_column(pa.field(SOURCE, pa.string()), column)


def _hf_file(file: Input) -> tuple[pa.Table, list[str]]:
    kind = format_of(file.at(0, 8))
    return read_ipc(file, Format.ARROW_STREAM if kind is None else kind)


_BINARY: Final[dict[Format, Callable[[Input], tuple[pa.Table, list[str]]]]] = {
    Format.PARQUET: lambda file: (read_parquet(file), []),
    Format.ARROW_FILE: lambda file: read_ipc(file, Format.ARROW_FILE),
    Format.ARROW_STREAM: lambda file: read_ipc(file, Format.ARROW_STREAM),
    Format.HF_FOLDER: _hf_file,
}
