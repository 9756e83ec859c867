"""Rows into tokens: rendered, masked and cut by the one rule, in training order, with every loss counted."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from sage_select.errors import DataError
from sage_select.render import to_example
from sage_select.train.selection import OrderedRows

if TYPE_CHECKING:
    from sage_select.render.tokens import Renderer

__all__ = ["DroppedRow", "RowSummary", "TrainingRows", "tokenise"]


@dataclass(frozen=True)
class DroppedRow:
    """A row that is not trained, and why."""

    row: int
    row_id: str
    reason: str


@dataclass(frozen=True)
class RowSummary:
    """What became of the rows of a selection.

    Parameters
    ----------
    rows_in, rows_trained
        Rows read, and rows left to train on; the rest is in `dropped`.
    truncated_rows, tokens_cut
        Trained rows that were longer than allowed, and the tokens they lost.
    tokens, trained_tokens
        Tokens of one pass over the trained rows, and those among them that carry loss.
    """

    rows_in: int
    rows_trained: int
    dropped: tuple[DroppedRow, ...]
    truncated_rows: int
    tokens_cut: int
    tokens: int
    trained_tokens: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        dropped = [{"row": one.row, "row_id": one.row_id, "reason": one.reason} for one in self.dropped]
        return {**self.__dict__, "dropped": dropped}


@dataclass(frozen=True)
class TrainingRows:
    """Tokenised rows in training order.

    Parameters
    ----------
    table
        `input_ids` and `labels` (list<int32>, labels -100 where not trained), `place` (int64, 0 first) and
        `weight` (float32).
    row_ids
        Id of each row of the table.
    digest
        Of tokens, labels and weights in order.
    """

    table: pa.Table
    row_ids: list[str]
    digest: str
    summary: RowSummary

    @property
    def order_digest(self) -> str:
        """Digest of the row ids in order."""
        return hashlib.blake2b("\n".join(self.row_ids).encode(), digest_size=16).hexdigest()


def tokenise(
    rows: OrderedRows, renderer: Renderer, *, progress: Callable[[int, int], None] | None = None
) -> TrainingRows:
    """Render and tokenise rows in their training order.

    Rows without a trained token (nothing to learn after the cut, or an empty answer) are dropped and listed.

    Raises
    ------
    DataError
        If a row cannot be rendered, or no row has anything to train.
    """
    ids, labels = _Lists(), _Lists()
    weights: list[float] = []
    row_ids: list[str] = []
    dropped: list[DroppedRow] = []
    digest = hashlib.blake2b(digest_size=16)
    truncated = cut = trained = 0
    for done, row in enumerate(rows, start=1):
        encoded = renderer.encode(to_example(row.values, rows.shape, row.where), row.where)
        if not encoded.trained:
            reason = f"nothing to train after {encoded.cut} tokens were cut" if encoded.cut else "nothing to train"
            dropped.append(DroppedRow(row.number, row.row_id, reason))
        else:
            digest.update(struct.pack("<if", len(encoded.input_ids), row.weight))
            digest.update(ids.append(encoded.input_ids))
            digest.update(labels.append(encoded.labels))
            weights.append(row.weight)
            row_ids.append(row.row_id)
            truncated += encoded.cut > 0
            cut += encoded.cut
            trained += encoded.trained
        if progress is not None and (done % 64 == 0 or done == len(rows)):
            progress(done, len(rows))
    summary = RowSummary(len(rows), len(row_ids), tuple(dropped), truncated, cut, ids.total, trained)
    if not row_ids:
        raise _nothing(rows, summary)
    table = pa.table(
        {
            "input_ids": ids.array(),
            "labels": labels.array(),
            "place": pa.array(range(len(row_ids)), pa.int64()),
            "weight": pa.array(weights, pa.float32()),
        }
    )
    return TrainingRows(table, row_ids, digest.hexdigest(), summary)


class _Lists:
    """Integer lists of different lengths, appended one by one into flat memory."""

    def __init__(self) -> None:
        self._parts: list[np.ndarray[Any, np.dtype[np.int32]]] = []
        self.total = 0

    def append(self, values: Sequence[int]) -> bytes:
        part = np.asarray(values, dtype=np.int32)
        self._parts.append(part)
        self.total += len(part)
        return part.tobytes()

    def array(self) -> pa.LargeListArray:
        lengths = np.array([0, *map(len, self._parts)], dtype=np.int64)
        return pa.LargeListArray.from_arrays(np.cumsum(lengths), pa.array(np.concatenate(self._parts)))


def _nothing(rows: OrderedRows, summary: RowSummary) -> DataError:
    if not summary.rows_in:
        return DataError("the selection holds no rows", where=rows.source, hint="select with a larger budget")
    first = summary.dropped[0]
    return DataError(
        "no row has anything to train",
        where=rows.source,
        expected="an answer to learn in at least one row",
        got=f"{summary.rows_in:,} rows; row {first.row} (id {first.row_id}): {first.reason}",
        hint="raise --max-length if rows are cut, or check that the rows have assistant turns or completions",
    )
