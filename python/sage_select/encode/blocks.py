"""Vectors that come block by block, with what is told of each block."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.cache import key_of
from sage_select.io.tables.digest import digest_table

__all__ = ["FACTS", "Facts", "content_of", "gathered"]

#: Under which key of the metadata it stands what there is to tell of a block.
FACTS: Final = b"facts"


@dataclass
class Facts:
    """What is told of all blocks.

    Attributes
    ----------
    empty, cut
        Rows that share the reserved vector, and rows that were longer than the encoder reads.
    notices
        What the user should know, each line once.
    """

    empty: int = 0
    cut: int = 0
    notices: list[str] = field(default_factory=list)


def gathered(
    tables: Iterable[pa.Table], n: int, progress: Callable[[int, int], None] | None
) -> tuple[NDArray[np.float32] | None, Facts]:
    """Return the vectors of blocks, (n, d) in their order, and what is told of them; None where there is no block.

    Parameters
    ----------
    tables
        Each with a column `vector` (fixed-size lists of float32), and facts in its metadata.
    n
        How many rows all have.
    progress
        Called with (rows done, rows) after every block.
    """
    array: NDArray[np.float32] | None = None
    told, done = Facts(), 0
    for table in tables:
        column, facts = table["vector"], json.loads(table.schema.metadata[FACTS])
        if array is None:
            array = np.empty((n, column.type.list_size), np.float32)
        for chunk in column.chunks:
            array[done : done + len(chunk)] = chunk.flatten().to_numpy().reshape(len(chunk), -1)
            done += len(chunk)
        told.empty, told.cut = told.empty + facts["empty"], told.cut + facts["cut"]
        told.notices += [notice for notice in facts["notices"] if notice not in told.notices]
        if progress is not None:
            progress(done, n)
    return array, told


def content_of(texts: pa.ChunkedArray) -> str:
    """Return what names some texts: 32 hex characters of the digest of their bytes."""
    return key_of(digest_table(pa.table({"text": texts})))
