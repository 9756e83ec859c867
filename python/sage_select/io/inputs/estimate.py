"""What is known of a data set without reading it: from footers, and from a sample of each text file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sage_select.display import is_url, without_secrets
from sage_select.errors import DataError, UsageError
from sage_select.io.commit.paired import Watch, settled
from sage_select.io.formats.csv_file import CHUNK_BYTES as CSV_CHUNK_BYTES
from sage_select.io.formats.json_table import CHUNK_BYTES
from sage_select.io.formats.parquet import BATCH_ROWS, PAGE_BYTES
from sage_select.io.formats.sniff import Compression, Format, compression_of
from sage_select.io.formats.text import open_text
from sage_select.io.inputs.file_estimate import FileEstimate, estimate_file
from sage_select.io.inputs.read import digest_wanted, formats_of, read_open, size_of
from sage_select.io.source.hf_folder import data_files
from sage_select.io.source.named import Named, open_inputs, shown_source
from sage_select.io.source.opened import Input, TextOptions
from sage_select.io.source.progress import Meter
from sage_select.io.tables.bad_rows import BadRows
from sage_select.io.tables.merge import merged
from sage_select.io.tables.rows import FileRows, RowLocations, Rows

__all__ = ["DatasetEstimate", "estimate"]

#: Inputs up to this size are read in whole.
SMALL_BYTES: Final = 1 << 20
#: Bytes of text that are read as samples, of all files together ...
_SAMPLE: Final = 1 << 20
#: ... and of each of many files at least.
_SMALLEST_SAMPLE: Final = 1 << 16
_TEXT: Final = frozenset({Format.JSONL, Format.JSON_ARRAY, Format.CSV, Format.TSV})


@dataclass(frozen=True)
class DatasetEstimate:
    """A data set as it seems before it is read.

    Parameters
    ----------
    format
        Its format.
    rows
        How many rows it has.
    exact
        Whether that is certain, rather than estimated.
    origin
        Where the number comes from, in words.
    file_bytes
        Bytes of its files, packed as they are.
    text_bytes
        Bytes of its text when unpacked; 0 for binary formats.
    table_bytes
        Bytes of the Arrow table that it becomes.
    mapped
        Whether that table lies in the files, mapped into memory, rather than in a copy.
    sample
        Its first rows, one at least; `bad` are those that cannot be used among all that were checked, which are null in
        all columns.
    checked
        How many rows were checked for such as cannot be used.
    whole
        Whether the sample is all of it, read and verified as a build reads it.
    """

    format: Format
    rows: int
    exact: bool
    origin: str
    file_bytes: float
    text_bytes: float
    table_bytes: float
    mapped: bool
    sample: Rows
    checked: int
    whole: bool = False

    @property
    def may_bring_columns(self) -> bool:
        """Whether rows beyond the sample may have columns that it lacks: keys of JSON may come late."""
        return not self.whole and self.format in (Format.JSONL, Format.JSON_ARRAY)

    def of(self, rows: int) -> DatasetEstimate:
        """Return a data set of so many rows like these."""
        share = rows / max(1, self.rows)
        file, text, table = (share * size for size in (self.file_bytes, self.text_bytes, self.table_bytes))
        return replace(self, rows=rows, file_bytes=file, text_bytes=text, table_bytes=table)

    @property
    def is_json(self) -> bool:
        """Whether the rows are JSON."""
        return self.format in (Format.JSONL, Format.JSON_ARRAY)

    @property
    def reading_bytes(self) -> float:
        """Bytes that reading takes beside the table: a chunk of text and its values, or buffers of the decoder."""
        if self.format is Format.PARQUET:
            # A batch while its buffers are copied to twice their size, and of each column a page, packed and unpacked.
            batch, columns = self.table_bytes * min(1.0, BATCH_ROWS / max(1, self.rows)), len(self.sample.table.schema)
            return 3 * batch + 2 * PAGE_BYTES * columns
        if self.format in (Format.CSV, Format.TSV):
            return 8 * min(self.text_bytes, CSV_CHUNK_BYTES)  # the text, the places of its marks, and its values
        # The text in blocks and joined, and twice as much for the places of its values; an array is one chunk.
        return 4 * (self.text_bytes if self.format is Format.JSON_ARRAY else min(self.text_bytes, CHUNK_BYTES))


def estimate(source: Named, *, verify: bool = True, text: TextOptions | None = None) -> DatasetEstimate:
    """Estimate a data set without reading it, unless it is so small that reading it takes no longer.

    Up to 1 MiB of all files together, unpacked, is read as a build reads it. Of more, Parquet footers, the frames of
    Arrow files and samples of text are read: 1 MiB of all files together as they lie on the disk, or 64 KiB of each of
    many, and what `read_sample` counts beside.

    Parameters
    ----------
    source, verify, text
        As in `read`.

    Raises
    ------
    UsageError
        Where there is no such file, or it lies behind a URL: nothing is fetched.
    DataError
        Where what was read is damaged or empty.
    ResourceError
        Where it may not be read.
    """
    urls = [str(one) for one in ([source] if isinstance(source, str | Path) else source) if is_url(str(one))]
    if urls:
        raise UsageError(
            "this input would have to be fetched, and an estimate fetches nothing",
            where=without_secrets(urls[0]),
            hint="download it, and name the file",
        )
    return settled(
        Path(shown_source(source)), lambda watch: _estimate_once(source, digest_wanted(verify=verify), watch, text)
    )


def _estimate_once(
    source: Named, expected: Callable[[Path], str | None], watch: Watch, text: TextOptions | None
) -> DatasetEstimate:
    with open_inputs(source, text) as inputs:
        sizes = [_small_size(file) for file in inputs]
        if sum(sizes) <= SMALL_BYTES:
            rows = read_open(inputs, source, None, expected, watch)
            return _of_whole(rows, inputs, sum(sizes))
        for file in inputs:
            watch.add(file.path)
            expected(file.path)  # the manifest beside it must be one
        kinds = [
            (part, kind)
            for file, kind in formats_of(inputs)
            for part in (data_files(file) if kind is Format.HF_FOLDER else [file])
        ]
        size = max(_SMALLEST_SAMPLE, _SAMPLE // len(kinds))
        bad = BadRows()
        found: list[FileEstimate] = []
        for file, kind in kinds:
            own = BadRows()
            found.append(estimate_file(file, kind, size, own))
            bad.extend(own, sum(part.checked for part in found[:-1]))
    name = shown_source(source) if len(inputs) > 1 else inputs[0].name
    return _of_files(found, kinds, name, bad)


def _small_size(file: Input) -> int:
    """Return the bytes of a file, unpacked if it is text; of a larger one than is read in whole any larger number."""
    size = size_of(file)
    if size > SMALL_BYTES or file.is_folder or compression_of(file.at(0, 4)) is Compression.NONE:
        return size
    with open_text(file, Meter(None, 0)) as text:
        while text.done <= SMALL_BYTES and text.read(_SMALLEST_SAMPLE):
            pass
        return text.done


def _of_whole(rows: Rows, inputs: list[Input], size: int) -> DatasetEstimate:
    """Return what is known of files that were read in whole."""
    count = rows.table.num_rows
    if count == 0:
        raise DataError("has no rows", where=rows.source, expected="one row at least")
    if len(rows.bad) == count:
        raise rows.bad.error(count, rows.source, None)
    kinds = [kind for _, kind in formats_of(inputs)]
    return DatasetEstimate(
        format=kinds[0],
        rows=count,
        exact=True,
        origin=f"{kinds[0].value}, read in whole{_of_count(inputs)}",
        file_bytes=sum(size_of(file) for file in inputs),
        text_bytes=float(size) if _TEXT.issuperset(kinds) else 0.0,
        table_bytes=float(rows.table.nbytes),
        mapped=False,
        sample=rows,
        checked=count,
        whole=True,
    )


def _of_files(
    found: Sequence[FileEstimate], kinds: list[tuple[Input, Format]], name: str, bad: BadRows
) -> DatasetEstimate:
    files, kind = [file for file, _ in kinds], kinds[0][1]
    samples = [(file.name, part) for part, file in zip(found, files, strict=True) if part.sample.num_rows]
    if not samples or not any(part.rows for part in found):
        raise DataError("has no rows", where=name, expected="one row at least")
    merged([(file, part.sample) for file, part in samples])
    file, first = samples[0]
    return DatasetEstimate(
        format=kind,
        rows=sum(part.rows for part in found),
        exact=all(part.exact for part in found),
        origin=f"{kind.value}, {_origin(found, sum(file.size for file in files))}",
        file_bytes=sum(file.size for file in files),
        text_bytes=sum(part.text_bytes for part in found),
        table_bytes=sum(part.table_bytes for part in found),
        mapped=all(part.mapped for part in found),
        sample=Rows(first.sample, name, RowLocations((FileRows(file, len(first.sample), first.lines),)), "", [], bad),
        checked=sum(part.checked for part in found),
    )


def _origin(found: Sequence[FileEstimate], size: int) -> str:
    if not found[0].text_bytes:
        return f"from the {found[0].told_by}{_of_count(found)}"
    if all(part.exact for part in found):
        return f"read in whole{_of_count(found)}"
    share = sum(part.read_bytes for part in found) / max(1, size)
    return f"estimated from {100 * share:.2g}% of the bytes{_of_count(found)}"


def _of_count(files: Sequence[object]) -> str:
    return f" of {len(files):,} files" if len(files) > 1 else ""
