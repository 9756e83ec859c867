"""What each strategy and each objective of diversity needs, and which options of `Select` it heeds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OBJECTIVES", "OBJECTIVE_OPTIONS", "STRATEGIES", "ObjectiveRule", "StrategyRule"]


@dataclass(frozen=True)
class StrategyRule:
    """What a strategy needs and which options of `Select` it heeds.

    `ranks_scores`: by top it hands every score to a kernel that refuses what is not finite. `score_mode`: how it takes
    its rows by score where nothing else is asked for, None where it takes none. `another_order`: what another
    order of the same rows, where these have ids, may change: which rows are picked of those that it names.
    """

    summary: str
    another_order: str
    needs_score: bool = False
    ranks_scores: bool = False
    needs_embedding: bool = False
    score_mode: str | None = None
    options: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ObjectiveRule:
    """What an objective of diversity needs, under which metrics, and which options of `Select` are its own.

    `another_order` as in `StrategyRule`.
    """

    metrics: tuple[str, ...]
    another_order: str = "which of equally good rows"
    needs_score: bool = False
    options: frozenset[str] = frozenset()


#: Of objectives whose gains are sums over all rows: these are rounded, in the order of the rows.
_SUMS = "which of nearly equally good rows"
_GRAPH_OPTIONS = frozenset({"k_nn", "neighbors"})

OBJECTIVES: dict[str, ObjectiveRule] = {
    "facility": ObjectiveRule(metrics=("cosine", "dot"), another_order=_SUMS, options=_GRAPH_OPTIONS),
    "graph_cut": ObjectiveRule(metrics=("cosine", "dot"), another_order=_SUMS, options=_GRAPH_OPTIONS | {"cut_lambda"}),
    "kcenter": ObjectiveRule(metrics=("cosine", "sqeuclidean"), options=frozenset({"outlier_guard", "start"})),
    "mmr": ObjectiveRule(metrics=("cosine", "dot"), needs_score=True, options=frozenset({"mmr_lambda"})),
    "dpp": ObjectiveRule(metrics=("cosine", "dot"), options=frozenset({"dpp_eps"})),
    "herding": ObjectiveRule(metrics=("cosine", "dot"), another_order=_SUMS),
    "d2": ObjectiveRule(metrics=("cosine", "sqeuclidean")),
    "kmeans": ObjectiveRule(metrics=("cosine", "sqeuclidean")),
}

#: What objectives alone heed.
OBJECTIVE_OPTIONS = frozenset().union(*(rule.options for rule in OBJECTIVES.values()))

_DIVERSITY_OPTIONS = frozenset({"objective", "metric"}) | OBJECTIVE_OPTIONS
_SCORE_OPTIONS = frozenset({"score_mode", "score_quantile", "score_band", "metric"})

STRATEGIES: dict[str, StrategyRule] = {
    "random": StrategyRule("the rows with the smallest keyed hashes", "nothing"),
    "loss_topk": StrategyRule(
        "by score alone",
        "which of equal scores",
        needs_score=True,
        ranks_scores=True,
        score_mode="top",
        options=_SCORE_OPTIONS,
    ),
    "diversity": StrategyRule(
        "the rows that represent all others",
        "what it changes in the objective",
        needs_embedding=True,
        options=_DIVERSITY_OPTIONS,
    ),
    "hybrid": StrategyRule(
        "60 % by score, 40 % by diversity, the second aware of the first",
        "which of equal scores, and what it changes in the objective",
        needs_score=True,
        needs_embedding=True,
        score_mode="stratified",
        options=_DIVERSITY_OPTIONS | _SCORE_OPTIONS | {"score_share"},
    ),
    "target": StrategyRule(
        "the rows nearest to a set of queries",
        "which of equally near rows",
        needs_embedding=True,
        options=frozenset({"queries", "query_column", "target_rule", "metric"}),
    ),
    "threshold": StrategyRule(
        "the hardest rows first, without those too near to one before",
        "which of equal scores",
        needs_score=True,
        needs_embedding=True,
        options=frozenset({"threshold", "metric"}),
    ),
}
