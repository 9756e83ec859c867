"""The labelled rows beside a pool: rows of files, or of what a program handed over, with their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io, kernels
from sage_select.data import Dataset
from sage_select.encoders.file import File
from sage_select.errors import UsageError
from sage_select.kernels import Matrix
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage
from sage_select.predictors import Labelled
from sage_select.render import Conversation, Example, examples, plain_text
from sage_select.stages.embed import Embed
from sage_select.stages.inputs.held_out import HeldOutFile
from sage_select.stages.inputs.queries import Queries, query_vectors
from sage_select.strategies.pool import Context

__all__ = [
    "LABELLED",
    "LabelledRows",
    "asked_already",
    "context_of",
    "labelled_rows",
    "labelled_to_learn",
    "read_labelled",
    "refuse_vectors_of_a_file",
]

#: What messages call the rows.
LABELLED: Final = "labelled rows"


@dataclass(frozen=True)
class LabelledRows:
    """The labelled rows of a stage.

    Attributes
    ----------
    files
        In their order; the rows that can be used of each.
    beside
        The same, to get vectors by the encoder of the pool.
    asked
        What comes before the answer of each row of each file.
    labels
        `string`, the label of each row of all files; None where no column is named.
    """

    files: tuple[HeldOutFile, ...]
    beside: tuple[Queries, ...]
    asked: tuple[tuple[Example, ...], ...]
    labels: pa.ChunkedArray | None

    @property
    def contents(self) -> pa.ChunkedArray:
        """What each row says, by its digest."""
        return pa.chunked_array([chunk for file in self.files for chunk in file.contents.chunks], pa.string())


def without_answer(example: Example) -> Example:
    """Return a row without the turns of the assistant at its end; a text has none."""
    if not isinstance(example, Conversation):
        return example
    end = len(example.messages)
    while end and example.messages[end - 1]["role"] == "assistant":
        end -= 1
    # Whether a turn is trained is nothing that it says.
    messages = [{key: value for key, value in one.items() if key != "weight"} for one in example.messages[:end]]
    return Conversation(messages, example.tools)


def read_labelled(files: tuple[HeldOutFile, ...], column: str | None, data: Dataset) -> LabelledRows:
    """Return labelled rows as stages compare them with a pool.

    Where no row of the pool has an answer, those of the labelled rows have no part in their vectors.

    Raises
    ------
    UsageError, DataError
        As `labels_of`.
    """
    labels = None if column is None or not files else labels_of(files, column)
    asked = tuple(tuple(map(without_answer, examples(file.rows.table, file.shape, file.rows.where))) for file in files)
    answered = data.feature("answered")
    queries = []
    for file, rows in zip(files, asked, strict=True):
        own = file.data
        if answered is not None and not answered.any():
            own = own.with_feature("texts", pa.chunked_array([[plain_text(one) for one in rows]], pa.string()))
        queries.append(Queries(file.name, data=own))
    return LabelledRows(files, tuple(queries), asked, labels)


def asked_already(data: Dataset, labelled: LabelledRows) -> NDArray[np.bool_]:
    """Return which rows without an answer ask what a labelled row was asked, system turn and tools included."""
    found, answered = np.zeros(data.n, np.bool_), data.feature("answered")
    if answered is None or data.rows is None or data.shape is None:
        return found
    alike: dict[str, list[Example]] = {}
    for one in (one for rows in labelled.asked for one in rows if isinstance(one, Conversation)):
        alike.setdefault(plain_text(one), []).append(one)
    # Few rows have the words of a labelled one; these alone are read.
    met = pc.is_in(data.texts, value_set=pa.array(list(alike), pa.string())).to_numpy()
    rows = np.flatnonzero(np.asarray(met) & ~answered)
    table = data.rows.table.take(pa.array(rows))
    place = data.rows.where
    own = examples(table, data.shape, lambda row: place(int(rows[row])))
    for row, example in zip(rows.tolist(), own, strict=True):
        asked = without_answer(example)
        found[row] = asked in alike[plain_text(asked)] if plain_text(asked) in alike else False
    return found


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
    return Labelled(_vectors_of(rows.beside, data), rows.labels.combine_chunks(), rows.contents.combine_chunks())


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
    if any(one.vectors is None for one in rows):
        raise UsageError(
            "the labelled rows have no vectors: those of the pool were made before the step 'labelled'",
            where=rows[0].name,
            hint="put the step 'labelled' before the first selection, or a step 'embed' behind it",
        )
    return np.concatenate([np.asarray(query_vectors(one, data.matrix, LABELLED), np.float32) for one in rows])
