"""The losses of a run as a table: a row for each time that an example was consumed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.train.ledger import Step
from sage_select.train.schedule import NO_PHASE, Schedule
from sage_select.train.schedule_file import within_row

__all__ = ["SCHEMA", "write_losses"]

#: Its columns.
SCHEMA: Final = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("example", pa.int32(), nullable=False),
        pa.field("pass", pa.int32(), nullable=False),
        pa.field("phase", pa.int32()),
        pa.field("step", pa.int64(), nullable=False),
        pa.field("loss", pa.float64(), nullable=False),
        pa.field("entropy", pa.float64()),
        pa.field("tokens", pa.int32(), nullable=False),
    ]
)


def write_losses(path: Path, steps: Sequence[Step], schedule: Schedule, row_ids: list[str]) -> None:
    """Write the losses of a run as an Arrow file, in the order of its steps; the same bytes for the same run.

    Parameters
    ----------
    steps, schedule
        The steps taken, with the losses, and the schedule that they followed.
    row_ids
        Id of each example, by its place.
    """
    places, phases = schedule.places, schedule.phases
    taken = pa.array(places)
    columns = [
        pa.array(row_ids, pa.string()).take(taken),
        pa.array(within_row(row_ids)).take(taken),
        pa.array(_times(places)),
        pa.array(phases, mask=phases == NO_PHASE),
        pa.array(schedule.step_of + 1),
        pa.array(_joined(step.losses for step in steps), pa.float64()),
        pa.array(_joined(step.entropies for step in steps), pa.float64()),
        pa.array(_joined(step.tokens for step in steps), pa.int32()),
    ]
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_table(pa.table(columns, schema=SCHEMA), max_chunksize=65536)


def _times(places: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return which time it is, from 1, that each place occurs.

    Examples
    --------
    >>> _times(np.array([3, 5, 3, 3, 5])).tolist()
    [1, 1, 2, 3, 2]
    """
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    begins = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    times = np.empty(len(places), np.int32)
    times[order] = np.arange(len(places)) - np.repeat(begins, np.diff(np.r_[begins, len(places)])) + 1
    return times


def _joined(parts: Iterable[Sequence[float | None]]) -> list[float | None]:
    return list(chain.from_iterable(parts))
