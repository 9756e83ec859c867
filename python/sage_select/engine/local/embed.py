"""The embed stage: one vector a row."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import io
from sage_select.encode import Embeddings, embed_texts, hash_texts
from sage_select.engine.base import Talk
from sage_select.engine.frame import Frame
from sage_select.errors import UsageError
from sage_select.kernels import Matrix, Metric
from sage_select.ops import Embed

__all__ = ["embed_rows"]


def embed_rows(frame: Frame, embed: Embed, metric: Metric, talk: Talk, threads: int | None) -> Frame:
    """Return the frame with its vectors, checked for `metric`, and those of queries that are rows.

    Raises
    ------
    DataError
        If the vectors are ragged, not finite, zero under cosine, or not one a row.
    """
    if embed.file is not None:
        vectors = frame.vectors_of_input(
            io.read_npy(frame.files.file(embed.file), rows=frame.input_n, kind="embeddings")
        )
        return _with(frame, vectors, metric, embed.file, threads)
    rows = frame.rows
    if rows is None:
        raise UsageError("there are no rows to embed", hint="pass embeddings as an array, or data")
    if embed.column is not None:
        name = f"{rows.source}, column {embed.column!r}"
        if frame.asked is not None and frame.asked.rows is not None:
            lists = io.embedding_column(frame.asked.rows, embed.column)
            queries = np.asarray(lists.combine_chunks().flatten()).reshape(len(lists), -1)
            frame = dataclasses.replace(frame, queries=queries)
        return _with(frame, io.embedding_column(rows, embed.column), metric, name, threads)
    encoded = _encoded(frame, embed, talk, threads)
    for notice in encoded.notices:
        talk.notice(notice)
    if encoded.empty_rows:
        talk.notice(f"{encoded.empty_rows:,} rows have no words: they share one reserved vector")
    if encoded.cut_rows:
        talk.notice(f"{encoded.cut_rows:,} rows are longer than the encoder reads: the rest of them has no part")
    if encoded.revision is not None:
        frame = frame.found(embed_model={"model": encoded.name, "revision": encoded.revision})
    frame = dataclasses.replace(frame, wordless=encoded.wordless[encoded.wordless < frame.n])
    if frame.asked is not None:
        frame = dataclasses.replace(frame, queries=encoded.array[frame.n :])
    return _with(frame, encoded.array[: frame.n], metric, encoded.name, threads)


def _with(
    frame: Frame, vectors: NDArray[Any] | pa.ChunkedArray, metric: Metric, name: str, threads: int | None
) -> Frame:
    matrix = Matrix.from_array(vectors, metric=metric, name=name, threads=threads)
    return dataclasses.replace(frame, matrix=matrix)


def _encoded(frame: Frame, embed: Embed, talk: Talk, threads: int | None) -> Embeddings:
    texts = frame.texts
    if frame.asked is not None:
        # Together, as the weights of words come from all texts.
        texts = pa.chunked_array([*texts.chunks, *frame.asked.texts.chunks], texts.type)
    if embed.model is not None:
        with talk.progress(f"embedding with {embed.model}") as progress:
            return embed_texts(texts, embed.model, progress=progress)
    with talk.progress("embedding") as progress:
        return hash_texts(texts, dimensions=embed.dimensions, threads=threads, progress=progress)
