"""What a policy is: its options, what it needs, and which rows stay."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.declare.faults import fault
from sage_select.declare.registry import Registry
from sage_select.declare.settings import Settings
from sage_select.replay.rows import ReplayRows

__all__ = ["POLICIES", "Candidates", "Membership", "Policy", "check_membership", "policy"]


@dataclass(frozen=True)
class Candidates:
    """The rows that a policy chooses from: those of the buffer, and after them those that are offered.

    Attributes
    ----------
    there, offered
        The rows of the buffer, and those that are offered; none is there twice.
    capacity
        How many may stay.
    seed
        The seed of the buffer.
    update
        The number of this update, from 1.
    state
        What the policy returned with the update before; empty at first.
    payload
        Function without arguments to the columns of all rows.
    """

    there: ReplayRows
    offered: ReplayRows
    capacity: int
    seed: int
    update: int
    state: Mapping[str, Any]
    payload: Callable[[], pa.Table]

    @property
    def held(self) -> int:
        """How many are those of the buffer."""
        return self.there.n

    @property
    def n(self) -> int:
        """How many there are."""
        return self.there.n + self.offered.n

    @cached_property
    def rows(self) -> ReplayRows:
        """All of them: first those of the buffer."""
        return self.there.then(self.offered)


@dataclass(frozen=True)
class Membership:
    """Which rows stay.

    Attributes
    ----------
    rows
        int64: the numbers of the rows that stay, rising, at most as many as the capacity.
    state
        What the policy wants to know at the next update: a JSON object.
    reasons
        Why single rows leave, where it is for another reason than the policy's own (`Policy.leaves`).
    """

    rows: NDArray[np.int64]
    state: Mapping[str, Any] = field(default_factory=dict)
    reasons: Mapping[int, str] = field(default_factory=dict)


class Policy(Settings):
    """A rule that says which rows a buffer retains.

    Attributes
    ----------
    needs_always
        What every offered row has to have.
    leaves
        Why rows leave, as the log says it.
    rescores
        Whether a row that is there and is offered again has the new score from then on.
    mergeable
        Whether the buffers of two streams make that of both, bit for bit.
    """

    needs_always: ClassVar[frozenset[Literal["scores", "vectors", "groups"]]] = frozenset()
    leaves: ClassVar[str] = "policy"
    rescores: ClassVar[bool] = True
    mergeable: ClassVar[bool] = False

    def needs(self) -> frozenset[Literal["scores", "vectors", "groups"]]:
        """Return what every offered row has to have under these settings."""
        return self.needs_always

    def admissible(self, offered: ReplayRows, state: Mapping[str, Any], seed: int) -> NDArray[np.int64] | None:
        """Return which offered rows may stay; None for all. What others are offered with them makes no difference."""
        del offered, state, seed
        return None

    @abstractmethod
    def keep(self, candidates: Candidates) -> Membership:
        """Return which rows stay."""

    def merged_state(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the state from which the buffers of two streams are joined."""
        del other
        return one

    def without(
        self, state: Mapping[str, Any], rows: ReplayRows, words: NDArray[np.uint64], seed: int
    ) -> Mapping[str, Any]:
        """Return the state without what it tells of rows that are deleted.

        Parameters
        ----------
        rows
            Those of the buffer that stay.
        words
            The words of all rows that are deleted, there or not.
        """
        del rows, words, seed
        return state


#: All policies, by name.
POLICIES: Registry[Policy] = Registry("policy", "sage_select.replay.policies", Policy)
policy = POLICIES.register


def check_membership(kept: Any, rule: Policy, candidates: Candidates) -> None:
    """Refuse what a policy returned, where it is not some of the rows, rising and no more than may stay.

    Raises
    ------
    ResourceError
        As said: a fault of the policy.
    """
    rows: Any = kept.rows if isinstance(kept, Membership) else None
    whole = isinstance(rows, np.ndarray) and rows.ndim == 1 and rows.dtype.kind in "iu"
    if (
        not whole
        or len(rows) > candidates.capacity
        or (len(rows) and (rows[0] < 0 or rows[-1] >= candidates.n or (rows[1:] <= rows[:-1]).any()))
    ):
        raise fault(
            rule,
            "did not return rows to retain",
            expected=f"at most {candidates.capacity:,} rising whole numbers from 0 to below {candidates.n:,}",
            got=f"{rows.dtype} of shape {rows.shape}" if isinstance(rows, np.ndarray) else type(kept).__name__,
        )
