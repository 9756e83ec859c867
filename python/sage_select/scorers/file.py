"""Scores that a file holds."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from sage_select import io
from sage_select.data import Dataset
from sage_select.data.by_id import at, is_table, read_by_id
from sage_select.declare.option import Option
from sage_select.errors import Where
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import GIVEN, Run
from sage_select.score import MEASURES
from sage_select.scorers.scorer import Scorer, scorer
from sage_select.values.location import FilePath

__all__ = ["File"]


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
        return self.scores_column is not None or is_table(str(self.file))

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
        values, places = read_by_id(
            data,
            str(self.file),
            "scores",
            lambda rows: io.numeric_column(rows, str(self.scores_column), missing="nan"),
            made_by="sage-select score",
            beside="--score-column",
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
