"""Scores that a column of the input holds."""

from __future__ import annotations

from typing import Annotated, Any

from numpy.typing import NDArray

from sage_select import io
from sage_select.data import Dataset
from sage_select.declare.option import Option
from sage_select.errors import UsageError, Where
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.scorers.scorer import Scorer, scorer

__all__ = ["Column"]


@scorer("column", place=20, given=True, implied_by="column")
class Column(Scorer):
    """The numbers of a column of the input."""

    column: Annotated[
        str,
        Option(
            "a column of the input that holds the score, or a field of one of objects: scores.helpfulness",
            flag="--score-column",
        ),
    ]

    def score(self, data: Dataset, run: Run) -> NDArray[Any]:
        """Return the numbers of the column."""
        del run
        if data.rows is None:
            raise UsageError("a score column needs rows", hint="pass the scores as an array")
        return io.numeric_column(data.rows, self.column, missing="nan")

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size; a column that holds no numbers is refused."""
        if data.rows is not None:
            io.numeric_column(data.rows, self.column, missing="nan")
        return size

    def first_scores(self, data: Dataset) -> NDArray[Any] | None:
        """Return the numbers of the first rows."""
        return None if data.rows is None else io.numeric_column(data.rows, self.column, missing="nan")

    def cost(self, size: Size) -> Cost:
        """Return the cost of float64 numbers."""
        return Cost(8.0 * size.n, size.seconds(copied=8.0 * size.n))

    def where(self, data: Dataset) -> Where:
        """Return the column."""
        return Where(column=self.column) if data.rows is None else data.rows.where(0, self.column)

    def describe(self) -> str:
        """Return the column."""
        return f"column {self.column!r}"
