"""A budget in rows: so many are picked, neither more nor fewer."""

from __future__ import annotations

import numpy as np

from sage_select.errors import UsageError
from sage_select.kernels import Limits
from sage_select.strategies.constraints.constraints import Constraints
from sage_select.strategies.constraints.quotas import Members, balanced_bounds, explicit_bounds
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest

__all__ = ["row_budget"]


def row_budget(pool: Pool, constraints: Constraints, members: Members) -> SelectionRequest:
    """Return the request for as many rows as the budget has beside those pinned.

    Raises
    ------
    UsageError
        If the pinned rows, the quota and the budget do not go together.
    """
    budget = constraints.budget.rows(pool.n - len(pool.excluded), clamp=constraints.clamp)
    if len(pool.pinned) > budget:
        raise UsageError(
            f"the {len(pool.pinned):,} pinned rows are more than the budget",
            expected=f"at most {budget:,} pinned rows",
            got=f"{len(pool.pinned):,}",
            hint=f"raise the budget to at least {len(pool.pinned):,} rows, or pin fewer",
        )
    count = budget - len(pool.pinned)
    if constraints.quota is None or pool.groups is None:
        return SelectionRequest(count, count, pool.pinned, pool.excluded, clamp=constraints.clamp)
    if constraints.quota.balanced:
        minimum, maximum = balanced_bounds(members, lambda rows: int(rows.sum()) <= budget)
    else:
        minimum, maximum = explicit_bounds(constraints.quota, members, clamp=constraints.clamp)
    needed = int(np.maximum(minimum - members.pinned, 0).sum())
    if needed > count:
        raise UsageError(
            f"quota {str(constraints.quota)!r} asks for more rows than the budget has",
            expected=f"a budget of at least {needed + len(pool.pinned):,} rows",
            got=f"{budget:,}: {len(pool.pinned):,} pinned and {count:,} more",
            hint="raise the budget or lower the quota",
        )
    possible = int(np.maximum(np.minimum(maximum, members.available) - members.pinned, 0).sum())
    if possible < count and not constraints.clamp:
        raise UsageError(
            f"quota {str(constraints.quota)!r} allows fewer rows than the budget asks for",
            expected=f"a budget of at most {possible + len(pool.pinned):,} rows",
            got=f"{budget:,}",
            hint="lower the budget, raise the quota, or pass --clamp (clamp=True) to take those it allows",
        )
    count = min(count, possible)
    limits = Limits(
        max_rows=count + len(pool.pinned), groups=pool.groups.of, min_per_group=minimum, max_per_group=maximum
    )
    return SelectionRequest(count, count, pool.pinned, pool.excluded, limits, constraints.clamp)
