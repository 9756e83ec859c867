"""Coreset: the rows that a strategy of the selection would pick."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import model_validator

from sage_select.declare.settings import Choice
from sage_select.encode import hash_texts
from sage_select.kernels import Matrix, Metric
from sage_select.render import detect_shape, plain_texts
from sage_select.replay.policies.policy import Candidates, Membership, Policy, policy
from sage_select.strategies import STRATEGIES, Pool, SelectionRequest, Strategy

__all__ = ["Coreset"]

_LARGEST: Final = float(np.finfo(np.float32).max)


@policy("coreset", place=60, leaves="not picked")
class Coreset(Policy):
    """The rows that a strategy picks among those there and those offered, such as SAGE's hybrid.

    Scores, where the strategy needs any, every row has to come with. Where no vectors come with the rows the hashing
    encoder makes some of their words at each update, those of the buffer and those offered alike. The cost of an update
    is that of a selection from as many rows as the buffer and the update have together.
    """

    strategy: Annotated[Strategy, Choice(STRATEGIES, "hybrid", "the rule that picks rows")]

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Coreset:
        if "predictions" in self._needs:
            raise ValueError(f"a replay buffer has no predictions of rows, which {self.strategy.label} needs")
        return self

    def needs(self) -> frozenset[Literal["scores", "vectors", "groups"]]:
        """Return what rows have to come with: no vectors, which are made where there are none."""
        return frozenset({"scores"}) if "scores" in self._needs else frozenset()

    @property
    def _needs(self) -> frozenset[str]:
        """What the strategy needs."""
        return self.strategy.needs().union(*(_needs(one) for one in self.strategy.members()))

    def keep(self, candidates: Candidates) -> Membership:
        """Return the picks."""
        rows = candidates.rows
        if rows.n <= candidates.capacity:
            return Membership(np.arange(rows.n))
        needs = self._needs
        metric: Metric = getattr(self.strategy, "metric", "cosine")
        vectors = None
        if "vectors" in needs:
            vectors = _of_words(candidates.payload()) if rows.vectors is None else rows.vectors
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


def _of_words(table: pa.Table) -> NDArray[np.float32]:
    """Return vectors of the words of rows, float32 (n, 384)."""
    return hash_texts(plain_texts(table, detect_shape(table.schema))).array


def _needs(member: object) -> frozenset[str]:
    found: frozenset[str] = getattr(member, "needs_always", frozenset())
    return found
