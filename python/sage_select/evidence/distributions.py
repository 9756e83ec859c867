"""How scores, lengths and groups of picks are spread, beside all rows and random subsets."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sage_select.evidence.comparison import Comparison
from sage_select.evidence.figure import Figure, mean, rounded
from sage_select.evidence.random_subsets import Sampler
from sage_select.strategies import Groups

__all__ = ["groups", "lengths", "rows_measured", "scores"]

#: Rows whose lengths are measured: of all rows, and of each random subset. Those of the picks are all.
_LENGTHS_OF_ALL: Final = 20_000
_LENGTHS_OF_SUBSET: Final = 5_000
#: Rows whose scores tell the deciles of all.
_SCORES_OF_ALL: Final = 100_000
_DECILES: Final = 10
#: Groups that are told one by one.
_MOST_GROUPS: Final = 100

RowNumbers = NDArray[np.int64]


def scores(
    comparison: Comparison, values: NDArray[np.float32], subsets: list[RowNumbers], sampler: Sampler
) -> dict[str, Any]:
    """Return the mean score, and which share of the picks lies in each decile of the scores of all rows.

    A decile holds the scores above the edge before it, up to its own; equal edges are one.
    """
    pool = values[sampler.of_all(_SCORES_OF_ALL)]
    ascending = np.sort(pool)
    inner = [ascending[-(-tenth * len(ascending) // _DECILES) - 1] for tenth in range(1, _DECILES)]
    edges = np.unique(np.array(inner, np.float32))
    of_sets = [values[rows] for rows in (comparison.picks, *subsets)]
    return {
        "mean": Figure.of([mean(part.astype(np.float64).tolist()) for part in of_sets]).values(),
        "histogram": _histogram(edges, pool, of_sets),
    }


def rows_measured(n: int, k: int, subsets: int = 5) -> int:
    """Return how many lengths of `n` rows are measured at most, of `k` picks and as many rows of each subset."""
    return k + subsets * min(k, _LENGTHS_OF_SUBSET) + min(n, _LENGTHS_OF_ALL)


def lengths(comparison: Comparison, subsets: list[RowNumbers], sampler: Sampler) -> dict[str, Any] | None:
    """Return how long the picks are in all and in the mean, and which share of them has which length.

    Random subsets of more than 5,000 rows are told by 5,000 of their rows, all rows by 20,000: then their totals are
    estimates, from as many rows as `sample_of_subset` says, which is None where they are not.
    """
    if comparison.lengths is None:
        return None
    measured = [comparison.picks, *(sampler.of(rows, _LENGTHS_OF_SUBSET) for rows in subsets)]
    pool_rows = sampler.of_all(_LENGTHS_OF_ALL)
    values = comparison.lengths(np.concatenate([*measured, pool_rows]))
    *of_sets, pool = np.split(values, np.cumsum([len(rows) for rows in measured]))
    means = [int(part.sum()) / len(part) for part in of_sets]
    totals = [float(int(of_sets[0].sum())), *(m * len(rows) for m, rows in zip(means[1:], subsets, strict=True))]
    longest = int(values.max())
    edges = np.array([0, *(1 << power for power in range(max(0, longest - 1).bit_length()))], np.int64)
    return {
        "unit": comparison.unit,
        "total": Figure.of(totals).values(),
        "sample_of_subset": _LENGTHS_OF_SUBSET if any(len(rows) > _LENGTHS_OF_SUBSET for rows in subsets) else None,
        "mean": Figure.of(means).values(),
        "histogram": _histogram(edges, pool, of_sets),
    }


def groups(comparison: Comparison, known: Groups, subsets: list[RowNumbers]) -> dict[str, Any]:
    """Return how many picks are of each group; of the 100 largest groups, the largest first, where there are more."""
    size = len(known.names)
    pool = np.bincount(known.of, minlength=size)
    picked, *of_subsets = (np.bincount(known.of[rows], minlength=size) for rows in (comparison.picks, *subsets))
    largest = np.lexsort((np.arange(size), -pool))[:_MOST_GROUPS]
    counts = {
        known.names[group]: {
            "all": int(pool[group]),
            **Figure.of([float(picked[group]), *(float(part[group]) for part in of_subsets)]).values(),
        }
        for group in largest
    }
    return {"groups": size, "without_picks": int(np.count_nonzero((picked == 0) & (pool > 0))), "counts": counts}


def _histogram(edges: NDArray[Any], pool: NDArray[Any], of_sets: list[NDArray[Any]]) -> dict[str, Any]:
    """Return the shares up to each edge and beyond the last."""
    share_of_all, picked, *of_subsets = (_shares(edges, part) for part in (pool, *of_sets))
    columns = [list(column) for column in zip(*of_subsets, strict=True)]
    random = {
        "mean": [rounded(mean(column)) for column in columns],
        "least": [rounded(min(column)) for column in columns],
        "most": [rounded(max(column)) for column in columns],
    }
    return {
        "edges": [rounded(float(edge)) for edge in edges],
        "all": [rounded(share) for share in share_of_all],
        "selected": [rounded(share) for share in picked],
        "random": random if columns else None,
    }


def _shares(edges: NDArray[Any], values: NDArray[Any]) -> list[float]:
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    return [int(count) / len(values) for count in counts]
