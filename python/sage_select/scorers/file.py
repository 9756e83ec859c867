"""Scores that a file holds."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import model_validator

from sage_select import io
from sage_select.data import Dataset
from sage_select.declare.option import Option
from sage_select.errors import DataError, UsageError, Where
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import GIVEN, Run
from sage_select.score import MEASURES
from sage_select.scorers.by_id import at, ids_of, places_of, refuse_absent
from sage_select.scorers.scorer import Scorer, scorer
from sage_select.values.location import FilePath

__all__ = ["File"]

#: How the names of tables end; what else is named is an array, unless one of its columns is named too.
_TABLES: Final = frozenset({".arrow", ".arrows", ".feather", ".ipc", ".parquet", ".csv", ".tsv", ".jsonl", ".ndjson"})
#: By which columns a table names its rows: the first that it has.
_IDS: Final = ("sage_row_id", "row_id", "id")


@scorer("file", place=30, given=True, implied_by="file")
class File(Scorer):
    """The numbers of a .npy file, or those that a table has by the ids of rows."""

    file: Annotated[
        FilePath,
        Option(
            "a .npy file with one number a row; or a table with a column sage_row_id, as sage-select score writes it, "
            "of which scores_column names a column",
            flag="--scores",
            metavar="FILE",
        ),
    ]
    scores_column: Annotated[
        str | None, Option("the column of the table that holds the score, such as loss; rows are found by their ids")
    ] = None

    @model_validator(mode="after")
    def _column(self) -> File:
        if self._is_table and self.scores_column is None:
            raise ValueError(
                f"{self.file} is a table, and scores_column does not name one of its columns, such as loss"
            )
        if self.scores_column is not None and str(self.file).lower().endswith(".npy"):
            raise ValueError(f"scores_column names a column of a table, and {self.file} is an array")
        if self.scores_column is not None and self.file == GIVEN:
            raise ValueError("scores_column names a column of a table, and the scores are values")
        return self

    @property
    def _is_table(self) -> bool:
        ends = PurePath(str(self.file)).suffixes[-2:]
        return self.scores_column is not None or any(end.lower() in _TABLES for end in ends)

    @property
    def higher_is_harder(self) -> bool:
        """As a measure of this name declares, of tables of `sage-select score`."""
        return next((one.higher_is_harder for name, one in MEASURES.items() if name == self.scores_column), True)

    def score(self, data: Dataset, run: Run) -> NDArray[Any]:
        """Return the numbers of the file.

        Raises
        ------
        UsageError
            If the table has no such column, or no ids.
        DataError
            If a row is not in the table, or stands there twice.
        """
        del run
        if self._is_table:
            return self._of_table(data)
        values: NDArray[Any] = data.of_input(
            io.read_npy(data.files.file(str(self.file)), rows=data.input_n, kind="scores")
        )
        return values

    def _of_table(self, data: Dataset) -> NDArray[np.float64]:
        rows = io.read(str(self.file))
        data.files.was_read(str(self.file), rows.digest)
        names = rows.table.column_names
        by = next((name for name in _IDS if name in names), None)
        if by is None:
            raise UsageError(
                "a table of scores has no column with the ids of rows",
                where=rows.source,
                expected=f"{', '.join(_IDS[:-1])} or {_IDS[-1]}",
                got=f"columns {', '.join(names[:20])}",
                hint="sage-select score writes one; scores in a column of the input itself are --score-column",
            )
        ids = ids_of(rows, by)
        values = io.numeric_column(rows, str(self.scores_column))
        counts = pc.value_counts(ids)
        twice = pc.index(pc.greater(counts.field(1), pa.scalar(1, pa.int64())), True).as_py()
        if twice >= 0:
            raise DataError(
                "a table of scores names a row twice", where=rows.source, got=f"id {counts.field(0)[twice].as_py()}"
            )
        places = places_of(data, ids, "a table of scores")
        refuse_absent(
            data,
            places,
            "the table of scores",
            str(self.file),
            "score the same input, with the same --id-column, if any",
        )
        return at(values, places)

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size with as many rows as the array has; a table may hold more."""
        del data
        if self._is_table:
            return size
        header = io.npy_header(str(self.file), rows=size.n if size.exact else None, kind="scores")
        return size.counted(header.rows, f"from the header of {self.file}")

    def cost(self, size: Size) -> Cost:
        """Return the cost of float64 numbers, and of finding rows of a table by their ids."""
        each = 160.0 if self._is_table else 8.0
        return Cost(each * size.n, size.seconds(copied=each * size.n))

    def where(self, data: Dataset) -> Where:
        """Return the file."""
        del data
        return Where(file=self.file, column=self.scores_column)

    def describe(self) -> str:
        """Return the file, and the column of a table."""
        return f"{self.file}, column {self.scores_column!r}" if self._is_table else str(self.file)
