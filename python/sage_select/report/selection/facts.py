"""What is known of a selection from its files: manifest, rows, row report, and the plan that made it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io, kernels
from sage_select.columns import Origin
from sage_select.data import Cause
from sage_select.errors import SageError, UsageError
from sage_select.evidence import Comparison
from sage_select.evidence.random_subsets import random_subsets
from sage_select.pipeline import Pipeline
from sage_select.pipeline.plan import schedule
from sage_select.pipeline.spec import load_spec

__all__ = ["NO_ROW_REPORT", "Facts", "Pool"]

NO_ROW_REPORT: Final = "there is no row report beside this selection: a build writes one unless it is told --no-rows"
_EXCLUDED: Final = "excluded"
#: Columns that came later than the row report.
_LATER: Final = {
    "region": pa.int32(),
    "nearest_similarity": pa.float32(),
    "nearest_distance": pa.float32(),
    "duplicate_of": pa.string(),
    "similarity": pa.float32(),
    "held_out_file": pa.string(),
}
#: Characters that the row report has of the words of a row.
_BEGINNING: Final = 80
_ELLIPSIS: Final = "\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True)
class Pool:
    """The rows that the last selection chose from, as the row report has them.

    Attributes
    ----------
    rows
        int64 (n,): their numbers in the row report, ascending.
    picks
        int64 (k,): their places in `rows` of those that are in the output, in pick order.
    subsets
        Random subsets of as many of these rows, by their places in `rows`: those of the manifest, where the budget is
        a number of rows.
    """

    rows: NDArray[np.int64]
    picks: NDArray[np.int64]
    subsets: list[NDArray[np.int64]]


@dataclass(frozen=True)
class Facts:
    """What the files of a selection say.

    Attributes
    ----------
    path
        The selection.
    manifest
        Its manifest.
    table
        Its rows.
    report
        The row report; None where there is none.
    plan
        The pipeline; None where it holds what is not known here.
    threads
        Threads to use; None for all.
    """

    path: Path
    manifest: dict[str, Any]
    table: pa.Table
    report: pa.Table | None
    plan: Pipeline | None
    threads: int | None = None

    @classmethod
    def read(
        cls,
        path: Path,
        *,
        progress: Callable[[int, int], None] | None = None,
        verify: bool = True,
        threads: int | None = None,
    ) -> Facts:
        """Open a selection with all that lies beside it.

        Raises
        ------
        UsageError
            If it is no output of a build.
        DataError
            If it, or its row report, is not as it was written.
        """
        rows, manifest, report = io.open_with_report(path, progress=progress, verify=verify)
        if manifest is None or "program" not in manifest:
            raise UsageError(
                "this is no selection with a manifest", where=str(path), expected="an output of sage-select build"
            )
        try:
            plan = load_spec(manifest["spec"])
        except SageError:
            plan = None
        return cls(path, manifest, rows.table, None if report is None else _whole(report.table), plan, threads)

    @property
    def kept(self) -> int:
        """Rows of the output."""
        return int(self.manifest["rows"]["kept"])

    @property
    def read_n(self) -> int:
        """Rows of the input."""
        return int(self.manifest["rows"]["in"])

    @property
    def pool_n(self) -> int:
        """Rows that the last selection chose from."""
        chosen = [node for node in self.manifest.get("nodes", ()) if node["stage"].partition(" ")[0] == "select"]
        return int(chosen[-1].get("rows_in", self.read_n)) if chosen else self.read_n

    @property
    def metrics(self) -> dict[str, Any]:
        """The figures of the selection beside random subsets; none where they were not taken."""
        found: dict[str, Any] = self.manifest.get("metrics") or {}
        return found

    @property
    def why_no_metrics(self) -> str:
        """Why there are no such figures."""
        if "first_of" in self.manifest:
            return (
                "these are the first rows of a larger selection, and its figures are not theirs: "
                "a build with this budget takes them"
            )
        return "this selection was built without a comparison (--compare none)"

    @cached_property
    def steps(self) -> list[tuple[str, Any]]:
        """(label, stage) of the parts of the plan, in the order in which they were worked on; none without a plan."""
        if self.plan is None:
            return []
        labels = dict(zip(map(id, self.plan.steps), self.plan.labels(), strict=True))
        by_name: dict[str, list[str]] = {}
        for step in self.plan.steps:
            by_name.setdefault(step.name, []).append(labels[id(step)])
        # Parts of a stage that stands once bear its name; of one that stands twice nobody asks.
        return [(by_name[part.name][0] if len(by_name[part.name]) == 1 else part.name, part) for part in self._schedule]

    @cached_property
    def _schedule(self) -> list[Any]:
        return [] if self.plan is None else schedule(self.plan)

    @property
    def choice(self) -> Any:
        """The stage that selected last; None without a plan, or where none did."""
        return next((part for part in reversed(self._schedule) if part.chooses), None)

    @cached_property
    def pool(self) -> Pool | str:
        """The rows that the last selection chose from, or why they are not known."""
        if self.report is None:
            return NO_ROW_REPORT
        labels = [node["stage"] for node in self.manifest.get("nodes", ())]
        chosen = [label for label in labels if label.partition(" ")[0] == "select"]
        if not chosen:
            return "no stage selected rows"
        later = labels[labels.index(chosen[-1]) :]
        report = self.report
        own = pc.equal(report["origin"], Origin.SELECTED)
        reached = pc.and_(pc.is_in(report["stage"], pa.array(later, pa.string())), own)
        rows = np.flatnonzero(pc.fill_null(reached, False).to_numpy())
        ranks = pc.fill_null(report["rank"], -1).to_numpy()[rows]
        kept = np.flatnonzero(report["kept"].to_numpy()[rows])
        picks = kept[np.argsort(ranks[kept], kind="stable")]
        return Pool(rows, picks, self._subsets(rows, picks, chosen[-1]))

    def _subsets(self, rows: NDArray[np.int64], picks: NDArray[np.int64], label: str) -> list[NDArray[np.int64]]:
        count = self.metrics.get("random_subsets", 0)
        if not count or self.report is None or not len(picks):
            return []
        out = pc.and_(pc.equal(self.report["reason"], _EXCLUDED), pc.equal(self.report["stage"], label))
        ids = self.report["sage_row_id"].take(pa.array(rows))
        return random_subsets(
            Comparison(
                n=len(rows),
                picks=picks,
                seed=self.manifest["seed"],
                hashes=lambda key: kernels.keyed_hashes(key, ids, threads=self.threads),
                excluded=np.flatnonzero(pc.fill_null(out, False).to_numpy()[rows]),
                subsets=count,
                threads=self.threads,
            )
        )

    def causes(self) -> list[tuple[Cause, int]]:
        """Return why rows left and how many, in the order in which they did; those passed over last."""
        found = [(Cause.parse(text), count) for text, count in self.manifest["rows"]["dropped"].items()]
        return [(cause, count) for cause, count in found if count]

    def words(self, rows: NDArray[np.int64] | list[int] | list[int | None]) -> list[str | None]:
        """Return how rows of the row report begin; None of rows without words of ours, or without a number."""
        if self.report is None:
            return [None] * len(rows)
        found = self.report["first_words"].take(pa.array(rows, pa.int64())).to_pylist()
        return [text + _ELLIPSIS if text is not None and len(text) >= _BEGINNING else text for text in found]


def _whole(report: pa.Table) -> pa.Table:
    """Return a row report with the columns that those of earlier versions have not."""
    n = report.num_rows
    if "origin" not in report.column_names:
        report = report.append_column("origin", pa.repeat(pa.scalar(Origin.SELECTED), n))
    for name, kind in _LATER.items():
        if name not in report.column_names:
            report = report.append_column(name, pa.nulls(n, kind))
    return report
