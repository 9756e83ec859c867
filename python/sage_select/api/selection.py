"""What `select` returns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.api.talk import Callback
from sage_select.engine.frame import Frame
from sage_select.engine.local.evidence import compare_with_random
from sage_select.engine.local.output import reason_column, selected_table
from sage_select.errors import UsageError
from sage_select.ops import Budget, Select
from sage_select.strategies import Picks
from sage_select.strategies.objectives.kcenter import nearer_outliers

__all__ = ["Selection"]


class Selection:
    """The rows that were selected, in pick order, with the evidence.

    It is itself an Arrow stream: hand it to polars, pyarrow, duckdb or `sage_select.train.train`. `notices` are what a
    build would have said meanwhile, such as which strategy was chosen where none was named.
    """

    def __init__(
        self,
        frame: Frame,
        picks: Picks,
        select: Select,
        seed: int,
        threads: int | None,
        notices: Sequence[str] = (),
    ) -> None:
        self._frame = frame
        self._picks = picks
        self._select = select
        self._seed = seed
        self._threads = threads
        self.notices = list(notices)

    def __len__(self) -> int:
        return len(self._picks.indices)

    def __repr__(self) -> str:
        return f"Selection({len(self):,} of {self._frame.input_n:,} rows)"

    @property
    def indices(self) -> NDArray[np.int64]:
        """int64 (k,): row numbers of the input, in pick order."""
        return self._frame.input_rows(self._picks.indices)

    @property
    def gains(self) -> NDArray[np.float32]:
        """float32 (k,): the objective's gain at each pick; NaN where the rule has none."""
        return self._picks.gains

    @cached_property
    def reasons(self) -> list[str]:
        """Which rule picked each row: one of the values of `sage_reason`, in pick order."""
        reasons: list[str] = reason_column(self._picks.reasons).to_pylist()
        return reasons

    @property
    def duplicate_of(self) -> NDArray[np.int64]:
        """int64 (n,): for each row of the input the row that it is a duplicate of, by `dedup`; -1 where it is none."""
        lineage = self._frame.lineage
        return np.where(lineage.is_duplicate, lineage.representatives, -1)

    @property
    def evidence(self) -> dict[str, Any]:
        """Facts about the run: the method used, the number of cells, digests."""
        return {**self._frame.evidence, **self._picks.evidence}

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The selection beside random rows: coverage, duplicates, scores and lengths, as in the manifest of a build.

        Computed when it is first asked for, at a cost of about a second at most for a million rows.
        """
        return compare_with_random(
            self._frame, self._picks, self._select.budget, self._seed, Callback(None), self._threads
        )

    def top(self, k: int) -> Selection:
        """Return the first `k` picks as a selection: what a budget of `k` rows would have picked.

        Raises
        ------
        UsageError
            If it has fewer rows, or its strategy, quota or budget pick other rows where the budget is smaller.
        """
        if not 0 <= k <= len(self):
            raise UsageError(f"k is out of range: the selection has {len(self):,} rows", got=repr(k))
        why = self._select.unnested or nearer_outliers(self._select, self._frame.n, self._picks.evidence)
        if why and k < len(self):
            raise UsageError(
                f"the first rows are not what a smaller budget picks: {why}", hint=f"select again with k={k}"
            )
        select = self._select.model_copy(update={"budget": Budget.parse(k)})
        return Selection(self._frame, self._picks.first(k), select, self._seed, self._threads, self.notices)

    def table(self) -> pa.Table:
        """Return the selected rows in training order (`sage_position`), with all `sage_` columns."""
        return selected_table(self._frame, self._picks, self._seed)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the rows of `table()` as an Arrow C stream."""
        return self.table().__arrow_c_stream__(requested_schema)
