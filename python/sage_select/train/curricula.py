"""The curricula that a run may follow: which of the examples that are left are trained next, by their losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sage_select.errors import UsageError
from sage_select.train.named import Table

if TYPE_CHECKING:
    from sage_select.train.config import TrainConfig

__all__ = ["CURRICULA", "Chooser", "Curriculum", "easiest", "refuse_beside"]

#: Returns so many of the examples that are left, by their losses (float64) and a keyed hash of each (uint64).
Chooser = Callable[[NDArray[np.float64], NDArray[np.uint64], int], NDArray[np.intp]]


@dataclass(frozen=True)
class Curriculum:
    """One curriculum.

    Attributes
    ----------
    name, summary
        What settings call it, and what it is.
    choose
        Chooses the examples of the next round among those that are left; None: the order is known before the run.
    """

    name: str
    summary: str
    choose: Chooser | None = None


def easiest(losses: NDArray[np.float64], ties: NDArray[np.uint64], count: int) -> NDArray[np.intp]:
    """Return the numbers of so many examples with the lowest losses, of equal ones the lowest hash, then the first.

    Examples
    --------
    >>> easiest(np.array([2.0, 1.0, 1.0, 0.5]), np.array([0, 9, 3, 7], np.uint64), 2).tolist()
    [3, 2]
    """
    return np.lexsort((ties, losses))[:count]


CURRICULA: Final = Table(
    "curriculum",
    (
        Curriculum("none", "The order of the selection, which `sage-select build --order` makes"),
        Curriculum(
            "self_paced",
            "In rounds, the easiest examples first: those left are measured by the model as it is before each "
            "(self-paced learning, Kumar et al. 2010, NIPS)",
            easiest,
        ),
    ),
)


def refuse_beside(config: TrainConfig) -> None:
    """Raise UsageError where a setting does not go together with a curriculum whose order is made while training."""
    if CURRICULA.need(config.curriculum).choose is None:
        return
    named = f"--curriculum {config.curriculum}"
    if config.schedule_file is not None:
        raise UsageError(
            f"{named} decides while training what each step consumes, and --schedule-file says it before",
            got=str(config.schedule_file),
            hint="leave out one of the two; the schedule.arrow of a run with a curriculum is followed without one",
        )
    if config.dataloader_workers:
        raise UsageError(
            f"{named} does not go with --dataloader-workers: the rows of a step are known when it begins",
            got=f"--dataloader-workers {config.dataloader_workers}",
            hint="leave it out",
        )
