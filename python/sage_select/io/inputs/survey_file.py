"""What is known of one file before it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

__all__ = ["FileSurvey"]


@dataclass(frozen=True)
class FileSurvey:
    """One file of a `Survey`.

    Parameters
    ----------
    rows, exact
        How many rows it has, and whether that is certain.
    sample, lines
        Its first rows, null where they cannot be used, and the line of each where there are lines.
    looked_at
        How many rows were looked at for those that cannot be used; the sample is the first of them.
    table_bytes, mapped
        Bytes of the Arrow table that it becomes, and whether they lie in the file.
    said
        What told the number of rows.
    text_bytes
        Bytes of its text when unpacked, 0 for a binary file.
    seen
        Bytes of the file, packed as they are, that were looked at.
    """

    rows: int
    exact: bool
    sample: pa.Table
    looked_at: int
    table_bytes: float
    mapped: bool = False
    said: str = ""
    lines: Sequence[int] | None = None
    text_bytes: float = 0.0
    seen: float = 0.0
