"""Hybrid: a part by score, a part by diversity, the second aware of the first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import model_validator

from sage_select.declare.option import Option
from sage_select.pipeline.cost import Cost, Size, in_turn
from sage_select.strategies.by_score import ByScore, ScoreMode
from sage_select.strategies.diversity import ByDiversity
from sage_select.strategies.picks import Picks
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest, rounded_share
from sage_select.strategies.strategy import strategy

__all__ = ["Hybrid"]


@strategy(
    "hybrid",
    place=10,
    needs_always=frozenset({"scores", "vectors"}),
    another_order="which of equal scores, and what it changes in the objective",
)
class Hybrid(ByScore, ByDiversity):
    """By score and by diversity, 60 and 40 %, the second aware of the first.

    As a rule the score part takes rows from every region (`score_mode="stratified"`). With 20 % wrong labels this beats
    both random and diversity alone, where the hardest rows of all (`score_mode="top"`, the SAGE rule) fall behind
    random.
    """

    score_share: Annotated[float, Option("share of a selection that is picked by score", ge=0, le=1)] = 0.6
    score_mode: ScoreMode = "stratified"

    @model_validator(mode="after")
    def _starts_by_score(self) -> Hybrid:
        if getattr(self.objective, "start", None) is not None:
            raise ValueError(f"{self.label} does not use start: its score part comes first")
        return self

    def advice(self, *, of_words: bool) -> str:
        """Return that scores of the words alone are no help, where there are no others."""
        if not of_words or self.score_share == 0:
            return ""
        return (
            f"{self.label} takes {self.score_share:.0%} of the rows by scores of their words alone, which do not tell "
            "right rows from wrong ones: strategy 'diversity' serves better"
        )

    def pick(self, request: SelectionRequest, pool: Pool) -> Picks:
        """Pick `score_share` of the rows (rounded half up) by score, the rest by the objective."""
        scored = self.by_score(request.share(self.score_share), pool)
        return scored.then(self.by_diversity(request.after(scored.indices), pool))

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of the part by score, and then of the objective."""
        scored = rounded_share(self.score_share, size.k)
        rest = replace(size, k=size.k - scored, preselected=size.preselected + scored)
        return in_turn(self.by_score_cost(replace(size, k=scored)), self.objective.cost(rest))

    def not_nested_reason(self, n: int, facts: Mapping[str, Any]) -> str:
        """Return why a smaller budget would not pick the first of these rows."""
        del n, facts
        return "hybrid divides its budget between rows by score and rows by diversity"

    def describe(self) -> str:
        """Return both parts."""
        share = self.score_share
        return f"{share:.0%} by score ({self.describe_scores()}), {1 - share:.0%} by {self.describe_diversity()}"
