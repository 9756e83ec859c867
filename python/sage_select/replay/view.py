"""What a replay buffer shows: its rows, what is known of them, and draws."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select.display import displayed
from sage_select.errors import SageWarning, UsageError
from sage_select.replay.draws.rule import check_drawn
from sage_select.replay.gather import Gathering, bound, gathered
from sage_select.replay.offered import BESIDE, LOGITS, some_ids
from sage_select.replay.ratio import Ratio
from sage_select.replay.rows import words_of
from sage_select.replay.settings import BufferSettings
from sage_select.replay.state import State
from sage_select.replay.store import Store
from sage_select.seeds import stage_key

__all__ = ["BufferView"]


class BufferView:
    """A replay buffer as it is at a commit."""

    def __init__(self, store: Store, settings: BufferSettings, state: State) -> None:
        self._store = store
        self._settings = settings
        self._state = state
        self._gathering = Gathering(store.segment)
        self._shown: pa.Schema | None = None
        self._show(state)
        self._draw_from(state)

    @property
    def commit(self) -> int:
        """The number of the commit that this buffer shows."""
        return self._state.commit

    @property
    def settings(self) -> BufferSettings:
        """What it was made with."""
        return self._settings

    @property
    def capacity(self) -> int:
        """How many rows there may be."""
        return self._settings.capacity

    @property
    def schema(self) -> pa.Schema:
        """The columns of its rows; that of ids alone before there were any."""
        return self._payload(np.empty(0, np.int64)).schema

    def __len__(self) -> int:
        """Return how many rows there are."""
        return self._state.rows.n

    def __repr__(self) -> str:
        """Return a line that says what it is."""
        size = f"{len(self):,} of {self.capacity:,} rows"
        name = f"{type(self).__name__} {displayed(self._store.name)}"
        return f"<{name}: {size}, commit {self.commit}, {self._settings.policy.name}>"

    def table(self) -> pa.Table:
        """Return all rows with all their columns, in the order in which they came.

        Raises
        ------
        DataError
            A file is damaged.
        """
        return self._payload(None)

    def ids(self) -> pa.Array:
        """Return the ids of all rows, string (n,), in the order of `table`."""
        return self._state.rows.ids

    def members(self) -> pa.Table:
        """Return what is known of each row, in the order of `table`.

        Columns: `row_id`; `arrival`, how many rows had been offered before it; `score`, the latest, and `scored`, the
        update by which it came; `group`; `tokens`.
        """
        rows = self._state.rows
        return pa.table(
            {
                "row_id": rows.ids,
                "arrival": pa.array(rows.arrivals),
                "score": pa.array(rows.scores, from_pandas=True),
                "scored": pa.array(rows.scored, mask=rows.scored < 0),
                "group": rows.groups,
                "tokens": pa.array(rows.tokens, mask=rows.tokens < 0),
            }
        )

    def logits(self, rows: NDArray[np.int64] | None = None) -> pa.Array | None:
        """Return what a model said of each row, as it was given to `update`, null where nothing was; of all rows.

        Parameters
        ----------
        rows
            Numbers of rows in the order of `table`: of these alone.

        Returns
        -------
        pyarrow.Array or None
            None where no row ever came with any.

        Raises
        ------
        DataError
            A file is damaged.
        """
        schema = self._state.schema
        if schema is None or LOGITS not in schema.names:
            return None
        return gathered(self._state, self._store.segment, rows, [LOGITS])[LOGITS].combine_chunks()

    def stats(self) -> dict[str, Any]:
        """Return what the buffer is, in numbers.

        Returns
        -------
        dict
            `seen`, `size`, `capacity`, `commit`, `policy`, `seed`; the counters of `Counters`; `groups`, rows of each
            group, where rows have any; `scores`, lowest, mean and highest, where there are any; `oldest_score`, updates
            since the oldest of them came.
        """
        rows, counters = self._state.rows, asdict(self._state.counters)
        found: dict[str, Any] = {
            "seen": counters.pop("seen"),
            "size": rows.n,
            "capacity": self.capacity,
            "commit": self.commit,
            "policy": self._settings.policy.name,
            "seed": self._settings.seed,
            **counters,
        }
        if rows.n and rows.groups.null_count < rows.n:
            counted = pc.value_counts(rows.groups.drop_null()).to_pylist()
            found["groups"] = {one["values"]: one["counts"] for one in sorted(counted, key=lambda one: one["values"])}
        known = rows.scores[~np.isnan(rows.scores)]
        if len(known):
            found["scores"] = {"lowest": float(known.min()), "mean": float(known.mean()), "highest": float(known.max())}
            found["oldest_score"] = int(self._state.counters.updates - rows.scored[rows.scored >= 0].min())
        return found

    def history(self) -> pa.Table:
        """Return the log: each time that a row came, left, was scored anew or deleted.

        Columns: `commit`, `event` (entered, left, scored, deleted), `row_id`, `reason` why it left, `replaced_by` the
        row that came in its place (of several the first for the first), `update`, `score`, `scored`, `group`, `tokens`,
        `arrival`. Rows that never came in are counted, and not listed.
        """
        log = self._store.history().drop_columns(["segment", "place", "word"])
        return log.filter(pc.less_equal(log["commit"], self.commit))

    def commits(self) -> list[int]:
        """Return the commits that can be gone back to: the last 8, and those of snapshots."""
        return self._store.commits()

    def snapshots(self) -> list[int]:
        """Return the commits that are held until they are released."""
        return self._store.snapshots()

    def draw(
        self,
        n: int | float | str,
        *,
        exclude: Any = None,
        step: int | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> pa.Table:
        """Return some rows with all their columns, none twice.

        Parameters
        ----------
        n
            How many, or which share of the buffer: a float, or a text such as "10%".
        exclude
            Ids, or rows, that are not drawn.
        step
            Which draw it is: the same step gives the same rows. Where nothing is said each call is another, and how
            many there were is part of the next commit; what a process draws and does not commit is forgotten with it.
        rank, world
            Of several processes each draws others: this one's part of `n * world` rows.

        Returns
        -------
        pyarrow.Table
            Fewer rows where there are not as many.

        Warns
        -----
        SageWarning
            There are not as many rows.

        Raises
        ------
        UsageError
            `n` is negative or a share above 1; a rank is not below the world.
        DataError
            A file is damaged.
        """
        for name, value in (("step", 0 if step is None else step), ("rank", rank), ("world", world)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
                raise UsageError(f"{name} is a whole number", expected="0 or more", got=repr(value)[:80])
        if not 0 <= rank < world:
            raise UsageError("a rank is below the number of processes", got=f"rank {rank} of {world}")
        count = self._count(n)
        eligible = self._eligible(exclude)
        if step is None:
            drawn = self._drawn(eligible, min(count * world, len(eligible)))
            self._steps += 1
        else:
            drawn = self._drawn(eligible, min(count * world, len(eligible)), step)
        mine = drawn[rank * count : (rank + 1) * count]
        if len(mine) < count:
            warnings.warn(f"{count:,} rows to draw, and {len(mine):,} there", SageWarning, stacklevel=2)
        return self._payload(mine)

    def _show(self, state: State) -> None:
        if state.schema is not None and (self._shown is None or state.schema is not self._state.schema):
            self._shown = pa.schema(
                [field for field in state.schema if field.name not in BESIDE], state.schema.metadata
            )
        self._state = bound(state, self._store.segment)

    def _draw_from(self, state: State) -> None:
        """Go on with the draws from where a commit left them."""
        self._steps = state.counters.draws
        self._draw_state: Mapping[str, Any] = state.draw_state

    def _count(self, n: int | float | str) -> int:
        if isinstance(n, bool) or not isinstance(n, int | float | str | np.integer):
            raise UsageError("how many rows to draw", expected="a number, or a share such as 0.1 or 10%", got=repr(n))
        if isinstance(n, int | np.integer):
            if n < 0:
                raise UsageError("how many rows to draw", expected="0 or more", got=str(n))
            return int(n)
        text = str(n)
        share = Ratio.of(text.removesuffix("%")).value / (100 if text.endswith("%") else 1)
        if share > 1:
            raise UsageError("a share of the buffer is at most 1", got=text)
        return int(share * len(self) + Fraction(1, 2))

    def _eligible(self, exclude: Any) -> NDArray[np.int64]:
        """Return the rows that may be drawn."""
        rows = self._state.rows
        ids = None if exclude is None else some_ids(exclude, self._settings.id_column)
        if ids is None or not len(ids) or not rows.n:
            return np.arange(rows.n)
        return np.flatnonzero(~np.isin(rows.words, words_of(ids)))

    def _drawn(
        self,
        eligible: NDArray[np.int64],
        count: int,
        step: int | None = None,
        *,
        more: int = 0,
        remember: bool = True,
    ) -> NDArray[np.int64]:
        """Return so many of some rows: those of a step, or of the draw after so many more, which is remembered."""
        rule, seed = self._settings.draw, self._settings.seed
        rows = self._state.rows if len(eligible) == self._state.rows.n else self._state.rows.take(eligible)
        key = stage_key(seed, f"replay draw {self._steps + more if step is None else step}")
        state = self._draw_state if step is None else rule.state_of(step)
        found = rule.draw(rows, count, key, state, stage_key(seed, "replay passes"))
        check_drawn(found, rule, rows, count)
        if step is None and remember:
            self._draw_state = found.state
        return eligible[found.rows]

    def _payload(self, some: NDArray[np.int64] | None) -> pa.Table:
        if self._shown is None:
            return pa.table({self._settings.id_column: pa.array([], pa.string())})
        return self._gathering.rows(self._state, some, self._shown)
