"""Where each row stands in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from sage_select.data import Dataset
from sage_select.declare.settings import Choice
from sage_select.errors import UsageError
from sage_select.orders import ORDERS, OrderRule
from sage_select.orders.random import Random
from sage_select.orders.rule import check_arrangement
from sage_select.pipeline.cost import Cost, Size, in_turn
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage, stage
from sage_select.seeds import stage_key
from sage_select.strategies.pool import HASHED_BYTES

__all__ = ["Order"]


@stage("order", place=70, effect="reorders", by_default=True, keywords="named")
class Order(Stage):
    """Where each row stands in training, by a rule.

    Attributes
    ----------
    order
        The rule: a shuffle where nothing else is said, never the order of the picks, which would put the hardest rows
        first.
    """

    order: Annotated[OrderRule, Choice(ORDERS, "random", "the rule of training order")]

    def needs(self) -> frozenset[str]:
        """Return what the rule needs of every row."""
        return frozenset(self.order.needs_always)

    def marks(self) -> frozenset[str]:
        """Return what it writes to rows: their places, and their phases, null where the rule has none."""
        return frozenset({"position", "phase"})

    def refuse_later(self, later: Sequence[Stage]) -> None:
        """Refuse another order after this one, and rows that leave after it where that would undo it.

        Raises
        ------
        UsageError
            As said.
        """
        super().refuse_later(later)
        leaving = next((step for step in later if step.effect_here == "drops" and not step.idle), None)
        if leaving is not None and not self.order.nested:
            raise UsageError(
                f"{leaving.name} comes after order {self.order.name!r}, which holds for all rows together alone",
                expected=f"order after {leaving.name}",
                hint="move the order step behind it, before the sink",
            )

    def check_input(self, data: Dataset) -> None:
        """Refuse what the rule cannot work on."""
        self.order.check_input(data)

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows with their position and phase; where hashes are equal, the row picked earlier comes first."""
        rank = data.feature("rank")
        hashes = data.hashes(stage_key(run.seed, "order"))
        shuffle = np.lexsort((np.arange(data.n) if rank is None else rank, hashes))
        # No rule changes what others, and the ties of this one, go by.
        shuffle.setflags(write=False)
        if data.n == 1 and not isinstance(self.order, Random):
            run.reporter.notice(f"order {self.order.name}: there is one row, and nothing to order")
        arranged = self.order.arrange(shuffle, data, run)
        check_arrangement(arranged, self.order, data.n)
        positions = np.empty(data.n, np.int64)
        positions[arranged.rows] = np.arange(data.n)
        placed = data.with_feature("position", positions)
        if arranged.phases is None:
            return placed
        phases = np.empty(data.n, np.int32)
        phases[arranged.rows] = arranged.phases
        return placed.with_feature("phase", phases)

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size; a column that is not there is refused, where it could not be in rows not looked at."""
        if size.source is None or not size.source.may_bring_columns:
            self.check_input(data)
        return size

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of a hash a row, of sorting them, and of the rule."""
        shuffled = Cost((HASHED_BYTES + 24) * size.n, size.seconds(rows=2 * size.n), 8.0 * size.n)
        return in_turn(shuffled, self.order.cost(size))

    def describe(self) -> str:
        """Return the rule."""
        said = self.order.describe()
        return said if isinstance(self.order, Random) else f"{self.order.name}: {said}"
