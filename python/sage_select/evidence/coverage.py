"""How well picks represent all rows: how near a sample of rows is to them, and how many are duplicates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.evidence.comparison import Comparison
from sage_select.evidence.figure import Figure, mean, rounded
from sage_select.evidence.progress import ProgressSplitter
from sage_select.evidence.random_subsets import Sampler
from sage_select.kernels import Matrix, Metric

__all__ = ["Coverage", "coverage", "pairs_compared", "sample_sizes"]

#: Multiply-adds that the nearest picks of all sets, and the search for duplicates among them and among all rows, may
#: take: less than a second on two cores. Fixed, so that no figure depends on how fast a machine is.
_NEAREST_WORK: Final = 1.2e11
_DUPLICATES_WORK: Final = 3e10
#: Rows of the sample: the fewest, whatever they take, and the most.
_FEWEST, _MOST = 500, 5_000
#: Picks checked for duplicates.
_FEWEST_PICKS, _MOST_PICKS = 250, 1_000
#: Duplicates among all rows are told where so many can be compared with all.
_FEWEST_OF_ALL: Final = 200
#: What is nearer than this share of the mean squared distance of two rows is a duplicate. Under cosine that is a
#: similarity of 0.95: rows that have nothing in common are at squared distance 2.
_DUPLICATE: Final = 0.05
_UNRELATED: Final = 2.0
_PERCENTILES: Final = (5, 25, 50, 75, 95)
#: Differences that mean nothing: of similarities and distances, as a share of how far apart rows are, and of shares.
_FLOOR: Final = 1e-3
_FLOOR_OF_SHARES: Final = 0.01


class Sizes(NamedTuple):
    """How many rows are sampled: of all rows, of the picks for duplicates, of all rows for duplicates."""

    sample: int
    picks: int
    pool: int


def sample_sizes(n: int, k: int, d: int, subsets: int = 5) -> Sizes:
    """Return how many rows are sampled beside `k` picks of `n` rows of `d` values and as many random subsets."""
    all_sets = float((1 + subsets) * k * d)
    sample = min(n, _MOST, max(_FEWEST, int(_NEAREST_WORK / all_sets)))
    picks = min(k, _MOST_PICKS, max(_FEWEST_PICKS, int(_DUPLICATES_WORK / all_sets)))
    pool = min(n, _MOST_PICKS, int(_DUPLICATES_WORK / (n * d)))
    return Sizes(sample, picks, pool if pool >= min(n, _FEWEST_OF_ALL) else 0)


def pairs_compared(n: int, k: int, d: int, subsets: int = 5) -> int:
    """Return how many pairs of rows are compared."""
    sizes = sample_sizes(n, k, d, subsets)
    return (1 + subsets) * (sizes.sample + sizes.picks) * k + sizes.pool * n


@dataclass(frozen=True)
class Coverage:
    """How well picks represent all rows.

    Attributes
    ----------
    figures
        `coverage`: the mean similarity of a row and its nearest pick, 0 where that is negative (facility location; not
        under ``sqeuclidean``). `distance_p5` to `distance_p95`: percentiles of the distance to the nearest pick, which
        is 1 less the cosine, or Euclidean; under ``dot`` `similarity_p5` to `similarity_p95` instead. `radius`: the
        largest such distance (not under ``dot``). `duplicates`: the share of picks with another pick next to them.
    facts
        What was sampled, and the share of all rows with another row next to them.
    """

    figures: dict[str, Figure]
    facts: dict[str, Any]


def coverage(
    comparison: Comparison,
    matrix: Matrix,
    subsets: list[NDArray[np.int64]],
    sampler: Sampler,
    split: ProgressSplitter,
) -> Coverage:
    """Measure how well the picks, and the random subsets, represent all rows."""
    sizes = sample_sizes(comparison.n, len(comparison.picks), matrix.d, len(subsets))
    sample = sampler.of_all(sizes.sample)
    sets = [comparison.picks, *subsets]
    values = [_nearest(comparison, matrix, sample, members, split) for members in sets]
    spread = _spread(matrix, sample)
    threshold = _DUPLICATE * spread
    sampled = [sampler.of(members, sizes.picks) for members in sets]
    shares = [
        _duplicates(comparison, matrix, rows, members, threshold, split)
        for rows, members in zip(sampled, sets, strict=True)
    ]
    # Similarities under ``dot`` are as large as squared distances.
    unit = {"cosine": 1.0, "sqeuclidean": math.sqrt(spread), "dot": spread}[matrix.metric]
    duplicates = Figure.of(shares, "less", 0.0, _FLOOR_OF_SHARES)
    figures = {**_figures(matrix.metric, values, _FLOOR * unit), "duplicates": duplicates}
    facts: dict[str, Any] = {"metric": matrix.metric, "sample": len(sample), "sample_of_picks": sizes.picks}
    if sizes.pool:
        rows, everything = sampler.of_all(sizes.pool), np.arange(comparison.n)
        share = _duplicates(comparison, matrix, rows, everything, threshold, split)
        facts |= {"duplicates_of_all": rounded(share), "sample_for_duplicates_of_all": sizes.pool}
    return Coverage(figures, facts)


def _nearest(
    comparison: Comparison,
    matrix: Matrix,
    sample: NDArray[np.int64],
    members: NDArray[np.int64],
    split: ProgressSplitter,
) -> NDArray[np.float64]:
    """Return how near each row of the sample is to its nearest member, ascending."""
    progress = split.next(len(sample) * len(members))
    found = kernels.nearest_members(matrix, sample, members, threads=comparison.threads, progress=progress)
    return np.sort(found.values).astype(np.float64)


def _duplicates(
    comparison: Comparison,
    matrix: Matrix,
    rows: NDArray[np.int64],
    members: NDArray[np.int64],
    threshold: float,
    split: ProgressSplitter,
) -> float:
    """Return which share of the rows, which are members, have another member next to them."""
    progress = split.next(len(rows) * len(members))
    if len(members) < 2:
        return 0.0
    found = kernels.nearest_members(
        matrix, rows, members, include_self=False, by_distance=True, threads=comparison.threads, progress=progress
    )
    return np.count_nonzero(found.values <= threshold) / len(rows)


def _spread(matrix: Matrix, sample: NDArray[np.int64]) -> float:
    """Return the mean squared distance of two rows."""
    if matrix.metric == "cosine":
        return _UNRELATED
    values = matrix.take(sample).astype(np.float64)
    # Sums over rows go one row after the other, so they are the same on every machine, and so is fsum.
    middle = values.sum(axis=0) / len(values)
    return 2 * math.fsum(np.square(values - middle).sum(axis=0)) / len(values)


def _figures(metric: Metric, values: list[NDArray[np.float64]], floor: float) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    if metric != "sqeuclidean":
        best = 1.0 if metric == "cosine" else None
        figures["coverage"] = Figure.of([mean(np.maximum(near, 0.0).tolist()) for near in values], "more", best, floor)
    if metric == "dot":
        return figures | {
            f"similarity_p{percent}": Figure.of([_percentile(near, percent) for near in values], "more", None, floor)
            for percent in _PERCENTILES
        }
    away = [np.sqrt(near) if metric == "sqeuclidean" else np.maximum(0.0, 1.0 - near[::-1]) for near in values]
    figures["radius"] = Figure.of([float(far[-1]) for far in away], "less", 0.0, floor)
    return figures | {
        f"distance_p{percent}": Figure.of([_percentile(far, percent) for far in away], "less", 0.0, floor)
        for percent in _PERCENTILES
    }


def _percentile(ascending: NDArray[np.float64], percent: int) -> float:
    """Return the least value that so many per cent of all do not exceed."""
    return float(ascending[max(0, -(-percent * len(ascending) // 100) - 1)])
