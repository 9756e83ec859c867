"""Competence: harder rows come in as training goes on."""

from __future__ import annotations

from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.data import Dataset
from sage_select.declare.option import Option
from sage_select.orders.by_difficulty import ByDifficulty
from sage_select.orders.rule import Arrangement, order, sorted_by
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.seeds import stage_key

__all__ = ["Competence"]


@order("competence", place=60, needs_always=frozenset({"scores"}))
class Competence(ByDifficulty):
    """Drawn from the easiest rows, whose share of all grows as training goes on.

    Competence-based curriculum learning (Platanios et al. 2019, NAACL, arXiv 1903.09848). The percentile of a row is
    the share of rows that are no harder. After a share t of the rows competence is

        c(t) = min(1, (t (1 - c0^p) / T + c0^p)^(1/p))

    with c0 = `initial_competence`, T = `full_competence_at` and p = `competence_root`. At position i, from 0, the row
    is drawn uniformly from those not yet placed whose percentile is at most c((i + 1) / n). Where all of them are
    placed, which for T <= 1 only rows of equal score bring about, it is the easiest that is left, of equal ones the
    first of the shuffle.

    The paper draws batches from all rows that competence admits, again and again: an easy row is seen many times before
    hard ones are met. A selection holds each row once, so that here easy rows are used up, the rows drawn grow harder
    faster than competence does, and the last ones are harder than a sample of all. Its T counts steps of training;
    here it is a share of the rows. Cost: a sort, and one draw a row.

    Phases: 0 to 3 are the quarters of the time in which competence grows, 4 is what comes after it.
    """

    initial_competence: Annotated[
        float, Option("share of the rows, the easiest, from which the first is drawn", gt=0, le=1)
    ] = 0.01
    full_competence_at: Annotated[float, Option("share of the rows after which all others may come", gt=0, le=1)] = 0.5
    competence_root: Annotated[
        int, Option("how competence grows: 1 evenly, 2 with the square root, ever more slowly", ge=1, le=10)
    ] = 2

    def arrange(self, shuffle: NDArray[np.int64], data: Dataset, run: Run) -> Arrangement:
        """Return the rows as they are drawn, and the quarter of each."""
        difficulty, n = self.difficulty(data, run), data.n
        rows = sorted_by(difficulty, shuffle)
        turn = np.arange(n)
        admitted = np.maximum(self.admitted(difficulty), turn + 1)
        # A hash of the position alone: which rows are drawn from then follows their difficulties and ids.
        draws = kernels.keyed_hashes(stage_key(run.seed, "order competence"), n) >> np.uint64(32)
        drawn = turn + ((draws * (admitted - turn).astype(np.uint64)) >> np.uint64(32)).astype(np.int64)
        line = rows.tolist()
        for place, other in enumerate(drawn.tolist()):
            line[place], line[other] = line[other], line[place]
        quarters = np.minimum(4, np.floor(4 * turn / (self.full_competence_at * n)))
        return Arrangement(np.array(line, np.int64), quarters.astype(np.int32))

    def admitted(self, difficulty: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return int64 (n,): how many rows competence admits at each position, placed before or not.

        Percentiles and competence are compared as powers of p, which are products, the same on every machine; those
        that differ by rounding alone, as 5/12 and 0.3 + 0.7 / 6, are equal.
        """
        n, p = len(difficulty), self.competence_root
        ascending = np.sort(difficulty)
        percentiles = np.searchsorted(ascending, ascending, side="right") / max(n, 1)
        time = np.arange(1, n + 1) / max(n, 1)
        first = _power(np.float64(self.initial_competence), p)
        competence = np.minimum(1.0, time * (1 - first) / self.full_competence_at + first)
        return np.searchsorted(_power(percentiles, p), competence * (1 + _ROUNDING * p), side="right")

    def cost(self, size: Size) -> Cost:
        """Return the cost of the sort, and of a draw of each row, which is a step of Python."""
        return Cost(120.0 * size.n, size.seconds(rows=12 * size.n))

    def describe(self) -> str:
        """Return the rule."""
        growth = {1: "evenly", 2: "with the square root"}.get(self.competence_root, f"with root {self.competence_root}")
        return (
            f"drawn from the easiest {self.initial_competence:.3g} of the rows, a share that grows {growth} to all "
            f"after {self.full_competence_at:.3g} of them"
        )


#: Relative, of a percentile and of competence, which a few products and sums make.
_ROUNDING: Final = 1e-12


def _power(values: NDArray[np.float64] | np.float64, p: int) -> NDArray[np.float64]:
    """Return the values to the power of p by products, each rounded the same everywhere."""
    product = np.ones_like(values)
    for _ in range(p):
        product = product * values
    return product
