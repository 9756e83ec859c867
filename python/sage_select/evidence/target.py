"""How near the picks are to the queries that they were to match."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.evidence.comparison import Comparison
from sage_select.evidence.figure import Figure, mean
from sage_select.evidence.random_subsets import SUBSETS
from sage_select.kernels import Matrix

__all__ = ["FIGURES", "near_queries"]

#: Multiply-adds that queries and picks may take; fixed, so that no figure depends on how fast a machine is.
_WORK: Final = 6e10
_FEWEST: Final = 50
#: A difference of cosine similarities that means nothing.
_FLOOR: Final = 1e-3

#: The figures, and what users know them by: similarities, or distances under ``sqeuclidean``.
FIGURES: Final = {
    "query_similarity": "similarity of the queries to their nearest pick",
    "pick_similarity": "similarity of the picks to their nearest query",
    "query_distance": "distance of the queries from their nearest pick",
    "pick_distance": "distance of the picks from their nearest query",
}


def near_queries(
    comparison: Comparison, matrix: Matrix, queries: NDArray[Any], subsets: list[NDArray[np.int64]]
) -> dict[str, Figure]:
    """Return how near queries are to their nearest pick, and picks to their nearest query, on average.

    Queries beyond what the work allows are passed over evenly: at least 50 are compared.
    """
    pairs = 2.0 * (1 + SUBSETS) * len(comparison.picks) * matrix.d
    count = min(len(queries), max(_FEWEST, int(_WORK / pairs)))
    sample = np.asarray(queries)[np.linspace(0, len(queries) - 1, count).astype(np.int64)]
    found = [list(_both_ways(comparison, matrix, sample, rows)) for rows in (comparison.picks, *subsets)]
    of_queries, of_picks = ([means[way] for means in found] for way in (0, 1))
    if matrix.metric == "sqeuclidean":
        return {"query_distance": Figure.of(of_queries, "less"), "pick_distance": Figure.of(of_picks, "less")}
    floor = _FLOOR if matrix.metric == "cosine" else 0.0
    return {
        "query_similarity": Figure.of(of_queries, "more", floor=floor),
        "pick_similarity": Figure.of(of_picks, "more", floor=floor),
    }


def _both_ways(
    comparison: Comparison, matrix: Matrix, queries: NDArray[Any], rows: NDArray[np.int64]
) -> Iterator[float]:
    """Yield the mean over the queries of the nearest row, and over the rows of the nearest query."""
    together = np.concatenate([queries.astype(np.float32, copy=False), matrix.take(rows)])
    both = Matrix.from_array(together, metric=matrix.metric, name="queries", threads=comparison.threads)
    first, others = np.arange(len(queries)), np.arange(len(queries), len(together))
    for of, members in ((first, others), (others, first)):
        values = kernels.nearest_members(both, of, members, threads=comparison.threads).values.astype(np.float64)
        yield mean((np.sqrt(values) if matrix.metric == "sqeuclidean" else values).tolist())
