"""What an objective of diversity is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from sage_select import kernels
from sage_select.declare.registry import Registry
from sage_select.declare.settings import Settings
from sage_select.pipeline.cost import Cost, Size
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest
from sage_select.strategies.strategy import Need

__all__ = ["OBJECTIVES", "SUMS", "Found", "Objective", "objective"]

#: What was picked, and facts for the manifest.
Found = tuple[kernels.Greedy, Mapping[str, Any]]
#: What another order of the rows may change where gains are sums over all rows: these are rounded, in their order.
SUMS = "which of nearly equally good rows"


class Objective(Settings):
    """What the rows picked for diversity maximise together, over the vectors of all rows.

    Attributes
    ----------
    metrics
        The metrics under which it means something.
    needs_always
        What every row has to have beside its vector.
    nested, another_order, evidence_of_picks
        As of a strategy.
    """

    metrics: ClassVar[tuple[kernels.Metric, ...]] = ("cosine",)
    needs_always: ClassVar[frozenset[Need]] = frozenset()
    nested: ClassVar[bool] = False
    another_order: ClassVar[str] = "which of equally good rows"
    evidence_of_picks: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def declaration_problem(cls) -> tuple[str, str | None] | None:
        """Return what is wrong with the declaration of an objective, and what is expected."""
        return None if cls.metrics else ("has no metrics", "one or more under which it means something")

    @abstractmethod
    def pick(self, request: SelectionRequest, pool: Pool) -> Found:
        """Return the requested picks, aware of the rows preselected, none of which is picked again."""

    def cost(self, size: Size) -> Cost | None:
        """Return what `size.k` picks take, `size.preselected` before them; None where that is not known."""
        del size
        return None

    def in_positions(self, position: Callable[[int, str], int]) -> Objective:
        """Return the objective with options that name rows of the input naming places, as `Strategy.in_positions`."""
        del position
        return self

    def not_nested_reason(self, n: int, facts: Mapping[str, Any]) -> str:
        """Return why a smaller budget would not pick the first of these rows; empty where it would."""
        del n, facts
        return "" if self.nested else f"{self.name} promises nothing about smaller budgets"


#: All objectives, by name.
OBJECTIVES: Registry[Objective] = Registry("objective", "sage_select.strategies.objectives", Objective)
objective = OBJECTIVES.register
