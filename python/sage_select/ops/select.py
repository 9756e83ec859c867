"""Which rows to keep: the strategy, its budget and its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from sage_select.errors import nearest
from sage_select.ops.base import Op
from sage_select.ops.budget import Budget

__all__ = ["OBJECTIVES", "STRATEGIES", "ObjectiveRule", "Select", "StrategyRule"]


@dataclass(frozen=True)
class StrategyRule:
    """What a strategy needs and which options of `Select` it heeds.

    `ranks_scores`: it hands every score to a kernel that refuses what is not finite.
    """

    summary: str
    needs_score: bool = False
    ranks_scores: bool = False
    needs_embedding: bool = False
    options: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ObjectiveRule:
    """What an objective of diversity needs, under which metrics, and which options of `Select` are its own."""

    metrics: tuple[str, ...]
    needs_score: bool = False
    options: frozenset[str] = frozenset()


_GRAPH_OPTIONS = frozenset({"k_nn", "neighbors"})

OBJECTIVES: dict[str, ObjectiveRule] = {
    "facility": ObjectiveRule(metrics=("cosine", "dot"), options=_GRAPH_OPTIONS),
    "graph_cut": ObjectiveRule(metrics=("cosine", "dot"), options=_GRAPH_OPTIONS | {"cut_lambda"}),
    "kcenter": ObjectiveRule(metrics=("cosine", "sqeuclidean"), options=frozenset({"outlier_guard", "start"})),
    "mmr": ObjectiveRule(metrics=("cosine", "dot"), needs_score=True, options=frozenset({"mmr_lambda"})),
    "dpp": ObjectiveRule(metrics=("cosine", "dot"), options=frozenset({"dpp_eps"})),
    "herding": ObjectiveRule(metrics=("cosine", "dot")),
    "d2": ObjectiveRule(metrics=("cosine", "sqeuclidean")),
    "kmeans": ObjectiveRule(metrics=("cosine", "sqeuclidean")),
}

_OBJECTIVE_OPTIONS = frozenset().union(*(rule.options for rule in OBJECTIVES.values()))
_DIVERSITY_OPTIONS = frozenset({"objective", "metric"}) | _OBJECTIVE_OPTIONS

STRATEGIES: dict[str, StrategyRule] = {
    "random": StrategyRule("the rows with the smallest keyed hashes"),
    "loss_topk": StrategyRule("the hardest rows first", needs_score=True, ranks_scores=True),
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
        What the diversity part maximises: `facility` (how well the picks represent every row), `graph_cut` (how
        like all rows the picks are, less how like each other), `kcenter` (how far the picks lie from one another),
        `mmr` (difficulty less likeness to the picks before), `dpp` (how much of the space the picks span) or
        `herding` (how near the mean of the picks is to that of all rows). `d2` draws rows by their squared distance to
        the picks before, and `kmeans` takes the row nearest to the centre of each of k cells.
    metric
        How vectors are compared.
    outlier_guard
        The share of the rows that `kcenter` leaves out: those farthest from the middle of their region.
    start
        The first row of `kcenter`, by default the lowest that is no outlier; not in a hybrid selection, whose score
        part comes first.
    cut_lambda
        What likeness to all rows counts for in `graph_cut`: the larger, the more the picks crowd where rows are dense.
    k_nn
        Neighbours of a row, itself included, in the graph by which `facility` and `graph_cut` see over 20,000 rows.
    neighbors
        Who finds them: `cells` (our own search) or `faiss`.
    mmr_lambda
        What difficulty (the share of rows that are easier) counts for in `mmr`: 1 the hardest rows alone, 0 the
        least alike alone.
    dpp_eps
        The ridge of `dpp`, in squared lengths of a row: the larger, the sooner rows like the picks come again.
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
    objective: Literal["facility", "graph_cut", "kcenter", "mmr", "dpp", "herding", "d2", "kmeans"] = "facility"
    metric: Literal["cosine", "dot", "sqeuclidean"] = "cosine"
    outlier_guard: float = Field(default=0.05, ge=0, lt=1)
    start: int | None = Field(default=None, ge=0)
    cut_lambda: float = Field(default=0.05, ge=0, le=1e6)
    k_nn: int = Field(default=64, ge=1, le=4096)
    neighbors: Literal["cells", "faiss"] = "cells"
    mmr_lambda: float = Field(default=0.5, ge=0, le=1)
    dpp_eps: float = Field(default=0.1, ge=1e-6, le=1e30)
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
            raise ValueError(f"strategy {self.strategy!r}{self._mode_without(unused)} does not use {', '.join(unused)}")
        metrics = OBJECTIVES[self.objective].metrics
        if self.rule.needs_embedding and self.metric not in metrics:
            raise ValueError(f"objective {self.objective!r} needs metric {' or '.join(metrics)}, not {self.metric!r}")
        return self

    def _mode_without(self, unused: list[str]) -> str:
        """Return the setting that idles these options, where the strategy alone does not."""
        if not set(unused) <= self.rule.options:
            return ""
        if unused == ["score_quantile"]:
            return " with score_mode 'top'"
        if unused == ["start"] and self.objective == "kcenter":
            return ""
        return f" with objective {self.objective!r}" if set(unused) <= _OBJECTIVE_OPTIONS else ""

    def idle_fields(self) -> frozenset[str]:
        """Return the options that the chosen strategy does not heed."""
        idle = frozenset(type(self).model_fields) - _COMMON - self.rule.options
        idle |= _OBJECTIVE_OPTIONS - OBJECTIVES[self.objective].options
        if self.strategy == "hybrid":
            idle |= {"start"}
        return idle | {"score_quantile"} if self.score_mode == "top" else idle

    @property
    def needs_score(self) -> bool:
        """Whether the strategy, or the objective of its diversity, needs scores."""
        return self.rule.needs_score or (self.rule.needs_embedding and OBJECTIVES[self.objective].needs_score)

    @property
    def rule(self) -> StrategyRule:
        """What the chosen strategy needs."""
        return STRATEGIES[self.strategy]

    def describe(self) -> str:
        """Return the strategy, the budget and the options that matter for it."""
        share = f"{self.budget} of the rows" if self.budget.share is not None else f"{self.budget} rows"
        diversity = f"{self.objective} ({', '.join([self.metric, *self._settings()])})"
        if self.strategy == "hybrid":
            where = f" at quantile {self.score_quantile:g} of each cell" if self.score_mode == "stratified" else ""
            return (
                f"hybrid, {share}: {self.score_share:.0%} by score ({self.score_mode}{where}), "
                f"{1 - self.score_share:.0%} by {diversity}"
            )
        if self.strategy == "diversity":
            return f"diversity, {share}: {diversity}"
        return f"{self.strategy}, {share}: {self.rule.summary}"

    def _settings(self) -> list[str]:
        """Return the settings of the objective that decide what is picked."""
        settings = {
            "kcenter": [f"{self.outlier_guard:.1%} of outliers left out"] if self.outlier_guard else [],
            "graph_cut": [f"lambda {self.cut_lambda:g}"],
            "mmr": [f"lambda {self.mmr_lambda:g}"],
            "dpp": [f"ridge {self.dpp_eps:g}"],
        }
        start = [f"from row {self.start}"] if self.start is not None else []
        fields = type(self).model_fields
        changed = any(getattr(self, name) != fields[name].default for name in _GRAPH_OPTIONS)
        graph = [f"{self.k_nn} neighbours by {self.neighbors}"] if changed else []
        return [*settings.get(self.objective, []), *start, *graph]
