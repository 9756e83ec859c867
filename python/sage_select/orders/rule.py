"""What a rule of training order is: its options, what it needs, and the rows in its order."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from sage_select.data import Dataset
from sage_select.declare.faults import fault
from sage_select.declare.registry import Registry
from sage_select.declare.settings import Settings
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run

__all__ = ["ORDERS", "Arrangement", "OrderRule", "check_arrangement", "order", "said_if_equal", "sorted_by"]

_NO_ORDER: Final = "did not return an order of the rows"
_MOST_PHASES: Final = 2**31


@dataclass(frozen=True)
class Arrangement:
    """Rows in training order.

    Attributes
    ----------
    rows
        int64 (n,): all rows by their numbers among those that are in, the one trained first before all others.
    phases
        int32 (n,): the phase of each of `rows`, from 0 and never falling; None where the rule has no phases.
    """

    rows: NDArray[np.int64]
    phases: NDArray[np.int32] | None = None


class OrderRule(Settings):
    """A rule that says in which order rows are trained.

    Attributes
    ----------
    needs_always
        What every row has to have.
    shuffles
        Whether it is the shuffle and nothing else.
    nested
        Whether some of the rows stand to one another as they do among all, so that rows may leave afterwards and
        `top` can serve a smaller budget.
    """

    needs_always: ClassVar[frozenset[Literal["scores", "vectors"]]] = frozenset()
    shuffles: ClassVar[bool] = False
    nested: ClassVar[bool] = False

    @abstractmethod
    def arrange(self, shuffle: NDArray[np.int64], data: Dataset, run: Run) -> Arrangement:
        """Return all rows in training order.

        Parameters
        ----------
        shuffle
            int64 (n,): the rows shuffled by a hash that is keyed by the seed and the id of each row. Whoever
            breaks ties by it (`sorted_by`) depends on no order of the input.
        data
            The rows, with what `needs_always` names.
        run
            `run.reporter.notice` says where the rule can do nothing sensible; `run.seed` is the seed.
        """

    def check_input(self, data: Dataset) -> None:
        """Refuse rows that the rule cannot work on, before anything costly runs: those of the input, or its first."""

    def cost(self, size: Size) -> Cost | None:
        """Return what it takes beside the shuffle; None where that is not known."""
        del size
        return None


#: All rules of training order, by name.
ORDERS: Registry[OrderRule] = Registry("order", "sage_select.orders", OrderRule)
order = ORDERS.register


def sorted_by(values: NDArray[Any], shuffle: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows by their value, the lowest first; equal ones stand as in the shuffle.

    Examples
    --------
    >>> sorted_by(np.array([2, 1, 2]), np.array([2, 1, 0])).tolist()
    [1, 2, 0]
    """
    return shuffle[np.argsort(values[shuffle], kind="stable")]


def said_if_equal(rule: OrderRule, values: NDArray[Any], what: str, run: Run) -> None:
    """Say that the order is a shuffle, where all rows have the same value."""
    if len(values) > 1 and values.min() == values.max():
        run.reporter.notice(f"order {rule.name}: all {len(values):,} rows have the same {what}: the order is a shuffle")


def check_arrangement(arranged: Any, rule: OrderRule, n: int) -> None:
    """Refuse what a rule returned, where it is not each of `n` rows once, and a phase for each.

    Raises
    ------
    ResourceError
        As said: a fault of the rule.
    """
    if not isinstance(arranged, Arrangement):
        raise fault(rule, _NO_ORDER, expected="Arrangement(rows)", got=type(arranged).__name__)
    rows, phases = arranged.rows, arranged.phases
    whole = isinstance(rows, np.ndarray) and rows.dtype.kind in "iu" and rows.shape == (n,)
    if not whole or not np.array_equal(np.sort(rows), np.arange(n)):
        got = f"{rows.dtype} of shape {rows.shape}" if isinstance(rows, np.ndarray) else type(rows).__name__
        raise fault(rule, _NO_ORDER, expected=f"the whole numbers from 0 to below {n:,}, each once", got=got)
    if phases is None:
        return
    whole = isinstance(phases, np.ndarray) and phases.dtype.kind in "iu" and phases.shape == (n,)
    if not whole or (n and not 0 <= phases[0] <= phases[-1] < _MOST_PHASES) or np.any(phases[1:] < phases[:-1]):
        expected = f"int32 of shape ({n},), from 0 and never falling from one row to the next"
        got = f"{phases.dtype} of shape {phases.shape}" if isinstance(phases, np.ndarray) else type(phases).__name__
        raise fault(rule, "did not return the phases of its order", expected=expected, got=got)
