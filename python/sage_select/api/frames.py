"""From the arguments of `select` to a frame: arrays stand for files and columns."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from sage_select import io
from sage_select.api.arrays import array_of, misfit, no_numbers, ragged
from sage_select.engine.base import Talk
from sage_select.engine.frame import Frame, Scores
from sage_select.engine.local.bad_rows import frame_of_usable
from sage_select.engine.local.embed import embed_rows
from sage_select.engine.local.queries import asking_rows, check_encoder, read_queries
from sage_select.engine.local.score import checked_scores, score_rows
from sage_select.engine.local.source import frame_of
from sage_select.errors import UsageError, Where
from sage_select.kernels import Matrix
from sage_select.ops import Dedup, Embed, Score, Select, Source
from sage_select.render import ShapeOptions

__all__ = ["SCORES", "asked", "embedded", "frame_of_arguments", "scored"]

#: What messages call scores that came as an array.
SCORES: Final = Where(file="scores")


def frame_of_arguments(
    data: Any,
    scores: Any,
    embeddings: Any,
    options: ShapeOptions,
    source: Source,
    dedup: Dedup | None,
    queries: str | None,
    talk: Talk,
    *,
    verify: bool,
) -> Frame:
    """Return the frame of the rows, or of as many as an array has."""
    if data is not None:
        several = isinstance(data, list | tuple) and bool(data) and all(isinstance(one, str | Path) for one in data)
        is_path = several or isinstance(data, str | Path)
        rows = io.read(data, verify=verify, with_bad_rows=True) if is_path else io.from_object(data, with_bad_rows=True)
        return frame_of_usable(
            rows,
            options,
            source,
            talk,
            lambda usable, said: frame_of(usable, options, source.id_column, said=said, dedup=dedup, queries=queries),
        )
    for name, value in (("scores", scores), ("embeddings", embeddings)):
        if isinstance(value, str):
            raise UsageError(f"{name}={value!r} names a column, and there is no data", hint="pass data, or an array")
        if value is not None:
            return Frame(n=len(value))
    raise UsageError("nothing to select from", hint="pass data, or scores or embeddings as arrays")


def scored(frame: Frame, scores: Any, op: Select, higher_is_harder: bool, talk: Talk, *, look: bool) -> Frame:
    """Return the frame with scores: those given, or of the words where some are needed."""
    if isinstance(scores, str):
        return score_rows(frame, Score.make(column=scores, higher_is_harder=higher_is_harder), talk)
    if scores is not None:
        values = frame.of_input(array_of(scores, "scores", 1, frame.input_n))
        # A look at 10 million scores costs more than their ranking, which finds the bad ones in passing.
        seen_later = op.ranks_scores and values.dtype == np.float32 and not look
        finite = values if seen_later else checked_scores(values, frame, SCORES)
        return dataclasses.replace(frame, scores=Scores(finite, higher_is_harder))
    if not op.needs_score:
        return frame
    if frame.rows is None:
        rule = f"strategy {op.strategy!r}" if op.rule.needs_score else f"objective {op.objective!r}"
        raise UsageError(f"{rule} needs scores", hint="pass scores, or data with text")
    return score_rows(frame, Score(), talk)


def asked(frame: Frame, op: Select, queries: Any, embeddings: Any, options: ShapeOptions, *, verify: bool) -> Frame:
    """Return the frame with the queries: rows, vectors of an array, or what a file holds."""
    if queries is None:
        return frame
    if embeddings is None or isinstance(embeddings, str):
        embed = Embed.make(column=embeddings)
    else:
        # Vectors that came as an array are as unknown as those of a file: words cannot be made like them.
        embed = Embed(file="embeddings")
    if isinstance(queries, str):
        return read_queries(frame, op, embed, options, verify=verify)
    if _are_rows(queries):
        if embed.file is not None:
            raise UsageError(
                "the rows have vectors from an array, and the queries have none",
                where="queries",
                expected="an array of queries, made by the same encoder",
            )
        return asking_rows(frame, io.from_object(queries), options)
    check_encoder(embed, "queries")
    try:
        array = np.asarray(queries)
    except ValueError:
        raise ragged(queries, "queries", 2) from None
    if array.dtype.kind not in "fiu":
        raise no_numbers(array, "queries")
    return dataclasses.replace(frame, queries=array.astype(np.float32) if array.dtype.kind in "iu" else array)


def _are_rows(queries: Any) -> bool:
    """Tell whether queries are rows of a table, not vectors."""
    if isinstance(queries, list | tuple):
        return bool(queries) and isinstance(queries[0], dict)
    return hasattr(queries, "__arrow_c_stream__") and not isinstance(queries, pa.Array | pa.ChunkedArray)


def embedded(frame: Frame, embeddings: Any, op: Select, talk: Talk, threads: int | None) -> Frame:
    """Return the frame with vectors: those given, or of the words."""
    if embeddings is None or isinstance(embeddings, str):
        embed = Embed.make(column=embeddings)
        return embed_rows(frame, embed, op.metric, talk, threads)
    if not isinstance(embeddings, pa.Array | pa.ChunkedArray):
        embeddings = array_of(embeddings, "embeddings", 2, frame.input_n)
    elif len(embeddings) != frame.input_n:
        raise misfit("embeddings", 2, frame.input_n, f"{len(embeddings):,} rows")
    matrix = Matrix.from_array(frame.vectors_of_input(embeddings), metric=op.metric, name="embeddings", threads=threads)
    return dataclasses.replace(frame, matrix=matrix)
