"""What an objective of diversity is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sage_select import kernels
from sage_select.ops import Select
from sage_select.strategies.base import Pool
from sage_select.strategies.wish import Wish

__all__ = ["Found", "Objective"]

#: What was picked, and facts for the manifest.
Found = tuple[kernels.Greedy, Mapping[str, Any]]


class Objective(Protocol):
    """A rule that picks the rows of a wish, aware of those that are given."""

    def __call__(self, pool: Pool, wish: Wish, select: Select, /) -> Found:
        """Return the picks, none of them given."""
        ...
