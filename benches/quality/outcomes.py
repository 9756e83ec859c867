"""What was measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from benches.quality.interval import Estimate, estimate

__all__ = ["Outcome", "Outcomes"]


class Outcome(NamedTuple):
    """One arm's picks in one case: `size` rows a class, the accuracy, and the share of sound picks."""

    case: str
    size: int
    arm: str
    seed: int
    accuracy: float
    sound: float


class Outcomes:
    """All outcomes of a run."""

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        self._by: dict[tuple[str, int], dict[str, list[Outcome]]] = {}
        for outcome in sorted(outcomes, key=lambda outcome: outcome.seed):
            self._by.setdefault((outcome.case, outcome.size), {}).setdefault(outcome.arm, []).append(outcome)

    def sizes(self, case: str) -> list[int]:
        """Return the sizes that were measured in a case."""
        return sorted({size for name, size in self._by if name == case})

    def arms(self, case: str, size: int) -> dict[str, list[Outcome]]:
        """Return the outcomes of every arm, by seed."""
        return self._by.get((case, size), {})

    def accuracy(self, case: str, size: int, arm: str) -> Estimate:
        """Return an arm's accuracy."""
        return estimate([outcome.accuracy for outcome in self.arms(case, size)[arm]])

    def difference(self, case: str, size: int, arm: str, other: str) -> Estimate:
        """Return how much better an arm is than another on the same seeds."""
        arms = self.arms(case, size)
        return estimate([one.accuracy - two.accuracy for one, two in zip(arms[arm], arms[other], strict=True)])

    def sound(self, case: str, size: int, arm: str) -> Estimate:
        """Return the share of an arm's picks that are rightly labelled and told apart."""
        return estimate([outcome.sound for outcome in self.arms(case, size)[arm]])
