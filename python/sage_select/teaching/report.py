"""What became of each row that a teacher was asked about: the row report of its outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from sage_select.train.row_summary import DroppedRow

if TYPE_CHECKING:
    from sage_select.teaching.prompts import Prompts
    from sage_select.train.selection import OrderedRows

__all__ = ["counts_of", "dropped_rows", "report_of"]


def report_of(
    rows: OrderedRows,
    prompts: Prompts,
    answers: Mapping[int, tuple[list[int], bool]],
    reasons: Mapping[int, str],
    tokenizer: Any,
) -> pa.Table:
    """Return a row for each row of a selection, in training order.

    Its columns are `sage_row_id` (string), `row` (int64, its number in the file), `kept`, `reason` (string, why it is
    dropped), `answer` (string, all that the teacher wrote, special tokens included; null where it was not asked) and
    `tokens` (int32) of the answer.

    Parameters
    ----------
    rows, prompts
        The selection, and what was asked.
    answers, reasons
        Number of a row -> tokens of its answer and whether they end; and why it is dropped.
    tokenizer
        That of the teacher.
    """
    names = {one.number: one.row_id for one in prompts.asked} | {one.row: one.row_id for one in prompts.dropped}
    numbers = rows.order.tolist()
    written = [answers[row][0] if row in answers else None for row in numbers]
    return pa.table(
        {
            "sage_row_id": pa.array([names[row] for row in numbers], pa.string()),
            "row": pa.array(numbers, pa.int64()),
            "kept": pa.array([row not in reasons for row in numbers], pa.bool_()),
            "reason": pa.array([reasons.get(row) for row in numbers], pa.string()),
            "answer": pa.array(
                [None if ids is None else tokenizer.decode(ids, skip_special_tokens=False) for ids in written],
                pa.string(),
            ),
            "tokens": pa.array([0 if ids is None else len(ids) for ids in written], pa.int32()),
        }
    )


def dropped_rows(report: pa.Table) -> tuple[DroppedRow, ...]:
    """Return the rows that a report says are dropped."""
    gone = report.filter(pc.invert(report["kept"])).select(["row", "sage_row_id", "reason"])
    return tuple(DroppedRow(*one.values()) for one in gone.to_pylist())


def counts_of(dropped: tuple[DroppedRow, ...]) -> dict[str, int]:
    """Return how many rows are dropped for each reason, the commonest first."""
    counts = Counter(one.reason for one in dropped)
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))
