"""The queries that a selection looks for: rows of a file, vectors, or rows of the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import io
from sage_select.data import Dataset
from sage_select.encoders import Encoder
from sage_select.errors import DataError, UsageError
from sage_select.kernels import Matrix
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage
from sage_select.render import ShapeOptions, detect_shape
from sage_select.stages.inputs.arrays import no_numbers, ragged

__all__ = ["Queries", "compared_queries", "later_queries", "query_vectors", "read_queries"]


@dataclass
class Queries:
    """What one selection looks for.

    Attributes
    ----------
    name
        What messages call them.
    data
        Rows that are still to be embedded, with the encoder of the rows; None where they are vectors.
    vectors
        float (q, d), once they are known.
    """

    name: str
    data: Dataset | None = None
    vectors: NDArray[Any] | None = None

    def need_data(self) -> Dataset:
        """Return the rows."""
        if self.data is None:
            raise RuntimeError("these queries are vectors")
        return self.data

    def need_rows(self) -> io.Rows:
        """Return the rows as they were read."""
        rows = self.need_data().rows
        if rows is None:
            raise RuntimeError("queries that are rows have rows")
        return rows


def later_queries(stage: Stage, run: Run) -> list[Queries]:
    """Return what the stages after one compare rows with, and that has no vectors yet."""
    return [one for one in compared_queries(stage, run) if one.data is not None and one.vectors is None]


def compared_queries(stage: Stage, run: Run) -> list[Queries]:
    """Return what the stages after one compare with the vectors that it gives.

    That are queries and held-out rows, which these stages prepared `to_embed`, and, where one of them
    `compares_labelled`, the labelled rows `beside` the pool, whichever stage has read them: those that use them may
    come after another choice of rows, and be prepared only then.
    """
    users = run.consumers(stage)
    found = [one for step in users for one in getattr(run.prepared.get(id(step)), "to_embed", ())]
    if any(getattr(step, "compares_labelled", False) for step in users):
        found += [one for step in run.steps for one in getattr(run.prepared.get(id(step)), "beside", ())]
    return found


def read_queries(value: Any, path: str, encoder: Encoder, options: ShapeOptions, data: Dataset, run: Run) -> Queries:
    """Return the queries of a file, or of what a program handed over: vectors, or rows that are still to be embedded.

    Parameters
    ----------
    value
        What a program handed over; None where `path` names a file.
    path
        The file.
    encoder
        Where the vectors of the rows come from.
    options
        How the rows of the input are read, and with them those of queries.
    data, run
        The rows, and the run.

    Raises
    ------
    UsageError
        If there is no such file, or its rows are to be compared with vectors that nobody can make for them.
    DataError
        If it cannot be read, or holds no row.
    """
    if value is not None:
        return _handed_over(value, encoder, options)
    if path.endswith(".npy"):
        _check_encoder(encoder, path)
        return Queries(path, vectors=io.read_npy(data.files.file(path), rows=None, kind="embeddings"))
    rows = io.read(path, verify=run.verify)
    data.files.was_read(path, rows.digest)
    return Queries(path, data=_rows_to_embed(rows, options))


def _handed_over(value: Any, encoder: Encoder, options: ShapeOptions) -> Queries:
    if _are_rows(value):
        return Queries("queries", data=_rows_to_embed(io.from_object(value), options))
    _check_encoder(encoder, "queries")
    try:
        array = np.asarray(value)
    except ValueError:
        raise ragged(value, "queries", 2) from None
    if array.dtype.kind not in "fiu":
        raise no_numbers(array, "queries")
    return Queries("queries", vectors=array.astype(np.float32) if array.dtype.kind in "iu" else array)


def _are_rows(queries: Any) -> bool:
    """Tell whether queries are rows of a table, not vectors."""
    if isinstance(queries, list | tuple):
        return bool(queries) and isinstance(queries[0], dict)
    return hasattr(queries, "__arrow_c_stream__") and not isinstance(queries, pa.Array | pa.ChunkedArray)


def _check_encoder(encoder: Encoder, name: str) -> None:
    """Refuse vectors as queries for rows whose vectors are made from words: no other encoder makes such vectors."""
    if encoder.made_of_words:
        raise UsageError(
            "the queries are vectors, and those of the rows are made from their words",
            where=name,
            expected="queries that are rows like those of the input",
            hint="pass embeddings of the rows that the encoder of the queries has made, or queries with words",
        )


def _rows_to_embed(rows: io.Rows, options: ShapeOptions) -> Dataset:
    if rows.table.num_rows == 0:
        raise DataError("there must be at least one query", where=rows.source, got="no rows")
    return Dataset(n=rows.table.num_rows, rows=rows, shape=detect_shape(rows.table.schema, options))


def query_vectors(queries: Queries, matrix: Matrix, called: str = "queries") -> NDArray[Any]:
    """Return the vectors of queries, checked; `called` is what messages call them.

    Raises
    ------
    DataError
        If there is no query, or one has a vector of another width than the rows.
    """
    vectors = queries.vectors
    if vectors is None or vectors.ndim != 2 or len(vectors) == 0:
        raise DataError(
            "there must be at least one query",
            where=queries.name,
            expected="a vector a query",
            got="none" if vectors is None or vectors.ndim == 2 else f"shape {vectors.shape}",
        )
    if vectors.shape[1] != matrix.d:
        raise DataError(
            f"the {called} have vectors of another width than the rows",
            where=queries.name,
            expected=f"{matrix.d} numbers in each",
            got=f"{vectors.shape[1]}",
            hint="make both with the same encoder",
        )
    return vectors
