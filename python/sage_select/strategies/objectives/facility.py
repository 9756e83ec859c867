"""Facility location: rows that represent all others."""

from __future__ import annotations

from sage_select import kernels
from sage_select.ops import Select
from sage_select.strategies.base import Pool
from sage_select.strategies.objectives.base import Found
from sage_select.strategies.objectives.similarities import over_similarities
from sage_select.strategies.wish import Wish

__all__ = ["facility"]


def facility(pool: Pool, wish: Wish, select: Select) -> Found:
    """Pick greedily for f(S) = sum over rows i of max over s in S of max(0, sim(i, s)).

    At least 1 - 1/e of the best value (Nemhauser et al. 1978), where all pairs are held.
    """
    return over_similarities(kernels.facility_location, pool, wish, select)
