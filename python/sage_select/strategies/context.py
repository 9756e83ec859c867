"""Rows that are labelled already, put beside those to pick from: they count for the objective and for no limit."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from sage_select.kernels import Limits, Matrix
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest

__all__ = ["with_context"]


def with_context(pool: Pool, request: SelectionRequest) -> tuple[Pool, SelectionRequest]:
    """Return a pool and a request in which the rows that are labelled already are preselected.

    Those that are no rows of the pool stand behind its own, so that all numbers of rows stay. They count for no budget
    and no quota: they cost nothing, and are a group of their own without bounds. Their vectors are copied behind those
    of the pool, 4 (n + m) d bytes, where there are such rows.
    """
    own, context = pool.preselected, pool.context
    more = 0 if context is None else len(context.vectors)
    if not len(own) and not more:
        return pool, request
    n = pool.n
    rows = np.concatenate([own, np.arange(n, n + more)])
    asked = dataclasses.replace(
        request,
        preselected=np.concatenate([request.preselected, rows]),
        excluded=np.setdiff1d(request.excluded, own),
        limits=None if request.limits is None else _limits(request.limits, own, more),
    )
    return (pool if context is None or not more else _longer(pool, more)), asked


def _longer(pool: Pool, more: int) -> Pool:
    context, matrix = pool.context, pool.need_matrix()
    if context is None:
        raise RuntimeError("there are no rows to put behind the pool")
    vectors = np.concatenate([matrix.take(np.arange(pool.n)), context.vectors])
    vectors.flags.writeable = False
    own, others = pool.hashes, context.hashes

    def hashes(key: int) -> NDArray[np.uint64]:
        return np.concatenate([own(key), others(key)])

    return dataclasses.replace(
        pool,
        n=pool.n + more,
        hashes=hashes,
        matrix=Matrix.from_array(vectors, metric=matrix.metric, name=matrix.name, threads=pool.threads),
    )


def _limits(limits: Limits, own: NDArray[np.int64], more: int) -> Limits:
    found = (
        limits if limits.max_rows is None else dataclasses.replace(limits, max_rows=limits.max_rows + len(own) + more)
    )
    if limits.costs is not None:
        costs = np.concatenate([limits.costs, np.zeros(more, limits.costs.dtype)])
        costs[own] = 0
        found = dataclasses.replace(found, costs=costs)
    if limits.groups is not None and limits.max_per_group is not None:
        apart = len(limits.max_per_group)
        groups = np.concatenate([limits.groups, np.full(more, apart, limits.groups.dtype)])
        groups[own] = apart
        least = limits.min_per_group
        found = dataclasses.replace(
            found,
            groups=groups,
            min_per_group=None if least is None else np.append(least, 0),
            max_per_group=np.append(limits.max_per_group, len(own) + more),
        )
    return found
