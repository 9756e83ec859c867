"""Scores that a file holds."""

from __future__ import annotations

from typing import Annotated, Any

from numpy.typing import NDArray

from sage_select import io
from sage_select.data import Dataset
from sage_select.declare.option import Option
from sage_select.errors import Where
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.scorers.scorer import Scorer, scorer
from sage_select.values.location import FilePath

__all__ = ["File"]


@scorer("file", place=30, given=True, implied_by="file")
class File(Scorer):
    """The numbers of a .npy file."""

    file: Annotated[FilePath, Option("a .npy file with one number a row", flag="--scores", metavar="FILE")]

    def score(self, data: Dataset, run: Run) -> NDArray[Any]:
        """Return the numbers of the file."""
        del run
        values: NDArray[Any] = data.of_input(
            io.read_npy(data.files.file(str(self.file)), rows=data.input_n, kind="scores")
        )
        return values

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size with as many rows as the file has."""
        del data
        header = io.npy_header(str(self.file), rows=size.n if size.exact else None, kind="scores")
        return size.counted(header.rows, f"from the header of {self.file}")

    def cost(self, size: Size) -> Cost:
        """Return the cost of float64 numbers."""
        return Cost(8.0 * size.n, size.seconds(copied=8.0 * size.n))

    def where(self, data: Dataset) -> Where:
        """Return the file."""
        del data
        return Where(file=self.file)

    def describe(self) -> str:
        """Return the file."""
        return str(self.file)
