"""Vectors that a column of the input holds."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from sage_select import io
from sage_select.data import Dataset
from sage_select.declare.option import Option
from sage_select.encoders.encoder import Encoder, encoder
from sage_select.errors import UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run

__all__ = ["Column"]


@encoder("column", place=20, given=True, implied_by="column")
class Column(Encoder):
    """The vectors of a list column of the input."""

    column: Annotated[str, Option("a list column of the input that holds the vector", flag="--embedding-column")]

    def vectors(self, data: Dataset, run: Run) -> Any:
        """Return the lists of the column."""
        del run
        if data.rows is None:
            raise UsageError("there are no rows to embed", hint="pass embeddings as an array, or data")
        return io.embedding_column(data.rows, self.column)

    def vectors_of_queries(self, queries: io.Rows) -> Any:
        """Return the lists of the column of that name."""
        lists = io.embedding_column(queries, self.column)
        return np.asarray(lists.combine_chunks().flatten()).reshape(len(lists), -1)

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size; a column that holds no vectors is refused."""
        if data.rows is not None:
            io.embedding_column(data.rows, self.column)
        return size

    def width(self, size: Size) -> int:
        """Return the length of the lists."""
        rows = None if size.data is None else size.data.rows
        return 0 if rows is None else int(io.embedding_column(rows, self.column).type.list_size)

    def cost(self, size: Size) -> Cost:
        """Return the cost of the lists and of their float32 copy."""
        values = 4.0 * size.d * size.n
        return Cost(2 * values, size.seconds(copied=2 * values), values)

    def describe(self) -> str:
        """Return the column."""
        return f"column {self.column!r}"
