"""What `select` returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.api.html import html_table
from sage_select.api.record import Record
from sage_select.api.talk import Callback
from sage_select.engine.frame import Frame
from sage_select.engine.local.evidence import compare_with_random
from sage_select.engine.local.order import training_order
from sage_select.engine.local.output import reason_column, selected_table
from sage_select.engine.local.result import found_result, write_result
from sage_select.engine.local.row_report import row_report
from sage_select.errors import ResourceError, UsageError
from sage_select.io.target import preflight_output
from sage_select.ops import Budget, Select
from sage_select.paths import user_path
from sage_select.strategies import Picks
from sage_select.strategies.objectives.kcenter import nearer_outliers

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["Selection"]

#: Rows made into dictionaries at a time, and picks that a notebook shows.
_BATCH: Final = 1024
_SHOWN: Final = 10


class Selection:
    """The rows that were selected, in pick order, with the evidence.

    It is itself an Arrow stream: hand it to polars, pyarrow, duckdb or `sage_select.train.train`. Iterated it gives its
    rows as dictionaries, in training order, from which `pandas.DataFrame` and `datasets.Dataset.from_list` make tables.

    Attributes
    ----------
    notices
        What a build would have said meanwhile. `select` warns of each as well, as a `SageWarning`.
    """

    def __init__(
        self,
        frame: Frame,
        picks: Picks,
        select: Select,
        seed: int,
        threads: int | None,
        notices: Sequence[str] = (),
        *,
        record: Record,
    ) -> None:
        self._frame = frame
        self._picks = picks
        self._select = select
        self._seed = seed
        self._threads = threads
        self.notices = list(notices)
        self._record = record

    def __len__(self) -> int:
        return len(self._picks.indices)

    def __repr__(self) -> str:
        return f"Selection({len(self):,} of {self._frame.input_n:,} rows)"

    @property
    def indices(self) -> NDArray[np.int64]:
        """int64 (k,): row numbers of the input, in pick order, as `gains` and `reasons` are."""
        return self._frame.input_rows(self._picks.indices)

    @property
    def table_indices(self) -> NDArray[np.int64]:
        """int64 (k,): row numbers of the input, in the order of `table()`: training order."""
        return self.indices[training_order(self._frame, self._picks.indices, self._seed)]

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
        return Selection(
            self._frame,
            self._picks.first(k),
            select,
            self._seed,
            self._threads,
            self.notices,
            record=self._record.with_select(select),
        )

    def lineage(self) -> pa.Table:
        """Return what became of each row of the input, in its order: the row report of a build, column for column.

        Costs the nearest pick of every row: a second at most, see `engine.local.row_report`.
        """
        return row_report(self._frame, self._picks, self._seed, self._threads)

    def table(self) -> pa.Table:
        """Return the selected rows in training order (`sage_position`), with all `sage_` columns.

        That is a shuffle, not the order of `indices`: `sage_rank` leads back to it, and `table_indices` to the input.
        """
        return selected_table(self._frame, self._picks, self._seed)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the rows of `table()` as an Arrow C stream."""
        return self.table().__arrow_c_stream__(requested_schema)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of `table()`, each as a dictionary."""
        for batch in self.table().to_batches(max_chunksize=_BATCH):
            yield from batch.to_pylist(maps_as_pydicts="lossy")

    def to_polars(self) -> pl.DataFrame:
        """Return the rows of `table()` as a polars DataFrame."""
        import polars as pl  # deferred: it takes a tenth of a second to load

        return pl.DataFrame(self.table())

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows of `table()` as a pandas DataFrame.

        Raises
        ------
        ResourceError
            If pandas is not installed.
        """
        try:
            import pandas  # noqa: F401  (pyarrow makes the frame)
        except ImportError:
            raise ResourceError("pandas is not installed", hint="pip install pandas, or use to_polars()") from None
        return self.table().to_pandas()

    def write(
        self, path: str | Path, *, force: bool = False, overwrite_foreign: bool = False, rows: bool = True
    ) -> Path:
        """Write the selection as a build does: rows, manifest and the row report, all of them or nothing.

        Parameters
        ----------
        path
            Where to; the format follows the name: `.arrow`, `.arrows`, `.parquet`, `.jsonl`, or a folder.
        force, overwrite_foreign
            Replace an output of this program; with both, also a file or saved dataset that is none.
        rows
            Also write what became of every row of the input (`NAME.rows.parquet`).

        Returns
        -------
        Path
            The output. Where the same selection lies there already, nothing is written.

        Raises
        ------
        UsageError
            If the selection is of arrays alone, or the output would take the place of the input.
        OutputError
            If something else is there.
        ResourceError
            If the folder is missing or may not be written, or the disk is full.
        """
        if self._frame.rows is None:
            raise UsageError("there are no rows to write, only their numbers", hint="pass data, or use .indices")
        plan = self._record.plan_to(str(path), rows=rows)
        inputs = self._record.input_digests(self._frame)
        form = preflight_output(user_path(path), plan.inputs(), force=force, overwrite_foreign=overwrite_foreign)
        done = found_result(plan, inputs, form, force=force, overwrite_foreign=overwrite_foreign) or write_result(
            plan,
            inputs,
            self._frame,
            self._picks,
            self.metrics,
            self.notices,
            force=force,
            overwrite_foreign=overwrite_foreign,
        )
        return done.output

    def _repr_html_(self) -> str:
        """Return the first picks as a table, for notebooks: numbers, reasons, scores and first words."""
        shown = self._picks.indices[:_SHOWN]
        numbers = self.indices[:_SHOWN].tolist()
        columns: dict[str, Sequence[object]] = {"row": numbers, "reason": self._first_reasons(len(shown))}
        if self._frame.scores is not None:
            columns["score"] = [f"{value:.4g}" for value in self._frame.scores.values[shown]]
        if self._frame.rows is not None:
            columns["text"] = self._frame.texts_of(shown).to_pylist()
        more = len(self) - len(shown)
        note = f"{more:,} more; in pick order" if more else "in pick order"
        return html_table(repr(self), list(columns), zip(*columns.values(), strict=True), note)

    def _first_reasons(self, count: int) -> list[str]:
        reasons: list[str] = []
        for reason, times in self._picks.reasons:
            reasons += [reason] * min(times, count - len(reasons))
        return reasons
