"""The rules that are compared. To add one, add an entry to `ARMS`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import sage_select
from benches.quality.cases import Case
from sage_select import kernels
from sage_select.strategies.objectives import OBJECTIVES

__all__ = [
    "ARMS",
    "AUTO",
    "AUTO_BY_WORDS",
    "AUTO_UNSCORED",
    "DIVERSITY",
    "EXACT",
    "HYBRID",
    "HYBRID_BY_WORDS",
    "OURS",
    "OURS_UNSCORED",
    "RANDOM",
    "Rule",
]

Rows = NDArray[np.int64]
#: Picks so many rows of a case.
Rule = Callable[[Case, int], Rows]


def chosen(**options: Any) -> Rule:
    """Return the rule that these options of `sage_select.select` describe."""

    # Vectors that a rule does not use are refused.
    by_score_alone = options["strategy"] == "loss_topk" and options.get("score_mode") != "stratified"
    without_vectors = options["strategy"] == "random" or by_score_alone

    def rule(case: Case, k: int) -> Rows:
        given = {"scores": case.losses, "dedup": "none", **options}
        if not without_vectors:
            given["embeddings"] = case.vectors
        return sage_select.select(case.table, k=k, seed=case.seed, threads=1, **given).indices

    return rule


def _draws(case: Case) -> np.random.Generator:
    """Return random numbers that have nothing to do with those by which the case was made."""
    return np.random.default_rng([case.seed, 1])


def stratified_random(case: Case, k: int) -> Rows:
    """Pick at random, as many from each of as many cells as there are classes, as far as they go."""
    rng = _draws(case)
    matrix = kernels.Matrix.from_array(case.vectors)
    order = rng.permutation(matrix.n)
    cells = kernels.assign_cells(matrix, kernels.k_means(matrix, case.task.classes, order, threads=1), threads=1)
    # The rows of a cell in random order, and of these first all firsts, then all seconds.
    by_cell = order[np.argsort(cells[order], kind="stable")]
    sizes = np.bincount(cells)
    turns = np.concatenate([np.arange(size) for size in sizes])
    return by_cell[np.lexsort((rng.random(matrix.n), turns))[:k]]


def balanced_random(case: Case, k: int) -> Rows:
    """Pick at random, as many of each label as can be: a control that knows all labels, wrong ones included."""
    return chosen(strategy="random", groups=case.pool.labels, quota="label")(case, k)


def matching(rule: str) -> Rule:
    """Return the rule that looks for the rows nearest to queries: one rightly labelled row a class, drawn at random."""

    def pick(case: Case, k: int) -> Rows:
        order = _draws(case).permutation(len(case.pool.labels))
        sound = order[~case.pool.wrong[order]]
        _, firsts = np.unique(case.pool.labels[sound], return_index=True)
        queries = case.vectors[sound[firsts]]
        return chosen(strategy="target", queries=queries, target_rule=rule, scores=None)(case, k)

    return pick


def exact_facility(case: Case, k: int) -> Rows:
    """Pick by facility location over all pairs of rows."""
    matrix = kernels.Matrix.from_array(case.vectors)
    return kernels.facility_location(matrix, k, dense_limit=matrix.n, threads=1).indices


def graph_facility(case: Case, k: int) -> Rows:
    """Pick by facility location over the neighbours of rows, as `diversity` does for more than 20,000 rows."""
    matrix = kernels.Matrix.from_array(case.vectors)
    count = 4 * math.isqrt(matrix.n)
    sample = _draws(case).permutation(matrix.n)[: 16 * count]
    centroids = kernels.k_means(matrix, count, sample, iterations=3, directions=True, threads=1)
    probe = math.ceil(4000 * count / matrix.n)
    return kernels.facility_location(matrix, k, dense_limit=0, centroids=centroids, probe=probe, threads=1).indices


RANDOM = "random"
AUTO = "auto (default)"
AUTO_BY_WORDS = "auto, scores of the words alone"
AUTO_UNSCORED = "auto without losses"
DIVERSITY = "diversity (default)"
HYBRID = "hybrid (default)"
HYBRID_BY_WORDS = "hybrid, scores of the words alone"
EXACT = "facility location, all pairs"

ARMS: dict[str, Rule] = {
    RANDOM: chosen(strategy="random"),
    AUTO: chosen(strategy="auto"),
    AUTO_BY_WORDS: chosen(strategy="auto", scores=None, scorer="lexical"),
    AUTO_UNSCORED: chosen(strategy="auto", scores=None),
    "random, balanced over cells": stratified_random,
    "random, balanced by label": balanced_random,
    "loss_topk": chosen(strategy="loss_topk"),
    "loss_topk, band": chosen(strategy="loss_topk", score_mode="band"),
    "loss_topk, stratified": chosen(strategy="loss_topk", score_mode="stratified"),
    "threshold": chosen(strategy="threshold", clamp=True),
    **{f"target, {rule}": matching(rule) for rule in ("round_robin", "max", "mean")},
    EXACT: exact_facility,
    "facility location, neighbours": graph_facility,
    DIVERSITY: chosen(strategy="diversity"),
    "diversity after dedup near": chosen(strategy="diversity", dedup="near"),
    **{f"diversity, {name}": chosen(strategy="diversity", objective=name) for name in OBJECTIVES if name != "facility"},
    "diversity, dpp without losses": chosen(strategy="diversity", objective="dpp", scores=None),
    HYBRID: chosen(strategy="hybrid"),
    **{f"hybrid, {name}": chosen(strategy="hybrid", objective=name) for name in OBJECTIVES if name != "facility"},
    **{f"hybrid, quantile {q:g}": chosen(strategy="hybrid", score_quantile=q) for q in (0, 0.5)},
    HYBRID_BY_WORDS: chosen(strategy="hybrid", scores=None),
    "hybrid, top": chosen(strategy="hybrid", score_mode="top"),
    "hybrid, top, kcenter": chosen(strategy="hybrid", score_mode="top", objective="kcenter", outlier_guard=0.0),
}

_DIVERSE = [arm for arm in ARMS if arm.startswith("diversity") and arm != "diversity after dedup near"]
#: The rules that may be chosen where there are losses: none of them knows a label or is shown rows of a task.
OURS = [arm for arm in ARMS if arm.startswith(("loss_topk", "threshold", "hybrid"))] + _DIVERSE
#: Those that may be where there are none.
OURS_UNSCORED = [HYBRID_BY_WORDS, *(arm for arm in _DIVERSE if not arm.endswith(("mmr", "dpp")))]
