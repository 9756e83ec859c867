"""The queries that `target` looks for: rows of a file, vectors, or rows of the input."""

from __future__ import annotations

import dataclasses

import numpy as np

from sage_select import io
from sage_select.engine.frame import Frame
from sage_select.errors import DataError, UsageError
from sage_select.ops import Embed, Select
from sage_select.render import ShapeOptions, detect_shape

__all__ = ["asking_rows", "check_encoder", "read_queries", "with_query_rows", "with_query_vectors"]


def with_query_rows(frame: Frame, select: Select) -> Frame:
    """Return the frame with the rows that are queries by a column, which are not picked, and repeat no other.

    Raises
    ------
    UsageError
        If there is no such column, or a query is pinned.
    DataError
        If it does not hold truth values, or there is no query.
    """
    column = select.query_column
    if column is None:
        return frame
    if frame.rows is None:
        raise UsageError("a column of queries needs rows with vectors", hint="pass data")
    rows = np.flatnonzero(io.truth_column(frame.rows, column))
    if len(rows) == 0:
        raise DataError("no row is a query", where=frame.rows.source, expected=f"column {column!r} true for some rows")
    both = np.intersect1d(frame.pinned, rows)
    if len(both):
        raise UsageError(
            "this row is pinned and a query, and queries are not picked",
            where=frame.named(int(both[0])),
            expected=f"no pinned row with {column!r} true",
            hint="pin other rows, or take the value back",
        )
    return dataclasses.replace(frame, asking=rows, excluded=np.union1d(frame.excluded, rows))


def read_queries(frame: Frame, select: Select, embed: Embed, options: ShapeOptions, *, verify: bool = True) -> Frame:
    """Return the frame with the queries of a file: their vectors, or rows that are still to be embedded.

    Raises
    ------
    UsageError
        If there is no such file, or its rows are to be compared with vectors that nobody can make for them.
    DataError
        If it cannot be read, or holds no row.
    """
    path = select.queries
    if path is None:
        return frame
    if path.endswith(".npy"):
        check_encoder(embed, path)
        return dataclasses.replace(frame, queries=io.read_npy(frame.files.file(path), rows=None, kind="embeddings"))
    if embed.file is not None:
        raise UsageError(
            "the rows have vectors from a file, and the queries have none",
            where=path,
            expected="a .npy file of queries, made by the same encoder",
        )
    rows = io.read(path, verify=verify)
    frame.files.was_read(path, rows.digest)
    return asking_rows(frame, rows, options)


def check_encoder(embed: Embed, name: str) -> None:
    """Refuse vectors as queries for rows whose vectors are made from words: no other encoder makes such vectors.

    Raises
    ------
    UsageError
        As said; `name` is what the user calls the queries.
    """
    if embed.hashing:
        raise UsageError(
            "the queries are vectors, and those of the rows are made from their words",
            where=name,
            expected="queries that are rows like those of the input",
            hint="pass embeddings of the rows that the encoder of the queries has made, or queries with words",
        )


def asking_rows(frame: Frame, rows: io.Rows, options: ShapeOptions) -> Frame:
    """Return the frame with rows as queries, which are still to be embedded.

    Raises
    ------
    DataError
        If there is no row, or its shape is not recognised.
    """
    if rows.table.num_rows == 0:
        raise DataError("there must be at least one query", where=rows.source, got="no rows")
    shape = detect_shape(rows.table.schema, options)
    return dataclasses.replace(frame, asked=Frame(n=rows.table.num_rows, rows=rows, shape=shape))


def with_query_vectors(frame: Frame, select: Select) -> Frame:
    """Return the embedded frame with the vectors of its queries, checked.

    Raises
    ------
    DataError
        If there is no query, or one has a vector of another width than the rows.
    """
    if len(frame.asking) and frame.matrix is not None:
        frame = dataclasses.replace(frame, queries=frame.matrix.take(frame.asking))
    queries, matrix = frame.queries, frame.matrix
    if queries is None or matrix is None:
        return frame
    name = select.queries or "queries"
    if queries.ndim != 2 or len(queries) == 0:
        raise DataError(
            "there must be at least one query",
            where=name,
            expected="a vector a query",
            got="none" if queries.ndim == 2 else f"shape {queries.shape}",
        )
    if queries.shape[1] != matrix.d:
        raise DataError(
            "the queries have vectors of another width than the rows",
            where=name,
            expected=f"{matrix.d} numbers a query",
            got=f"{queries.shape[1]}",
            hint="make both with the same encoder",
        )
    return frame
