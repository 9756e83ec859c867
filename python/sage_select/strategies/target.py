"""Target: the rows nearest to a set of queries."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import numpy as np

from sage_select import kernels
from sage_select.columns import Reason
from sage_select.declare.option import Option
from sage_select.errors import UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.strategies.picks import Picks
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest
from sage_select.strategies.strategy import Metric, Strategy, strategy
from sage_select.values.location import FilePath

__all__ = ["Target"]

#: How many rows the kernel compares together.
_PART: Final = 8192


@strategy(
    "target",
    place=30,
    needs_always=frozenset({"vectors"}),
    nested=True,
    another_order="which of equally near rows",
    evidence_of_picks=frozenset({"queries_with_a_row"}),
)
class Target(Strategy):
    """The rows nearest to a set of queries.

    The selection that did best in the largest comparison so far took rows in turn (RDS+, Ivison et al. 2025, arXiv
    2503.01807), where the queries were like the tasks to come. One narrow set of queries cost it 9 points of the
    average over other tasks.
    """

    queries: Annotated[
        FilePath,
        Option(
            "rows like those of INPUT to look for, or vectors of the encoder of --embeddings (.npy)",
            metavar="FILE",
            one_of="queries",
        ),
    ] = None
    query_column: Annotated[
        str | None, Option("a column that is true for rows of INPUT which are the queries", one_of="queries")
    ] = None
    target_rule: Annotated[
        Literal["round_robin", "max", "mean"],
        Option("round_robin (each query in turn), max (the nearest query counts) or mean (all do)"),
    ] = "round_robin"
    metric: Metric = "cosine"

    def resolved(self, *, scored: bool) -> Target:
        """Return this, where it has queries.

        Raises
        ------
        UsageError
            Where it has none.
        """
        del scored
        if self.queries is None and self.query_column is None:
            raise UsageError("strategy 'target' needs queries", hint="name them with --queries or --query-column")
        return self

    def pick(self, request: SelectionRequest, pool: Pool) -> Picks:
        """Pick the rows nearest to the queries: in turn for each, to the nearest of them, or to all on average."""
        if pool.queries is None:
            raise UsageError("strategy 'target' needs queries", hint="name them with --queries or --query-column")
        found = kernels.target_match(
            pool.need_matrix(),
            pool.queries,
            request.for_kernels,
            rule=self.target_rule,
            threads=pool.threads,
            progress=pool.progress,
        )
        matched = found.queries[found.queries >= 0]
        facts = {"queries": len(pool.queries)}
        if self.target_rule != "mean":
            facts["queries_with_a_row"] = len(np.unique(matched)) if len(matched) else 0
        return Picks(found.indices, found.gains, ((Reason.TARGET, len(found.indices)),), facts)

    def cost(self, size: Size) -> Cost:
        """Return the memory of a part of the rows in int16; how long it takes depends on the number of queries."""
        return Cost(2.0 * size.d * min(size.n, _PART) + 12.0 * size.n, None)

    def describe(self) -> str:
        """Return which queries rows are matched with, and how."""
        queries = self.queries or (f"column {self.query_column!r}" if self.query_column else "the queries given")
        return f"the rows nearest to {queries} ({self.metric}, {self.target_rule.replace('_', ' ')})"
