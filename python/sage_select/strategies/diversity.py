"""Diversity: rows that represent all others, lie far apart, are hard and unlike, or span much."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import model_validator

from sage_select.columns import Reason
from sage_select.declare.faults import fault
from sage_select.declare.settings import Choice
from sage_select.kernels import Greedy
from sage_select.pipeline.cost import Cost, Size
from sage_select.strategies.objectives import OBJECTIVES, Objective
from sage_select.strategies.picks import Picks
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest
from sage_select.strategies.strategy import Metric, Need, Strategy, strategy

__all__ = ["ByDiversity", "Diversity"]


class ByDiversity(Strategy):
    """A rule that picks rows for their diversity, all or some of them."""

    objective: Annotated[Objective, Choice(OBJECTIVES, "facility", "what diversity maximises")]
    metric: Metric = "cosine"

    @model_validator(mode="after")
    def _metric_fits(self) -> ByDiversity:
        metrics = self.objective.metrics
        if self.metric not in metrics:
            raise ValueError(f"{self.objective.label} needs metric {' or '.join(metrics)}, not {self.metric!r}")
        return self

    def needs(self) -> frozenset[Need]:
        """Return what every row has to have, the needs of the objective among them."""
        return super().needs() | self.objective.needs_always

    def not_nested_reason(self, n: int, facts: Mapping[str, Any]) -> str:
        """Return why a smaller budget would not pick the first of these rows, where it would not."""
        return super().not_nested_reason(n, facts) or self.objective.not_nested_reason(n, facts)

    def in_positions(self, position: Callable[[int, str], int]) -> Strategy:
        """Return the rule with the start of its objective as a place among the rows to choose from."""
        objective = self.objective.in_positions(position)
        return self if objective is self.objective else self.model_copy(update={"objective": objective})

    def describe_diversity(self) -> str:
        """Return the objective, the metric and the options that decide what is picked."""
        said = self.objective.describe()
        return f"{self.objective.name} ({', '.join([self.metric, *([said] if said else [])])})"

    def by_diversity(self, request: SelectionRequest, pool: Pool) -> Picks:
        """Pick by the objective, aware of the rows that are preselected."""
        found = self.objective.pick(request, pool)
        fine = isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], Greedy)
        if not fine or not isinstance(found[1], Mapping):
            expected = "(Greedy(rows, gains, how many pairs were compared, method), facts)"
            raise fault(self.objective, "did not return its picks", expected=expected, got=type(found).__name__)
        greedy, facts = found
        evidence = {"objective": self.objective.name, "objective_method": greedy.method, **facts}
        return Picks(greedy.indices, greedy.gains, ((Reason.DIVERSITY, len(greedy.indices)),), evidence)


@strategy(
    "diversity",
    place=20,
    needs_always=frozenset({"vectors"}),
    nested=True,
    another_order="what it changes in the objective",
    after_preselected=True,
)
class Diversity(ByDiversity):
    """The rows that represent all others."""

    def pick(self, request: SelectionRequest, pool: Pool) -> Picks:
        """Pick by the objective alone."""
        return self.by_diversity(request, pool)

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of the objective."""
        return self.objective.cost(size)

    def describe(self) -> str:
        """Return the objective with its options."""
        return self.describe_diversity()
