"""Whether a build fits what is available."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sage_select.forecast.predict import Prediction
from sage_select.io.memory import Limit

__all__ = ["Fit", "fit"]


@dataclass(frozen=True)
class Fit:
    """The limit that leaves the least, and what is needed of it."""

    limit: Limit
    needed: float

    @property
    def fits(self) -> bool:
        """Whether what is needed is there."""
        return self.needed <= self.limit.bytes


def fit(prediction: Prediction, limits: Sequence[Limit]) -> Fit | None:
    """Return how a build fits the tightest of the limits; None where there are none."""
    fits = [Fit(limit, prediction.addresses if limit.of_addresses else prediction.peak.memory) for limit in limits]
    return min(fits, key=lambda fit: fit.limit.bytes - fit.needed, default=None)
