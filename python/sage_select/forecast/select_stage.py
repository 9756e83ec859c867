"""The costs of the selection, by strategy and objective."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sage_select.forecast.costs import Costs
from sage_select.forecast.stage import Stage
from sage_select.forecast.workload import Workload
from sage_select.strategies.by_score import MOST_CELLS
from sage_select.strategies.cells import CELLS, Training
from sage_select.strategies.objectives.kcenter import OUTLIER_CELLS, outliers
from sage_select.strategies.objectives.kmeans import MEDOID_CELLS, MOST_MEDOIDS
from sage_select.strategies.objectives.similarities import DENSE_LIMIT, GRAPH_CELLS, graph_cells
from sage_select.strategies.wish import rounded_share

__all__ = ["OBJECTIVE_COSTS", "Part", "clustered", "select"]

#: 16 bytes for the id of a row as the kernels take it, 8 for its hash.
_HASHED: Final = 24
#: A row in the heap of greedy picks, with its gain; an edge of the graph.
_CANDIDATE: Final = 16
_EDGE: Final = 8
#: Rows whose exact neighbours are looked for, to tell the recall of the graph.
_RECALL_ROWS: Final = 256
#: From so many picks on, k-center keeps them in groups.
_MANY_PICKS: Final = 4000
#: Queries where their number is not known before they are read.
_QUERIES: Final = 100
#: By how much an estimated number of rows may be too large.
_DOUBT: Final = 0.2
_NANO: Final = 1e-9


@dataclass(frozen=True)
class Part:
    """Bytes and nanoseconds of a part of the selection."""

    bytes: float = 0.0
    ns: float = 0.0

    def worst(self, other: Part) -> Part:
        """Return what is enough for either."""
        return Part(max(self.bytes, other.bytes), max(self.ns, other.ns))

    def then(self, other: Part) -> Part:
        """Return both, one after the other: the first leaves nothing."""
        return Part(max(self.bytes, other.bytes), self.ns + other.ns)


def select(work: Workload, costs: Costs) -> Stage:
    """Return what the strategy costs."""
    n, k, op = work.rows, work.kept, work.select
    if op.strategy == "random":
        part = Part(_HASHED * n, n * costs.hash_ns)
    elif op.strategy == "loss_topk":
        part = _by_score(work, costs, k)
    elif op.strategy == "diversity":
        part = OBJECTIVE_COSTS[op.objective](work, costs, k, 0)
    elif op.strategy == "target":
        part = _target(work, costs)
    elif op.strategy == "threshold":
        part = _by_score(work, costs, n).then(_threshold(work, costs, k))
    else:
        given = rounded_share(op.score_share, k)
        part = _by_score(work, costs, given).then(OBJECTIVE_COSTS[op.objective](work, costs, k - given, given))
    return Stage("select", part.bytes + 12.0 * k, 0.0, 0.0, 0.0, part.ns * _NANO)


def _by_score(work: Workload, costs: Costs, count: int) -> Part:
    if work.select.by_score != "stratified" or count == 0:
        return Part((4.0 if count < work.rows else 20.0) * work.rows, work.rows * costs.top_k_ns)
    cells = min(count, MOST_CELLS)
    return _divided(work, costs, cells, CELLS)


def _target(work: Workload, costs: Costs) -> Part:
    """Return the costs of matching: every row beside every query, of which there may be many more than is known."""
    n, d = work.rows, _dimensions(work)
    queries = 1 if work.select.target_rule == "mean" else _QUERIES
    return Part(2.0 * d * n + 12.0 * n, _kernel(work, costs, float(n) * queries * d * costs.assign_ns))


def _threshold(work: Workload, costs: Costs, k: int) -> Part:
    """Return the costs of the filter, where about as many rows are too near as are kept."""
    n, d = work.rows, _dimensions(work)
    looked = min(n, 2 * k)
    return Part(2.0 * d * k + 33.0 * n, _kernel(work, costs, float(looked) * k * d * costs.assign_ns))


def clustered(work: Workload, costs: Costs, cells: int, training: Training) -> Part:
    """Return the costs of centroids: k-means on a sample."""
    n, d = work.rows, _dimensions(work)
    sample = training.sample(n, cells)
    steps = float(sample) * cells * d * training.iterations * costs.kmeans_ns
    return Part(_HASHED * n + costs.kmeans_copies * 4 * sample * d, n * costs.hash_ns + _kernel(work, costs, steps))


def _divided(work: Workload, costs: Costs, cells: int, training: Training) -> Part:
    """Return the costs of cells: centroids, then the nearest of them for each row.

    The latter needs int16 copies and labels; what looks at labels, such as scores sorted within cells, at most 32 bytes
    a row more.
    """
    n, d = work.rows, _dimensions(work)
    trained = clustered(work, costs, cells, training)
    return trained.then(Part((2.0 * d + 4 + 32) * n, _kernel(work, costs, float(n) * cells * d * costs.assign_ns)))


def _similarities(work: Workload, costs: Costs, k: int, _given: int) -> Part:
    n = work.rows
    if k == 0:
        return Part()
    if n <= DENSE_LIMIT:
        return _dense(work, costs, k)
    part = _graph(work, costs)
    if work.exact or n * (1 - _DOUBT) > DENSE_LIMIT:
        return part
    # The rows may turn out to be few enough for the other way, which needs more.
    return part.worst(_dense(work.with_rows(DENSE_LIMIT), costs, k))


def _dense(work: Workload, costs: Costs, k: int) -> Part:
    """Return the costs of all similarities."""
    n, d = work.rows, _dimensions(work)
    gains = n + costs.gains_a_pick * k
    pairs = float(n) * n / 2 * d * costs.dense_ns + gains * n * costs.gain_ns
    return Part(4.0 * n * n + (4 + 2 * _CANDIDATE) * n, _kernel(work, costs, pairs))


def _graph(work: Workload, costs: Costs) -> Part:
    """Return the costs of the graph of neighbours."""
    n, d = work.rows, _dimensions(work)
    cells, probe = graph_cells(n)
    compared = float(n) * (probe * n / cells + cells) * d * costs.join_ns
    recall = float(_RECALL_ROWS) * n * d * 2 * costs.dense_ns
    edges = float(n) * work.select.k_nn
    # Lists of neighbours, and of cells to look at, beside the int16 rows and their tiles, or FAISS's copy of the rows;
    # then lists beside the edges both ways, with where each row's begin.
    searched = _EDGE * edges + (4 * d + 4 * probe + 12) * n
    joined = 3 * _EDGE * edges + (4 + 8 + 8) * n
    greedy = 2 * _EDGE * edges + (12 + 2 * _CANDIDATE) * n
    nanoseconds = _kernel(work, costs, compared + recall) + edges * costs.edge_ns
    return clustered(work, costs, cells, GRAPH_CELLS).then(Part(max(searched, joined, greedy), nanoseconds))


def _kcenter(work: Workload, costs: Costs, k: int, given: int) -> Part:
    n, d = work.rows, _dimensions(work)
    if k == 0:
        return Part()
    swept = Part(_nearest(n, d, k), _kernel(work, costs, float(k + given) * n * d * costs.kcenter_ns))
    if outliers(work.select, n, k, given) == 0:
        return swept
    return _divided(work, costs, math.isqrt(n), OUTLIER_CELLS).then(swept)


def _mmr(work: Workload, costs: Costs, k: int, given: int) -> Part:
    n, d = work.rows, _dimensions(work)
    # The standing among the scores: sorted copies and float64 shares, of which 4 bytes a row stay.
    memory = max(24.0 * n, _nearest(n, d, k)) + 4.0 * n
    return Part(memory, _kernel(work, costs, float(k + given) * n * d * costs.mmr_ns))


def _nearest(n: int, d: int, k: int) -> float:
    """Return the bytes of a search whose keys follow from the nearest pick."""
    # With very many picks of very many rows, 8 bytes a row and 12 d a pick more.
    return (2.0 * d + 24 + 8) * n + (12.0 * d * k if k >= _MANY_PICKS else 0.0)


def _dpp(work: Workload, costs: Costs, k: int, given: int) -> Part:
    n, d = work.rows, _dimensions(work)
    picks = k + given
    inverse = 8.0 * d * picks if picks <= d / 2 else 12.0 * d * d
    memory = inverse + 4.0 * d * picks + 32.0 * n + 8.0 * n
    looked = _kernel(work, costs, float(picks) * n * d * costs.dpp_ns)
    return Part(memory, looked + 2.0 * d * min(picks, d) * picks * costs.inverse_ns)


def _herding(work: Workload, costs: Costs, k: int, given: int) -> Part:
    n, d = work.rows, _dimensions(work)
    # About three products of each row for each pick; 200 bytes a row for products taken ahead.
    products = 3.0 * (k + given) * n * d * costs.assign_ns
    return Part((2.0 * d + 200) * n, _kernel(work, costs, products))


def _d2(work: Workload, costs: Costs, k: int, given: int) -> Part:
    n, d = work.rows, _dimensions(work)
    # One look at each row for the first pick, and about as many comparisons as there are pairs of picks.
    compared = float(n) + min(float(k + given) ** 2, 2.0 * n * (k + given))
    return Part((2.0 * d + 9) * n, _kernel(work, costs, compared * d * costs.assign_ns))


def _kmeans(work: Workload, costs: Costs, k: int, given: int) -> Part:
    cells = min(k + given, MOST_MEDOIDS)
    return _d2(work, costs, cells, 0).then(_divided(work, costs, cells, MEDOID_CELLS))


def _kernel(work: Workload, costs: Costs, nanoseconds: float) -> float:
    """Return the time of multiply-adds on the threads and the instruction set that are there."""
    return costs.kernel(nanoseconds, work.threads)


def _dimensions(work: Workload) -> int:
    if work.vectors is None:
        raise RuntimeError("this strategy needs vectors")
    return work.vectors.dimensions


OBJECTIVE_COSTS: Final[dict[str, Callable[[Workload, Costs, int, int], Part]]] = {
    "facility": _similarities,
    "graph_cut": _similarities,
    "kcenter": _kcenter,
    "mmr": _mmr,
    "dpp": _dpp,
    "herding": _herding,
    "d2": _d2,
    "kmeans": _kmeans,
}
