"""Predictions that a column of the input holds."""

from __future__ import annotations

from typing import Annotated

from sage_select import io
from sage_select.data import Dataset, Predictions
from sage_select.declare.option import Option
from sage_select.errors import UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.predictors.predictor import FORM_HELP, Form, Labelled, Predictor, predictions_of, predictor

__all__ = ["Column"]


@predictor("column", place=30, given=True, implied_by="column")
class Column(Predictor):
    """The numbers of a list column of the input."""

    column: Annotated[
        str,
        Option("a list column of the input with a number for each class", flag="--prediction-column"),
    ]
    predictions_are: Annotated[Form, Option(FORM_HELP)] = "probabilities"

    def predict(self, data: Dataset, labelled: Labelled | None, run: Run) -> Predictions:
        """Return the lists of the column, checked."""
        del labelled, run
        if data.rows is None:
            raise UsageError("a column of predictions needs rows", hint="pass data, or probabilities as an array")
        lists = io.embedding_column(data.rows, self.column, kind="predictions")
        return predictions_of(lists, self.predictions_are, f"{data.rows.source}, column {self.column!r}", data)

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size; a column that holds no lists of numbers is refused."""
        if data.rows is not None:
            io.embedding_column(data.rows, self.column, kind="predictions")
        return size

    def classes(self, size: Size) -> int:
        """Return the length of the lists."""
        rows = None if size.data is None else size.data.rows
        return 0 if rows is None else int(io.embedding_column(rows, self.column, kind="predictions").type.list_size)

    def cost(self, size: Size) -> Cost:
        """Return the cost of the lists and of their float32 copy."""
        values = 4.0 * self.classes(size) * size.n
        return Cost(2 * values, size.seconds(copied=2 * values), values)

    def describe(self) -> str:
        """Return the column, and what it holds."""
        return f"{self.predictions_are} of column {self.column!r}"
