"""SAGE's online continual learner over `ReplayBuffer`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa

from sage_select import io
from sage_select.agent.coreset import ID_COLUMNS, CoresetSelector, SelectionSummary, scores_of
from sage_select.errors import SageWarning, UsageError
from sage_select.replay import ReplayBuffer

__all__ = ["OnlineContinualLearner"]

#: The policy that does what a strategy of SAGE does to a buffer.
_POLICIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "loss_topk": {"policy": "loss_topk"},
    "diversity": {"policy": "coreset", "strategy": "diversity"},
    "hybrid": {"policy": "coreset", "strategy": "hybrid", "score_mode": "top"},
    "random": {"policy": "reservoir"},
}


class OnlineContinualLearner:
    """Holds a replay buffer and adds some of its rows to each batch, as SAGE's class of this name does.

    Parameters
    ----------
    buffer_size, replay_ratio
        Rows of the buffer, and rows replayed for each new one.
    selector
        Which rows stay; hybrid where nothing is said. `random` is a reservoir, under which every row ever seen is as
        likely to be there; SAGE's forgets half of its rows after six batches of an eighth of its size.
    random_seed
        All draws depend on it.
    path
        A folder, so that the buffer outlives the process; None for one in memory.
    order
        `draw_first` replays rows that were there before the batch came. `insert_first` inserts the batch and then draws
        rows that are not of it, as SAGE does: some rows are gone by then.
    exact
        Whether what the ratio owes is carried from one batch to the next. Otherwise it is SAGE's rule, at least one row
        for each batch and never a part of one: a quarter of a batch of one row is one.

    Examples
    --------
    >>> learner = OnlineContinualLearner(buffer_size=4, selector=CoresetSelector("random"))
    >>> day = [{"sample_id": f"s{n}", "text": f"row {n}"} for n in range(8)]
    >>> learner.update_buffer(day[:4]).num_rows, learner.update_buffer(day[4:]).num_rows, learner.buffer_len
    (4, 5, 4)
    """

    def __init__(
        self,
        buffer_size: int = 2048,
        replay_ratio: float = 0.25,
        selector: CoresetSelector | None = None,
        random_seed: int = 17,
        *,
        path: str | Path | None = None,
        order: Literal["draw_first", "insert_first"] = "draw_first",
        exact: bool = True,
    ) -> None:
        if order not in ("draw_first", "insert_first"):
            raise UsageError("unknown order", expected="draw_first or insert_first", got=repr(order)[:80])
        self.selector = CoresetSelector("hybrid") if selector is None else selector
        self.buffer_size = buffer_size
        self.replay_ratio = replay_ratio
        self._seed = random_seed
        self._path = path
        self._order = order
        self._compat: Literal["sage"] | None = None if exact else "sage"
        self._buffer: ReplayBuffer | None = None

    @property
    def buffer(self) -> pa.Table:
        """The rows of the buffer."""
        return pa.table({}) if self._buffer is None else self._buffer.table()

    @property
    def buffer_len(self) -> int:
        """How many rows there are."""
        return 0 if self._buffer is None else len(self._buffer)

    @property
    def short(self) -> int:
        """How many rows should have been replayed so far and were not there, as beside the first batch."""
        return 0 if self._buffer is None else int(self._buffer.stats()["short"])

    def update_buffer(self, new_samples: Any, metrics: Mapping[str, float] | None = None) -> pa.Table:
        """Insert rows and return the batch to train on: them, and replayed rows after them.

        Parameters
        ----------
        new_samples
            A table, or a list of dictionaries, with ids: `sage_row_id`, `sample_id` or `dialog_id`.
        metrics
            Losses by id, which win over those of the rows.

        Returns
        -------
        pyarrow.Table
            The new rows, and replayed ones with `sage_origin` replay. Of no rows it is none.
        """
        table = new_samples if isinstance(new_samples, pa.Table) else _rows(new_samples)
        if not table.num_rows:
            return table
        buffer = self._opened(table)
        scores = scores_of(table, self.selector.metric_key, metrics) if self.selector.needs_scores else None
        if self._order == "insert_first":
            buffer.update(table, scores=scores)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SageWarning)  # the first batches find few rows, or none: see `short`
            batch = buffer.mix(table, self.replay_ratio, compat=self._compat)
        if self._order == "draw_first":
            buffer.update(table, scores=scores)
        return batch

    def sample_replay(self, new_batch_size: int, *, exclude: Iterable[str] | None = None) -> pa.Table:
        """Return rows that would be replayed beside so many new ones: at least one, as SAGE has it."""
        if self._buffer is None or not len(self._buffer) or self.replay_ratio <= 0:
            return self.buffer.slice(0, 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SageWarning)
            return self._buffer.draw(max(1, int(new_batch_size * self.replay_ratio)), exclude=list(exclude or ()))

    def update_metrics(self, metrics: Mapping[str, float]) -> None:
        """Give rows of the buffer other losses.

        Ids that are not there are passed by.
        """
        if self._buffer is None:
            return
        table, name = self._buffer.table(), self._buffer.settings.id_column
        losses = np.array([metrics.get(one, np.nan) for one in self._buffer.ids().to_pylist()], np.float64)
        known = np.flatnonzero(~np.isnan(losses))
        if len(known) and name in table.column_names:
            self._buffer.update(table.take(pa.array(known)), scores=losses[known])

    def buffer_snapshot(self) -> pa.Table:
        """Return the rows of the buffer."""
        return self.buffer

    def buffer_summary(self) -> SelectionSummary:
        """Return how many rows there are, and by what."""
        return SelectionSummary(self.buffer_len, self.buffer_len, f"buffer:{self.selector.strategy}")

    def clear(self) -> None:
        """Forget all rows of a buffer in memory.

        Raises
        ------
        UsageError
            The buffer lies in a folder: delete that.
        """
        if self._path is not None:
            raise UsageError("the buffer lies in a folder", got=str(self._path), hint="delete the folder, or its rows")
        self._buffer = None

    def _opened(self, table: pa.Table) -> ReplayBuffer:
        """Return the buffer, whose ids are those of the first rows that come."""
        if self._buffer is None:
            column = next((one for one in ID_COLUMNS if one in table.column_names), None)
            if column is None:
                raise UsageError(
                    "rows have no ids", expected=f"a column {', '.join(ID_COLUMNS)}", got=", ".join(table.column_names)
                )
            options = _POLICIES[self.selector.strategy]
            self._buffer = ReplayBuffer.open(self._path, self.buffer_size, seed=self._seed, id_column=column, **options)
        return self._buffer


def _rows(samples: Any) -> pa.Table:
    if isinstance(samples, list | tuple) and not samples:
        return pa.table({})
    return io.from_object(samples).table
