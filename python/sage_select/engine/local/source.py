"""The source stage: read the rows, recognise their shape, name them."""

from __future__ import annotations

import dataclasses

from sage_select import demo, io
from sage_select.engine.base import Talk
from sage_select.engine.frame import Frame
from sage_select.engine.local.ids import row_ids
from sage_select.ops import Source
from sage_select.render import ShapeOptions, detect_shape

__all__ = ["frame_of", "read_source", "shape_options"]


def read_source(source: Source, talk: Talk, *, verify: bool = True) -> io.Rows:
    """Read the rows that `source` names and pass on what the reader has to say."""
    with talk.progress("reading") as progress:
        rows = io.read(demo.rows_path() if source.demo else str(source.path), progress=progress, verify=verify)
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


def frame_of(rows: io.Rows, options: ShapeOptions, id_column: str | None) -> Frame:
    """Return the frame of `rows`: their shape recognised, each row named."""
    shape = detect_shape(rows.table.schema, options)
    return Frame(n=rows.table.num_rows, rows=rows, shape=shape, ids=row_ids(rows, shape, id_column))
