"""Where the selection goes."""

from __future__ import annotations

from typing import Annotated, Any, Final

from sage_select.data import Dataset
from sage_select.declare.option import Option
from sage_select.io.formats.encode import ROW_GROUP
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage, stage
from sage_select.values.location import OutputPath

__all__ = ["Sink"]

#: A row of the row report: its first words, up to 80 characters, and the rest of its columns beside the id.
_REPORT_BYTES: Final = 150
#: A row of it while it is written, with the id: copied twice, and encoded.
_WRITTEN_BYTES: Final = 3 * (_REPORT_BYTES + 36)


@stage("sink", place=90, by_default=True, ends=True)
class Sink(Stage):
    """Where the selection goes.

    Attributes
    ----------
    path
        The format follows the name: `.arrow`, `.arrows`, `.parquet`, `.jsonl`, `.jsonl.gz`, or a folder.
    rows
        Also write the row report beside it (`NAME.rows.parquet`).
    """

    path: Annotated[
        OutputPath,
        Option(
            "where to write; the format follows the name: .arrow .arrows .parquet .jsonl, or a folder; - is standard "
            "output, an Arrow stream (-.jsonl: JSON lines)",
            flag="--output",
            short="-o",
        ),
    ] = "out.arrow"
    rows: Annotated[bool, Option("write the row report beside the output", flag="--rows/--no-rows")] = True

    def identity(self) -> dict[str, Any]:
        """Return nothing: where rows lie changes nothing about them."""
        return {}

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows; what writes them is the engine, which commits them with all that is told of them."""
        del run
        return data

    def cost(self, size: Size) -> Cost:
        """Return the cost of the rows in training order, encoded and read back, and of the row report."""
        output, told = size.row_bytes * size.n, size.input_n if self.rows else 0
        report = float(_REPORT_BYTES * told)
        written = max(output, _WRITTEN_BYTES * min(told, ROW_GROUP))
        return Cost(output + report + written, size.seconds(copied=3 * output, rows=told))

    def describe(self) -> str:
        """Return where the output goes."""
        return self.path + (" with the row report" if self.rows else "")
