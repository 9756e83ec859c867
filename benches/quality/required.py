"""What the selections must reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from benches.quality.arms import (
    AUTO,
    AUTO_BY_WORDS,
    AUTO_UNSCORED,
    DIVERSITY,
    EXACT,
    HYBRID,
    OURS,
    OURS_UNSCORED,
    RANDOM,
)
from benches.quality.cases import CASES, CLEAN, HASHED, WRONG
from benches.quality.outcomes import Outcomes

__all__ = ["BEHIND", "REQUIRED", "Requirement", "verdicts"]

#: By how many points auto may be behind the best of our other rules, in any case and at any size.
BEHIND = 0.5
#: The arms of auto, and the rules that know no more than it does there.
_RIVALS = {AUTO: OURS, AUTO_BY_WORDS: OURS_UNSCORED, AUTO_UNSCORED: OURS_UNSCORED}


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
    for case in CASES:
        for size in outcomes.sizes(case):
            measured = outcomes.arms(case, size)
            for arm, rivals in _RIVALS.items():
                best = max(
                    (rival for rival in rivals if rival in measured),
                    key=lambda rival: outcomes.accuracy(case, size, rival).mean,
                    default=None,
                )
                if arm in measured and best is not None:
                    found = outcomes.difference(case, size, arm, best)
                    verdict = "holds" if found.mean >= -BEHIND else "**fails**"
                    yield (
                        f"{case}, {size} x classes: {arm} less {best}, the best of our other rules, is {found}, "
                        f"required {-BEHIND:+g}: {verdict}"
                    )
