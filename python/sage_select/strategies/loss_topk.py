"""Loss top-k: by score alone."""

from __future__ import annotations

from typing import Annotated

from sage_select.declare.option import Option
from sage_select.pipeline.cost import Cost, Size
from sage_select.strategies.by_score import ByScore, ScoreMode
from sage_select.strategies.picks import Picks
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest
from sage_select.strategies.strategy import METRIC_HELP, Metric, strategy

__all__ = ["LossTopK"]


@strategy(
    "loss_topk",
    place=50,
    needs_always=frozenset({"scores"}),
    nested=True,
    another_order="which of equal scores",
)
class LossTopK(ByScore):
    """By score alone.

    On its own this rule mostly collects noise and outliers: at 326 thousand rows it scored 36.6 where a
    random subset scored 44.5 (Ivison et al. 2025, arXiv 2503.01807). Use it as the control that it is.
    """

    score_mode: ScoreMode = "top"
    metric: Annotated[Metric, Option(METRIC_HELP, when={"score_mode": "stratified"})] = "cosine"

    @property
    def checks_scores(self) -> bool:
        """Whether every score goes to the kernel of top-k."""
        return self.score_mode == "top"

    def pick(self, request: SelectionRequest, pool: Pool) -> Picks:
        """Pick by score, the hardest rows where nothing else is said."""
        return self.by_score(request, pool)

    def cost(self, size: Size) -> Cost:
        """Return the cost of the picks by score."""
        return self.by_score_cost(size)

    def describe(self) -> str:
        """Return how rows are taken by score."""
        return f"by score alone ({self.describe_scores()})"
