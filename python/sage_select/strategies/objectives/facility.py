"""Facility location: rows that represent all others."""

from __future__ import annotations

from sage_select import kernels
from sage_select.strategies.objectives.objective import SUMS, Found, objective
from sage_select.strategies.objectives.similarities import OverSimilarities
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest

__all__ = ["Facility"]


@objective("facility", place=10, metrics=("cosine", "dot"), nested=True, another_order=SUMS)
class Facility(OverSimilarities):
    """Rows that represent all others.

    Greedily for the sum over rows i of max over picks s of max(0, sim(i, s)): at least 1 - 1/e of the best value
    (Nemhauser et al. 1978), where all pairs are held.
    """

    def pick(self, request: SelectionRequest, pool: Pool) -> Found:
        """Pick greedily."""
        return self.over_similarities(kernels.facility_location, request, pool)

    def _bytes_of_pairs(self, n: int, d: int) -> float:
        """Return what upper bounds of all similarities take, 2 bytes each, and int16 rows and their tiles meanwhile.

        Where no bound tells rows apart, the similarities themselves are held as well, if there is memory for them.
        """
        return 2.0 * n * n + 4.0 * n * d
