"""What a model predicts of rows: how likely each class is, or how likely what it writes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sage_select.data.features import read_only

if TYPE_CHECKING:
    from sage_select.kernels import Matrix

__all__ = ["Predictions"]


@dataclass(frozen=True)
class Predictions:
    """What a model predicts of each row: one of the two.

    Attributes
    ----------
    probabilities
        The probability of each class, (n, classes); each row sums to 1.
    log_likelihoods
        float32 (n,): the mean log-probability, in nats, of the tokens that a model writes for each row.
    """

    probabilities: Matrix | None = None
    log_likelihoods: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "log_likelihoods", read_only(self.log_likelihoods))

    def take(self, rows: NDArray[np.int64]) -> Predictions:
        """Return those of some rows."""
        return replace(
            self,
            probabilities=None if self.probabilities is None else self.probabilities.only(rows),
            log_likelihoods=None if self.log_likelihoods is None else self.log_likelihoods[rows],
        )
