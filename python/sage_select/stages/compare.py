"""A selection compared with random subsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.data import COUNTED_ROWS, Dataset
from sage_select.declare.option import Option
from sage_select.errors import UsageError
from sage_select.evidence import Comparison, measure
from sage_select.evidence.coverage import pairs_compared, sample_sizes
from sage_select.evidence.distributions import rows_measured
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage, stage
from sage_select.stages.select import Select

__all__ = ["Compare"]


@stage("compare", place=60, by_default=True)
class Compare(Stage):
    """Coverage, scores, lengths and groups of the selection, compared with random subsets.

    Attributes
    ----------
    against
        `random`, or `none`: nothing is compared.
    subsets
        How many random subsets; the figures of one more of them would lie within their noise nineteen times in twenty.
    """

    against: Annotated[
        Literal["random", "none"],
        Option("what the selection is compared with: random subsets of the same budget, or none", flag="--compare"),
    ] = "random"
    subsets: Annotated[
        int,
        Option(
            "random subsets beside the selection", ge=2, le=20, when={"against": "random"}, flag="--compare-subsets"
        ),
    ] = 5

    @classmethod
    def belongs(cls, steps: Sequence[Stage]) -> bool:
        """Return whether there is a selection to compare."""
        return any(step.chooses for step in steps)

    @property
    def idle(self) -> bool:
        """Whether nothing is compared."""
        return self.against == "none"

    def describe(self) -> str:
        """Return what it is compared with."""
        return "with nothing" if self.idle else f"with {self.subsets} random subsets of the same budget"

    def refuse_earlier(self, earlier: Sequence[Stage]) -> None:
        """Refuse a comparison of no selection.

        Raises
        ------
        UsageError
            If no stage before selects.
        """
        if not self.idle and not any(step.chooses for step in earlier):
            raise UsageError(
                "compare stands before any selection: there is nothing to compare",
                expected="a select step before it",
                hint="leave it out: it is added where there is one",
            )

    def refuse_later(self, later: Sequence[Stage]) -> None:
        """Refuse rows that leave after it: its figures would tell of rows that are not in the output.

        Raises
        ------
        UsageError
            As said, or if it stands twice.
        """
        other = next((step for step in later if step.effect_here == "drops" or isinstance(step, Compare)), None)
        if not self.idle and other is not None and not other.idle:
            raise UsageError(
                f"{other.name} comes after compare, so that its figures tell of other rows than the output has",
                expected="compare after the last stage that drops rows, once",
                hint="leave compare out of the spec: it is put where it belongs",
            )

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows; the manifest has the figures."""
        with run.reporter.progress("comparing with random rows") as progress:
            return data.with_facts(metrics=self.metrics(data, run, progress))

    def metrics(self, data: Dataset, run: Run, progress: Any = None) -> dict[str, Any]:
        """Return the figures of what was selected beside those of random subsets, of as many rows or tokens.

        Nothing is made for that alone but lengths: without vectors or scores there are no figures of them, and without
        a selection there are none at all.
        """
        selected = data.selected
        if selected is None or self.idle:
            return {}
        pool = selected.pool
        select = next((step for step in reversed(run.steps) if isinstance(step, Select)), None)

        def lengths(rows: NDArray[np.int64]) -> NDArray[np.int64]:
            return pool.lengths_of(rows, threads=run.threads).values

        measured = pool.feature("lengths")
        return measure(
            Comparison(
                n=pool.n,
                picks=data.picked_from(pool),
                seed=run.seed,
                hashes=pool.hashes,
                matrix=pool.matrix,
                queries=selected.queries,
                scores=None if pool.scores is None else pool.scores.values,
                lengths=lengths if pool.has_lengths else None,
                groups=selected.groups,
                excluded=selected.excluded,
                costs=None if select is None or select.budget.tokens is None else pool.lengths.values,
                unit="words" if measured is None else measured.unit,
                subsets=self.subsets,
                threads=run.threads,
                progress=progress,
            )
        )

    def cost(self, size: Size) -> Cost:
        """Return what the comparison takes: hashes, members of all sets, and a sample."""
        pool = size.pool
        if pool is None or size.n == 0:
            return Cost()
        n, d, k, sets = pool.n, pool.d, min(size.n, pool.n), self.subsets
        measured = min(n, rows_measured(n, k, sets))
        memory = pool.word_bytes * min(COUNTED_ROWS, measured) + 49.0 * n + 8.0 * k * (1 + sets)
        seconds = pool.seconds(text=pool.word_bytes * measured, rows=float(sets * n))
        if not d:
            return Cost(memory, seconds)
        # The sample in float32, and members of which a part at a time is copied.
        sample = sample_sizes(n, k, d, sets).sample
        memory += (4.0 * d + 72) * sample + 8.0 * d * min(kernels.MEMBERS_COPIED, n)
        return Cost(memory, seconds + pool.seconds(multiply_adds=float(pairs_compared(n, k, d, sets)) * d))
