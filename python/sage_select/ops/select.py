"""Which rows to keep: the strategy, its budget and its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from sage_select.errors import nearest
from sage_select.ops.base import Op
from sage_select.ops.budget import Budget

__all__ = ["STRATEGIES", "Select", "StrategyRule"]


@dataclass(frozen=True)
class StrategyRule:
    """What a strategy needs and which options of `Select` it heeds."""

    summary: str
    needs_score: bool = False
    needs_embedding: bool = False
    options: frozenset[str] = frozenset()


_DIVERSITY_OPTIONS = frozenset({"objective", "metric"})

STRATEGIES: dict[str, StrategyRule] = {
    "random": StrategyRule("the rows with the smallest keyed hashes"),
    "loss_topk": StrategyRule("the hardest rows first", needs_score=True),
    "diversity": StrategyRule("the rows that represent all others", needs_embedding=True, options=_DIVERSITY_OPTIONS),
    "hybrid": StrategyRule(
        "60 % by score, 40 % by diversity, the second aware of the first",
        needs_score=True,
        needs_embedding=True,
        options=_DIVERSITY_OPTIONS | {"score_share", "score_mode", "score_quantile"},
    ),
}

#: Options that every strategy heeds.
_COMMON = frozenset({"strategy", "budget", "clamp"})


class Select(Op):
    """The selection.

    Attributes
    ----------
    strategy
        One of `STRATEGIES`.
    budget
        Rows (300) or a share of them (10%).
    clamp
        Take all rows where the budget asks for more.
    objective
        What the diversity part maximises: `facility` (how well the picks represent every row) or `kcenter`
        (how far the picks lie from one another).
    metric
        How vectors are compared.
    score_share
        The share of a hybrid selection picked by score.
    score_mode
        `stratified`: a share from every region of the embedding space; `top`: the hardest rows anywhere.
    score_quantile
        Where within its region a stratified pick stands: 0 the easiest row, 1 the hardest.
    """

    name: ClassVar[str] = "select"

    strategy: str = "hybrid"
    budget: Budget = Budget.parse("10%")
    clamp: bool = False
    objective: Literal["facility", "kcenter"] = "facility"
    metric: Literal["cosine", "dot", "sqeuclidean"] = "cosine"
    score_share: float = Field(default=0.6, ge=0, le=1)
    score_mode: Literal["stratified", "top"] = "stratified"
    score_quantile: float = Field(default=0.25, ge=0, le=1)

    @field_validator("strategy")
    @classmethod
    def _known_strategy(cls, strategy: str) -> str:
        if strategy not in STRATEGIES:
            hint = nearest(strategy, STRATEGIES)
            raise ValueError(
                f"unknown strategy {strategy!r}, known are {', '.join(STRATEGIES)}" + (f"; {hint}" if hint else "")
            )
        return strategy

    @model_validator(mode="after")
    def _options_fit(self) -> Select:
        if unused := self.changed_idle_fields():
            mode = " with score_mode 'top'" if unused == ["score_quantile"] and self.strategy == "hybrid" else ""
            raise ValueError(f"strategy {self.strategy!r}{mode} does not use {', '.join(unused)}")
        if self.rule.needs_embedding and (self.objective, self.metric) in {
            ("facility", "sqeuclidean"),
            ("kcenter", "dot"),
        }:
            other = "cosine or dot" if self.objective == "facility" else "cosine or sqeuclidean"
            raise ValueError(f"objective {self.objective!r} needs metric {other}, not {self.metric!r}")
        return self

    def idle_fields(self) -> frozenset[str]:
        """Return the options that the chosen strategy does not heed."""
        idle = frozenset(type(self).model_fields) - _COMMON - self.rule.options
        return idle | {"score_quantile"} if self.score_mode == "top" else idle

    @property
    def rule(self) -> StrategyRule:
        """What the chosen strategy needs."""
        return STRATEGIES[self.strategy]

    def describe(self) -> str:
        """Return the strategy, the budget and the options that matter for it."""
        share = f"{self.budget} of the rows" if self.budget.share is not None else f"{self.budget} rows"
        diversity = f"{self.objective} ({self.metric})"
        if self.strategy == "hybrid":
            where = f" at quantile {self.score_quantile:g} of each cell" if self.score_mode == "stratified" else ""
            return (
                f"hybrid, {share}: {self.score_share:.0%} by score ({self.score_mode}{where}), "
                f"{1 - self.score_share:.0%} by {diversity}"
            )
        if self.strategy == "diversity":
            return f"diversity, {share}: {diversity}"
        return f"{self.strategy}, {share}: {self.rule.summary}"
