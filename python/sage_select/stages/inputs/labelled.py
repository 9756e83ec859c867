"""The labelled rows beside a pool: rows of files, or of what a program handed over, with their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import io, kernels
from sage_select.data import Dataset
from sage_select.encoders.file import File
from sage_select.errors import UsageError
from sage_select.kernels import Matrix
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage
from sage_select.predictors import Labelled
from sage_select.stages.embed import Embed
from sage_select.stages.inputs.held_out import HeldOutFile
from sage_select.stages.inputs.queries import Queries, query_vectors
from sage_select.strategies.pool import Context

__all__ = ["LABELLED", "LabelledRows", "context_of", "labelled_rows", "labelled_to_learn", "refuse_vectors_of_a_file"]

#: What messages call the rows.
LABELLED: Final = "labelled rows"


@dataclass(frozen=True)
class LabelledRows:
    """The labelled rows of a stage.

    Attributes
    ----------
    files
        In their order; the rows that can be used of each.
    rows
        The same, to get vectors by the encoder of the pool.
    labels
        `string`, the label of each row of all files; None where no column is named.
    """

    files: tuple[HeldOutFile, ...]
    rows: tuple[Queries, ...]
    labels: pa.ChunkedArray | None

    @property
    def contents(self) -> pa.ChunkedArray:
        """What each row says, by its digest."""
        return pa.chunked_array([chunk for file in self.files for chunk in file.contents.chunks], pa.string())


def labels_of(files: tuple[HeldOutFile, ...], column: str) -> pa.ChunkedArray:
    """Return the label of each row.

    Raises
    ------
    UsageError
        If a file has no such column.
    DataError
        If a row has no label, or the column holds something else than text, whole numbers and truth values.
    """
    found = [chunk for file in files for chunk in io.group_column(file.rows, column).chunks]
    return pa.chunked_array(found, pa.string())


def labelled_rows(run: Run) -> LabelledRows | None:
    """Return the labelled rows that the stages have read so far, the last where several have; None for none."""
    found = [run.prepared.get(id(step)) for step in run.steps]
    return next((one for one in reversed(found) if isinstance(one, LabelledRows) and one.files), None)


def labelled_to_learn(rows: LabelledRows, data: Dataset) -> Labelled | None:
    """Return labelled rows as a predictor learns from them, None where they have no labels.

    Raises
    ------
    DataError
        If their vectors are of another width than those of the rows.
    """
    if rows.labels is None:
        return None
    return Labelled(_vectors_of(rows.rows, data), rows.labels.combine_chunks(), rows.contents.combine_chunks())


def context_of(rows: tuple[Queries, ...], data: Dataset, metric: str) -> Context | None:
    """Return labelled rows that are none of the pool as rows beside it, None where there are none."""
    if not rows or data.matrix is None:
        return None
    vectors = Matrix.from_array(_vectors_of(rows, data), metric=metric, name=rows[0].name)  # type: ignore[arg-type]
    # No name of a file: where the rows lie is no part of what is picked.
    names = pa.array([f"labelled {row}" for row in range(vectors.n)], pa.string())
    return Context(vectors.take(np.arange(vectors.n)), lambda key: kernels.keyed_hashes(key, names))


def refuse_vectors_of_a_file(stage: Stage, run: Run, rows: LabelledRows) -> None:
    """Refuse labelled rows that would have to get vectors of an encoder that nobody knows.

    Raises
    ------
    UsageError
        As said.
    """
    place = next(index for index, step in enumerate(run.steps) if step is stage)
    embed = next((step for step in reversed(run.steps[:place]) if isinstance(step, Embed)), None)
    if embed is not None and isinstance(embed.encoder, File):
        raise UsageError(
            "the rows have vectors from a file or an array, and the labelled rows have none",
            where=rows.files[0].name,
            expected="an encoder that makes the vectors of both, or a column of both (--embedding-column)",
            hint="or have the labelled rows in the input, and name them with --preselected (preselected)",
        )


def _vectors_of(rows: tuple[Queries, ...], data: Dataset) -> NDArray[Any]:
    if data.matrix is None:
        raise UsageError("labelled rows are compared by vectors, and the rows have none", hint="pass embeddings")
    return np.concatenate([np.asarray(query_vectors(one, data.matrix, LABELLED), np.float32) for one in rows])
