"""What a selection is like beside random rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.data import COUNTED_ROWS
from sage_select.engine.base import Finished
from sage_select.evidence import Comparison, measure
from sage_select.evidence.coverage import pairs_compared, sample_sizes
from sage_select.evidence.distributions import rows_measured
from sage_select.evidence.random_subsets import SUBSETS
from sage_select.pipeline import Cost, Reporter, Size
from sage_select.stages import Select

__all__ = ["compare_with_random", "comparison_cost"]


def compare_with_random(done: Finished, reporter: Reporter) -> dict[str, Any]:
    """Return the metrics of what was selected beside those of random subsets, of as many rows or tokens.

    Nothing is made for that alone but lengths: without vectors or scores there are no figures of them, and without a
    selection there are none at all.
    """
    selected = done.data.selected
    if selected is None:
        return {}
    pool, select = selected.pool, done.plan.find(Select)
    with reporter.progress("comparing with random rows") as progress:

        def lengths(rows: NDArray[np.int64]) -> NDArray[np.int64]:
            return pool.lengths_of(rows, threads=done.threads).values

        measured = pool.feature("lengths")
        return measure(
            Comparison(
                n=pool.n,
                picks=done.data.picked_from(pool),
                seed=done.plan.seed,
                hashes=pool.hashes,
                matrix=pool.matrix,
                queries=selected.queries,
                scores=None if pool.scores is None else pool.scores.values,
                lengths=lengths if pool.has_lengths else None,
                groups=selected.groups,
                excluded=selected.excluded,
                costs=None if select is None or select.budget.tokens is None else pool.lengths.values,
                unit="words" if measured is None else measured.unit,
                threads=done.threads,
                progress=progress,
            )
        )


def comparison_cost(size: Size, picks: int) -> Cost:
    """Return what the comparison of so many picks of `size.n` rows takes: hashes, members of all sets, and a sample."""
    n, d, k = size.n, size.d, min(picks, size.n)
    if k == 0:
        return Cost()
    measured = min(n, rows_measured(n, k))
    memory = size.word_bytes * min(COUNTED_ROWS, measured) + 49.0 * n + 8.0 * k * (1 + SUBSETS)
    seconds = size.seconds(text=size.word_bytes * measured, rows=float(SUBSETS * n))
    if not d:
        return Cost(memory, seconds)
    # The sample in float32, and members of which a part at a time is copied.
    sample = sample_sizes(n, k, d).sample
    memory += (4.0 * d + 72) * sample + 8.0 * d * min(kernels.MEMBERS_COPIED, n)
    return Cost(memory, seconds + size.seconds(multiply_adds=float(pairs_compared(n, k, d)) * d))
