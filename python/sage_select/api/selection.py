"""What `select` returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.api.html import html_table
from sage_select.engine import Finished
from sage_select.engine.local.output import output_table, reasons_of, training_order
from sage_select.engine.local.result import found_result, write_result
from sage_select.engine.local.row_report import row_report
from sage_select.engine.local.top import not_nested_reason, with_budget
from sage_select.errors import ResourceError, UsageError
from sage_select.io.output.target import preflight_output
from sage_select.paths import output_path
from sage_select.pipeline.run import Silence
from sage_select.stages import Compare, Select, Sink

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

    def __init__(self, done: Finished) -> None:
        self._done = done
        self._data = done.data
        self.notices = list(done.notices)

    def __len__(self) -> int:
        return self._data.n

    def __repr__(self) -> str:
        added = int(np.count_nonzero(self._data.is_added))
        more = f" and {added:,} added" if added else ""
        return f"Selection({len(self) - added:,} of {self._data.input_n:,} rows{more})"

    @cached_property
    def indices(self) -> NDArray[np.int64]:
        """int64 (k,): row numbers of the input, in pick order, as `gains` and `reasons` are; rows added have none."""
        return self._data.input_rows(self._by_rank)

    @property
    def table_indices(self) -> NDArray[np.int64]:
        """int64: row numbers of the input, in the order of `table()`: training order; -1 of rows added."""
        numbers = self._data.input_rows(training_order(self._data))
        return np.where(numbers < self._data.input_n, numbers, -1)

    @property
    def gains(self) -> NDArray[np.float32]:
        """float32 (k,): the objective's gain at each pick; NaN where the rule has none."""
        gains = self._data.feature("gain")
        return np.full(len(self._by_rank), np.nan, np.float32) if gains is None else gains[self._by_rank]

    @cached_property
    def reasons(self) -> list[str]:
        """Which rule picked each row: one of the values of `sage_reason`, in pick order."""
        reasons: list[str] = reasons_of(self._data).take(pa.array(self._by_rank)).to_pylist()
        return reasons

    @cached_property
    def _by_rank(self) -> NDArray[np.int64]:
        order = np.argsort(self._data.ranks, kind="stable")
        return order[~self._data.is_added[order]]

    @property
    def duplicate_of(self) -> NDArray[np.int64]:
        """int64 (n,): for each row of the input the row that it is a duplicate of, by `dedup`; -1 where it is none."""
        lineage = self._data.lineage
        return np.where(lineage.is_duplicate, lineage.representatives, -1)[: self._data.input_n]

    @property
    def evidence(self) -> dict[str, Any]:
        """Facts about the run: the method used, the number of cells, digests."""
        return self._done.facts

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The selection beside random rows: coverage, duplicates, scores and lengths, as in the manifest of a build.

        Computed when it is first asked for, at a cost of about a second at most for a million rows.
        """
        compare = self._done.plan.find(Compare) or Compare()
        return compare.metrics(self._data, self._done.run)

    def top(self, k: int) -> Selection:
        """Return the first `k` picks as a selection: what a budget of `k` rows would have picked.

        Raises
        ------
        UsageError
            If it has fewer rows, its strategy, quota or budget pick other rows where the budget is smaller, or rows
            were added to it.
        """
        plan, selected = self._done.plan, self._data.selected
        n = len(self) if selected is None else len(self._data.picked_from(selected.pool))
        if not 0 <= k <= n:
            raise UsageError(f"k is out of range: the selection has {n:,} rows", got=repr(k))
        why = not_nested_reason(plan)
        if selected is not None:
            why = why or plan.step(Select).not_first_reason(selected.pool.n, k, selected.facts)
        if selected is None or (why and k < n):
            raise UsageError(
                f"the first rows are not what a smaller budget picks: {why}", hint=f"select again with k={k}"
            )
        first = selected.pool.select(selected.first(k))
        return Selection(self._done.with_choice(first, with_budget(plan, k)))

    def lineage(self) -> pa.Table:
        """Return what became of each row of the input, in its order, and of rows added behind it: the row report.

        Costs the nearest pick of every row: a second at most, see `engine.local.row_report`.
        """
        return row_report(self._data, self._done.plan.seed, self._done.threads)

    def table(self) -> pa.Table:
        """Return the selected rows in training order (`sage_position`), with all `sage_` columns.

        That is a shuffle unless `order` says otherwise, never the order of `indices`: `sage_rank` leads back to that,
        and `table_indices` to the input.
        """
        return output_table(self._data)

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
        if self._data.rows is None:
            raise UsageError("there are no rows to write, only their numbers", hint="pass data, or use .indices")
        sink = Sink.make(path=str(path), rows=rows)
        done = dataclasses.replace(self._done, plan=self._done.plan.replaced(sink))
        form = preflight_output(
            output_path(str(path)), done.plan.inputs(), force=force, overwrite_foreign=overwrite_foreign
        )
        options = {"force": force, "overwrite_foreign": overwrite_foreign}
        outcome = found_result(done.plan, done.read_inputs(), form, Silence().notice, **options)
        if outcome is None:
            data = self._data.with_facts(metrics=self.metrics)
            outcome = write_result(dataclasses.replace(done, data=data), **options)
        return outcome.output

    def _repr_html_(self) -> str:
        """Return the first picks as a table, for notebooks: numbers, reasons, scores and first words."""
        shown = self._by_rank[:_SHOWN]
        columns: dict[str, Sequence[object]] = {
            "row": self._data.input_rows(shown).tolist(),
            "reason": reasons_of(self._data).take(pa.array(shown)).to_pylist(),
        }
        if self._data.scores is not None:
            columns["score"] = [f"{value:.4g}" for value in self._data.scores.values[shown]]
        if self._data.rows is not None:
            columns["text"] = [self._data.texts[row].as_py() for row in shown.tolist()]
        more = len(self) - len(shown)
        note = f"{more:,} more; in pick order" if more else "in pick order"
        return html_table(repr(self), list(columns), zip(*columns.values(), strict=True), note)
