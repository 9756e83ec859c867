"""Graph cut: rows like many, and unlike each other."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from sage_select import kernels
from sage_select.declare.option import Option
from sage_select.strategies.objectives.objective import SUMS, Found, objective
from sage_select.strategies.objectives.similarities import OverSimilarities
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest

__all__ = ["GraphCut"]


@objective("graph_cut", place=20, metrics=("cosine", "dot"), nested=True, another_order=SUMS)
class GraphCut(OverSimilarities):
    """Rows like many and unlike each other.

    Greedily for cut_lambda sum over rows i and picks s of sim(i, s) - sum over picks s and t of sim(s, t); similarities
    are clipped at 0 (Iyer and Bilmes 2013).
    """

    cut_lambda: Annotated[
        float,
        Option(
            "what likeness to all rows counts for: the larger, the more picks crowd where rows are dense", ge=0, le=1e6
        ),
    ] = 0.05

    def pick(self, request: SelectionRequest, pool: Pool) -> Found:
        """Pick greedily."""
        return self.over_similarities(partial(kernels.graph_cut, weight=self.cut_lambda), request, pool)

    def describe(self) -> str:
        """Return the weight of likeness, and the graph where it is another than usual."""
        graph = super().describe()
        return f"lambda {self.cut_lambda:g}" + (f", {graph}" if graph else "")
