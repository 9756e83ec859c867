"""The source stage: read the rows, recognise their shape, name them."""

from __future__ import annotations

import dataclasses

import numpy as np

from sage_select import demo, io
from sage_select.engine.base import Talk
from sage_select.engine.frame import Frame
from sage_select.engine.lineage import NOTHING_TO_TRAIN
from sage_select.engine.local.ids import row_ids
from sage_select.errors import DataError
from sage_select.ops import Dedup, Source
from sage_select.render import RenderedRows, ShapeOptions, detect_shape, render_rows

__all__ = ["frame_of", "read_source", "shape_options"]


def read_source(source: Source, talk: Talk, *, verify: bool = True) -> io.Rows:
    """Read the rows that `source` names and pass on what the reader has to say."""
    with talk.progress("reading") as progress:
        path = demo.rows_path() if source.demo else source.path or []
        text = io.TextOptions(source.encoding, source.delimiter)
        rows = io.read(path, progress=progress, verify=verify, with_bad_rows=True, text=text)
    if source.demo:
        rows = dataclasses.replace(rows, source=demo.NAME)
    for notice in rows.notices:
        talk.notice(notice)
    return rows


def shape_options(source: Source) -> ShapeOptions:
    """Return the columns that the source names, as the render layer takes them."""
    return ShapeOptions(
        text_column=source.text_column,
        prompt_column=source.prompt_column,
        completion_column=source.completion_column,
        template=source.template,
    )


def frame_of(
    rows: io.Rows,
    options: ShapeOptions,
    id_column: str | None,
    *,
    said: RenderedRows | None = None,
    dedup: Dedup | None = None,
    queries: str | None = None,
) -> Frame:
    """Return the frame of `rows`: their shape recognised, each row named, those with nothing to train dropped.

    Parameters
    ----------
    rows, options, id_column
        The rows, how they are read, and the column that names them.
    said
        What they say, where that is known.
    dedup
        The dedup step: digests of what rows say are made for it together with the ids.
    queries
        The column that marks rows as queries: these are not trained and need no answer.

    Raises
    ------
    DataError
        If a row cannot be read, or none has anything to train.
    """
    shape = detect_shape(rows.table.schema, options)
    said = said or render_rows(rows.table, shape, where=rows.where)
    for error in said.refused.values():
        raise error
    ids, contents = row_ids(rows, shape, id_column, contents=dedup is not None and not dedup.idle)
    frame = Frame(n=rows.table.num_rows, rows=rows, read=rows, shape=shape, ids=ids, contents=contents, said=said.texts)
    trained = said.answered.copy()
    if queries is not None:
        trained |= io.truth_column(rows, queries)
    if frame.n and not trained.any():
        raise DataError(
            "no row has anything to train",
            where=rows.source,
            expected=f"an answer in at least one row, read as {shape.name}",
            got=f"{frame.n:,} rows whose answers are missing or blank",
            hint="name the columns with --prompt-column and --completion-column, or --text-column",
        )
    return frame.drop(np.flatnonzero(~trained), NOTHING_TO_TRAIN)
