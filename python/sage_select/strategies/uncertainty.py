"""Uncertainty: the rows that a model is least sure of."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Final, Literal

from sage_select import kernels
from sage_select.columns import Reason
from sage_select.data import Scores
from sage_select.declare.option import Option
from sage_select.pipeline.cost import Cost, Size
from sage_select.strategies.picks import Picks
from sage_select.strategies.pool import Pool, take_admissible
from sage_select.strategies.request import SelectionRequest
from sage_select.strategies.strategy import Strategy, strategy

__all__ = ["Uncertainty"]

#: What each measure calls uncertain.
_SAID: Final = {
    "entropy": "the highest entropy of the probabilities of classes",
    "margin": "the smallest margin between the two likeliest classes",
    "least_confidence": "the lowest probability of the likeliest class",
    "mnlp": "the lowest mean log-probability of what the model writes",
}


@strategy(
    "uncertainty",
    place=70,
    needs_always=frozenset({"predictions"}),
    nested=True,
    another_order="which of equally uncertain rows",
)
class Uncertainty(Strategy):
    """The rows that a model is least sure of.

    Nothing keeps rows of one batch apart: near copies are uncertain alike, and are all picked. `badge`, `--dedup near`
    and small batches are against that.
    """

    measure: Annotated[
        Literal["entropy", "margin", "least_confidence", "mnlp"],
        Option(
            "how uncertainty is measured: entropy, margin (of the two likeliest classes) or least_confidence, of "
            "probabilities of classes, or mnlp (the mean log-probability of the tokens that a model writes)"
        ),
    ] = "entropy"

    @property
    def of_written(self) -> bool:
        """Whether it measures what a model writes."""
        return self.measure == "mnlp"

    def pick(self, request: SelectionRequest, pool: Pool) -> Picks:
        """Pick by (uncertainty descending, row ascending); the measure of each row becomes its score."""
        if self.measure == "mnlp":
            scores = Scores(pool.need_log_likelihoods(), higher_is_harder=False)
        else:
            values = kernels.uncertainty(pool.need_probabilities(), self.measure, threads=pool.threads)
            scores = Scores(values, higher_is_harder=self.measure != "margin")
        count = request.count if request.is_plain else pool.n
        order = kernels.top_k(scores.difficulty, count, threads=pool.threads)
        rows = order if request.is_plain else take_admissible(request, pool, order)
        picks = Picks.without_gains(rows, Reason.UNCERTAINTY, {"measure": self.measure})
        return dataclasses.replace(picks, scores=scores)

    def cost(self, size: Size) -> Cost:
        """Return the cost of a number a row, and of their order."""
        return Cost(24.0 * size.n, size.seconds(rows=size.n), 4.0 * size.n)

    def describe(self) -> str:
        """Return which rows are picked."""
        return f"{_SAID[self.measure]} first"
