"""How many rows of each kind there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io, kernels
from sage_select.errors import DataError
from sage_select.inspection.conversations import Conversations, conversations
from sage_select.pipeline.run import Reporter
from sage_select.render import RenderedRows, Shape, ShapeOptions, detect_shape, row_digests
from sage_select.stages.inputs.bad_rows import bad_rows_of, good_rows

__all__ = ["Inspection", "columns_of", "inspect"]


@dataclass(frozen=True)
class Inspection:
    """What rows are like.

    Attributes
    ----------
    rows
        The rows that can be used.
    shape
        How they are read.
    read
        How many rows were read.
    bad
        Those that cannot be used.
    said
        The words of the rows that can be used, and which of them have anything to train.
    copies
        Rows with something to train that say the same as an earlier one of these, but for white space and Unicode form:
        those that `dedup` leaves out where nothing else is said.
    words
        int64 (rows,): words of each row.
    conversations
        What their turns are like, where they are lists of messages.
    """

    rows: io.Rows
    shape: Shape
    read: int
    bad: io.BadRows
    said: RenderedRows
    copies: int
    words: NDArray[np.int64]
    conversations: Conversations | None

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        first = [{**_place(error), "message": error.message} for error in self.bad.first()]
        kinds: dict[str, Any] = {
            "cannot_be_used": {"rows": len(self.bad), "kinds": self.bad.counts(), "first": first},
            "nothing_to_train": int((~self.said.answered).sum()),
            "exact_copies": self.copies,
            "without_words": int((self.words == 0).sum()),
        }
        talk = self.conversations
        return {
            "source": self.rows.source,
            "digest": self.rows.digest,
            "rows": self.read,
            "columns": columns_of(self.rows.table, self.shape),
            "shape": self.shape.to_dict(),
            "kinds": kinds,
            "words": spread(self.words),
            "conversations": None
            if talk is None
            else {
                "roles": talk.roles,
                "turns": spread(talk.turns),
                "with_tools": talk.with_tools,
                "with_calls": talk.with_calls,
            },
        }


def inspect(rows: io.Rows, options: ShapeOptions, reporter: Reporter) -> Inspection:
    """Return what rows are like, those that the reader could not read among them.

    Cost: a pass to render the rows and one to tell copies, as a build makes them.

    Raises
    ------
    UsageError
        Their shape is not recognised, and nothing says how they are read.
    DataError
        No row can be used.
    """
    n = rows.table.num_rows
    shape = detect_shape(rows.table.schema, options)
    bad, said = bad_rows_of(rows, options, reporter)
    if len(bad) == n:
        raise bad.error(n, rows.source, "no row can be used: mend them, or say how they are read")
    if len(bad):
        good = good_rows(n, bad)
        rows, said = rows.only(good), said.only(good)
    with reporter.progress("counting words") as progress:
        words = kernels.word_counts(said.texts, progress=progress)
    trained = np.flatnonzero(said.answered)
    _, alike = row_digests(rows.only(trained).table, shape.columns, exact=False, alike=True, where=rows.where)
    copies = len(alike) - int(pc.count_distinct(alike).as_py())
    return Inspection(rows, shape, n, bad, said, copies, words, conversations(rows.table, shape))


def columns_of(table: pa.Table, shape: Shape | None) -> list[dict[str, Any]]:
    """Return name, type and nulls of each column, and which part of a row it is read as (None: none)."""
    parts = {} if shape is None else {column: part for part, column in shape.fields.items()}
    return [
        {"name": name, "type": str(table[name].type), "nulls": table[name].null_count, "read_as": parts.get(name)}
        for name in table.column_names
    ]


def spread(values: NDArray[np.int64]) -> dict[str, float] | None:
    """Return least, median, greatest and sum of numbers; None of none."""
    if not len(values):
        return None
    return {
        "min": int(values.min()),
        "median": float(np.median(values)),
        "max": int(values.max()),
        "total": int(values.sum()),
    }


def _place(error: DataError) -> Mapping[str, Any]:
    where = error.where
    return {name: getattr(where, name, None) for name in ("file", "row", "line")}
