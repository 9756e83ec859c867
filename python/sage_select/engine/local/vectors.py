"""A table of vectors: where each row lies among the others."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa

from sage_select.data import Dataset
from sage_select.encoders.file import VECTOR
from sage_select.engine.base import Outcome
from sage_select.engine.local.row_table import RowTable, Writing
from sage_select.errors import DataError
from sage_select.kernels import Matrix
from sage_select.pipeline import Run
from sage_select.stages import Embed, Source

__all__ = ["VectorType", "write_vectors"]

VectorType = Literal["float32", "float16"]
#: Counts changes of what a table of vectors holds.
_VERSION: Final = 1


def write_vectors(source: Source, embed: Embed, how: Writing, *, dtype: VectorType = "float32") -> Outcome | None:
    """Embed rows and commit a table: the ids of rows, and a column `vector` of fixed-size lists.

    Parameters
    ----------
    source, embed
        The rows, and what makes their vectors.
    how
        Where to, and how.
    dtype
        The type of numbers: float16 takes half the room, and has three digits.

    Returns
    -------
    Outcome
        As `run` does; None in a process that is not the first.

    Raises
    ------
    SageError
        As `RowTable.write`; a number that is too large for float16 is a DataError.
    """

    def columns(data: Dataset, run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
        vectors, data, name = embed.vectors(data, run)
        # As they are, and checked.
        matrix = Matrix.from_array(vectors, metric="sqeuclidean", name=name, threads=run.threads)
        array = matrix.take(np.arange(data.n))
        if dtype == "float16":
            largest = np.abs(array).max(initial=0.0)
            if largest > np.finfo(np.float16).max:
                raise DataError(
                    "a number of a vector is too large for float16", where=name, got=f"{largest:g}", hint="take float32"
                )
            array = array.astype(np.float16)
        lists = pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), array.shape[1])
        return {VECTOR: lists}, {"vectors": {"of": embed.describe(), "width": array.shape[1], "dtype": dtype}}

    return RowTable("vectors", _VERSION, embed, embed, [dtype], columns).write(source, how)
