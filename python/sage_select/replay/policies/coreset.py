"""Coreset: the rows that a strategy of the selection would pick."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import numpy as np

from sage_select.declare.settings import Choice
from sage_select.kernels import Matrix, Metric
from sage_select.replay.policies.policy import Candidates, Membership, Policy, policy
from sage_select.strategies import STRATEGIES, Pool, SelectionRequest, Strategy

__all__ = ["Coreset"]

_KNOWN: Final[tuple[Literal["scores", "vectors"], ...]] = ("scores", "vectors")
_LARGEST: Final = float(np.finfo(np.float32).max)


@policy("coreset", place=60, leaves="not picked")
class Coreset(Policy):
    """The rows that a strategy picks among those there and those offered, such as SAGE's hybrid.

    What the strategy needs, scores or vectors, every row has to come with. The cost of an update is that of a selection
    from as many rows as the buffer and the update have together.
    """

    strategy: Annotated[Strategy, Choice(STRATEGIES, "hybrid", "the rule that picks rows")]

    def needs(self) -> frozenset[Literal["scores", "vectors", "groups"]]:
        """Return what the strategy needs."""
        found = {*self.strategy.needs(), *(need for one in self.strategy.members() for need in _needs(one))}
        return frozenset(need for need in _KNOWN if need in found)

    def keep(self, candidates: Candidates) -> Membership:
        """Return the picks."""
        rows = candidates.rows
        if rows.n <= candidates.capacity:
            return Membership(np.arange(rows.n))
        needs = self.needs()
        metric: Metric = getattr(self.strategy, "metric", "cosine")
        vectors = rows.vectors if "vectors" in needs else None
        pool = Pool(
            n=rows.n,
            seed=candidates.seed,
            hashes=rows.keyed,
            difficulty=np.clip(rows.scores, -_LARGEST, _LARGEST).astype(np.float32) if "scores" in needs else None,
            matrix=None if vectors is None else Matrix.from_array(vectors, metric=metric),
            has_ids=True,
        )
        picks = self.strategy.pick(SelectionRequest.of(candidates.capacity), pool)
        return Membership(np.sort(picks.indices))


def _needs(member: object) -> frozenset[str]:
    found: frozenset[str] = getattr(member, "needs_always", frozenset())
    return found
