"""Selection strategies, one a file: each takes a pool of rows and says which to select, in order, and why."""

from __future__ import annotations

from sage_select.strategies.constraints import Constraints, request_of
from sage_select.strategies.picks import Picks
from sage_select.strategies.pool import Groups, Pool, take_admissible
from sage_select.strategies.request import SelectionRequest
from sage_select.strategies.strategy import STRATEGIES, Metric, Need, Strategy, strategy

__all__ = [
    "STRATEGIES",
    "Constraints",
    "Groups",
    "Metric",
    "Need",
    "Picks",
    "Pool",
    "SelectionRequest",
    "Strategy",
    "request_of",
    "strategy",
    "take_admissible",
]
