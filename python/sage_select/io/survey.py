"""What can be known of a data set without reading it: from footers and from a first piece of each file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sage_select.display import is_url, without_secrets
from sage_select.errors import DataError, UsageError
from sage_select.io.bad_rows import BadRows
from sage_select.io.hf_folder import data_files
from sage_select.io.inputs import Named, open_inputs, shown_source
from sage_select.io.merge import merged
from sage_select.io.opened import Input, TextOptions
from sage_select.io.read import formats_of
from sage_select.io.rows import Part, Places, Rows
from sage_select.io.sniff import Format
from sage_select.io.survey_binary import survey_ipc, survey_parquet
from sage_select.io.survey_file import FileSurvey
from sage_select.io.survey_text import survey_csv, survey_json

__all__ = ["Survey", "survey"]

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
    packed
        Whether text has to be unpacked.
    table_bytes
        Bytes of the Arrow table that it becomes.
    mapped
        Whether that table lies in the files, mapped into memory, rather than in a copy.
    sample
        Its first rows, one at least.
    """

    format: Format
    rows: int
    exact: bool
    origin: str
    file_bytes: int
    text_bytes: float
    packed: bool
    table_bytes: float
    mapped: bool
    sample: Rows


def survey(source: Named, *, bad_rows: BadRows | None = None, text: TextOptions | None = None) -> Survey:
    """Look at a data set without reading it.

    Parquet footers, the frames of Arrow files and a first piece of text are read: of that, 1 MiB of all files together
    as they lie on the disk, or 64 KiB of each of many, and what `first_piece` looks at beside. The first rows are held
    as a sample, without those that cannot be used, which are added to `bad_rows`, or refused without it.

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
    with open_inputs(source, text) as inputs:
        kinds = formats_of(inputs)
        kinds = [
            (part, kind) for file, kind in kinds for part in (data_files(file) if kind is Format.HF_FOLDER else [file])
        ]
        piece = max(_SMALLEST_PIECE, _PIECE // len(kinds))
        bad = BadRows() if bad_rows is None else bad_rows
        found = [_FILES[kind](file, kind, piece, bad) for file, kind in kinds]
    name = shown_source(source) if len(inputs) > 1 else inputs[0].name
    if len(bad) and bad_rows is None:
        raise bad.error(sum(part.rows for part in found), name, None)
    return _together(found, kinds, name)


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


def _together(found: Sequence[FileSurvey], kinds: list[tuple[Input, Format]], name: str) -> Survey:
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
        packed=any(part.packed for part in found),
        table_bytes=sum(part.table_bytes for part in found),
        mapped=all(part.mapped for part in found),
        sample=Rows(
            sample, files[first].name, Places((Part(files[first].name, len(sample), found[first].lines),)), "", []
        ),
    )


def _origin(found: Sequence[FileSurvey], size: int) -> str:
    of_files = f" of {len(found):,} files" if len(found) > 1 else ""
    if not found[0].text_bytes:
        return f"from the {found[0].said}{of_files}"
    if all(part.exact for part in found):
        return f"read in whole{of_files}"
    seen = sum(part.seen for part in found)
    return f"estimated from {100 * seen / max(1, size):.2g}% of the bytes{of_files}"
