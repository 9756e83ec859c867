"""Vectors that a file holds."""

from __future__ import annotations

from typing import Annotated, Any, Final, cast

import numpy as np
from pydantic import model_validator

from sage_select import io
from sage_select.data import Dataset
from sage_select.data.by_id import is_table, read_by_id
from sage_select.declare.option import Option
from sage_select.encoders.encoder import Encoder, encoder
from sage_select.errors import UsageError
from sage_select.kernels import Matrix, Metric
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import GIVEN, Run
from sage_select.values.location import FilePath

__all__ = ["VECTOR", "File"]

#: The column of a table of vectors that holds them.
VECTOR: Final = "vector"


@encoder("file", place=30, given=True, implied_by="file")
class File(Encoder):
    """The vectors of a .npy file, or those that a table has by the ids of rows."""

    file: Annotated[
        FilePath,
        Option(
            "a .npy file with one vector a row (float16, 32 or 64); or a table with a column sage_row_id, as "
            "sage-select embed writes it",
            flag="--embeddings",
            metavar="FILE",
        ),
    ]
    embeddings_column: Annotated[
        str | None,
        Option("the column of the table that holds the vectors; rows are found by their ids", default="vector"),
    ] = None

    @model_validator(mode="after")
    def _column(self) -> File:
        if self.embeddings_column is not None and str(self.file).lower().endswith(".npy"):
            raise ValueError(f"embeddings_column names a column of a table, and {self.file} is an array")
        if self.embeddings_column is not None and self.file == GIVEN:
            raise ValueError("embeddings_column names a column of a table, and the embeddings are values")
        return self

    @property
    def _is_table(self) -> bool:
        return self.embeddings_column is not None or is_table(str(self.file))

    @property
    def _column_name(self) -> str:
        return self.embeddings_column or VECTOR

    def vectors(self, data: Dataset, run: Run) -> Any:
        """Return the rows of the file, mapped.

        Raises
        ------
        UsageError
            If the table has no such column, or no ids.
        DataError
            If a row is not in the table, or stands there twice.
        """
        del run
        name = str(self.file)
        if not self._is_table:
            return data.vectors_of_input(io.read_npy(data.files.file(name), rows=data.input_n, kind="embeddings"))
        lists, places = read_by_id(
            data,
            name,
            "embeddings",
            lambda rows: io.embedding_column(rows, self._column_name),
            made_by="sage-select embed",
            beside="--embedding-column",
        )
        numbers = places.to_numpy()
        as_they_lie = len(lists) == len(numbers) and bool((numbers == np.arange(len(numbers))).all())
        return lists if as_they_lie else lists.take(places)

    def vectors_of_queries(self, queries: io.Rows) -> Any:
        """Refuse queries that are rows: nobody knows the encoder that made the file."""
        array = self.file == GIVEN
        raise UsageError(
            f"the rows have vectors from {'an array' if array else 'a file'}, and the queries have none",
            where=queries.source,
            expected=f"{'an array' if array else 'a .npy file'} of queries, made by the same encoder",
        )

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size with as many rows as the array has; a table may hold more."""
        del data
        if self._is_table:
            self.width(size)
            return size
        header = io.npy_header(str(self.file), rows=size.n if size.exact else None, kind="embeddings")
        self._used_in_file(header, size.metric)
        return size.counted(header.rows, f"from the header of {self.file}")

    def width(self, size: Size) -> int:
        """Return the width that the header of an array gives, or the first rows of a table."""
        del size
        if self._is_table:
            first = io.estimate(str(self.file)).sample
            return int(io.embedding_column(first, self._column_name).type.list_size)
        return io.npy_header(str(self.file), rows=None, kind="embeddings").width

    def cost(self, size: Size) -> Cost:
        """Return the cost of the file, mapped where it is large, and of a copy where the vectors need one."""
        if self._is_table:
            values = 4.0 * size.d * size.n
            return Cost(2 * values + 160.0 * size.n, size.seconds(copied=2 * values), values)
        header = io.npy_header(str(self.file), rows=None, kind="embeddings")
        lies = float(header.item_bytes * header.width * size.input_n)
        held = 0.0 if self._used_in_file(header, size.metric) else 4.0 * size.d * size.n
        read = Cost(lies, 0.0, lies) if header.copied else Cost(mapped=lies)
        return read.then(Cost(held, size.seconds(copied=lies + held), held))

    def _used_in_file(self, header: io.NpyHeader, metric: str) -> bool:
        """Tell whether vectors are used where they lie, as the first of them show."""
        first = header.first
        return len(first) > 0 and Matrix.from_array(first, metric=cast("Metric", metric), name=str(self.file)).borrowed

    def describe(self) -> str:
        """Return the file, and the column of a table that was named."""
        return str(self.file) if self.embeddings_column is None else f"{self.file}, column {self.embeddings_column!r}"
