"""Facility location: rows that represent all others."""

from __future__ import annotations

from typing import Final

from sage_select import kernels
from sage_select.pipeline.cost import Size
from sage_select.strategies.objectives.objective import SUMS, Found, objective
from sage_select.strategies.objectives.similarities import DENSE_LIMIT, OverSimilarities
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest

__all__ = ["Facility"]

#: Of so many bounds one at most lies above what rows selected already cover: then only these are held.
_FEW: Final = 8
#: A bound that is held by itself: while it is sorted, and then.
_ENTRY_BYTES: Final = 20


@objective("facility", place=10, metrics=("cosine", "dot"), nested=True, another_order=SUMS)
class Facility(OverSimilarities):
    """Rows that represent all others.

    Greedily for the sum over rows i of max over picks s of max(0, sim(i, s)): at least 1 - 1/e of the best value
    (Nemhauser et al. 1978), where all pairs are held.
    """

    def pick(self, request: SelectionRequest, pool: Pool, dense_limit: int = DENSE_LIMIT) -> Found:
        """Pick greedily, by all pairs of up to `dense_limit` rows."""
        return self.over_similarities(kernels.facility_location, request, pool, dense_limit)

    def _bytes_of_pairs(self, size: Size) -> float:
        """Return what upper bounds of similarities take, and int16 rows and their tiles meanwhile.

        Of all pairs these are 2 bytes each; where rows are selected already, 20 for each row that is nearer to another
        than all of these: as a rule n / (selected + 1) of n. Where no bound tells rows apart, the similarities
        themselves are held as well, if there is memory for them.
        """
        pairs, few = float(size.n) ** 2, size.preselected + 1
        held = _ENTRY_BYTES * pairs / few if few > _FEW else 2.0 * pairs
        return held + 4.0 * size.n * size.d
