"""The costs of finding rows that repeat others.

No look at a file tells how many rows leave: the later stages are predicted as if all stayed.
"""

from __future__ import annotations

from typing import Final

from sage_select import kernels
from sage_select.forecast.costs import Costs
from sage_select.forecast.feature_stages import used_in_file
from sage_select.forecast.select_stage import clustered
from sage_select.forecast.stage import Stage
from sage_select.forecast.workload import Workload
from sage_select.strategies.near_copies import ALL_PAIRS_LIMIT, PROBE
from sage_select.strategies.objectives.similarities import GRAPH_CELLS, graph_cells

__all__ = ["exact_copies", "near_copies"]

#: A digest in hexadecimal with its offset.
_DIGEST: Final = 36
#: For each row of the input the row that it repeats, their similarity and a mark.
_STORY: Final = 13
_NANO: Final = 1e-9


def exact_copies(work: Workload, costs: Costs) -> Stage:
    """Return what finding rows that say the same costs, and the table without them."""
    n, row = work.rows, work.table.canonical or work.table.held
    held = work.table.held * n
    # Where content names the rows, the canonical JSON is there already.
    made = costs.same_ns - (costs.canonical_ns if work.table.canonical else 0.0)
    nanoseconds = row * n * max(made, 0.0) + n * costs.id_row_ns
    leaves = held + _STORY * n
    return Stage(
        "exact copies",
        (_DIGEST + costs.id_row_bytes) * n + leaves,
        0.0,
        leaves,
        0.0,
        nanoseconds * _NANO,
    )


def near_copies(work: Workload, costs: Costs) -> Stage:
    """Return what finding near vectors costs, and the table and vectors without them."""
    if work.vectors is None:
        raise RuntimeError("near copies are found by vectors")
    n, d = work.rows, work.vectors.dimensions
    held = work.table.held * n
    # All coordinates in int16, or up to a third of them that are gathered before; what is known of each row.
    narrow = 2.0 * d * n + 40.0 * n
    trained_bytes = nanoseconds = 0.0
    if n <= ALL_PAIRS_LIMIT:
        compared = float(n) * n / 2 * d * costs.leaders_ns
    else:
        cells, _ = graph_cells(n)
        centroids = clustered(work, costs, cells, GRAPH_CELLS)
        trained_bytes, nanoseconds = centroids.bytes, centroids.ns
        narrow += (2.0 * d + 4 * PROBE) * n
        looked = float(n) * (PROBE * n / cells) * d * costs.leaders_ns
        compared = float(n) * cells * d * costs.join_ns + looked
    # Under other metrics the vectors are copied to be scaled to length 1.
    scaled = 0.0 if work.select.metric == "cosine" else 8.0 * d * n
    # The table and the vectors of the rows that stay, beside those of all; the latter go, unless they are mapped.
    taken = held + 4.0 * d * n
    leaves = _STORY * n + (4.0 * d * n if used_in_file(work) else 0.0)
    nanoseconds += compared * costs.threaded(work.threads) * costs.slower.get(kernels.instruction_set(), 1.0)
    return Stage(
        "near copies", max(trained_bytes, scaled + narrow, taken) + leaves, 0.0, leaves, 0.0, nanoseconds * _NANO
    )
