"""Vectors that a file holds."""

from __future__ import annotations

from typing import Annotated, Any, cast

from sage_select import io
from sage_select.data import Dataset
from sage_select.declare.option import Option
from sage_select.encoders.encoder import Encoder, encoder
from sage_select.errors import UsageError
from sage_select.kernels import Matrix, Metric
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import GIVEN, Run
from sage_select.values.location import FilePath

__all__ = ["File"]


@encoder("file", place=30, given=True, implied_by="file")
class File(Encoder):
    """The vectors of a .npy file."""

    file: Annotated[
        FilePath,
        Option("a .npy file with one vector a row (float16, 32 or 64)", flag="--embeddings", metavar="FILE"),
    ]

    def vectors(self, data: Dataset, run: Run) -> Any:
        """Return the rows of the file, mapped."""
        del run
        name = str(self.file)
        return data.vectors_of_input(io.read_npy(data.files.file(name), rows=data.input_n, kind="embeddings"))

    def vectors_of_queries(self, queries: io.Rows) -> Any:
        """Refuse queries that are rows: nobody knows the encoder that made the file."""
        array = self.file == GIVEN
        raise UsageError(
            f"the rows have vectors from {'an array' if array else 'a file'}, and the queries have none",
            where=queries.source,
            expected=f"{'an array' if array else 'a .npy file'} of queries, made by the same encoder",
        )

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size with as many rows as the file has."""
        del data
        header = io.npy_header(str(self.file), rows=size.n if size.exact else None, kind="embeddings")
        self._used_in_file(header, size.metric)
        return size.counted(header.rows, f"from the header of {self.file}")

    def width(self, size: Size) -> int:
        """Return the width that the header gives."""
        del size
        return io.npy_header(str(self.file), rows=None, kind="embeddings").width

    def cost(self, size: Size) -> Cost:
        """Return the cost of the file, mapped where it is large, and of a copy where the vectors need one."""
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
        """Return the file."""
        return str(self.file)
