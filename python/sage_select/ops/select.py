"""Which rows to keep: the strategy, its budget, its options and the limits it must keep."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import Field, field_validator, model_validator

from sage_select.errors import UsageError, nearest
from sage_select.ops.band import Band
from sage_select.ops.base import Op
from sage_select.ops.budget import Budget
from sage_select.ops.location import FilePath, ModelName
from sage_select.ops.quota import Quota
from sage_select.ops.rules import OBJECTIVE_OPTIONS, OBJECTIVES, STRATEGIES, StrategyRule

__all__ = ["AUTO", "NO_SCORES", "WITHOUT_SCORES", "WITH_SCORES", "Select"]

#: The strategy that is chosen by what there is: with scores, and without.
AUTO: Final = "auto"
WITH_SCORES: Final = "hybrid"
WITHOUT_SCORES: Final = "diversity"
NO_SCORES: Final = (
    "no scores given: rows are selected by diversity, as scores of the words alone do worse than none; "
    "strategy 'hybrid' uses them all the same"
)

#: Options that every strategy heeds.
_COMMON = frozenset({"strategy", "budget", "clamp", "quota", "pin", "exclude", "tokenizer"})
#: What a way of taking rows by score alone heeds.
_OF_SCORE_MODE = {"top": set[str](), "band": {"score_band"}, "stratified": {"score_quantile"}}
#: From this similarity on, a row is too near to another.
_THRESHOLD = 0.9
_MIDDLE = 0.5

ScoreMode = Literal["top", "band", "stratified"]


class Select(Op):
    """The selection.

    Attributes
    ----------
    strategy
        One of `STRATEGIES`; or `auto`, which becomes one once it is known whether there are scores (`chosen`).
    budget
        Rows (300), a share of those that are not excluded (10%), or tokens (200k tokens).
    clamp
        Take what there is where the budget, or the fewest of a quota, ask for more.
    quota
        A column, and the fewest and most rows of each of its values; or as even as can be.
    pin, exclude
        Files with one id a line: rows that are selected in any case, and rows that never are.
    tokenizer
        Whose tokens the length of a row is counted in (path or repository); words without one.
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
        How rows are taken by score. `stratified` (as a rule in `hybrid`): a share from every region of the embedding
        space; `top` (as a rule in `loss_topk`): the hardest rows anywhere; `band`: the hardest between two quantiles.
    score_quantile
        Where within its region a stratified pick stands: 0 the easiest row, 1 the hardest.
    score_band
        Between which quantiles the rows of a band stand: 0:0.9 leaves the hardest tenth out.
    queries, query_column
        What `target` looks for: a file with rows like those of the input, or with their vectors (.npy); or a column
        that is true for rows which are queries, and are not picked.
    target_rule
        `round_robin`: each query in turn takes the nearest row that is left; `max`: the rows nearest to their nearest
        query; `mean`: the rows nearest to all queries on average.
    threshold
        From this similarity on (up to this squared distance under `sqeuclidean`), a row is too near to one that
        `threshold` has picked. 0.9 where it is a similarity.
    """

    name: ClassVar[str] = "select"
    version: ClassVar[int] = 2

    strategy: str = AUTO
    budget: Budget = Budget.parse("10%")
    clamp: bool = False
    quota: Quota | None = None
    pin: FilePath = None
    exclude: FilePath = None
    tokenizer: ModelName = None
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
    score_mode: ScoreMode | None = None
    score_quantile: float = Field(default=0.25, ge=0, le=1)
    score_band: Band = Band(0.0, 0.9)
    queries: FilePath = None
    query_column: str | None = None
    target_rule: Literal["round_robin", "max", "mean"] = "round_robin"
    threshold: float | None = None

    @field_validator("strategy")
    @classmethod
    def _known_strategy(cls, strategy: str) -> str:
        if strategy != AUTO and strategy not in STRATEGIES:
            hint = nearest(strategy, STRATEGIES)
            raise ValueError(
                f"unknown strategy {strategy!r}, known are {', '.join((*STRATEGIES, AUTO))}"
                + (f"; {hint}" if hint else "")
            )
        return strategy

    @model_validator(mode="after")
    def _options_fit(self) -> Select:
        if unused := self.changed_idle_fields():
            in_mode = self._mode_without(unused)
            who = f"strategy {self.strategy!r}{in_mode}"
            raise ValueError(f"{who} does not use {', '.join(unused)}" + _those_that_do(unused, in_mode != ""))
        metrics = OBJECTIVES[self.objective].metrics
        if "objective" in self.rule.options and self.metric not in metrics:
            raise ValueError(f"objective {self.objective!r} needs metric {' or '.join(metrics)}, not {self.metric!r}")
        if self.strategy == "threshold" and self.threshold is None and self.metric != "cosine":
            raise ValueError(f"strategy 'threshold' needs a threshold under metric {self.metric!r}")
        if self.queries is not None and self.query_column is not None:
            raise ValueError("give queries or query_column, not both")
        return self

    def _mode_without(self, unused: list[str]) -> str:
        """Return the setting that idles these options, where the strategy alone does not."""
        if not set(unused) <= self.rule.options:
            return ""
        if set(unused) <= {"score_quantile", "score_band", "metric"}:
            return f" with score_mode {self.by_score!r}"
        if unused == ["start"] and self.objective == "kcenter":
            return ""
        return f" with objective {self.objective!r}" if set(unused) <= OBJECTIVE_OPTIONS else ""

    def idle_fields(self) -> frozenset[str]:
        """Return the options that the chosen strategy does not heed."""
        idle = frozenset(type(self).model_fields) - _COMMON - self.rule.options
        idle |= OBJECTIVE_OPTIONS - OBJECTIVES[self.objective].options
        if self.strategy == WITH_SCORES:
            idle |= {"start"}
        if not self.needs_embedding:
            idle |= {"metric"}
        return idle | frozenset().union(*(of for mode, of in _OF_SCORE_MODE.items() if mode != self.by_score))

    @property
    def by_score(self) -> str | None:
        """How rows are taken by score; None where none are."""
        return None if self.rule.score_mode is None else self.score_mode or self.rule.score_mode

    @property
    def ranks_scores(self) -> bool:
        """Whether every score goes to a kernel that refuses what is not finite."""
        return self.rule.ranks_scores and self.by_score == "top"

    @property
    def near(self) -> float:
        """From which similarity on, or up to which squared distance, a row is too near to another."""
        return _THRESHOLD if self.threshold is None else self.threshold

    @property
    def needs_score(self) -> bool:
        """Whether the strategy, or the objective of its diversity, needs scores."""
        return self.rule.needs_score or ("objective" in self.rule.options and OBJECTIVES[self.objective].needs_score)

    @property
    def needs_embedding(self) -> bool:
        """Whether the strategy, or its way of taking rows by score, needs vectors."""
        return self.rule.needs_embedding or self.by_score == "stratified"

    @property
    def rule(self) -> StrategyRule:
        """What the strategy needs; of `auto`, what the one of most options may need."""
        return STRATEGIES[WITH_SCORES if self.strategy == AUTO else self.strategy]

    def chosen(self, *, scored: bool) -> Select:
        """Return the selection with the strategy that `auto` becomes: `hybrid` with scores, `diversity` without.

        Raises
        ------
        UsageError
            If an option is set that this strategy does not use.
        """
        if self.strategy != AUTO:
            return self
        strategy = WITH_SCORES if scored else WITHOUT_SCORES
        unused = set(self.settings()) - _COMMON - STRATEGIES[strategy].options
        fields = type(self).model_fields
        changed = sorted(name for name in unused if getattr(self, name) != fields[name].default)
        if changed:
            raise UsageError(
                f"strategy {strategy!r}, the default without scores, does not use {', '.join(changed)}",
                hint=f"name the scores, or choose strategy {WITH_SCORES!r}: without scores it takes those of the words",
            )
        return Select.make(strategy=strategy, **{name: getattr(self, name) for name in fields if name != "strategy"})

    @property
    def unnested(self) -> str:
        """Why a smaller budget would not pick the first of these rows; empty where it would."""
        if self.budget.tokens is not None:
            return "a smaller budget in tokens passes over other rows"
        if self.quota is not None and (self.quota.balanced or self.quota.least):
            return "a quota keeps room for the fewest rows of each value, which are others in a smaller budget"
        if self.strategy == WITH_SCORES:
            return "hybrid divides its budget between rows by score and rows by diversity"
        if self.by_score == "stratified":
            return "rows are taken from as many regions as the budget has rows"
        if "objective" in self.rule.options and self.objective == "kmeans":
            return "k-means divides the rows into as many cells as the budget has rows"
        return ""

    def describe(self) -> str:
        """Return the strategy, the budget, the options that matter for it, and the limits."""
        counted = f" of {self.tokenizer}" if self.tokenizer else " (words)"
        budget = self.budget.describe() + (counted if self.budget.tokens is not None else "")
        return "; ".join([f"{self.strategy}, {budget}: {self._way()}", *self._limits()])

    def _way(self) -> str:
        diversity = f"{self.objective} ({', '.join([self.metric, *self._settings()])})"
        if self.strategy == WITH_SCORES:
            return f"{self.score_share:.0%} by score ({self._score_way()}), {1 - self.score_share:.0%} by {diversity}"
        if self.strategy == "diversity":
            return diversity
        if self.strategy == "loss_topk":
            return f"{self.rule.summary} ({self._score_way()})"
        if self.strategy == "target":
            queries = self.queries or (f"column {self.query_column!r}" if self.query_column else "the queries given")
            return f"the rows nearest to {queries} ({self.metric}, {self.target_rule.replace('_', ' ')})"
        if self.strategy == "threshold":
            return f"{self.rule.summary} ({self.metric}, {self.near:g})"
        return self.rule.summary

    def _score_way(self) -> str:
        """Return how rows are taken by score."""
        if self.by_score == "stratified":
            return f"stratified at quantile {self.score_quantile:g} of each cell: {self.preferred}"
        mode = f"band {self.score_band}" if self.by_score == "band" else str(self.by_score)
        return f"{mode}: {self.preferred}"

    @property
    def preferred(self) -> str:
        """Which rows are preferred by score."""
        if self.by_score == "band":
            return "the hardest rows of the band"
        if self.by_score != "stratified":
            return "the hardest rows"
        if self.score_quantile == _MIDDLE:
            return "rows of middle difficulty in every region"
        return f"{'easier' if self.score_quantile < _MIDDLE else 'harder'} rows of every region"

    def _limits(self) -> list[str]:
        """Return what the selection must keep beside its budget."""
        quota = self.quota
        limits = []
        if quota is not None and quota.balanced:
            limits.append(f"the values of {quota.column!r} as even as can be")
        elif quota is not None:
            fewest = [f"at least {quota.least:,}"] if quota.least is not None else []
            most = [f"at most {quota.most:,}"] if quota.most is not None else []
            limits.append(f"{' and '.join(fewest + most)} rows of each {quota.column!r}")
        limits += [f"with the rows of {self.pin}"] if self.pin else []
        limits += [f"without those of {self.exclude}"] if self.exclude else []
        limits += ["or what there is"] if self.clamp else []
        return limits

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
        changed = any(getattr(self, name) != fields[name].default for name in ("k_nn", "neighbors"))
        graph = [f"{self.k_nn} neighbours by {self.neighbors}"] if changed else []
        return [*settings.get(self.objective, []), *start, *graph]


def _those_that_do(options: list[str], objectives: bool) -> str:
    """Return which strategies, or which objectives, use these options."""
    rules = OBJECTIVES if objectives else STRATEGIES
    names = [name for name, rule in rules.items() if rule.options.issuperset(options)]
    kind = f"objective{'s' if len(names) > 1 else ''} " if objectives else ""
    return f"; {kind}{' and '.join(names)} {'does' if len(names) == 1 else 'do'}" if names else ""
