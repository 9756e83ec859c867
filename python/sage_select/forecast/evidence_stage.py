"""The costs of the comparison with random rows."""

from __future__ import annotations

from typing import Final

from sage_select.evidence.coverage import members_met, pairs_compared, sample_sizes
from sage_select.evidence.draws import SUBSETS
from sage_select.evidence.spread import LENGTHS_OF_ALL, LENGTHS_OF_SUBSET
from sage_select.forecast.costs import Costs
from sage_select.forecast.stage import Stage
from sage_select.forecast.workload import Workload

__all__ = ["evidence"]

#: 16 bytes for the id of a row as the kernels take it; three hashes of it; which rows are members.
_DRAWN: Final = 16 + 3 * 8 + 1
#: Members that are copied at one time, at most; a value of them in float32, and twice in int16.
_COPIED: Final = 32_768
_MEMBER: Final = 4 + 2 * 2
_NANO: Final = 1e-9


def evidence(work: Workload, costs: Costs) -> Stage:
    """Return what it costs to compare the selection with random subsets."""
    n, k = work.rows, work.kept
    if k == 0:
        return Stage("evidence")
    words = work.table.words * min(n, k + SUBSETS * min(k, LENGTHS_OF_SUBSET) + LENGTHS_OF_ALL)
    nanoseconds = n * (2 * costs.hash_ns + SUBSETS * costs.top_k_ns) + words * costs.words_ns
    memory = _DRAWN * n + 8.0 * k * (1 + SUBSETS)
    if work.vectors is not None and k < n:
        d = work.vectors.dimensions
        compared = pairs_compared(n, k, d) * costs.assign_ns + members_met(n, k, d) * costs.member_ns
        nanoseconds += costs.kernel(compared * d, work.threads)
        sizes = sample_sizes(n, k, d)
        memory += (4.0 * d + 72) * sizes.sample + _MEMBER * d * min(_COPIED, n if sizes.pool else k)
    return Stage("evidence", memory, words, 0.0, 0.0, nanoseconds * _NANO)
