"""Predictions that a file holds."""

from __future__ import annotations

from typing import Annotated

from sage_select import io
from sage_select.data import Dataset, Predictions
from sage_select.declare.option import Option
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.predictors.predictor import FORM_HELP, Form, Labelled, Predictor, predictions_of, predictor
from sage_select.values.location import FilePath

__all__ = ["File"]


@predictor("file", place=20, given=True, implied_by="file")
class File(Predictor):
    """The numbers of a .npy file, one row of classes for each row."""

    file: Annotated[
        FilePath,
        Option(
            "a .npy file with a number for each class of each row (float16, 32 or 64)",
            flag="--predictions",
            metavar="FILE",
        ),
    ]
    predictions_are: Annotated[Form, Option(FORM_HELP)] = "probabilities"

    def predict(self, data: Dataset, labelled: Labelled | None, run: Run) -> Predictions:
        """Return the rows of the file, checked."""
        del labelled, run
        name = str(self.file)
        values = io.read_npy(data.files.file(name), rows=data.input_n, kind="predictions")
        return predictions_of(data.vectors_of_input(values), self.predictions_are, name, data)

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size with as many rows as the file has."""
        del data
        header = io.npy_header(str(self.file), rows=size.n if size.exact else None, kind="predictions")
        return size.counted(header.rows, f"from the header of {self.file}")

    def classes(self, size: Size) -> int:
        """Return the width that the header gives."""
        del size
        return io.npy_header(str(self.file), rows=None, kind="predictions").width

    def cost(self, size: Size) -> Cost:
        """Return the cost of the file, and of a float32 copy."""
        header = io.npy_header(str(self.file), rows=None, kind="predictions")
        read, held = float(header.item_bytes * header.width * size.input_n), 4.0 * header.width * size.n
        return Cost(read + held, size.seconds(copied=read + held), held)

    def describe(self) -> str:
        """Return the file, and what it holds."""
        return f"{self.predictions_are} of {self.file}"
