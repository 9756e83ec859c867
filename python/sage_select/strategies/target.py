"""Target: the rows nearest to a set of queries."""

from __future__ import annotations

import numpy as np

from sage_select import kernels
from sage_select.columns import Reason
from sage_select.errors import UsageError
from sage_select.ops import Select
from sage_select.strategies.base import Picks, Pool
from sage_select.strategies.wish import Wish

__all__ = ["target"]


def target(pool: Pool, wish: Wish, select: Select) -> Picks:
    """Pick the rows nearest to the queries: in turn for each, to the nearest of them, or to all on average.

    The selection that did best in the largest comparison so far took rows in turn (RDS+, Ivison et al. 2025, arXiv
    2503.01807), where the queries were like the tasks to come. One narrow set of queries cost it 9 points of the
    average over other tasks.
    """
    if pool.queries is None:
        raise UsageError("strategy 'target' needs queries", hint="name them with --queries or --query-column")
    found = kernels.target_match(
        pool.need_matrix(),
        pool.queries,
        wish.count,
        rule=select.target_rule,
        **wish.terms,
        threads=pool.threads,
        progress=pool.progress,
    )
    matched = found.queries[found.queries >= 0]
    evidence = {
        "queries": len(pool.queries),
        "queries_with_a_row": len(np.unique(matched)) if len(matched) else 0,
    }
    return Picks(
        found.indices,
        found.gains,
        ((Reason.TARGET, len(found.indices)),),
        evidence if select.target_rule != "mean" else {"queries": len(pool.queries)},
    )
