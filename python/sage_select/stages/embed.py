"""Where each row lies among the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.data import Dataset
from sage_select.declare.settings import Choice
from sage_select.encoders import ENCODERS, Encoder, check_embeddings, check_vectors
from sage_select.errors import UsageError
from sage_select.kernels import Matrix, Metric
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage, stage
from sage_select.stages.inputs.arrays import one_a_row
from sage_select.stages.inputs.queries import Queries, later_queries

__all__ = ["Embed"]


@stage("embed", place=40, gives=frozenset({"vectors"}), keywords="named")
class Embed(Stage):
    """Where each row lies among the others: one vector, from a file, a column, a model, or the words.

    Attributes
    ----------
    encoder
        Where the vectors come from; it need not be named where an option implies it.
    """

    version: ClassVar[int] = 2

    encoder: Annotated[Encoder, Choice(ENCODERS, "hashing", "where vectors come from")]

    @property
    def given(self) -> bool:
        """Whether there is a vector for each row of the input already."""
        return self.encoder.given

    def describe(self) -> str:
        """Return where the vectors come from."""
        return self.encoder.describe()

    def refuse_unused(self, consumers: list[Stage]) -> None:
        """Refuse vectors that nothing compares: they were meant for something.

        Raises
        ------
        UsageError
            As said.
        """
        if not consumers:
            raise UsageError(
                "no stage uses embeddings",
                hint="leave the embeddings out, or choose strategy diversity or hybrid, or --dedup near",
            )

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows with their vectors, and give those of the same encoder to queries that are rows.

        Raises
        ------
        DataError
            If the vectors are ragged, not finite, zero under cosine, or not one a row.
        """
        queries = later_queries(self, run)
        if self.encoder.given:
            for one in queries:
                one.vectors = self.encoder.vectors_of_queries(one.need_rows())
        array = run.given(self, "file")
        if array is not None:
            given = one_a_row(array, "embeddings", data.input_n)
            return self._with(data, data.vectors_of_input(given), "embeddings", run)
        if self.encoder.given:
            vectors = self.encoder.vectors(data, run)
            check_vectors(vectors, self.encoder, data.n)
            return self._with(data, vectors, self._name(data), run)
        if data.rows is None:
            raise UsageError("there are no rows to embed", hint="pass embeddings as an array, or data")
        return self._encoded(data, queries, run)

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size as the encoder knows it."""
        return self.encoder.preview(data, size)

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of the encoder."""
        return self.encoder.cost(self.size_after(size))

    def size_after(self, size: Size) -> Size:
        """Return the size with the width of the vectors."""
        return replace(size, d=self.encoder.width(size))

    def _name(self, data: Dataset) -> str:
        """Return what messages call the vectors."""
        said = self.encoder.describe()
        return said if data.rows is None or self.encoder.name != "column" else f"{data.rows.source}, {said}"

    def _encoded(self, data: Dataset, queries: list[Queries], run: Run) -> Dataset:
        # Together, as the weights of words come from all texts.
        texts = [data.texts, *(one.need_data().texts for one in queries)]
        encoded = self.encoder.encode(
            pa.chunked_array([chunk for text in texts for chunk in text.chunks], pa.string()), run
        )
        check_embeddings(encoded, self.encoder, sum(len(text) for text in texts))
        for notice in encoded.notices:
            run.reporter.notice(notice)
        if encoded.empty_rows:
            run.reporter.notice(f"{encoded.empty_rows:,} rows have no words: they share one reserved vector")
        if encoded.cut_rows:
            run.reporter.notice(
                f"{encoded.cut_rows:,} rows are longer than the encoder reads: the rest of them has no part"
            )
        if encoded.revision is not None:
            run.tell(embed_model={"model": encoded.name, "revision": encoded.revision})
        empty = np.zeros(data.n, np.bool_)
        empty[encoded.empty_text[encoded.empty_text < data.n]] = True
        start = data.n
        for one in queries:
            one.vectors = encoded.array[start : start + one.need_data().n]
            start += one.need_data().n
        name = self.encoder.called if self.encoder.package() else encoded.name
        return self._with(data.with_feature("empty_text", empty), encoded.array[: data.n], name, run)

    def _with(self, data: Dataset, vectors: NDArray[Any] | pa.ChunkedArray, name: str, run: Run) -> Dataset:
        # Under cosine rows may be scaled to length 1: where any stage compares otherwise, they stay as they are.
        metrics = [step.metric for step in run.consumers(self) if step.metric is not None]
        metric = next((one for one in metrics if one != "cosine"), "cosine")
        matrix = Matrix.from_array(vectors, metric=cast("Metric", metric), name=name, threads=run.threads)
        return data.with_feature("vectors", matrix)
