"""Rows into tokens: rendered, masked and cut by the one rule, in training order, with every loss counted."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select.errors import DataError
from sage_select.render import Example, to_example
from sage_select.train.long_rows import LongRows, why_untrained
from sage_select.train.preflight.calls import Calls
from sage_select.train.row_summary import DroppedRow, RowSummary, bad_rows_error
from sage_select.train.selection import OrderedRows, Row

if TYPE_CHECKING:
    from sage_select.render.tokens import Encoded, Renderer
    from sage_select.train.config import TrainConfig

__all__ = ["BadRows", "DroppedRow", "RowSummary", "TrainingRows", "tokenise", "tokenise_as"]

ValueT = TypeVar("ValueT")
#: What becomes of rows that cannot be read, or that the chat template refuses.
OnBadRow = Literal["error", "drop"]


@dataclass(frozen=True)
class TrainingRows:
    """Training examples in training order; those of one row follow each other.

    Parameters
    ----------
    table
        One training example a row: `input_ids` and `labels` (large_list<int32>, labels -100 where not trained) and
        `weight` (float32), that of its row.
    row_ids
        Id of the row that each example is of.
    facts
        `OrderedRows.facts` of these rows.
    digest
        Of tokens, labels and weights in order.
    summary, calls
        What became of the rows, and the calls of tools in them.
    """

    table: pa.Table
    row_ids: list[str]
    facts: pa.Table
    digest: str
    summary: RowSummary
    calls: Calls

    @property
    def order_digest(self) -> str:
        """Digest of the row ids in order."""
        return hashlib.blake2b("\n".join(self.row_ids).encode(), digest_size=16).hexdigest()

    def of_tasks(self, tasks: pa.Array) -> TrainingRows:
        """Return them with the task of each example, string (n,)."""
        return replace(self, facts=self.facts.drop_columns(["task"]).append_column("task", tasks))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each example."""
        lengths: NDArray[np.int64] = pc.list_value_length(self.table["input_ids"]).to_numpy()
        return lengths


def tokenise(
    rows: OrderedRows,
    renderer: Renderer,
    *,
    on_bad_row: OnBadRow | None = None,
    max_bad: float = 0.01,
    on_lost_words: Literal["error", "warn"] = "warn",
    none_is_fine: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> TrainingRows:
    """Render and tokenise rows in their training order.

    Rows without a trained token (an empty answer, or too long for what is to be kept of them) are dropped and listed.

    Parameters
    ----------
    rows, renderer
        What is tokenised, and how.
    on_bad_row
        `drop` leaves out rows that cannot be read or that the chat template refuses, `error` refuses the selection.
        None drops the latter and refuses the former.
    max_bad
        Under `drop`, the share of the rows that may be left out so.
    on_lost_words
        `error` refuses a selection of whose words the chat template leaves out some.
    none_is_fine
        Whether there may be no row with anything to train.
    progress
        Called with (rows done, rows).

    Raises
    ------
    DataError
        If rows are refused, all of them counted, or no row has anything to train; and for the rows that are too long
        where the renderer's policy is `error`.
    UsageError
        If the chat template takes more time or memory than a template may.
    """
    ids, labels = _Lists(), _Lists()
    weights: list[float] = []
    row_ids: list[str] = []
    numbers: list[int] = []
    dropped: list[DroppedRow] = []
    bad = BadRows(on_bad_row)
    digest = hashlib.blake2b(digest_size=16)
    long, calls = LongRows(renderer.on_long_row), Calls()
    trained = trained_rows = 0
    for done, row in enumerate(rows, start=1):
        examples = bad.tried(rows, row, partial(_encoded, row, renderer, calls)) or []
        learned = [one for one in examples if one.trained]
        for one in learned:
            digest.update(struct.pack("<if", len(one.input_ids), row.weight))
            digest.update(ids.append(one.input_ids))
            digest.update(labels.append(one.labels))
            weights.append(row.weight)
            row_ids.append(row.row_id)
            numbers.append(row.number)
            trained += one.trained
        if learned:
            trained_rows += 1
        elif examples:
            dropped.append(DroppedRow(row.number, row.row_id, why_untrained(examples, renderer.max_length)))
        long.add(row, examples)
        if progress is not None and (done % 64 == 0 or done == len(rows)):
            progress(done, len(rows))
    bad.check(rows, max_bad)
    long.check(rows, renderer.max_length)
    summary = RowSummary(
        rows_in=len(rows),
        rows_trained=trained_rows,
        dropped=tuple(sorted([*dropped, *bad.rows], key=lambda one: one.row)),
        tokens=ids.total,
        trained_tokens=trained,
        examples=len(row_ids),
        max_length=renderer.max_length,
        **long.counts(),
        lost_words=renderer.seen.lost.as_dict(),
    )
    if not row_ids and not none_is_fine:
        raise _nothing(rows, summary)
    if on_lost_words == "error" and summary.lost_words:
        raise DataError(
            "the chat template leaves out words of the rows",
            where=rows.source,
            got="; ".join(renderer.seen.lost.lines()),
            hint="name another template with --chat-template, mend the rows, or train without these words with "
            "--on-lost-words warn",
        )
    table = pa.table(
        {
            "input_ids": ids.array(),
            "labels": labels.array(),
            "weight": pa.array(weights, pa.float32()),
        }
    )
    return TrainingRows(table, row_ids, rows.facts(np.array(numbers, np.int64)), digest.hexdigest(), summary, calls)


def tokenise_as(
    config: TrainConfig,
    rows: OrderedRows,
    renderer: Renderer,
    progress: Callable[[int, int], None],
    *,
    none_is_fine: bool = False,
) -> TrainingRows:
    """Tokenise rows as the settings of a run say; it raises what `tokenise` does."""
    return tokenise(
        rows,
        renderer,
        on_bad_row=config.on_bad_row,
        max_bad=config.max_bad,
        on_lost_words=config.on_lost_words,
        none_is_fine=none_is_fine,
        progress=progress,
    )


def _encoded(row: Row, renderer: Renderer, calls: Calls, example: Example) -> list[Encoded]:
    """Return the training examples of a row, its calls counted."""
    encoded = renderer.encode_all(example, row.where)
    calls.add(row.row_id, example)
    return encoded


class BadRows:
    """Rows that cannot be read, or that the chat template refuses.

    Parameters
    ----------
    policy
        As `tokenise` takes it.
    """

    def __init__(self, policy: OnBadRow | None) -> None:
        self._policy = policy
        self._unreadable: list[DroppedRow] = []
        self._refused: list[DroppedRow] = []

    @property
    def rows(self) -> list[DroppedRow]:
        """All of them."""
        return [*self._unreadable, *self._refused]

    def tried(self, rows: OrderedRows, row: Row, work: Callable[[Example], ValueT]) -> ValueT | None:
        """Return what is made of a row; None of a bad one, which is noted."""
        kind = self._unreadable
        try:
            example = to_example(row.values, rows.shape, row.where)
            kind = self._refused
            return work(example)
        except DataError as error:
            reason = error.message if error.got is None else f"{error.message} ({error.got})"
            kind.append(DroppedRow(row.number, row.row_id, reason))
            return None

    def check(self, rows: OrderedRows, most: float) -> None:
        """Refuse the selection where the policy says so.

        Raises
        ------
        DataError
            With all bad rows counted.
        """
        refused = self._unreadable if self._policy is None else self.rows
        if self._policy == "drop":
            if len(refused) > most * len(rows):
                raise bad_rows_error(rows.source, len(rows), refused, most)
        elif refused:
            raise bad_rows_error(rows.source, len(rows), refused, None)


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
        return pa.LargeListArray.from_arrays(
            np.cumsum(lengths), pa.array(np.concatenate([np.zeros(0, np.int32), *self._parts]))
        )


def _nothing(rows: OrderedRows, summary: RowSummary) -> DataError:
    if not summary.rows_in:
        return DataError("the selection holds no rows", where=rows.source, hint="select with a larger budget")
    first = summary.dropped[0]
    return DataError(
        "no row has anything to train",
        where=rows.source,
        expected="an answer to learn in at least one row",
        got=f"{summary.rows_in:,} rows; {first}",
        hint="raise --max-length, or name another --on-long-row, if rows are too long; or check that the rows have "
        "assistant turns or completions",
    )
