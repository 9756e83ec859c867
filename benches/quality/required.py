"""What the selections must reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from benches.quality.arms import DIVERSITY, EXACT, HYBRID, RANDOM
from benches.quality.cases import CLEAN, HASHED, WRONG
from benches.quality.outcomes import Outcomes

__all__ = ["REQUIRED", "Requirement", "verdicts"]


class Requirement(NamedTuple):
    """In a case, at `size` rows a class, one arm is at least so many points better than another."""

    case: str
    size: int
    arm: str
    other: str
    points: float


REQUIRED = (
    *(Requirement(case, size, DIVERSITY, EXACT, -1) for case in (CLEAN, "MetaTool") for size in (1, 2, 5)),
    Requirement(CLEAN, 2, DIVERSITY, RANDOM, 15),
    Requirement(CLEAN, 2, HYBRID, RANDOM, 12),
    Requirement(CLEAN, 5, HYBRID, RANDOM, 6),
    Requirement("MetaTool", 2, HYBRID, RANDOM, 8),
    Requirement("MetaTool", 5, HYBRID, RANDOM, 4),
    Requirement(WRONG, 2, HYBRID, RANDOM, 12),
    Requirement(WRONG, 5, HYBRID, RANDOM, 6),
    Requirement(WRONG, 2, HYBRID, DIVERSITY, 3),
    Requirement(WRONG, 5, HYBRID, DIVERSITY, 3),
    Requirement(HASHED, 2, DIVERSITY, RANDOM, 10),
    Requirement(HASHED, 5, DIVERSITY, RANDOM, 5),
)


def verdicts(outcomes: Outcomes) -> Iterator[str]:
    """Tell of each requirement that was measured whether it holds."""
    for case, size, arm, other, points in REQUIRED:
        if {arm, other} <= outcomes.arms(case, size).keys():
            found = outcomes.difference(case, size, arm, other)
            verdict = "holds" if found.mean >= points else "**fails**"
            yield f"{case}, {size} x classes: {arm} less {other} is {found}, required {points:+g}: {verdict}"
