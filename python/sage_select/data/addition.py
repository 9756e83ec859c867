"""Rows that came later than the input: made of rows of it, or from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["Addition"]


@dataclass(frozen=True)
class Addition:
    """Rows that a stage made of others, or has from elsewhere.

    Attributes
    ----------
    table
        The rows (k), with the columns of those that are in.
    ids
        `string` (k,): what names them; no row ever seen has one of these.
    parents
        int64 (k,): the row that each was made of, by its number among those that are in where they come; None of rows
        from elsewhere.
    stage, origin, reason
        What reports call the stage; what the rows are (`sage_origin`); which rule made or drew them.
    source
        What messages call the place of rows from elsewhere.
    """

    table: pa.Table
    ids: pa.Array
    parents: NDArray[np.int64] | None
    stage: str
    origin: str
    reason: str
    source: str = ""

    @property
    def n(self) -> int:
        """How many rows came."""
        return len(self.ids)
