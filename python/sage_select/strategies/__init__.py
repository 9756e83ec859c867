"""Selection strategies: each takes a pool of rows and says which to keep, in order, and why."""

from __future__ import annotations

from sage_select.strategies.base import Groups, Picks, Pool, Strategy
from sage_select.strategies.constraints import wish_of
from sage_select.strategies.registry import REGISTRY, pick

__all__ = ["REGISTRY", "Groups", "Picks", "Pool", "Strategy", "pick", "wish_of"]
