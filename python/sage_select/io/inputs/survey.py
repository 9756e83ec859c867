"""What can be known of a data set without reading it: from footers and from a first piece of each file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sage_select.display import is_url, without_secrets
from sage_select.errors import DataError, UsageError
from sage_select.io.commit.paired import Watch, settled
from sage_select.io.formats.csv_file import BATCH_ROWS as CSV_BATCH_ROWS
from sage_select.io.formats.hf_folder import data_files
from sage_select.io.formats.json_table import PIECE_BYTES
from sage_select.io.formats.sniff import Compression, Format, compression_of
from sage_select.io.formats.text import open_text
from sage_select.io.inputs.read import digest_wanted, formats_of, read_open, size_of
from sage_select.io.inputs.survey_binary import survey_ipc, survey_parquet
from sage_select.io.inputs.survey_file import FileSurvey
from sage_select.io.inputs.survey_text import survey_csv, survey_json
from sage_select.io.source.named import Named, open_inputs, shown_source
from sage_select.io.source.opened import Input, TextOptions
from sage_select.io.source.progress import Meter
from sage_select.io.tables.bad_rows import BadRows
from sage_select.io.tables.merge import merged
from sage_select.io.tables.rows import Part, Places, Rows

__all__ = ["Survey", "survey"]

#: Inputs up to this size are read in whole.
SMALL_BYTES: Final = 1 << 20
#: Bytes of text that are looked at, of all files together ...
_PIECE: Final = 1 << 20
#: ... and of each of many files at least.
_SMALLEST_PIECE: Final = 1 << 16


@dataclass(frozen=True)
class Survey:
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
        Its first rows, one at least; `bad` are those that cannot be used among all that were looked at, which are null
        in all columns.
    looked_at
        How many rows were looked at for those that cannot be used.
    whole
        Whether the sample is all of it, read and verified as a build reads it.
    """

    format: Format
    rows: int
    exact: bool
    origin: str
    file_bytes: int
    text_bytes: float
    table_bytes: float
    mapped: bool
    sample: Rows
    looked_at: int
    whole: bool = False

    @property
    def reading_bytes(self) -> float:
        """Bytes that reading takes beside the table: a piece of text and its values, or buffers of the decoder."""
        row = self.text_bytes / max(1, self.rows)
        if self.format is Format.PARQUET:
            return 2.0 * self.table_bytes
        if self.format in (Format.CSV, Format.TSV):
            return 5 * min(self.text_bytes, CSV_BATCH_ROWS * row)
        # The text in blocks and joined, and twice as much for the places of its values; an array is one piece.
        return 4 * (self.text_bytes if self.format is Format.JSON_ARRAY else min(self.text_bytes, PIECE_BYTES))


def survey(source: Named, *, verify: bool = True, text: TextOptions | None = None) -> Survey:
    """Look at a data set without reading it, unless it is so small that reading it is no more than a look.

    Up to 1 MiB of all files together, unpacked, is read as a build reads it. Of more, Parquet footers, the frames of
    Arrow files and a first piece of text are read: 1 MiB of all files together as they lie on the disk, or 64 KiB of
    each of many, and what `first_piece` looks at beside; the first rows are held as a sample.

    Parameters
    ----------
    source, verify, text
        As in `read`.

    Raises
    ------
    UsageError
        Where there is no such file, or it lies behind a URL: nothing is fetched.
    DataError
        Where what was looked at is damaged or empty.
    ResourceError
        Where it may not be read.
    """
    urls = [str(one) for one in ([source] if isinstance(source, str | Path) else source) if is_url(str(one))]
    if urls:
        raise UsageError(
            "this input would have to be fetched, and a look at it fetches nothing",
            where=without_secrets(urls[0]),
            hint="download it, and name the file",
        )
    return settled(
        Path(shown_source(source)), lambda watch: _survey_once(source, digest_wanted(verify=verify), watch, text)
    )


def _survey_once(
    source: Named, expected: Callable[[Path], str | None], watch: Watch, text: TextOptions | None
) -> Survey:
    with open_inputs(source, text) as inputs:
        sizes = [_small_size(file) for file in inputs]
        if sum(sizes) <= SMALL_BYTES:
            rows = read_open(inputs, source, None, expected, watch)
            return _all_of(rows, inputs, sum(sizes))
        for file in inputs:
            watch.add(file.path)
            expected(file.path)  # the manifest beside it must be one
        kinds = [
            (part, kind)
            for file, kind in formats_of(inputs)
            for part in (data_files(file) if kind is Format.HF_FOLDER else [file])
        ]
        piece = max(_SMALLEST_PIECE, _PIECE // len(kinds))
        bad = BadRows()
        found: list[FileSurvey] = []
        for file, kind in kinds:
            own = BadRows()
            found.append(_FILES[kind](file, kind, piece, own))
            bad.extend(own, sum(part.looked_at for part in found[:-1]))
    name = shown_source(source) if len(inputs) > 1 else inputs[0].name
    return _together(found, kinds, name, bad)


def _small_size(file: Input) -> int:
    """Return the bytes of a file, unpacked if it is text; of a larger one than is read in whole any larger number."""
    size = size_of(file)
    if size > SMALL_BYTES or file.is_folder or compression_of(file.at(0, 4)) is Compression.NONE:
        return size
    with open_text(file, Meter(None, 0)) as text:
        while (block := text.read(_SMALLEST_PIECE)) and text.done <= SMALL_BYTES:
            del block
        return text.done


def _all_of(rows: Rows, inputs: list[Input], size: int) -> Survey:
    """Return what is known of files that were read in whole."""
    count = rows.table.num_rows
    if count == 0:
        raise DataError("has no rows", where=rows.source, expected="one row at least")
    if len(rows.bad) == count:
        raise rows.bad.error(count, rows.source, None)
    kinds = formats_of(inputs)
    is_text = [kind in _TEXT for _, kind in kinds]
    of_files = f" of {len(inputs):,} files" if len(inputs) > 1 else ""
    return Survey(
        format=kinds[0][1],
        rows=count,
        exact=True,
        origin=f"{kinds[0][1].value}, read in whole{of_files}",
        file_bytes=sum(size_of(file) for file in inputs),
        text_bytes=float(size) if all(is_text) else 0.0,
        table_bytes=float(rows.table.nbytes),
        mapped=False,
        sample=rows,
        looked_at=count,
        whole=True,
    )


_TEXT: Final = frozenset({Format.JSONL, Format.JSON_ARRAY, Format.CSV, Format.TSV})
_FILES: Final[dict[Format, Callable[[Input, Format, int, BadRows], FileSurvey]]] = {
    Format.JSONL: survey_json,
    Format.JSON_ARRAY: survey_json,
    Format.CSV: survey_csv,
    Format.TSV: survey_csv,
    Format.PARQUET: survey_parquet,
    Format.ARROW_FILE: survey_ipc,
    Format.ARROW_STREAM: survey_ipc,
    Format.HF_FOLDER: survey_ipc,
}


def _together(found: Sequence[FileSurvey], kinds: list[tuple[Input, Format]], name: str, bad: BadRows) -> Survey:
    files, kind = [file for file, _ in kinds], kinds[0][1]
    if not any(part.rows for part in found):
        raise DataError("has no rows", where=name, expected="one row at least")
    merged([(file.name, part.sample) for part, file in zip(found, files, strict=True) if part.sample.num_rows])
    first = next(index for index, part in enumerate(found) if part.sample.num_rows)
    sample = found[first].sample
    exact = all(part.exact for part in found)
    size = sum(file.size for file in files)
    return Survey(
        format=kind,
        rows=sum(part.rows for part in found),
        exact=exact,
        origin=f"{kind.value}, {_origin(found, size)}",
        file_bytes=size,
        text_bytes=sum(part.text_bytes for part in found),
        table_bytes=sum(part.table_bytes for part in found),
        mapped=all(part.mapped for part in found),
        sample=Rows(sample, name, Places((Part(files[first].name, len(sample), found[first].lines),)), "", [], bad),
        looked_at=sum(part.looked_at for part in found),
    )


def _origin(found: Sequence[FileSurvey], size: int) -> str:
    of_files = f" of {len(found):,} files" if len(found) > 1 else ""
    if not found[0].text_bytes:
        return f"from the {found[0].said}{of_files}"
    if all(part.exact for part in found):
        return f"read in whole{of_files}"
    seen = sum(part.seen for part in found)
    return f"estimated from {100 * seen / max(1, size):.2g}% of the bytes{of_files}"
