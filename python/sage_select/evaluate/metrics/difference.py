"""The difference of two models by a metric, from their records."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sage_select.errors import UsageError
from sage_select.evaluate.metrics.metric import Floats, Metric, R, row_sums
from sage_select.evaluate.statistics.paired import DRAWS, Difference, compare_rows

__all__ = ["difference"]


def difference(
    metric: Metric[R],
    arm: Sequence[Sequence[R]],
    control: Sequence[Sequence[R]],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Difference:
    """Return how much a model differs from a control by a metric, with interval and p-value.

    Parameters
    ----------
    metric
        The metric.
    arm, control
        Of each, the records of each of its seeds, one at least; all of the same rows and messages.
    draws, seed
        Of the bootstrap and of the swap test, see `statistics.compare_rows`.

    Raises
    ------
    UsageError
        The records are not of the same rows and messages, or there are none.
    """
    if not arm or not control:
        raise UsageError("there is nothing to compare", expected="the records of at least one seed of each model")
    asked = [sorted((one.row_id, one.message) for one in records) for records in (*arm, *control)]
    if any(one != asked[0] for one in asked):
        raise UsageError("the two are not measured on the same rows and messages")
    found = [[row_sums(metric, records) for records in several] for several in (arm, control)]
    names = sorted({name for several in found for one in several for name in one.row_ids})
    places = {name: place for place, name in enumerate(names)}
    ours, theirs = (np.zeros((len(several), len(names), len(metric.parts))) for several in found)
    for sums, several in ((ours, found[0]), (theirs, found[1])):
        for number, one in enumerate(several):
            sums[number, [places[name] for name in one.row_ids]] = one.sums
    return compare_rows(
        metric.values,
        ours,
        theirs,
        counted=[metric.parts.index(part) for part in metric.counted or metric.needs],
        rate=metric.is_rate and _one_size(ours, theirs),
        draws=draws,
        seed=seed,
    )


def _one_size(arm: Floats, control: Floats) -> bool:
    """Return whether the second part of every row is the same in all models, as where it counts what was asked."""
    sizes = np.concatenate([arm[:, :, 1], control[:, :, 1]])
    return bool((sizes == sizes[0]).all() and (sizes > 0).all())
